//! The records of the services of one batch.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::discover::Discovered;
use crate::domain::arn::ServiceId;
use crate::domain::batch::Batch;
use crate::domain::key::Key;
use crate::domain::received::Reach;
use crate::domain::resolution::{Resolution, Resolutions};
use crate::domain::start::Executed;

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
        deadline: SignedDuration,
        now: Timestamp,
    ) -> Self {
        let mut resolved = Self::default();
        for (id, executed) in executed {
            discovered.affected.add(&executed.planned.asked_by);
            for key in executed.planned.refused_changes() {
                if !resolved.refused_changes.contains(key) {
                    resolved.refused_changes.insert(key.clone());
                }
            }
            let attempt = batch.attempts.get(&id).cloned().unwrap_or_default();
            let mut resolution = Resolution::of(executed, attempt, deadline, now);
            if let Some(message) = discovered.unread_definitions.get(&id) {
                resolution.notes.push(format!(
                    "it is not known if its task definition refers to the deleted key: {message}"
                ));
            }
            if let Some(undecided) = discovered.undecided.remove(&id) {
                resolution.undecided = undecided;
            }
            if let Some(unreadable) = discovered.unreadable.remove(&id)
                && let Err(error) = unreadable.planned
            {
                discovered.mistakes.insert((id.clone(), error.message));
            }
            resolved.resolutions.insert(id, resolution);
        }
        for (id, mut resolution) in discovered.unreadable {
            if let Some(attempt) = batch.attempts.get(&id) {
                resolution.rollout.clone_from(&attempt.rollout);
                resolution.attempt = attempt.clone();
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
