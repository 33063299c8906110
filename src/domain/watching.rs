//! The services that have opted in, found by the keys that their tags name.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use super::arn::ServiceId;
use super::change::Change;
use super::index::TermIndex;
use super::key::Key;
use super::listed::Listed;
use super::watch::Match;

/// The services of one listing of the tag index. The index of their terms is built with it, so that
/// a change costs a search and not a comparison with every service. Services that say `auto` are
/// candidates for every change: their task definitions decide.
#[derive(Clone, Debug, Default)]
pub struct Watching {
    /// In the order of their ids.
    services: Vec<Listed>,
    terms: TermIndex,
    /// The places of the services that say `auto`.
    auto: Vec<usize>,
    /// The places of the services with a watch term that does not parse.
    with_mistakes: Vec<usize>,
}

impl FromIterator<Listed> for Watching {
    fn from_iter<I: IntoIterator<Item = Listed>>(services: I) -> Self {
        let mut services: Vec<_> = services.into_iter().collect();
        services.sort_by(|one, other| one.id.cmp(&other.id));
        let watches = || {
            let services = services.iter().enumerate();
            services.filter_map(|(place, listed)| Some((place, listed.tags.watch.as_ref()?)))
        };
        let terms =
            watches().flat_map(|(place, watch)| watch.terms.iter().map(move |term| (place, term)));
        let auto = watches().filter(|(_, watch)| watch.auto);
        let with_mistakes = services.iter().enumerate();
        let with_mistakes =
            with_mistakes.filter(|(_, listed)| !listed.tags.unread_terms.is_empty());
        Self {
            terms: terms.collect(),
            auto: auto.map(|(place, _)| place).collect(),
            with_mistakes: with_mistakes.map(|(place, _)| place).collect(),
            services,
        }
    }
}

impl Watching {
    /// The number of services.
    #[must_use]
    pub fn len(&self) -> usize {
        self.services.len()
    }

    /// True if there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.services.is_empty()
    }

    /// All services, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &Listed> {
        self.services.iter()
    }

    /// The service with this id.
    #[must_use]
    pub fn get(&self, id: &ServiceId) -> Option<&Listed> {
        let services = &self.services;
        let place = services.binary_search_by(|listed| listed.id.cmp(id)).ok()?;
        services.get(place)
    }

    /// The services with a watch term that does not parse: it may mean any key.
    pub fn with_mistakes(&self) -> impl Iterator<Item = &Listed> {
        self.at(self.with_mistakes.iter().copied())
    }

    /// The services that have a relation to a key ([`Listed::match_of`]), each with it, in the order
    /// of their ids.
    pub fn matches(&self, key: &Key) -> impl Iterator<Item = (&Listed, Match)> {
        let services = self.at(self.candidates(key));
        let matched = services.map(move |listed| (listed, listed.match_of(key)));
        matched.filter(|(_, matched)| *matched != Match::None)
    }

    /// The services that one of the changes may affect, in the order of their ids.
    pub fn affected<'a>(
        &self,
        changes: impl IntoIterator<Item = &'a Change> + Clone,
    ) -> impl Iterator<Item = &Listed> {
        let is_affected_by =
            |place, change| self.at([place]).any(|listed| listed.is_affected_by(change));
        let by_any = |place: &usize| {
            let mut changes = changes.clone().into_iter();
            changes.any(|change| is_affected_by(*place, change))
        };
        let mut affected: BTreeSet<_> = self.auto.iter().copied().filter(by_any).collect();
        for change in changes {
            for place in self.terms.candidates(&change.key) {
                if !affected.contains(&place) && is_affected_by(place, change) {
                    affected.insert(place);
                }
            }
        }
        self.at(affected)
    }

    fn candidates(&self, key: &Key) -> BTreeSet<usize> {
        let mut candidates = self.terms.candidates(key);
        candidates.extend(&self.auto);
        candidates
    }

    fn at(&self, places: impl IntoIterator<Item = usize>) -> impl Iterator<Item = &Listed> {
        let places = places.into_iter();
        places.filter_map(|place| self.services.get(place))
    }
}
