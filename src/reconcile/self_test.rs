//! The self-test: a change that the stack itself makes every day. Its arrival proves the road from an
//! event to a decision.

use super::Reconciler;
use crate::domain::batch::Batch;
use crate::domain::change::Change;
use crate::domain::key::Key;

impl Reconciler<'_> {
    /// Also a service that watches every parameter is not restarted for the self-test.
    pub(super) fn restart_nothing_for_the_self_test(&self, batch: &mut Batch) {
        let mut changes = batch.changes.values_mut();
        if let Some(change) = changes.find(|change| self.is_self_test(change)) {
            change.ignored = true;
        }
    }

    /// The number of self-tests that have just arrived: one at most.
    pub(super) fn self_tests(&self, batch: &Batch) -> usize {
        let new = batch.new_changes();
        new.filter(|change| self.is_self_test(change)).count()
    }

    /// True if a change is that of the parameter which the stack itself writes.
    fn is_self_test(&self, change: &Change) -> bool {
        let Some(name) = &self.settings.self_test else {
            return false;
        };
        let is_here = self.home.is_none_or(|home| change.key.is_at(home));
        is_here && change.key == Key::parameter(change.key.home().clone(), name)
    }
}
