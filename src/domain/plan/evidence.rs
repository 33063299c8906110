//! What must be read of a service before it is restarted, and of one whose rollout is followed.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{Plan, Planned, Policy, just_before};
use crate::domain::arn::ServiceId;
use crate::domain::change::Change;
use crate::domain::history::{History, Needed, OldestTask};
use crate::domain::hold::{AN_HOUR, BUDGET_REACHES_BACK, is_creation};
use crate::domain::key::Key;
use crate::domain::reason::Reason;
use crate::domain::service::{RolloutState, Service};

/// A change older than this may already have been tried and rolled back, so the deployment history
/// is asked before a restart.
const YOUNG: SignedDuration = SignedDuration::from_secs(60);

/// A change older than this may have been read by tasks that no deployment started, so they are
/// asked before a restart.
const OLD: SignedDuration = SignedDuration::from_mins(10);

impl Plan {
    /// The evidence that must be read of services before their decisions stand, each service once:
    ///
    /// * of one that is to be restarted the deployment history, where it was busy within the hour
    ///   (restarts count), where the change is older than a minute or something happened since (it
    ///   may have been tried), where a deployment runs (it may be a rollback), and where the
    ///   deployment that is followed is gone;
    /// * of one that is to be restarted for changes older than ten minutes alone the creation of
    ///   its oldest task, unless a request names it;
    /// * of one that shows a failed deployment the history, which tells who ended it, and what
    ///   Amazon ECS says of it;
    /// * of one with lifecycle hooks whose rollout runs the history, which tells whether it awaits
    ///   an approval.
    #[must_use]
    pub fn evidence_needed(
        &self,
        changes: &BTreeMap<Key, Change>,
        services: &[Service],
        policy: &Policy,
        now: Timestamp,
    ) -> BTreeMap<ServiceId, Needed> {
        let needed = services.iter().filter_map(|service| {
            let planned = self.services.get(&service.id)?;
            let needed = needed(service, planned, changes, policy, now);
            (needed.history_since.is_some() || needed.oldest_task)
                .then(|| (service.id.clone(), needed))
        });
        needed.collect()
    }
}

fn needed(
    service: &Service,
    planned: &Planned,
    changes: &BTreeMap<Key, Change>,
    policy: &Policy,
    now: Timestamp,
) -> Needed {
    let is_decided = |reason| planned.reason == reason || planned.would_be == Some(reason);
    let asking = |reason: Reason| {
        let asking = planned
            .asked_by
            .iter()
            .filter(move |(_, asked)| **asked == reason);
        asking.filter_map(|(key, _)| Some(changes.get(key)?.at))
    };
    let is_named = policy.named.contains(&service.id);
    let requested = |at| is_named.then_some(at);
    let is_to_restart = is_decided(Reason::Stale);
    let since = if service.history != History::NotAsked {
        None
    } else if is_to_restart {
        let oldest = asking(Reason::Stale)
            .chain(requested(policy.asked_at))
            .min();
        before_restart(service, oldest, now)
    } else if is_decided(Reason::FailedAlready) {
        asking(Reason::FailedAlready)
            .chain(requested(policy.asked_at))
            .min()
    } else if is_decided(Reason::DeploymentInProgress)
        && service
            .deployments
            .iter()
            .any(|shown| shown.state == RolloutState::Failed)
    {
        service.primary().map(|primary| primary.created_at)
    } else if service.has_lifecycle_hooks && service.is_rolling() && is_decided(Reason::Fresh) {
        asking(Reason::Fresh)
            .chain(requested(just_before(policy.asked_at)))
            .min()
    } else {
        None
    };
    let is_old = || {
        asking(Reason::Stale)
            .max()
            .is_some_and(|newest| now.duration_since(newest) > OLD)
    };
    let oldest_task =
        is_to_restart && !is_named && service.oldest_task == OldestTask::NotAsked && is_old();
    Needed {
        history_since: since,
        has_hooks: service.has_lifecycle_hooks,
        oldest_task,
    }
}

/// The instant from which on the history matters to a restart, where it does.
fn before_restart(
    service: &Service,
    oldest: Option<Timestamp>,
    now: Timestamp,
) -> Option<Timestamp> {
    let happened_since = |t: &Timestamp| service.events.iter().any(|event| event.at > *t);
    let may_have_been_tried = |oldest: &Timestamp| {
        now.duration_since(*oldest) > YOUNG
            || happened_since(oldest)
            || service.misses_its_rollout()
    };
    let tried = oldest.filter(may_have_been_tried);
    let primary = service.primary().map(|primary| primary.created_at);
    // What is rolled back was created after the deployment that is primary again.
    let rolled_back = primary.filter(|_| service.is_rolling());
    let young = |created_at: &Timestamp| {
        now.duration_since(*created_at) < AN_HOUR && !is_creation(service, *created_at)
    };
    // A restart that was rolled back leaves no deployment behind, but events.
    let is_busy = primary.as_ref().is_some_and(young)
        || service
            .events
            .iter()
            .any(|event| now.duration_since(event.at) < AN_HOUR);
    let restarted = is_busy
        .then(|| now.saturating_sub(BUDGET_REACHES_BACK).ok())
        .flatten();
    tried.into_iter().chain(rolled_back).chain(restarted).min()
}
