//! The records of the services of one batch.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::discover::Discovered;
use crate::domain::arn::ServiceId;
use crate::domain::batch::Batch;
use crate::domain::key::Key;
use crate::domain::plan::Planned;
use crate::domain::received::Reach;
use crate::domain::resolution::{Following, Resolution, Resolutions};
use crate::domain::start::Executed;

/// The note of a service whose change was refused by a number that may be too high.
const NOT_ALL_COUNTED: &str = "a task definition could not be read, so that its service was \
    counted without knowing whether it is affected: this is decided again";

/// The results of one batch.
#[derive(Debug, Default)]
pub(super) struct Resolved {
    pub(super) resolutions: Resolutions,
    pub(super) mistakes: BTreeSet<(ServiceId, String)>,
    pub(super) reach: BTreeMap<Key, Reach>,
    pub(super) task_definitions: usize,
    pub(super) refused_changes: BTreeSet<Key>,
}

impl Resolved {
    /// The records of the services of a batch, one each.
    pub(super) fn of(
        batch: &Batch,
        mut discovered: Discovered,
        executed: BTreeMap<ServiceId, Executed>,
        following: &Following<'_>,
    ) -> Self {
        let mut resolved = Self::default();
        let uncounted = discovered.uncounted();
        for (id, executed) in executed {
            discovered.affected.add(&executed.planned.asked_by);
            for key in executed.planned.refused_changes() {
                if !resolved.refused_changes.contains(key) {
                    resolved.refused_changes.insert(key.clone());
                }
            }
            let attempt = batch.attempts.get(&id).cloned().unwrap_or_default();
            let mut resolution = Resolution::of(executed, attempt, following);
            if let Some(message) = discovered.unread_definitions.get(&id) {
                resolution.notes.push(format!(
                    "it is not known if its task definition refers to the deleted key: {message}"
                ));
            }
            discovered.decide_again(&mut resolution, &uncounted);
            if let Some(unreadable) = discovered.unreadable.remove(&id)
                && let Err(error) = unreadable.planned
            {
                discovered.mistakes.insert((id.clone(), error.message));
            }
            resolved.resolutions.insert(id, resolution);
        }
        for (id, mut resolution) in discovered.unreadable {
            if let Some(attempt) = batch.attempts.get(&id) {
                if resolution.undecided.is_empty() && !attempt.rollouts.is_empty() {
                    resolution.undecided = Arc::new(batch.keys_that_name(&id).cloned().collect());
                }
                resolution = resolution.after(attempt.clone(), following);
            }
            resolved.resolutions.insert(id, resolution);
        }
        Self {
            mistakes: discovered.mistakes,
            reach: discovered.affected.finish(),
            task_definitions: discovered.task_definitions,
            ..resolved
        }
    }
}

impl Discovered {
    /// The changes of which some services counted for `blast-radius` without it being known that
    /// they are affected.
    fn uncounted(&self) -> BTreeSet<Key> {
        let keys = self.undecided.values();
        keys.flat_map(|keys| keys.iter().cloned()).collect()
    }

    /// Has the changes of a service decided again that its own task definition decides, and those
    /// that were refused by a number which may be too high.
    fn decide_again(&mut self, resolution: &mut Resolution, uncounted: &BTreeSet<Key>) {
        let own = self.undecided.remove(&resolution.service);
        let planned = resolution.planned.iter();
        let refused: BTreeSet<Key> = planned
            .flat_map(Planned::refused_changes)
            .filter(|key| uncounted.contains(*key))
            .cloned()
            .collect();
        let own = own.unwrap_or_default();
        if refused.is_empty() {
            resolution.undecided = own;
        } else {
            resolution.notes.push(NOT_ALL_COUNTED.to_owned());
            resolution.undecided = self.keys.share(&*own | &refused);
        }
    }
}
