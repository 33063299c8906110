//! The results of a batch, for the report of the invocation.

use super::{Reconciled, Reconciler};
use crate::domain::batch::Batch;
use crate::domain::resolution::Resolutions;
use crate::domain::start::StartResult;

impl Reconciler<'_> {
    /// Adds the records of a batch to the lines and the notices of the invocation.
    pub(super) fn report(
        &self,
        batch: &Batch,
        resolutions: Resolutions,
        reconciled: &mut Reconciled,
    ) {
        if self.settings.event_bus.is_some() {
            let now = self.clock.now();
            let notices = &mut reconciled.notices;
            notices.add(&batch.changes, resolutions.values(), now);
        }
        for resolution in resolutions.values() {
            let started = matches!(resolution.start, Some(StartResult::Started { .. }));
            reconciled.has_started |= started;
            if resolution.is_left_to_redelivery() {
                let left = &mut reconciled.left_to_redelivery;
                left.insert(resolution.service.clone());
            }
        }
        let most = self.settings.max_services;
        let limit = batch.raises(most).filter(|_| !batch.queued).map(|_| most);
        let request = batch.request.as_ref();
        let resolutions = resolutions.into_values();
        reconciled
            .services
            .add(&batch.changes, request, limit, resolutions);
    }
}
