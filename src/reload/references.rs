//! Which services are concerned by their task definitions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Errand, Performed, Reload, count, unread};
use crate::domain::service::{Service, ServiceStatus};
use crate::domain::summary::ServiceLine;
use crate::domain::watch::Listening;

impl Reload<'_> {
    /// Reads the task definitions that decide whether services are concerned: of those that say `auto` and whose terms do not name every change
    /// already. Where one cannot be read, the service's terms decide alone, and what else might concern it goes on later.
    pub(super) async fn read_references(&self, errand: &Errand, services: &mut [Service], performed: &mut Performed) {
        let listening = |service: &Service, wanted| {
            let looked_at = errand.changes.values().filter(|change| change.whom.includes(&service.id)).map(|change| &change.key);
            looked_at.filter(|key| service.listens(key) == wanted).cloned().collect::<BTreeSet<_>>()
        };
        let undecided = |service: &&mut Service| {
            service.status == ServiceStatus::Active
                && service.may_ask_its_task_definition()
                && !listening(service, Listening::AskTaskDefinition).is_empty()
        };
        let mut wanted: BTreeMap<String, Vec<&mut Service>> = BTreeMap::new();
        for service in services.iter_mut().filter(undecided) {
            match service.task_definition.clone() {
                Some(arn) => wanted.entry(arn).or_default().push(service),
                // Without a task set of its own, it refers to nothing yet.
                None => service.references = Some(Arc::default()),
            }
        }
        let before = self.aws.ecs.definitions_read();
        let arns: BTreeSet<_> = wanted.keys().cloned().collect();
        let references = self.aws.ecs.references(arns, self.share_of_what_is_left(2)).await;
        performed.task_definitions = self.aws.ecs.definitions_read() - before;
        for service in wanted.into_values().flatten() {
            match service.task_definition.as_ref().and_then(|arn| references.get(arn)) {
                Some(Ok(references)) => {
                    service.references = Some(Arc::clone(references));
                    performed.mistakes.extend(service.mistakes().map(|mistake| (service.id.clone(), mistake)));
                }
                Some(Err(error)) => {
                    let keys = performed.keys.share(listening(service, Listening::AskTaskDefinition));
                    count(&mut performed.reach, &*keys, |reach| reach.undecided += 1);
                    if error.cause.passes() {
                        performed.undecided.insert(service.id.clone(), keys);
                    }
                    if listening(service, Listening::Yes).is_empty() {
                        performed.lines.push(ServiceLine::unread(&service.id, &unread(error)));
                    } else {
                        performed.mistakes.insert((service.id.clone(), error.to_string()));
                    }
                }
                None => {}
            }
        }
    }
}
