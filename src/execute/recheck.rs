//! Describes services once more, shortly before they are restarted.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::Executor;
use crate::aws::Error;
use crate::domain::arn::ServiceId;
use crate::domain::history::{Evidence, History, Needed};
use crate::domain::service::Service;

/// Most services of one call.
pub(super) const LOOKED_AT_TOGETHER: usize = 10;

/// A look is believed this long: what another invocation, or a pipeline, did since then would be
/// done twice.
const BELIEVED: Duration = Duration::from_secs(5);

/// Of the time that is left, what a look and the evidence may take: what hangs must leave time to
/// restart.
const SHARE: u32 = 3;

/// Services whose restarts follow one another.
#[derive(Debug)]
pub(super) struct Group {
    latest: Mutex<Latest>,
}

#[derive(Debug)]
struct Latest {
    at: Instant,
    /// Whose turn has not come, or did not end it.
    attempts: BTreeSet<ServiceId>,
    /// What the last look saw, and was not told yet; nothing of a service that is gone.
    seen: BTreeMap<ServiceId, Result<Option<Service>, Error>>,
    /// Nothing until they are asked for.
    evidence: Option<BTreeMap<ServiceId, Evidence>>,
}

impl Group {
    pub(super) fn of<'a>(ids: impl Iterator<Item = &'a ServiceId>, looked_at: Instant) -> Self {
        let attempts = ids.cloned().collect();
        Self {
            latest: Mutex::new(Latest {
                at: looked_at,
                attempts,
                seen: BTreeMap::new(),
                evidence: None,
            }),
        }
    }

    /// A service that was seen `before`, at `seen_at`, as it was a few seconds ago at most, with
    /// the evidence that it needs; nothing where both are known already.
    ///
    /// # Errors
    /// It was looked at longer ago, and cannot be now.
    pub(super) async fn look(
        &self,
        executor: &Executor<'_>,
        before: &Service,
        seen_at: Instant,
    ) -> Result<Option<Service>, Error> {
        let mut latest = self.latest.lock().await;
        if latest.evidence.is_none() {
            let needed: BTreeMap<_, _> = latest
                .attempts
                .iter()
                .filter_map(|id| Some((id.clone(), *executor.needed.get(id)?)))
                .collect();
            latest.evidence = Some(
                executor
                    .ecs
                    .evidence(needed, share_of_what_is_left(executor))
                    .await,
            );
        }
        if latest.at.max(seen_at).elapsed() > BELIEVED {
            let looks = executor
                .ecs
                .describe_services(
                    &latest.attempts,
                    executor.tag_prefix,
                    share_of_what_is_left(executor),
                )
                .await;
            latest.seen = looks
                .services
                .into_iter()
                .map(|service| (service.id.clone(), Ok(Some(service))))
                .collect();
            latest
                .seen
                .extend(looks.gone.into_iter().map(|id| (id, Ok(None))));
            latest
                .seen
                .extend(looks.unread.into_iter().map(|(id, error)| (id, Err(error))));
            latest.at = Instant::now();
        }
        let evidence = latest
            .evidence
            .as_mut()
            .and_then(|evidence| evidence.remove(&before.id));
        let now = match latest.seen.remove(&before.id).transpose()? {
            None if evidence.is_none() => return Ok(None),
            None => before.clone(),
            Some(seen) => known_of(seen, before),
        };
        Ok(Some(now.with_evidence(evidence.unwrap_or_default())))
    }

    /// A service that needs no further look.
    pub(super) async fn leave(&self, id: &ServiceId) {
        self.latest.lock().await.attempts.remove(id);
    }
}

fn share_of_what_is_left(executor: &Executor<'_>) -> Instant {
    Instant::now() + executor.until.saturating_duration_since(Instant::now()) / SHARE
}

/// The same service as it is now, after a call at `called_at` that may have taken effect: what it
/// started may have been executed back already, so that only the history tells of it.
pub(super) async fn recheck(
    executor: &Executor<'_>,
    before: &Service,
    called_at: Timestamp,
) -> Result<Service, Error> {
    let looks = executor
        .ecs
        .describe_services([&before.id], executor.tag_prefix, executor.until)
        .await;
    if let Some((_, error)) = looks.unread.into_iter().next() {
        return Err(error);
    }
    let now = looks.services.into_iter().next();
    let now = known_of(now, before);
    let since = executor
        .needed
        .get(&before.id)
        .and_then(|needed| needed.history_since)
        .map_or(called_at, |since| called_at.min(since));
    let needed = Needed {
        history_since: Some(since),
        has_hooks: before.has_lifecycle_hooks,
        oldest_task: false,
    };
    let evidence = executor
        .ecs
        .evidence(
            BTreeMap::from([(before.id.clone(), needed)]),
            share_of_what_is_left(executor),
        )
        .await
        .remove(&before.id);
    Ok(Service {
        history: History::NotAsked,
        ..now
    }
    .with_evidence(evidence.unwrap_or_default()))
}

fn known_of(now: Option<Service>, before: &Service) -> Service {
    let now = now.unwrap_or_else(|| {
        Service::gone(before.id.clone(), before.home.clone(), before.tags.clone())
    });
    let Service {
        references,
        history,
        oldest_task,
        followed,
        has_waited_to_settle,
        ..
    } = before.clone();
    Service {
        references,
        history,
        oldest_task,
        followed,
        has_waited_to_settle,
        ..now
    }
}
