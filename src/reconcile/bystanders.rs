//! The services that count for the limits of a change which is planned for others.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::discover::{Discovered, Discovery};
use crate::domain::key::Key;
use crate::domain::listed::Listed;
use crate::domain::policy::Policy;
use crate::domain::service::Service;
use crate::domain::watch::Match;

impl Discovery<'_> {
    /// Adds the services that watch the key of one of these changes and are not in its scope: their
    /// rollouts count for `in-flight-limit`, and they count for `blast-radius`. Nothing is started
    /// for them. The changes are [`super::partial::Partial::restarting`].
    ///
    /// Calls: none without such a change. Otherwise ceil(S/100) if the services were not listed. If
    /// more of them watch the key than may roll at once, or than it may restart, ceil(n/10) more,
    /// and one for each task definition of a service that says `auto`, rolls, and is not known yet.
    ///
    /// A service that cannot be read does not count: no restart waits for the tag index. Nor does
    /// one that reads the key by `auto` alone and does not roll.
    pub(super) async fn add_bystanders(
        &self,
        keys: &BTreeSet<Key>,
        watching: &[Listed],
        discovered: &mut Discovered,
        policy: &Policy,
    ) {
        if keys.is_empty() {
            return;
        }
        let watching = match watching {
            [] => self
                .list()
                .await
                .map_or(Vec::new(), |listing| listing.found)
                .into(),
            listed => Cow::from(listed),
        };
        let limited = limited(keys, &watching, policy);
        let known: BTreeSet<_> = discovered.services.iter().map(|known| &known.id).collect();
        let ids = watching
            .iter()
            .filter(|listed| !known.contains(&listed.id))
            .filter(|listed| limited.iter().any(|key| may_watch(listed, key)))
            .map(|listed| &listed.id);
        let mut others = self.describe_services(ids).await.services;
        let is_undecided = |service: &Service| {
            let mut limited = limited.iter();
            limited.any(|key| service.match_of(key) == Match::NeedsTaskDefinition)
        };
        let undecided = others
            .iter_mut()
            .filter(|service| service.is_rolling() && is_undecided(service));
        self.read_definitions(undecided, discovered).await;
        others.retain(|service| !is_undecided(service));
        discovered.services.extend(others);
    }
}

/// Those of these changes whose services may exceed a limit.
fn limited<'k>(keys: &'k BTreeSet<Key>, watching: &[Listed], policy: &Policy) -> Vec<&'k Key> {
    let is_limited = |key: &&Key| {
        let watchers = watching.iter().filter(|listed| may_watch(listed, key));
        watchers.count() > policy.max_in_flight.min(policy.max_services)
    };
    keys.iter().filter(is_limited).collect()
}

fn may_watch(listed: &Listed, key: &Key) -> bool {
    let matched = listed.match_of(key);
    matches!(matched, Match::Watched | Match::NeedsTaskDefinition)
}
