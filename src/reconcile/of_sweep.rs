//! The work that a sweep leaves for later.

use std::collections::BTreeMap;

use super::Reconciler;
use crate::domain::arn::ServiceId;
use crate::domain::batch::Batch;
use crate::domain::change::Change;
use crate::domain::defer::defer;
use crate::domain::key::Key;
use crate::domain::reason::Reason;
use crate::domain::resolution::{FollowUp, Resolution, Resolutions};
use crate::domain::start::StartResult;

impl Reconciler<'_> {
    /// Defers what a sweep found outside of its window until that opens, as each sweep may come
    /// while it is closed; and follows the rollouts that it started. The rest is left to the next
    /// sweep. Returns the number of messages that were sent.
    pub(crate) async fn defer_of_sweep(
        &self,
        changes: &BTreeMap<Key, Change>,
        resolutions: &mut Resolutions,
    ) -> usize {
        let waits = |(_, one): &(&ServiceId, &Resolution)| {
            let planned = one.planned.as_ref();
            let is_started = matches!(one.start, Some(StartResult::Started { .. }));
            let is_left = one.follow_up == FollowUp::LeftToSweep
                && planned.is_ok_and(|planned| planned.reason == Reason::OutsideWindow);
            is_left || is_started
        };
        let waiting = resolutions.iter().filter(waits);
        let waiting: Resolutions = waiting.map(|(id, one)| (id.clone(), one.clone())).collect();
        let batch = Batch::of_sweep(changes);
        let deferral = defer(&batch, &waiting, &self.defer_policy(), self.clock.now());
        let sent = self.sender().defer(deferral, resolutions).await;
        for resolution in resolutions.values_mut() {
            if resolution.is_left_to_redelivery() {
                resolution.follow_up = FollowUp::LeftToSweep;
            }
        }
        sent.messages
    }
}
