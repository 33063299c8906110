//! Why a restart has to wait, and until when.

use jiff::{SignedDuration, Timestamp};

use super::history::{PastDeployment, ServiceDeploymentStatus};
use super::plan::Policy;
use super::reason::Reason;
use super::service::{RolloutState, Service};
use super::tags::Pause;

/// Amazon ECS: "5 active deployments exist, unable to create new deployment."
const MOST_DEPLOYMENTS: usize = 5;

/// How long after a change a rolling deployment that is older than the change is waited for; then
/// it is superseded.
const PATIENCE_WITH_ROLLING: SignedDuration = SignedDuration::from_mins(10);

/// What restarts are counted in.
pub(super) const AN_HOUR: SignedDuration = SignedDuration::from_hours(1);

/// How far back the history is read to count the restarts of an hour: the first of them is told
/// from a deployment of another task definition by the one before it.
pub(super) const BUDGET_REACHES_BACK: SignedDuration = SignedDuration::from_hours(2);

/// The first deployment of a service is created with it.
const WITH_THE_SERVICE: SignedDuration = SignedDuration::from_secs(5);

/// A reason to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hold {
    pub(super) reason: Reason,
    /// When it ends, where that is known.
    pub(super) until: Option<Timestamp>,
}

impl Hold {
    fn until(reason: Reason, end: Timestamp) -> Self {
        Self {
            reason,
            until: Some(end),
        }
    }

    fn without_end(reason: Reason) -> Self {
        Self {
            reason,
            until: None,
        }
    }
}

/// What holds a restart that a change at `t` asks for; where a person asks, that is `None`, and
/// intervals and budgets hold nothing.
pub(super) fn hold(
    service: &Service,
    t: Option<Timestamp>,
    policy: &Policy,
    now: Timestamp,
) -> Option<Hold> {
    paused(service, now)
        .or_else(|| outside_window(service, now))
        .or_else(|| t.and_then(|_| too_soon(service, policy, now)))
        .or_else(|| t.and_then(|_| over_budget(service, policy, now)))
        .or_else(|| in_progress(service, t, now))
        .or_else(|| {
            (service.deployments.len() >= MOST_DEPLOYMENTS)
                .then_some(Hold::without_end(Reason::TooManyDeployments))
        })
}

fn paused(service: &Service, now: Timestamp) -> Option<Hold> {
    match service.tags.pause? {
        Pause::UntilRemoved => Some(Hold::without_end(Reason::Paused)),
        Pause::Until(end) => (now < end).then_some(Hold::until(Reason::Paused, end)),
    }
}

fn outside_window(service: &Service, now: Timestamp) -> Option<Hold> {
    let window = service.tags.window.as_ref()?;
    (!window.is_open(now)).then(|| Hold::until(Reason::OutsideWindow, window.next_opening(now)))
}

/// Counted from the newest deployment, whoever made it; the service's creation and what failed do
/// not count.
fn too_soon(service: &Service, policy: &Policy, now: Timestamp) -> Option<Hold> {
    let interval = service.tags.min_interval.unwrap_or(policy.min_interval);
    let shown = service
        .deployments
        .iter()
        .filter(|deployment| deployment.state != RolloutState::Failed);
    let past = service.past().iter().filter(|past| {
        !matches!(
            past.status,
            ServiceDeploymentStatus::RollingBack | ServiceDeploymentStatus::RolledBack
        )
    });
    let created = shown
        .map(|deployment| deployment.created_at)
        .chain(past.map(|past| past.created_at));
    let newest = created
        .filter(|created_at| !is_creation(service, *created_at))
        .max()?;
    let end = newest.saturating_add(interval).unwrap_or(Timestamp::MAX);
    (now < end).then_some(Hold::until(Reason::MinInterval, end))
}

pub(super) fn is_creation(service: &Service, created_at: Timestamp) -> bool {
    service
        .created_at
        .is_some_and(|service| created_at.duration_since(service) <= WITH_THE_SERVICE)
}

/// A deployment that kept the task definition of the one before it was a restart. One that was
/// rolled back brought back what had succeeded last. The first one that is known may be a restart
/// too: it counts, since more than the budget allows is worse than one less.
fn over_budget(service: &Service, policy: &Policy, now: Timestamp) -> Option<Hold> {
    let mut past: Vec<&PastDeployment> = service
        .past()
        .iter()
        .filter(|past| !is_creation(service, past.created_at))
        .collect();
    past.sort_by_key(|past| past.created_at);
    let (mut ran, mut succeeded): (Option<&str>, Option<&str>) = (None, None);
    let mut restarts = Vec::new();
    for past in past {
        let runs = past.task_definition.as_deref();
        if ran.is_none() || ran == runs {
            restarts.push(past.created_at);
        }
        succeeded = if past.status == ServiceDeploymentStatus::Succeeded {
            runs
        } else {
            succeeded
        };
        ran = if matches!(
            past.status,
            ServiceDeploymentStatus::RollingBack | ServiceDeploymentStatus::RolledBack
        ) {
            succeeded
        } else {
            runs
        };
    }
    restarts.retain(|created_at| now.duration_since(*created_at) < AN_HOUR);
    // One more may start when all but one less than the budget are older than an hour.
    let last_to_pass = restarts.len().checked_sub(policy.restarts_per_hour)?;
    let end = restarts.get(last_to_pass)?.saturating_add(AN_HOUR).ok()?;
    Some(Hold::until(Reason::RestartBudget, end))
}

fn in_progress(service: &Service, t: Option<Timestamp>, now: Timestamp) -> Option<Hold> {
    if service.must_not_be_superseded().is_some() {
        return Some(Hold::without_end(Reason::DeploymentInProgress));
    }
    let end = t?
        .saturating_add(PATIENCE_WITH_ROLLING)
        .unwrap_or(Timestamp::MAX);
    (service.is_rolling() && now < end).then_some(Hold::without_end(Reason::DeploymentInProgress))
}

/// How long a deployment in progress is still waited for, where it may be superseded at all.
pub(super) fn patience_ends(service: &Service, t: Timestamp) -> Option<Timestamp> {
    if service.must_not_be_superseded().is_some() {
        None
    } else {
        t.saturating_add(PATIENCE_WITH_ROLLING).ok()
    }
}
