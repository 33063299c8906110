//! Who misses what was deleted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Errand, Performed, Reload};
use crate::domain::change::{Change, ChangeKind};
use crate::domain::service::{Service, ServiceStatus};
use crate::domain::watch::Listening;

impl Reload<'_> {
    /// Reads the task definitions of the services that watch what was deleted, whether they say `auto` or not: only where one refers to the key itself does
    /// its next task not start. One call for each that is not known yet. Where one cannot be read, nobody is alarmed, and the service's line says so.
    pub(super) async fn read_who_misses(&self, errand: &Errand, services: &mut [Service], performed: &mut Performed) {
        let deleted: Vec<_> = errand.changes.values().filter(|change| change.kind == ChangeKind::Deleted && !change.ignored).collect();
        let concerns = |service: &Service, change: &Change| {
            change.whom.includes(&service.id) && matches!(service.listens(&change.key), Listening::Yes | Listening::Pinned)
        };
        let is_concerned = |service: &&mut Service| {
            let is_open = service.references.is_none() && service.status == ServiceStatus::Active;
            is_open && deleted.iter().any(|change| concerns(service, change))
        };
        let mut wanted: BTreeMap<String, Vec<&mut Service>> = BTreeMap::new();
        for service in services.iter_mut().filter(is_concerned) {
            match service.task_definition.clone() {
                Some(arn) => wanted.entry(arn).or_default().push(service),
                // Without a task set of its own, it refers to nothing yet.
                None => service.references = Some(Arc::default()),
            }
        }
        let before = self.aws.ecs.definitions_read();
        let arns: BTreeSet<_> = wanted.keys().cloned().collect();
        let told = self.aws.ecs.references(arns, self.share_of_what_is_left(2)).await;
        performed.task_definitions += self.aws.ecs.definitions_read() - before;
        for service in wanted.into_values().flatten() {
            match service.task_definition.as_ref().and_then(|arn| told.get(arn)) {
                Some(Ok(references)) => service.references = Some(Arc::clone(references)),
                Some(Err(error)) => _ = performed.unread_definitions.insert(service.id.clone(), error.to_string()),
                None => {}
            }
        }
    }
}
