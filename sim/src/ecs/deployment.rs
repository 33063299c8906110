//! Deployments of a service: started, superseded, completed, failed, rolled back.

use super::history::{HistoryStatus, Rollback};
use super::model::{Deployment, EcsService, Read, Rollout};
use crate::clockwork::Clockwork;
use crate::error::{ApiError, ApiResult};

const MOST_ACTIVE: usize = 5;

/// Makes a new deployment the primary one; the scheduler turns to it a little later.
///
/// `references` are those of the task definition that the service has by now.
///
/// # Errors
/// Five active deployments exist already.
pub(super) fn start(service: &mut EcsService, clock: &mut Clockwork, references: Vec<Read>) -> ApiResult<()> {
    if service.deployments.len() >= MOST_ACTIVE {
        return Err(ApiError::invalid_parameter("5 active deployments exist, unable to create new deployment."));
    }
    let revision = clock.revision_id();
    let now = clock.now;
    if let Some(superseded) = service.current_history() {
        superseded.turn(HistoryStatus::Stopped, "A new service deployment was started.", now);
    }
    let task_definition = service.task_definition.clone();
    service.note_deployment(clock, &revision, &task_definition);
    let mut deployment = Deployment {
        revision,
        task_definition,
        created_at: now,
        updated_at: now,
        rollout: Rollout::InProgress,
        reason: String::new(),
        failed_tasks: 0,
        shifted_at: None,
        references,
    };
    deployment.reason = format!("ECS deployment {} in progress.", deployment.id());
    service.deployments.insert(0, deployment);
    service.failures_in_a_row = 0;
    service.wait_until = None;
    Ok(())
}

/// The scheduler has taken the newest deployment up.
pub(super) fn begin(service: &mut EcsService, clock: &Clockwork) {
    let pending = service.current_history().filter(|deployment| deployment.status == HistoryStatus::Pending);
    if let Some(deployment) = pending {
        deployment.turn(HistoryStatus::InProgress, "", clock.now);
    }
}

/// All tasks are the primary's and healthy: a deployment that is in progress is completed.
pub(super) fn complete(service: &mut EcsService, clock: &mut Clockwork) {
    let now = clock.now;
    let Some(primary) = service.deployments.first_mut().filter(|primary| primary.rollout == Rollout::InProgress) else { return };
    let id = primary.id();
    primary.rollout = Rollout::Completed;
    primary.reason = format!("ECS deployment {id} completed.");
    primary.updated_at = now;
    service.last_completed = Some(primary.clone());

    if let Some(current) = service.current_history() {
        let (end, reason) = match &current.rollback {
            Some(rollback) => (HistoryStatus::RollbackSuccessful, rollback.reason.clone()),
            None => (HistoryStatus::Successful, String::new()),
        };
        current.turn(end, &reason, now);
    }
    service.tell(clock, &format!("(deployment {id}) deployment completed."));
}

/// Counts a task of `revision` that did not start; the circuit breaker may open.
pub(super) fn task_failed(service: &mut EcsService, clock: &mut Clockwork, revision: &str) {
    let threshold = breaker_threshold(service.desired);
    let breaker = service.circuit_breaker;
    let Some(position) = service.deployments.iter().position(|deployment| deployment.revision == revision) else { return };
    let Some(deployment) = service.deployments.get_mut(position) else { return };
    deployment.failed_tasks += 1;
    let opens = position == 0 && deployment.rollout == Rollout::InProgress && deployment.failed_tasks >= threshold;
    if let Some(breaker) = breaker.filter(|_| opens) {
        fail(service, clock, breaker.rollback);
    }
}

/// The threshold by default: half of the desired count, between 3 and 200.
pub(super) fn breaker_threshold(desired: usize) -> usize {
    desired.div_ceil(2).clamp(3, 200)
}

fn fail(service: &mut EcsService, clock: &mut Clockwork, rollback: bool) {
    const FAILED: &str = "tasks failed to start.";
    let now = clock.now;
    let Some(primary) = service.deployments.first_mut() else { return };
    primary.rollout = Rollout::Failed;
    primary.reason = format!("ECS deployment circuit breaker: {FAILED}");
    primary.updated_at = now;
    let (id, revision) = (primary.id(), primary.revision.clone());
    service.tell(clock, &format!("(deployment {id}) deployment failed: {FAILED}"));

    let was_rollback = service.current_history().is_some_and(|current| current.rollback.is_some());
    let target = service.last_completed.clone().filter(|target| rollback && target.revision != revision);
    let Some(target) = target else {
        let end = if was_rollback { HistoryStatus::RollbackFailed } else { HistoryStatus::Stopped };
        if let Some(current) = service.current_history() {
            current.turn(end, &format!("Service deployment failed because the circuit breaker threshold was exceeded: {FAILED}"), now);
        }
        return;
    };
    roll_back_to(service, clock, target);
}

/// The earlier deployment becomes the primary one again, under its own id and with its own creation time.
fn roll_back_to(service: &mut EcsService, clock: &mut Clockwork, mut target: Deployment) {
    let now = clock.now;
    let id = target.id();
    let revision = target.revision.clone();
    target.rollout = Rollout::InProgress;
    target.reason = format!("ECS deployment circuit breaker: rolling back to deploymentId {id}.");
    target.updated_at = now;
    target.failed_tasks = 0;
    target.shifted_at = None;
    service.task_definition.clone_from(&target.task_definition);
    service.deployments.retain(|deployment| deployment.revision != revision);
    service.deployments.insert(0, target);
    service.failures_in_a_row = 0;
    service.wait_until = None;
    service.tell(clock, &format!("rolling back to deployment {id}."));

    if let Some(current) = service.current_history() {
        let reason = "Service deployment rolled back because the circuit breaker threshold was exceeded.";
        current.rollback = Some(Rollback { to_revision: revision, started_at: now, reason: reason.to_owned() });
        current.turn(HistoryStatus::RollbackInProgress, reason, now);
    }
}
