//! What Amazon ECS tells of a service, in domain types.

use std::collections::BTreeMap;

use aws_sdk_ecs::types::{
    self, DeploymentLifecycleHookStatus as HookStatus, ServiceConnectConfiguration,
    ServiceDeploymentRollbackMonitorsStatus as MonitorStatus,
};

use super::task_definition::add_log_options;
use super::timestamp;
use crate::domain::arn::ServiceId;
use crate::domain::deployment::{Deployment, DeploymentStrategy, RolloutState};
use crate::domain::history::{
    Approval, EndedBy, History, OldestTask, PastDeployment, ServiceDeploymentStatus,
};
use crate::domain::reference::References;
use crate::domain::service::{Controller, Service, ServiceEvent, ServiceStatus};
use crate::domain::tags::Tags;

/// As many events of a service as a person reads at a glance.
const EVENTS: usize = 5;

/// `None` where the answer lacks the service's ARN, or has it in the short format.
pub(super) fn service(told: &types::Service, prefix: &str) -> Option<Service> {
    let (id, home) = ServiceId::from_arn(told.service_arn()?)?;
    Some(Service {
        id,
        home,
        status: match told.status() {
            Some("ACTIVE") => ServiceStatus::Active,
            Some("DRAINING") => ServiceStatus::Draining,
            _ => ServiceStatus::Inactive,
        },
        controller: match told
            .deployment_controller()
            .map(types::DeploymentController::r#type)
        {
            None | Some(types::DeploymentControllerType::Ecs) => Controller::Ecs,
            Some(types::DeploymentControllerType::CodeDeploy) => Controller::CodeDeploy,
            Some(_) => Controller::External,
        },
        deployment_strategy: match told
            .deployment_configuration()
            .and_then(types::DeploymentConfiguration::strategy)
        {
            None | Some(types::DeploymentStrategy::Rolling) => DeploymentStrategy::Rolling,
            Some(_) => DeploymentStrategy::Shifting,
        },
        has_lifecycle_hooks: told
            .deployment_configuration()
            .is_some_and(|told| !told.lifecycle_hooks().is_empty()),
        bakes: told.deployment_configuration().is_some_and(bakes),
        created_at: told.created_at().and_then(timestamp),
        desired: told.desired_count(),
        deployments: told.deployments().iter().filter_map(deployment).collect(),
        task_definition: task_definition(told),
        references: None,
        own_references: service_connect(told),
        tags: Tags::parse(
            prefix,
            told.tags()
                .iter()
                .filter_map(|tag| Some((tag.key()?, tag.value().unwrap_or_default()))),
        ),
        events: told
            .events()
            .iter()
            .filter_map(event)
            .take(EVENTS)
            .collect(),
        history: History::NotAsked,
        oldest_task: OldestTask::NotAsked,
        followed: None,
        has_waited_to_settle: false,
    })
}

/// Service Connect's proxy runs beside the containers of the task definition, and is configured
/// with each deployment of the service.
fn service_connect(told: &types::Service) -> References {
    let primary = told
        .deployments()
        .iter()
        .find(|deployment| deployment.status() == Some("PRIMARY"));
    let configuration = primary
        .and_then(types::Deployment::service_connect_configuration)
        .filter(|configuration| configuration.enabled());
    let mut references = References::default();
    add_log_options(
        &mut references,
        configuration.and_then(ServiceConnectConfiguration::log_configuration),
        "serviceConnectConfiguration",
    );
    references
}

/// Whether a deployment goes on after all its tasks run: while alarms are watched (Amazon ECS
/// computes for how long), or for a time of its own.
fn bakes(told: &types::DeploymentConfiguration) -> bool {
    told.alarms().is_some_and(|alarms| alarms.enable)
        || told
            .bake_time_in_minutes()
            .is_some_and(|minutes| minutes > 0)
}

/// Of a service that CodeDeploy or a third party deploys, the service's own field may be stale; its
/// primary task set tells.
fn task_definition(told: &types::Service) -> Option<String> {
    let set = told
        .task_sets()
        .iter()
        .find(|set| set.status() == Some("PRIMARY"))
        .and_then(types::TaskSet::task_definition);
    let deployment = told
        .deployments()
        .iter()
        .find(|deployment| deployment.status() == Some("PRIMARY"));
    set.or_else(|| deployment.and_then(types::Deployment::task_definition))
        .or_else(|| told.task_definition())
        .map(str::to_owned)
}

fn deployment(told: &types::Deployment) -> Option<Deployment> {
    Some(Deployment {
        id: told.id()?.to_owned(),
        primary: told.status() == Some("PRIMARY"),
        created_at: timestamp(told.created_at()?)?,
        task_definition: told.task_definition().unwrap_or_default().to_owned(),
        state: match told.rollout_state() {
            Some(types::DeploymentRolloutState::Completed) => RolloutState::Completed,
            Some(types::DeploymentRolloutState::Failed) => RolloutState::Failed,
            Some(types::DeploymentRolloutState::InProgress) => RolloutState::InProgress,
            _ => RolloutState::Unknown,
        },
        running: told.running_count,
        is_whole: told.desired_count > 0 && told.running_count >= told.desired_count,
    })
}

fn event(told: &types::ServiceEvent) -> Option<ServiceEvent> {
    Some(ServiceEvent {
        at: timestamp(told.created_at()?)?,
        message: told.message()?.to_owned(),
    })
}

/// One entry of the deployment history; `ran` are the task definitions of the revisions, as far as
/// they could be read.
pub(super) fn past(
    told: &types::ServiceDeploymentBrief,
    ran: &BTreeMap<String, String>,
) -> Option<PastDeployment> {
    let revision = told.target_service_revision_arn();
    Some(PastDeployment {
        id: revision
            .and_then(|arn| arn.rsplit('/').next())
            .map(|number| format!("ecs-svc/{number}")),
        created_at: timestamp(told.created_at()?)?,
        finished_at: told.finished_at().and_then(timestamp),
        status: status(told.status()),
        status_reason: told
            .status_reason()
            .filter(|reason| !reason.is_empty())
            .map(str::to_owned),
        task_definition: revision.and_then(|revision| ran.get(revision)).cloned(),
        ended_by: EndedBy::NotAsked,
        approval: None,
        stage: None,
        at_hook: false,
    })
}

/// The one who ended a deployment that is known not to have stayed.
pub(super) fn ended_by(told: &types::ServiceDeployment) -> EndedBy {
    let breaker = told
        .deployment_circuit_breaker()
        .and_then(types::ServiceDeploymentCircuitBreaker::status);
    let alarms = told
        .alarms()
        .and_then(types::ServiceDeploymentAlarms::status);
    let is_alarmed = told
        .alarms()
        .is_some_and(|alarms| !alarms.triggered_alarm_names().is_empty());
    let is_triggered = is_alarmed || [breaker, alarms].contains(&Some(&MonitorStatus::Triggered));
    if is_triggered {
        EndedBy::FailureDetection
    } else {
        EndedBy::Decision
    }
}

/// The PAUSE hook at which a deployment waits for a person. A Lambda hook awaits nobody: its status
/// is never `AWAITING_ACTION`.
pub(super) fn approval(told: &types::ServiceDeployment) -> Option<Approval> {
    let waits = |hook: &&types::DeploymentLifecycleHookDetail| {
        hook.status() == Some(&HookStatus::AwaitingAction)
    };
    let hook = told.lifecycle_hook_details().iter().find(waits)?;
    Some(Approval {
        hook: hook.hook_id().unwrap_or_default().to_owned(),
        deployment: told.service_deployment_arn().unwrap_or_default().to_owned(),
        expires_at: hook.expires_at().and_then(timestamp),
    })
}

/// The stage of a service deployment's lifecycle, and true in `at_hook` while it waits for a hook.
pub(super) fn stage(described: &types::ServiceDeployment) -> (Option<String>, bool) {
    let stage = described.lifecycle_stage();
    let waits = |hook: &types::DeploymentLifecycleHookDetail| {
        matches!(
            hook.status(),
            Some(HookStatus::AwaitingAction | HookStatus::InProgress)
        )
    };
    (
        stage.map(|stage| stage.as_str().to_owned()),
        described.lifecycle_hook_details().iter().any(waits),
    )
}

/// Statuses that came after this version are taken for running: they then neither cover a change
/// nor count as failed.
fn status(status: Option<&types::ServiceDeploymentStatus>) -> ServiceDeploymentStatus {
    match status {
        Some(types::ServiceDeploymentStatus::Successful) => ServiceDeploymentStatus::Succeeded,
        Some(
            types::ServiceDeploymentStatus::RollbackRequested
            | types::ServiceDeploymentStatus::RollbackInProgress,
        ) => ServiceDeploymentStatus::RollingBack,
        Some(
            types::ServiceDeploymentStatus::RollbackSuccessful
            | types::ServiceDeploymentStatus::RollbackFailed,
        ) => ServiceDeploymentStatus::RolledBack,
        Some(
            types::ServiceDeploymentStatus::StopRequested | types::ServiceDeploymentStatus::Stopped,
        ) => ServiceDeploymentStatus::Stopped,
        _ => ServiceDeploymentStatus::Running,
    }
}
