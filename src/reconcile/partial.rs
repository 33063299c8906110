//! The changes of a batch that come back for some of their services.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::discover::Discovered;
use crate::domain::batch::Batch;
use crate::domain::change::Scope;
use crate::domain::key::Key;
use crate::domain::plan::plan;
use crate::domain::policy::Policy;
use crate::domain::reason::Reason;

/// The changes that are planned for some of their services alone.
#[derive(Debug, Default)]
pub(super) struct Partial {
    /// Those that would restart a service.
    pub(super) restarting: BTreeSet<Key>,
    /// Those that would restart a service now, or may once its deployment history is read.
    pub(super) may_restart: BTreeSet<Key>,
}

impl Partial {
    pub(super) fn of(
        batch: &Batch,
        discovered: &Discovered,
        policy: &Policy,
        now: Timestamp,
    ) -> Self {
        let mut partial = Self::default();
        let changes = batch.changes.values();
        let keys: BTreeSet<&Key> = changes
            .filter(|change| change.scope != Scope::All)
            .map(|change| &change.key)
            .collect();
        if keys.is_empty() {
            return partial;
        }
        let plan = plan(&batch.changes, &discovered.services, policy, now);
        for planned in plan.services.values() {
            let is_restart = planned.is_restart();
            let may_be_freed = matches!(
                planned.reason,
                Reason::InFlightLimit | Reason::DeploymentInProgress
            );
            let asking = planned.asked_by.iter().filter(|(key, reason)| {
                keys.contains(key) && **reason >= Reason::DeploymentInProgress
            });
            for (key, reason) in asking.filter(|_| is_restart || may_be_freed) {
                partial.may_restart.insert(key.clone());
                if is_restart && *reason == Reason::Stale {
                    partial.restarting.insert(key.clone());
                }
            }
        }
        partial
    }
}
