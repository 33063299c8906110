//! How many services each change concerns.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::aws::Listed;
use crate::domain::arn::ServiceId;
use crate::domain::key::Key;
use crate::domain::plan::Reasons;
use crate::domain::received::Reach;

/// Services that the same changes concern alike, counted together: the changes are gone through
/// once, not once a service.
#[derive(Debug, Default)]
pub(super) struct Concerned(BTreeMap<usize, (Arc<Reasons>, usize)>);

impl Concerned {
    pub(super) fn add(&mut self, asked_by: &Arc<Reasons>) {
        self.0
            .entry(Arc::as_ptr(asked_by).addr())
            .or_insert_with(|| (Arc::clone(asked_by), 0))
            .1 += 1;
    }

    pub(super) fn count(self, reach: &mut BTreeMap<Key, Reach>) {
        for (asked_by, services) in self.0.into_values() {
            count(reach, asked_by.keys(), |reach| reach.affected += services);
        }
    }
}

/// Counts a service for each of these keys.
pub(super) fn count<'a>(
    reach: &mut BTreeMap<Key, Reach>,
    keys: impl IntoIterator<Item = &'a Key>,
    one_more: impl Fn(&mut Reach),
) {
    for key in keys {
        match reach.get_mut(key) {
            Some(known) => one_more(known),
            None => one_more(reach.entry(key.clone()).or_default()),
        }
    }
}

/// Adds the keys that are not known yet, and copies no others.
pub(super) fn add_new<'a>(known: &mut BTreeSet<Key>, keys: impl Iterator<Item = &'a Key>) {
    for key in keys {
        if !known.contains(key) {
            known.insert(key.clone());
        }
    }
}

/// How many services have a watch term, or a reference, that does not parse: nobody can tell
/// whether it means a key.
pub(super) fn with_mistakes(
    watching: &[Listed],
    mistakes: &BTreeSet<(ServiceId, String)>,
) -> usize {
    let by_terms = watching
        .iter()
        .filter(|listed| !listed.tags.unread_terms.is_empty())
        .map(|listed| &listed.id);
    by_terms
        .chain(mistakes.iter().map(|(id, _)| id))
        .collect::<BTreeSet<_>>()
        .len()
}
