//! The evidence that must be read of a service before its decision stands.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::holds::AN_HOUR;
use super::planned::{Plan, Planned};
use super::rule::Trigger;
use crate::domain::arn::ServiceId;
use crate::domain::change::Change;
use crate::domain::deployment::RolloutState;
use crate::domain::history::{History, Needed, OldestTask, just_before};
use crate::domain::key::Key;
use crate::domain::policy::Policy;
use crate::domain::reason::Reason;
use crate::domain::service::Service;

/// A restart for a change older than this may already have been tried and rolled back, so the
/// deployment history is read before the next one.
pub(super) const MAY_HAVE_BEEN_TRIED: SignedDuration = SignedDuration::from_secs(60);

/// A change older than this may have been read by tasks that no deployment started, so the tasks
/// are read before a restart.
pub(super) const MAY_HAVE_BEEN_READ: SignedDuration = SignedDuration::from_mins(10);

/// The history is read this far back to count the restarts of an hour. A restart is recognised by
/// the deployment before it, which may be older than the hour.
const BUDGET_REACHES_BACK: SignedDuration = SignedDuration::from_hours(2);

impl Plan {
    /// The evidence that must be read of services before their decisions stand:
    ///
    /// * of one that is to be restarted the deployment history, if it was busy within the hour
    ///   (restarts count), if the change is older than a minute or something happened since (it
    ///   may have been tried), if a deployment runs (it may be a rollback), or if the deployment
    ///   that is followed is gone;
    /// * of one that is to be restarted for changes older than ten minutes alone the creation of
    ///   its oldest task, unless a request names it;
    /// * of one that waits for the rollouts of others the deployment history, if it was busy within
    ///   the hour or something happened since: another rule may hold it, or forbid its restart;
    /// * of one whose rollout others wait for the history, if Amazon ECS may show a deployment that
    ///   was stopped as one that runs;
    /// * of one that shows a failed deployment the history, which says who ended it and why;
    /// * of one with lifecycle hooks whose rollout runs the history, which says whether it awaits
    ///   an approval;
    /// * of one that is held for a deployment that is never superseded, and of one whose rollout
    ///   Amazon ECS shows without a state, the history, which says whether it still runs;
    /// * of one whose rollout is followed, and no longer shown, the history, which says how it ended;
    /// * of one that goes before others in the order the history, once nothing but it may be in
    ///   their way, or if it seems to have failed or to stand at a hook; and the creation of its
    ///   oldest task, if it seems to be stale for a change older than ten minutes.
    #[must_use]
    pub fn evidence_needed(
        &self,
        changes: &BTreeMap<Key, Change>,
        services: &[Service],
        policy: &Policy,
        now: Timestamp,
    ) -> BTreeMap<ServiceId, Needed> {
        let others_wait = self.holds_for_rollouts();
        let needed = services.iter().filter_map(|service| {
            let asking = self.services.get(&service.id).map(|planned| Asking {
                planned,
                changes,
                requested_at: policy.requested_at,
            });
            let asking = asking.as_ref();
            let before_decision = asking.and_then(|asking| history_since(service, asking, now));
            let rolling = rolling_since(service).filter(|_| others_wait);
            let needed = Needed {
                history_since: before_decision.into_iter().chain(rolling).min(),
                restart_budget: policy.restarts_per_hour,
                has_hooks: service.has_lifecycle_hooks,
                oldest_task: asking
                    .is_some_and(|asking| is_oldest_task_needed(service, asking, now)),
            };
            let for_others = self.needed_by_others.get(&service.id);
            let needed = for_others.map_or(needed, |others| needed.and(*others));
            (needed.history_since.is_some() || needed.oldest_task)
                .then(|| (service.id.clone(), needed))
        });
        needed.collect()
    }

    /// True if a restart waits for the rollouts of others.
    #[must_use]
    pub fn holds_for_rollouts(&self) -> bool {
        self.gives(Reason::InFlightLimit)
    }

    /// True if a restart waits for that of others: the evidence about those others decides about it
    /// as well.
    #[must_use]
    pub fn holds_for_restarts(&self) -> bool {
        self.holds_for_rollouts() || self.gives(Reason::WaitingForOrder)
    }

    fn gives(&self, reason: Reason) -> bool {
        let mut planned = self.services.values();
        planned.any(|planned| planned.reason == reason)
    }
}

/// The creation of the deployment that seems to run, if only the history says that it was stopped.
fn rolling_since(service: &Service) -> Option<Timestamp> {
    let is_asked = service.history != History::NotAsked;
    if is_asked || !service.is_rolling() || service.must_not_be_superseded().is_none() {
        return None;
    }
    let primary = service.primary()?;
    just_before(primary.created_at)
}

/// The changes and the request that ask for one service.
struct Asking<'a> {
    planned: &'a Planned,
    changes: &'a BTreeMap<Key, Change>,
    requested_at: Timestamp,
}

impl Asking<'_> {
    /// True if this reason decides, or would without the mode.
    fn is_decided(&self, reason: Reason) -> bool {
        self.planned.reason == reason || self.planned.would_be == Some(reason)
    }

    /// The instants of the changes that give a reason.
    fn instants(&self, reason: Reason) -> impl Iterator<Item = Timestamp> {
        let asked_by = self.planned.asked_by.iter();
        let giving = asked_by.filter(move |(_, given)| **given == reason);
        giving.filter_map(|(key, _)| Some(self.changes.get(key)?.at))
    }

    /// The oldest of these instants and of that of the request, which `of` reads from its trigger.
    fn oldest(&self, reason: Reason, of: impl Fn(Trigger) -> Timestamp) -> Option<Timestamp> {
        let request = self.planned.requested.then(|| {
            of(Trigger::Request {
                requested_at: self.requested_at,
            })
        });
        self.instants(reason).chain(request).min()
    }

    /// The oldest instant of the changes, whatever reason they give.
    fn oldest_of_all(&self) -> Option<Timestamp> {
        let keys = self.planned.asked_by.keys();
        let changes = keys.filter_map(|key| self.changes.get(key));
        changes.map(|change| change.at).min()
    }
}

/// The instant from which on the history is needed, if it is.
fn history_since(service: &Service, asking: &Asking<'_>, now: Timestamp) -> Option<Timestamp> {
    let shows_a_failure = || {
        service
            .deployments
            .iter()
            .any(|shown| shown.state == RolloutState::Failed)
    };
    let may_stand_at_a_hook = || service.has_lifecycle_hooks && service.is_rolling();
    let may_have_ended = || shows_a_failure() || service.must_not_be_superseded().is_some();
    if service.history != History::NotAsked {
        return None;
    }
    let is_limited = asking.is_decided(Reason::InFlightLimit);
    let decides = if is_limited || asking.is_decided(Reason::Stale) {
        let oldest = asking.oldest(Reason::Stale, Trigger::not_repeated_after);
        before_restart(service, oldest, is_limited, now)
    } else if asking.is_decided(Reason::FailedAlready) {
        asking.oldest(Reason::FailedAlready, Trigger::not_repeated_after)
    } else if asking.is_decided(Reason::DeploymentInProgress) && may_have_ended() {
        let primary = service.primary();
        primary.and_then(|primary| just_before(primary.created_at))
    } else if asking.is_decided(Reason::Fresh)
        && (may_stand_at_a_hook() || service.is_rolling_only_perhaps())
    {
        asking.oldest(Reason::Fresh, Trigger::covered_after)
    } else {
        None
    };
    let since = decides.into_iter().chain(end_of_rollout(service)).min()?;
    if asking.is_decided(Reason::Fresh) {
        return Some(since);
    }
    // The history is read once, and may free the service for a restart.
    let before_restart = before_restart(service, asking.oldest_of_all(), false, now);
    Some(before_restart.map_or(since, |deep| deep.min(since)))
}

/// The start of the rollout that is followed, if only the history says how it ended: it is no
/// longer shown, or as failed.
fn end_of_rollout(service: &Service) -> Option<Timestamp> {
    let rollout = service.followed_rollout.as_ref()?;
    let mut shown = service.deployments.iter();
    let shown = shown.find(|shown| rollout.is_deployment(&shown.id));
    let has_ended = shown.is_none_or(|shown| shown.state == RolloutState::Failed);
    has_ended.then(|| just_before(rollout.started_at)).flatten()
}

fn is_oldest_task_needed(service: &Service, asking: &Asking<'_>, now: Timestamp) -> bool {
    let newest = asking.instants(Reason::Stale).max();
    asking.is_decided(Reason::Stale)
        && !asking.planned.requested
        && service.oldest_task == OldestTask::NotAsked
        && newest.is_some_and(|newest| now.duration_since(newest) > MAY_HAVE_BEEN_READ)
}

/// The instant from which on the history matters to a restart, if it does. While the limit of its
/// change holds the restart, its age alone is no reason to ask.
fn before_restart(
    service: &Service,
    oldest: Option<Timestamp>,
    is_limited: bool,
    now: Timestamp,
) -> Option<Timestamp> {
    let happened_since = |t: &Timestamp| service.events.iter().any(|event| event.at > *t);
    let may_have_been_tried = |oldest: &Timestamp| {
        (!is_limited && now.duration_since(*oldest) > MAY_HAVE_BEEN_TRIED)
            || happened_since(oldest)
            || service.misses_its_rollout()
    };
    let tried = oldest.filter(may_have_been_tried);
    let primary = service.primary().map(|primary| primary.created_at);
    // A deployment that is rolled back was created after the one that is primary again.
    let rolled_back = primary.filter(|_| service.is_rolling());
    let is_young = |created_at: &Timestamp| {
        now.duration_since(*created_at) < AN_HOUR && !service.was_created_with(*created_at)
    };
    // A restart that was rolled back leaves no deployment behind, but events.
    let is_busy = primary.as_ref().is_some_and(is_young)
        || service
            .events
            .iter()
            .any(|event| now.duration_since(event.at) < AN_HOUR);
    let restarted = is_busy
        .then(|| now.saturating_sub(BUDGET_REACHES_BACK).ok())
        .flatten();
    let since = tried
        .into_iter()
        .chain(rolled_back)
        .chain(restarted)
        .min()?;
    // Amazon ECS gives such a deployment no state: only the history says if it runs, however old it
    // is.
    let stateless = primary.filter(|_| service.is_costly_to_supersede());
    let stateless = stateless.and_then(just_before);
    Some(stateless.map_or(since, |created_at| created_at.min(since)))
}
