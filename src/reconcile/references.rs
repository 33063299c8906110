//! Which services are concerned by their task definitions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Batch, Performed, Reconciler, count, unread};
use crate::aws::Error;
use crate::domain::service::{Service, ServiceStatus};
use crate::domain::summary::ServiceLine;
use crate::domain::watch::Match;

impl Reconciler<'_> {
    /// Reads the task definitions that decide whether services are concerned: of those that say
    /// `auto` and whose terms do not name every change already. Where one cannot be read, the
    /// service's terms decide alone, and what else might concern it goes on later.
    pub(super) async fn read_references(
        &self,
        batch: &Batch,
        services: &mut [Service],
        performed: &mut Performed,
    ) {
        let listening = |service: &Service, wanted| {
            let looked_at = batch
                .changes
                .values()
                .filter(|change| change.scope.includes(&service.id))
                .map(|change| &change.key);
            looked_at
                .filter(|key| service.match_of(key) == wanted)
                .cloned()
                .collect::<BTreeSet<_>>()
        };
        let undecided = |service: &&mut Service| {
            service.status == ServiceStatus::Active
                && service.may_need_its_task_definition()
                && !listening(service, Match::NeedsTaskDefinition).is_empty()
        };
        for (service, failed) in self
            .read_definitions(services.iter_mut().filter(undecided), performed)
            .await
        {
            if let Some(error) = failed {
                let keys = performed
                    .keys
                    .share(listening(service, Match::NeedsTaskDefinition));
                count(&mut performed.reach, &*keys, |reach| reach.undecided += 1);
                if error.kind.passes() {
                    performed.undecided.insert(service.id.clone(), keys);
                }
                if listening(service, Match::Watched).is_empty() {
                    performed
                        .lines
                        .push(ServiceLine::unread(&service.id, &unread(&error)));
                } else {
                    performed
                        .mistakes
                        .insert((service.id.clone(), error.to_string()));
                }
            } else {
                performed.mistakes.extend(
                    service
                        .mistakes()
                        .map(|mistake| (service.id.clone(), mistake)),
                );
            }
        }
    }

    /// Gives services the references of their task definitions: one call for each that is not known
    /// yet. Answers the services that have a task definition, each with the error where it
    /// could not be read.
    pub(super) async fn read_definitions<'s>(
        &self,
        services: impl Iterator<Item = &'s mut Service>,
        performed: &mut Performed,
    ) -> Vec<(&'s mut Service, Option<Arc<Error>>)> {
        let mut wanted: BTreeMap<String, Vec<&mut Service>> = BTreeMap::new();
        for service in services {
            match service.task_definition.clone() {
                Some(arn) => wanted.entry(arn).or_default().push(service),
                // Without a task set of its own, it refers to nothing yet.
                None => service.references = Some(Arc::default()),
            }
        }
        let before = self.aws.ecs.definitions_read();
        let mut read = self
            .aws
            .ecs
            .references(
                wanted.keys().cloned().collect(),
                self.share_of_what_is_left(2),
            )
            .await;
        performed.task_definitions += self.aws.ecs.definitions_read() - before;
        let mut asked = Vec::new();
        for (arn, services) in wanted {
            let Some(references) = read.remove(&arn).map(|read| read.map_err(Arc::new)) else {
                continue;
            };
            for service in services {
                service.references = references
                    .as_ref()
                    .ok()
                    .cloned()
                    .or_else(|| service.references.take());
                asked.push((service, references.as_ref().err().cloned()));
            }
        }
        asked
    }
}
