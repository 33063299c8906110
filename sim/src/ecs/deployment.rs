//! Deployments of a service: started, superseded, completed, failed, rolled back.

use super::history::{EndedBy, HistoryStatus, Rollback};
use super::model::{Deployment, EcsService, Rollout};
use crate::clockwork::Clockwork;
use crate::error::{ApiError, ApiResult};
use crate::fault::TOO_MANY_DEPLOYMENTS;
use crate::job::Read;

const MOST_ACTIVE: usize = 5;

/// Makes a new deployment the primary one; the scheduler works on it a little later.
///
/// `references` are those of the task definition and the Service Connect configuration that the
/// service has now.
///
/// # Errors
/// Five active deployments exist already.
pub(super) fn start(
    service: &mut EcsService,
    clock: &mut Clockwork,
    references: Vec<Read>,
) -> ApiResult<()> {
    if service.deployments.len() >= MOST_ACTIVE {
        return Err(ApiError::invalid_parameter(TOO_MANY_DEPLOYMENTS));
    }
    let revision = clock.revision_id();
    let now = clock.now;
    if let Some(superseded) = service.current_history() {
        superseded.ended_by = superseded.ended_by.or(Some(EndedBy::NewDeployment));
        superseded.turn(HistoryStatus::Stopped, EndedBy::NewDeployment.reason(), now);
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
        scaled_at: None,
        shifted_at: None,
        service_connect: service.service_connect.clone(),
        references,
    };
    deployment.reason = format!("ECS deployment {} in progress.", deployment.id());
    service.deployments.insert(0, deployment);
    service.failures_in_a_row = 0;
    service.wait_until = None;
    Ok(())
}

/// Begins the newest deployment, or the rollback that was requested.
pub(super) fn begin(service: &mut EcsService, clock: &mut Clockwork) {
    let Some(current) = service.current_history() else {
        return;
    };
    match (current.status, current.ended_by) {
        (HistoryStatus::Pending, _) => current.turn(HistoryStatus::InProgress, "", clock.now),
        (HistoryStatus::RollbackRequested, Some(by)) => fail(service, clock, by, true),
        _ => {}
    }
}

/// Records the request to roll back the running deployment; the scheduler works on it a little
/// later. Returns false if no deployment runs.
pub(super) fn request_rollback(service: &mut EcsService, clock: &Clockwork, by: EndedBy) -> bool {
    let Some(current) = service.current_history() else {
        return false;
    };
    if matches!(
        current.status,
        HistoryStatus::Pending | HistoryStatus::InProgress
    ) {
        current.ended_by = Some(by);
        current.turn(HistoryStatus::RollbackRequested, by.reason(), clock.now);
    }
    true
}

/// Fails the running deployment: an alarm of the service goes off.
pub(super) fn alarm_triggers(service: &mut EcsService, clock: &mut Clockwork) {
    let Some(alarms) = service.alarms.clone() else {
        return;
    };
    let Some(current) = service
        .current_history()
        .filter(|current| current.status == HistoryStatus::InProgress)
    else {
        return;
    };
    current.triggered.extend(alarms.names.first().cloned());
    fail(service, clock, EndedBy::Alarm, alarms.rollback);
}

/// Completes a deployment that is in progress: all tasks are the primary's and healthy.
pub(super) fn complete(service: &mut EcsService, clock: &mut Clockwork) {
    let now = clock.now;
    let Some(primary) = service
        .deployments
        .first_mut()
        .filter(|primary| primary.rollout == Rollout::InProgress)
    else {
        return;
    };
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
    service.add_event(clock, &format!("(deployment {id}) deployment completed."));
}

/// Counts a task of `revision` that did not start; the circuit breaker may be triggered.
pub(super) fn task_failed(service: &mut EcsService, clock: &mut Clockwork, revision: &str) {
    let threshold = breaker_threshold(service.desired);
    let breaker = service.circuit_breaker;
    let Some(position) = service
        .deployments
        .iter()
        .position(|deployment| deployment.revision == revision)
    else {
        return;
    };
    let Some(deployment) = service.deployments.get_mut(position) else {
        return;
    };
    deployment.failed_tasks += 1;
    let opens = position == 0
        && deployment.rollout == Rollout::InProgress
        && deployment.failed_tasks >= threshold;
    if let Some(breaker) = breaker.filter(|_| opens) {
        fail(service, clock, EndedBy::CircuitBreaker, breaker.rollback);
    }
}

/// The default threshold of the circuit breaker: half of the desired count, between 3 and 200.
pub(super) fn breaker_threshold(desired: usize) -> usize {
    desired.div_ceil(2).clamp(3, 200)
}

/// Ends the primary deployment, which has failed or was stopped. With `rollback`, the last
/// deployment that completed takes its place.
pub(super) fn fail(service: &mut EcsService, clock: &mut Clockwork, by: EndedBy, rollback: bool) {
    let now = clock.now;
    let what = match by {
        EndedBy::CircuitBreaker => "tasks failed to start.",
        EndedBy::Alarm => "alarm detected.",
        EndedBy::Stop
        | EndedBy::Rejection
        | EndedBy::Hook
        | EndedBy::HookTimeout
        | EndedBy::NewDeployment => by.reason(),
    };
    let Some(primary) = service.deployments.first_mut() else {
        return;
    };
    primary.rollout = Rollout::Failed;
    primary.reason = format!("{}: {what}", prefix(by));
    primary.updated_at = now;
    let (id, revision) = (primary.id(), primary.revision.clone());
    service.add_event(
        clock,
        &format!("(deployment {id}) deployment failed: {what}"),
    );

    let was_rollback = service
        .current_history()
        .is_some_and(|current| current.rollback.is_some());
    let target = service
        .last_completed
        .clone()
        .filter(|target| rollback && target.revision != revision);
    if let Some(target) = target {
        return roll_back_to(service, clock, target, by);
    }
    let end = if was_rollback || by.is_a_decision() {
        HistoryStatus::RollbackFailed
    } else {
        HistoryStatus::Stopped
    };
    let reason = match by {
        EndedBy::CircuitBreaker => format!(
            "Service deployment failed because the circuit breaker threshold was exceeded: {what}"
        ),
        _ => format!("Service deployment failed: {what}"),
    };
    if let Some(current) = service.current_history() {
        current.ended_by = current.ended_by.or(Some(by));
        current.turn(end, &reason, now);
    }
}

/// The beginning of `rolloutStateReason`.
fn prefix(by: EndedBy) -> &'static str {
    match by {
        EndedBy::CircuitBreaker => "ECS deployment circuit breaker",
        EndedBy::Alarm => "ECS deployment alarms",
        EndedBy::Stop
        | EndedBy::Rejection
        | EndedBy::Hook
        | EndedBy::HookTimeout
        | EndedBy::NewDeployment => "ECS deployment",
    }
}

/// The earlier deployment becomes the primary one again, under its own id and with its own creation
/// time.
fn roll_back_to(
    service: &mut EcsService,
    clock: &mut Clockwork,
    mut target: Deployment,
    by: EndedBy,
) {
    let now = clock.now;
    let id = target.id();
    let revision = target.revision.clone();
    target.rollout = Rollout::InProgress;
    target.reason = format!("{}: rolling back to deploymentId {id}.", prefix(by));
    target.updated_at = now;
    target.failed_tasks = 0;
    target.scaled_at = None;
    target.shifted_at = None;
    service.task_definition.clone_from(&target.task_definition);
    service.service_connect.clone_from(&target.service_connect);
    service
        .deployments
        .retain(|deployment| deployment.revision != revision);
    service.deployments.insert(0, target);
    service.failures_in_a_row = 0;
    service.wait_until = None;
    service.add_event(clock, &format!("rolling back to deployment {id}."));

    if let Some(current) = service.current_history() {
        current.rollback = Some(Rollback {
            to_revision: revision,
            started_at: now,
            reason: by.reason().to_owned(),
        });
        current.ended_by = Some(by);
        current.turn(HistoryStatus::RollbackInProgress, by.reason(), now);
    }
}
