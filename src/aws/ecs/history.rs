//! Service deployments of the SDK become domain types.

use aws_sdk_ecs::types::{
    self, DeploymentLifecycleHookDetail as HookDetail, DeploymentLifecycleHookStatus as HookStatus,
    ServiceDeploymentRollbackMonitorsStatus as MonitorStatus,
};

use crate::aws::timestamp::timestamp;
use crate::domain::history::{Approval, EndedBy, PastDeployment, ServiceDeploymentStatus};

/// One entry of the deployment history, without its task definition.
pub(super) fn past_deployment(brief: &types::ServiceDeploymentBrief) -> Option<PastDeployment> {
    let revision = brief.target_service_revision_arn();
    Some(PastDeployment {
        id: revision
            .and_then(|arn| arn.rsplit('/').next())
            .map(|number| format!("ecs-svc/{number}")),
        created_at: timestamp(brief.created_at()?)?,
        finished_at: brief.finished_at().and_then(timestamp),
        status: status(brief.status()),
        status_reason: brief
            .status_reason()
            .filter(|reason| !reason.is_empty())
            .map(str::to_owned),
        task_definition: None,
        ended_by: EndedBy::NotAsked,
        approval: None,
        stage: None,
        at_hook: false,
    })
}

/// The one who ended a deployment that was rolled back or stopped.
pub(super) fn ended_by(deployment: &types::ServiceDeployment) -> EndedBy {
    let breaker = deployment
        .deployment_circuit_breaker()
        .and_then(types::ServiceDeploymentCircuitBreaker::status);
    let alarms = deployment.alarms();
    let monitor = alarms.and_then(types::ServiceDeploymentAlarms::status);
    let is_alarmed = alarms.is_some_and(|alarms| !alarms.triggered_alarm_names().is_empty());
    if is_alarmed || [breaker, monitor].contains(&Some(&MonitorStatus::Triggered)) {
        EndedBy::FailureDetection
    } else {
        EndedBy::Decision
    }
}

/// The PAUSE hook at which a deployment waits for a person. A Lambda hook awaits nobody: its status
/// is never `AWAITING_ACTION`.
pub(super) fn approval(deployment: &types::ServiceDeployment) -> Option<Approval> {
    let waits = |hook: &&HookDetail| hook.status() == Some(&HookStatus::AwaitingAction);
    let hook = deployment.lifecycle_hook_details().iter().find(waits)?;
    let arn = deployment.service_deployment_arn();
    Some(Approval {
        hook: hook.hook_id().unwrap_or_default().to_owned(),
        deployment: arn.unwrap_or_default().to_owned(),
        expires_at: hook.expires_at().and_then(timestamp),
    })
}

/// The stage of a deployment's lifecycle, and true while it waits for a hook.
pub(super) fn stage(deployment: &types::ServiceDeployment) -> (Option<String>, bool) {
    let stage = deployment.lifecycle_stage();
    let waits = |hook: &HookDetail| {
        matches!(
            hook.status(),
            Some(HookStatus::AwaitingAction | HookStatus::InProgress)
        )
    };
    (
        stage.map(|stage| stage.as_str().to_owned()),
        deployment.lifecycle_hook_details().iter().any(waits),
    )
}

/// A status that is newer than this version counts as running: such a deployment does not cover a
/// change, and has not failed.
fn status(status: Option<&types::ServiceDeploymentStatus>) -> ServiceDeploymentStatus {
    use types::ServiceDeploymentStatus as Status;
    match status {
        Some(Status::Successful) => ServiceDeploymentStatus::Succeeded,
        Some(Status::RollbackRequested | Status::RollbackInProgress) => {
            ServiceDeploymentStatus::RollingBack
        }
        Some(Status::RollbackSuccessful | Status::RollbackFailed) => {
            ServiceDeploymentStatus::RolledBack
        }
        Some(Status::StopRequested | Status::Stopped) => ServiceDeploymentStatus::Stopped,
        _ => ServiceDeploymentStatus::Running,
    }
}
