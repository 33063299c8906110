//! Describes services once more, shortly before they are restarted and after a call that failed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::aws::{Detail, Ecs, Error};
use crate::domain::arn::ServiceId;
use crate::domain::history::{Evidence, History, Needed, just_before};
use crate::domain::service::Service;

/// Services that are described in one call.
pub(super) const GROUP_SIZE: usize = 10;

/// The time for which a description is believed. With an older one, a deployment of another
/// invocation, or of a pipeline, would be repeated.
const BELIEVED: Duration = Duration::from_secs(5);

/// One read may take a third of the time that is left: a call that hangs must leave time to restart.
const SHARE: u32 = 3;

/// Everything that is needed to read a service.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reads<'a> {
    pub(super) ecs: &'a Ecs,
    pub(super) tag_prefix: &'a str,
    pub(super) needed: &'a BTreeMap<ServiceId, Needed>,
    pub(super) until: Instant,
}

/// Services whose restarts follow one another.
#[derive(Debug)]
pub(super) struct Group(Mutex<Latest>);

/// The latest description of a group.
#[derive(Debug)]
struct Latest {
    /// `None` before the first one.
    at: Option<Instant>,
    /// The services that still wait for their restart.
    waiting: BTreeSet<ServiceId>,
    /// The descriptions that were not taken yet; `None` for a service that is gone.
    described: BTreeMap<ServiceId, Result<Option<Service>, Error>>,
    /// `None` until it is read.
    evidence: Option<BTreeMap<ServiceId, Evidence>>,
}

impl Reads<'_> {
    fn share_of_what_is_left(&self) -> Instant {
        let now = Instant::now();
        now + self.until.saturating_duration_since(now) / SHARE
    }

    /// The same service as it is now, after a call at `called_at` that may have taken effect. The
    /// deployment that it started may have been rolled back already, so that only the history
    /// shows it.
    pub(super) async fn after_call(
        &self,
        before: &Service,
        called_at: Timestamp,
    ) -> Result<Service, Error> {
        let described = self
            .ecs
            .describe_services([&before.id], Detail::of(self.tag_prefix), self.until)
            .await;
        if let Some((_, error)) = described.unread.into_iter().next() {
            return Err(error);
        }
        let now = with_what_is_known(described.services.into_iter().next(), before);
        Ok(self.with_history_since(called_at, now).await)
    }

    /// The service with its history read again: as far back as the plan needs it, as the history that
    /// is known, and as `from`.
    pub(super) async fn with_history_since(&self, from: Timestamp, service: Service) -> Service {
        let needed = self.needed.get(&service.id);
        let since = needed.and_then(|needed| needed.history_since);
        let known = service.past().iter().map(|past| past.created_at).min();
        let known = known.and_then(just_before);
        let needed = Needed {
            history_since: [Some(from), since, known].into_iter().flatten().min(),
            restart_budget: needed.map_or(0, |needed| needed.restart_budget),
            has_hooks: service.has_lifecycle_hooks,
            oldest_task: false,
        };
        let needed = BTreeMap::from([(service.id.clone(), needed)]);
        let by = self.share_of_what_is_left();
        let mut evidence = self.ecs.evidence(needed, by).await;
        let evidence = evidence.remove(&service.id).unwrap_or_default();
        let mut service = Service {
            history: History::NotAsked,
            ..service
        };
        service.take_evidence(evidence);
        service
    }
}

impl Group {
    pub(super) fn of<'a>(ids: impl Iterator<Item = &'a ServiceId>) -> Self {
        Self(Mutex::new(Latest {
            at: None,
            waiting: ids.cloned().collect(),
            described: BTreeMap::new(),
            evidence: None,
        }))
    }

    /// A description that is a few seconds old at most, with the evidence that the service needs.
    /// `None` if the description `before`, of `described_at`, is young enough and no evidence is
    /// needed.
    ///
    /// # Errors
    /// Its description is older, and it cannot be described now.
    pub(super) async fn recheck(
        &self,
        reads: &Reads<'_>,
        before: &Service,
        described_at: Option<Instant>,
    ) -> Result<Option<Service>, Error> {
        let mut latest = self.0.lock().await;
        // On the heap, for the one service of a group whose turn it is to read.
        Box::pin(latest.read_evidence(reads)).await;
        let is_believed = |at: Instant| at.elapsed() <= BELIEVED;
        if !latest.at.max(described_at).is_some_and(is_believed) {
            Box::pin(latest.describe(reads)).await;
        }
        let evidence = latest
            .evidence
            .as_mut()
            .and_then(|evidence| evidence.remove(&before.id));
        let mut now = match latest.described.remove(&before.id).transpose()? {
            None if evidence.is_none() => return Ok(None),
            None => before.clone(),
            Some(described) => with_what_is_known(described, before),
        };
        now.take_evidence(evidence.unwrap_or_default());
        Ok(Some(now))
    }

    /// Takes out a service that needs no further description.
    pub(super) async fn leave(&self, id: &ServiceId) {
        self.0.lock().await.waiting.remove(id);
    }
}

impl Latest {
    /// Reads the evidence of the whole group, once.
    async fn read_evidence(&mut self, reads: &Reads<'_>) {
        if self.evidence.is_some() {
            return;
        }
        let needed: BTreeMap<_, _> = self
            .waiting
            .iter()
            .filter_map(|id| Some((id.clone(), *reads.needed.get(id)?)))
            .collect();
        let by = reads.share_of_what_is_left();
        self.evidence = Some(reads.ecs.evidence(needed, by).await);
    }

    async fn describe(&mut self, reads: &Reads<'_>) {
        let by = reads.share_of_what_is_left();
        let described = reads
            .ecs
            .describe_services(&self.waiting, Detail::of(reads.tag_prefix), by)
            .await;
        let found = described
            .services
            .into_iter()
            .map(|service| (service.id.clone(), Ok(Some(service))));
        let gone = described.gone.into_iter().map(|id| (id, Ok(None)));
        let unread = described
            .unread
            .into_iter()
            .map(|(id, error)| (id, Err(error)));
        self.described = found.chain(gone).chain(unread).collect();
        self.at = Some(Instant::now());
    }
}

/// The new description, completed by the facts of `before` that a description does not show.
fn with_what_is_known(now: Option<Service>, before: &Service) -> Service {
    let now = now.unwrap_or_else(|| {
        Service::gone(before.id.clone(), before.home.clone(), before.tags.clone())
    });
    Service {
        references: before.references.clone(),
        history: before.history.clone(),
        oldest_task: before.oldest_task.clone(),
        followed_rollout: before.followed_rollout.clone(),
        has_waited_to_settle: before.has_waited_to_settle,
        ..now
    }
}
