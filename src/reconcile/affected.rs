//! The services that each change affects, and the lines of the changes in the log.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::domain::arn::{AccountRegion, ServiceId};
use crate::domain::batch::Batch;
use crate::domain::change::Change;
use crate::domain::key::Key;
use crate::domain::plan::Reasons;
use crate::domain::received::{Reach, ReceivedChange};
use crate::domain::watching::Watching;

/// The number of services by key.
#[derive(Debug, Default)]
pub(super) struct Affected {
    reach: BTreeMap<Key, Reach>,
    /// Services that the same changes affect alike, counted together: so the changes are counted
    /// once, and not once for each service.
    alike: BTreeMap<usize, (Arc<Reasons>, usize)>,
}

impl Affected {
    /// Counts a service that was decided about.
    pub(super) fn add(&mut self, asked_by: &Arc<Reasons>) {
        let place = Arc::as_ptr(asked_by).addr();
        self.alike
            .entry(place)
            .or_insert_with(|| (Arc::clone(asked_by), 0))
            .1 += 1;
    }

    /// Counts a service that these keys may affect, but that could not be read.
    pub(super) fn add_undecided<'a>(&mut self, keys: impl IntoIterator<Item = &'a Key>) {
        for key in keys {
            count(&mut self.reach, key, |reach| reach.undecided += 1);
        }
    }

    /// The numbers by key.
    pub(super) fn finish(self) -> BTreeMap<Key, Reach> {
        let mut reach = self.reach;
        for (asked_by, services) in self.alike.into_values() {
            for key in asked_by.keys() {
                count(&mut reach, key, |reach| reach.affected += services);
            }
        }
        reach
    }
}

fn count(reach: &mut BTreeMap<Key, Reach>, key: &Key, add: impl Fn(&mut Reach)) {
    match reach.get_mut(key) {
        Some(known) => add(known),
        None => add(reach.entry(key.clone()).or_default()),
    }
}

/// The number of services with a watch term, or a reference, that does not parse: it may mean any
/// key.
pub(super) fn with_mistakes(
    watching: &Watching,
    mistakes: &BTreeSet<(ServiceId, String)>,
) -> usize {
    let by_terms = watching.with_mistakes().map(|listed| &listed.id);
    by_terms
        .chain(mistakes.iter().map(|(id, _)| id))
        .collect::<BTreeSet<_>>()
        .len()
}

/// The lines of the changes of a batch, each with the services that it reaches; without them if the
/// services could not be listed.
pub(super) fn received(
    batch: &Batch,
    home: Option<&AccountRegion>,
    reach: impl Fn(&Key) -> Option<Reach>,
) -> Vec<ReceivedChange> {
    let request = batch.request.as_ref();
    let line = |change: &Change| {
        let line = ReceivedChange::of(change, home, reach(&change.key));
        // The first failure of the listing is reported; these are its repetitions.
        let is_new = line.is_new && (line.reach.is_some() || batch.failed_listings == 0);
        ReceivedChange {
            request_reason: request.and_then(|request| request.reason.clone()),
            sender_id: request.and_then(|request| request.sender.clone()),
            is_new,
            ..line
        }
    };
    batch.changes.values().map(line).collect()
}
