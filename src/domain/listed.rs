//! A service in the tag index.

use super::arn::{AccountRegion, ServiceId};
use super::change::Change;
use super::key::Key;
use super::reference::References;
use super::tags::Tags;
use super::watch::Match;

/// A service as the tag index knows it. The index lags, and remembers services that are gone, so
/// each service is described before it is restarted.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// Its cluster and name.
    pub id: ServiceId,
    /// Its account and Region.
    pub home: AccountRegion,
    /// Its tags, as the index has them.
    pub tags: Tags,
}

impl Listed {
    /// Its relation to a key, as far as its tags alone decide it.
    #[must_use]
    pub fn match_of(&self, key: &Key) -> Match {
        self.tags.watch.as_ref().map_or(Match::None, |watch| {
            watch.match_of(key, &self.home, &References::default(), None)
        })
    }

    /// True if a change may affect it.
    #[must_use]
    pub fn is_affected_by(&self, change: &Change) -> bool {
        change.scope.includes(&self.id) && self.match_of(&change.key) != Match::None
    }
}
