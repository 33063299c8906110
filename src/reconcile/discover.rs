//! The services that a batch may affect, as they are now.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::affected::Affected;
use crate::aws::{DescribedAt, DescribedServices, Detail, Ecs, Error, Listing, Tagging};
use crate::clock::Deadline;
use crate::domain::arn::{AccountRegion, ServiceId};
use crate::domain::batch::Batch;
use crate::domain::change::{Change, ChangeKind};
use crate::domain::key::Key;
use crate::domain::reason::Reason;
use crate::domain::resolution::{Resolution, Resolutions, Unreadable};
use crate::domain::service::{Service, ServiceStatus};
use crate::domain::shared::Shared;
use crate::domain::start::ErrorKind;
use crate::domain::tags::Tags;
use crate::domain::watch::Match;
use crate::domain::watching::Watching;
use crate::settings::Settings;

/// Finds services by their tag, and describes them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Discovery<'a> {
    pub(super) ecs: &'a Ecs,
    pub(super) tagging: &'a Tagging,
    pub(super) settings: &'a Settings,
    pub(super) deadline: Deadline,
}

/// The services of a batch, as far as they could be read.
#[derive(Debug, Default)]
pub(super) struct Discovered {
    pub(super) services: Vec<Service>,
    /// The instants at which the services were described.
    pub(super) described_at: DescribedAt,
    /// Services that could not be described, and services that a request must not restart.
    pub(super) unreadable: Resolutions,
    /// The changes that may affect a service whose task definition could not be read.
    pub(super) undecided: BTreeMap<ServiceId, Arc<BTreeSet<Key>>>,
    /// The services that a deletion affects and whose task definition could not be read.
    pub(super) unread_definitions: BTreeMap<ServiceId, String>,
    pub(super) mistakes: BTreeSet<(ServiceId, String)>,
    pub(super) affected: Affected,
    /// The number of task definitions that were read.
    pub(super) task_definitions: usize,
    /// Sets of keys, each once.
    pub(super) keys: Shared<BTreeSet<Key>>,
}

/// A service whose task definition was read, or the error.
pub(super) struct WithDefinition<'s> {
    service: &'s mut Service,
    error: Option<Arc<Error>>,
}

impl Discovery<'_> {
    /// The services that have opted in, a hundred a call: those of the clusters of
    /// `RELOADER_CLUSTERS`.
    ///
    /// # Errors
    /// The listing failed. A listing that does not end leaves half of the time for what follows.
    pub(super) async fn list(&self) -> Result<Listing<Watching>, Error> {
        let prefix = &self.settings.tag_prefix;
        let by = self.deadline.share(2);
        let listed = self.tagging.services_watching(prefix, by).await?;
        Ok(listed.map(|listed| {
            let listed = listed.into_iter();
            listed.filter(|one| self.is_in_reach(&one.id)).collect()
        }))
    }

    fn is_in_reach(&self, id: &ServiceId) -> bool {
        self.settings.clusters.is_empty() || self.settings.clusters.contains(&id.cluster)
    }

    /// Describes services, ten a call.
    pub(crate) async fn describe_services(
        &self,
        ids: impl IntoIterator<Item = &ServiceId>,
    ) -> DescribedServices {
        self.describe_since(ids, None).await
    }

    /// The same, with the events of services from these instants on.
    async fn describe_since(
        &self,
        ids: impl IntoIterator<Item = &ServiceId>,
        events_since: Option<&BTreeMap<ServiceId, Timestamp>>,
    ) -> DescribedServices {
        let detail = Detail {
            prefix: &self.settings.tag_prefix,
            events_since,
        };
        let by = self.deadline.share(3);
        self.ecs.describe_services(ids, detail, by).await
    }

    /// Describes the services that the changes may affect and those that messages name.
    pub(super) async fn describe(&self, batch: &Batch, watching: &Watching) -> Discovered {
        let affected = watching.affected(batch.changes.values());
        let (ids, out_of_reach): (BTreeSet<_>, BTreeSet<_>) = affected
            .map(|listed| &listed.id)
            .chain(batch.named())
            .partition(|id| self.is_in_reach(id));
        let mut discovered = Discovered::default();
        for id in out_of_reach {
            discovered.refuse(id, "its cluster is not one of RELOADER_CLUSTERS");
        }
        let events_since = batch.followed_since();
        let described = self.describe_since(ids, Some(&events_since)).await;
        discovered.described_at = described.described_at;
        for (id, error) in &described.unread {
            let listed = watching.get(id).into_iter();
            let listed_keys = listed.flat_map(|listed| batch.keys_of(listed));
            let keys = listed_keys.chain(batch.keys_that_name(id)).cloned();
            discovered.add_unreadable(id, error, keys.collect());
        }
        let gone = described
            .gone
            .into_iter()
            .map(|id| match watching.get(&id) {
                Some(listed) => Service::gone(id, listed.home.clone(), listed.tags.clone()),
                None => Service::gone(id, AccountRegion::default(), Tags::default()),
            });
        for service in described.services.into_iter().chain(gone) {
            if batch.means(&service) {
                discovered.services.push(service);
            } else {
                discovered.refuse(&service.id, "the ARN names another account or Region");
            }
        }
        discovered
    }

    /// Reads the task definitions that decide if a change affects a service: those of services that
    /// say `auto`, unless their terms name every change already. A change for other services counts
    /// too: its limits are about all services that it affects. If one cannot be read, the service's
    /// terms decide alone, and the changes for this service are planned again later.
    pub(super) async fn read_references(&self, batch: &Batch, discovered: &mut Discovered) {
        let is_undecided = |service: &&mut Service| {
            service.status == ServiceStatus::Active
                && service.may_need_its_task_definition()
                && batch
                    .changes
                    .keys()
                    .any(|key| service.match_of(key) == Match::NeedsTaskDefinition)
        };
        let mut services = std::mem::take(&mut discovered.services);
        let undecided = services.iter_mut().filter(is_undecided);
        for WithDefinition { service, error } in self.read_definitions(undecided, discovered).await
        {
            match error {
                Some(error) => discovered.add_undecided(batch, service, &error),
                None => discovered.mistakes.extend(
                    service
                        .mistakes()
                        .map(|mistake| (service.id.clone(), mistake)),
                ),
            }
        }
        discovered.services = services;
    }

    /// Reads the task definitions of all services that watch a deleted key, with `auto` or without:
    /// the next task fails to start only if its task definition refers to the key. One call for
    /// each that is not known yet. One that cannot be read raises no alarm; the line of the service
    /// says so.
    pub(super) async fn read_missing_keys(&self, batch: &Batch, discovered: &mut Discovered) {
        let deleted: Vec<_> = batch
            .changes
            .values()
            .filter(|change| change.kind == ChangeKind::Deleted && !change.ignored)
            .collect();
        let is_affected = |service: &&mut Service| {
            let is_open = service.references.is_none() && service.status == ServiceStatus::Active;
            is_open && deleted.iter().any(|change| is_decided(service, change))
        };
        let mut services = std::mem::take(&mut discovered.services);
        let affected = services.iter_mut().filter(is_affected);
        for WithDefinition { service, error } in self.read_definitions(affected, discovered).await {
            if let Some(error) = error {
                let unread = &mut discovered.unread_definitions;
                unread.insert(service.id.clone(), error.to_string());
            }
        }
        discovered.services = services;
    }

    /// Gives services the references of their task definitions: one call for each that is not known
    /// yet.
    pub(super) async fn read_definitions<'s>(
        &self,
        services: impl Iterator<Item = &'s mut Service>,
        discovered: &mut Discovered,
    ) -> Vec<WithDefinition<'s>> {
        let mut wanted: BTreeMap<String, Vec<&mut Service>> = BTreeMap::new();
        for service in services {
            match service.task_definition.clone() {
                Some(arn) => wanted.entry(arn).or_default().push(service),
                // Without a task set it has no task definition yet, and so no references.
                None => service.references = Some(Arc::default()),
            }
        }
        let before = self.ecs.definitions_read();
        let arns = wanted.keys().cloned().collect();
        let mut read = self.ecs.references(arns, self.deadline.share(2)).await;
        discovered.task_definitions += self.ecs.definitions_read() - before;
        let mut asked = Vec::new();
        for (arn, services) in wanted {
            let Some(references) = read.remove(&arn).map(|read| read.map_err(Arc::new)) else {
                continue;
            };
            for service in services {
                if let Ok(references) = &references {
                    service.references = Some(references.clone());
                }
                let error = references.as_ref().err().cloned();
                asked.push(WithDefinition { service, error });
            }
        }
        asked
    }
}

impl Discovered {
    /// Gives the services what the attempts before know of them.
    pub(super) fn take_attempts(&mut self, batch: &Batch) {
        for service in &mut self.services {
            let attempt = batch.attempts.get(&service.id);
            service.followed_rollout = attempt.and_then(|attempt| attempt.rollouts.last().cloned());
            service.has_waited_to_settle =
                attempt.is_some_and(|attempt| attempt.last_reason == Some(Reason::Settling));
        }
    }

    /// The account or the Region of a named service is another one: nothing is done for it.
    fn refuse(&mut self, id: &ServiceId, message: &str) {
        let error = Unreadable {
            kind: ErrorKind::Rejected,
            message: message.to_owned(),
        };
        let resolution = Resolution::unreadable(id.clone(), error, Arc::default());
        self.unreadable.insert(id.clone(), resolution);
    }

    fn add_unreadable(&mut self, id: &ServiceId, error: &Error, keys: BTreeSet<Key>) {
        let keys = self.keys.share(keys);
        self.affected.add_undecided(&*keys);
        let resolution = Resolution::unreadable(id.clone(), Unreadable::from(error), keys);
        self.unreadable.insert(id.clone(), resolution);
    }

    fn add_undecided(&mut self, batch: &Batch, service: &Service, error: &Error) {
        let id = &service.id;
        let keys = keys_with(batch, service, Match::NeedsTaskDefinition);
        let keys: BTreeSet<Key> = keys.cloned().collect();
        if keys.is_empty() {
            return;
        }
        let keys = self.keys.share(keys);
        self.affected.add_undecided(&*keys);
        if error.kind.passes() {
            self.undecided.insert(id.clone(), Arc::clone(&keys));
        }
        let resolution = Resolution::unreadable(id.clone(), Unreadable::from(error), keys);
        self.unreadable.insert(id.clone(), resolution);
    }
}

impl From<&Error> for Unreadable {
    fn from(error: &Error) -> Self {
        Self {
            kind: error.kind,
            message: error.to_string(),
        }
    }
}

/// The keys of the changes for a service that have this relation to it.
fn keys_with<'a>(
    batch: &'a Batch,
    service: &'a Service,
    wanted: Match,
) -> impl Iterator<Item = &'a Key> {
    let changes = batch.changes.values();
    changes
        .filter(|change| change.scope.includes(&service.id))
        .map(|change| &change.key)
        .filter(move |key| service.match_of(key) == wanted)
}

/// True if a change is for a service, and a term or a reference names its key.
pub(super) fn is_decided(service: &Service, change: &Change) -> bool {
    change.scope.includes(&service.id)
        && matches!(
            service.match_of(&change.key),
            Match::Watched | Match::Pinned
        )
}
