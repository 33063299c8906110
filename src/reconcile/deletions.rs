//! Who misses what was deleted.

use super::{Batch, Performed, Reconciler};
use crate::domain::change::{Change, ChangeKind};
use crate::domain::service::{Service, ServiceStatus};
use crate::domain::watch::Match;

impl Reconciler<'_> {
    /// Reads the task definitions of the services that watch what was deleted, whether they say
    /// `auto` or not: only where one refers to the key itself does its next task not start. One
    /// call for each that is not known yet. Where one cannot be read, nobody is alarmed, and the
    /// service's line says so.
    pub(super) async fn read_who_misses(
        &self,
        batch: &Batch,
        services: &mut [Service],
        performed: &mut Performed,
    ) {
        let deleted: Vec<_> = batch
            .changes
            .values()
            .filter(|change| change.kind == ChangeKind::Deleted && !change.ignored)
            .collect();
        let concerns = |service: &Service, change: &Change| {
            change.scope.includes(&service.id)
                && matches!(
                    service.match_of(&change.key),
                    Match::Watched | Match::Pinned
                )
        };
        let is_concerned = |service: &&mut Service| {
            let is_open = service.references.is_none() && service.status == ServiceStatus::Active;
            is_open && deleted.iter().any(|change| concerns(service, change))
        };
        for (service, failed) in self
            .read_definitions(services.iter_mut().filter(is_concerned), performed)
            .await
        {
            if let Some(error) = failed {
                performed
                    .unread_definitions
                    .insert(service.id.clone(), error.to_string());
            }
        }
    }
}
