//! Rules about restarts that have to wait, and until when.

use jiff::{SignedDuration, Timestamp};

use super::rule::{Applies, Because, Case};
use crate::domain::deployment::RolloutState;
use crate::domain::history::{PastDeployment, ServiceDeploymentStatus};
use crate::domain::service::Service;
use crate::domain::tags::Pause;

/// Amazon ECS: "5 active deployments exist, unable to create new deployment."
const MAX_ACTIVE_DEPLOYMENTS: usize = 5;

/// A rolling deployment that is older than the change is waited for, but at most this long after
/// the change. Then a restart supersedes it.
const SUPERSEDE_AFTER: SignedDuration = SignedDuration::from_mins(10);

/// The time within which restarts are counted.
pub(super) const AN_HOUR: SignedDuration = SignedDuration::from_hours(1);

pub(in crate::domain) fn paused(case: &Case<'_>) -> Option<Applies> {
    match case.service.tags.pause? {
        Pause::UntilRemoved => Some(Applies::default()),
        Pause::Until(end) => (case.now < end).then(|| Applies::until(end)),
    }
}

pub(in crate::domain) fn outside_window(case: &Case<'_>) -> Option<Applies> {
    let window = case.service.tags.window.as_ref()?;
    (!window.is_open(case.now)).then(|| Applies::until(window.next_opening(case.now)))
}

/// Counted from the newest deployment, whoever made it. The first deployment of a service and
/// deployments that failed do not count. The interval does not apply to a request.
pub(in crate::domain) fn min_interval(case: &Case<'_>) -> Option<Applies> {
    case.trigger.changed_at()?;
    let service = case.service;
    let interval = service
        .tags
        .min_interval
        .unwrap_or(case.policy.min_interval);
    let shown = service
        .deployments
        .iter()
        .filter(|deployment| deployment.state != RolloutState::Failed)
        .map(|deployment| deployment.created_at);
    let past = service
        .past()
        .iter()
        .filter(|past| !is_rolled_back(past))
        .map(|past| past.created_at);
    let newest = shown
        .chain(past)
        .filter(|created_at| !service.was_created_with(*created_at))
        .max()?;
    let end = newest.saturating_add(interval).unwrap_or(Timestamp::MAX);
    (case.now < end).then(|| Applies::until(end))
}

/// The budget does not apply to a request.
pub(in crate::domain) fn restart_budget(case: &Case<'_>) -> Option<Applies> {
    case.trigger.changed_at()?;
    let mut restarts = restarts(case.service);
    restarts.retain(|created_at| case.now.duration_since(*created_at) < AN_HOUR);
    // The next one may start when the oldest restart that fills the budget is an hour old.
    let oldest = restarts.len().checked_sub(case.policy.restarts_per_hour)?;
    let end = restarts.get(oldest)?.saturating_add(AN_HOUR).ok()?;
    Some(Applies::until(end))
}

/// The creation of each restart that the history shows, the oldest first:
///
/// * a deployment that kept the task definition of the one before it was a restart;
/// * a deployment after a rollback is compared with the one that had succeeded last, since the
///   rollback brought that back;
/// * the first deployment of the history counts, since it may have been a restart: one restart too
///   few is better than one too many.
fn restarts(service: &Service) -> Vec<Timestamp> {
    let mut past: Vec<&PastDeployment> = service
        .past()
        .iter()
        .filter(|past| !service.was_created_with(past.created_at))
        .collect();
    past.sort_by_key(|past| past.created_at);
    let (mut ran, mut succeeded): (Option<&str>, Option<&str>) = (None, None);
    let mut restarts = Vec::new();
    for past in past {
        let runs = past.task_definition.as_deref();
        if ran.is_none() || ran == runs {
            restarts.push(past.created_at);
        }
        if past.status == ServiceDeploymentStatus::Succeeded {
            succeeded = runs;
        }
        ran = if is_rolled_back(past) {
            succeeded
        } else {
            runs
        };
    }
    restarts
}

fn is_rolled_back(past: &PastDeployment) -> bool {
    matches!(
        past.status,
        ServiceDeploymentStatus::RollingBack | ServiceDeploymentStatus::RolledBack
    )
}

/// The invocation itself waits for a change that settles soon, and for any change of a service that
/// was held for this before: a key that is written all the time never settles.
pub(in crate::domain) fn settling(case: &Case<'_>) -> Option<Applies> {
    let settled = case
        .trigger
        .changed_at()?
        .saturating_add(case.policy.settle)
        .ok()?;
    let wait = settled.duration_since(case.now);
    let is_too_long = wait > case.policy.max_settle_wait && !case.service.has_waited_to_settle;
    is_too_long.then(|| Applies::until(settled))
}

/// A request waits only for a deployment that is never superseded.
pub(in crate::domain) fn deployment_in_progress(case: &Case<'_>) -> Option<Applies> {
    if let Some(why) = case.service.must_not_be_superseded() {
        return Some(Applies::because(Because::NeverSuperseded(why)));
    }
    let end = case.trigger.changed_at()?.saturating_add(SUPERSEDE_AFTER);
    let end = end.unwrap_or(Timestamp::MAX);
    (case.service.is_rolling() && case.now < end).then(|| Applies::until(end))
}

pub(in crate::domain) fn too_many_deployments(case: &Case<'_>) -> Option<Applies> {
    Applies::when(case.service.deployments.len() >= MAX_ACTIVE_DEPLOYMENTS)
}
