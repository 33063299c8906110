//! Services of the SDK become domain types.

use std::collections::BTreeMap;

use aws_sdk_ecs::types::{self, ServiceConnectConfiguration};
use jiff::Timestamp;

use super::detail::Detail;
use super::references::add_log_options;
use crate::aws::timestamp::timestamp;
use crate::domain::arn::ServiceId;
use crate::domain::deployment::{Deployment, DeploymentStrategy, RolloutState};
use crate::domain::ended::MOST_EVENTS;
use crate::domain::history::{History, OldestTask};
use crate::domain::reference::References;
use crate::domain::service::{Controller, Service, ServiceEvent, ServiceStatus};
use crate::domain::tags::Tags;

/// Events of a service that are kept: as many as a person reads at a glance.
const EVENTS: usize = 5;

/// Converts a service. `None` if the answer lacks the service's ARN, or has it in the short format.
pub(super) fn service(described: &types::Service, detail: Detail<'_>) -> Option<Service> {
    let (id, home) = ServiceId::from_arn(described.service_arn()?)?;
    let configuration = described.deployment_configuration();
    let tags = described.tags().iter();
    let tags = tags.filter_map(|tag| Some((tag.key()?, tag.value().unwrap_or_default())));
    let since = detail.events_since.and_then(|since| since.get(&id));
    Some(Service {
        events: events(described, since.copied()),
        id,
        home,
        status: status(described),
        controller: controller(described),
        deployment_strategy: configuration.map_or(DeploymentStrategy::Rolling, deployment_strategy),
        has_lifecycle_hooks: configuration
            .is_some_and(|configuration| !configuration.lifecycle_hooks().is_empty()),
        bakes: configuration.is_some_and(bakes),
        created_at: described.created_at().and_then(timestamp),
        desired: described.desired_count(),
        deployments: described
            .deployments()
            .iter()
            .filter_map(deployment)
            .collect(),
        task_definition: task_definition(described),
        references: None,
        own_references: service_connect(described),
        tags: Tags::parse(detail.prefix, tags),
        history: History::NotAsked,
        oldest_task: OldestTask::NotAsked,
        rollout_tasks: BTreeMap::new(),
        followed_rollout: None,
        has_waited_to_settle: false,
    })
}

fn status(described: &types::Service) -> ServiceStatus {
    match described.status() {
        Some("ACTIVE") => ServiceStatus::Active,
        Some("DRAINING") => ServiceStatus::Draining,
        _ => ServiceStatus::Inactive,
    }
}

fn controller(described: &types::Service) -> Controller {
    use types::DeploymentControllerType as Type;
    let controller = described.deployment_controller();
    match controller.map(types::DeploymentController::r#type) {
        None | Some(Type::Ecs) => Controller::Ecs,
        Some(Type::CodeDeploy) => Controller::CodeDeploy,
        Some(_) => Controller::External,
    }
}

fn deployment_strategy(configuration: &types::DeploymentConfiguration) -> DeploymentStrategy {
    match configuration.strategy() {
        None | Some(types::DeploymentStrategy::Rolling) => DeploymentStrategy::Rolling,
        Some(_) => DeploymentStrategy::Shifting,
    }
}

/// Service Connect's proxy runs beside the containers of the task definition, and is configured
/// with each deployment of the service.
fn service_connect(described: &types::Service) -> References {
    let primary = described
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

/// True if a deployment continues after all its tasks run: while alarms are watched (Amazon ECS
/// computes for how long), or for a time of its own.
fn bakes(configuration: &types::DeploymentConfiguration) -> bool {
    configuration.alarms().is_some_and(|alarms| alarms.enable)
        || configuration
            .bake_time_in_minutes()
            .is_some_and(|minutes| minutes > 0)
}

/// The task definition that a service runs. If CodeDeploy or a third party deploys it, the primary
/// task set has it: the service's own field may be old.
fn task_definition(described: &types::Service) -> Option<String> {
    let set = described
        .task_sets()
        .iter()
        .find(|set| set.status() == Some("PRIMARY"))
        .and_then(types::TaskSet::task_definition);
    let deployment = described
        .deployments()
        .iter()
        .find(|deployment| deployment.status() == Some("PRIMARY"));
    set.or_else(|| deployment.and_then(types::Deployment::task_definition))
        .or_else(|| described.task_definition())
        .map(str::to_owned)
}

fn deployment(described: &types::Deployment) -> Option<Deployment> {
    Some(Deployment {
        id: described.id()?.to_owned(),
        primary: described.status() == Some("PRIMARY"),
        created_at: timestamp(described.created_at()?)?,
        task_definition: described.task_definition().unwrap_or_default().to_owned(),
        state: match described.rollout_state() {
            Some(types::DeploymentRolloutState::Completed) => RolloutState::Completed,
            Some(types::DeploymentRolloutState::Failed) => RolloutState::Failed,
            Some(types::DeploymentRolloutState::InProgress) => RolloutState::InProgress,
            _ => RolloutState::Unknown,
        },
        running: described.running_count,
        is_whole: described.desired_count > 0 && described.running_count >= described.desired_count,
    })
}

/// The newest events, and those since the start of the rollout that is followed.
fn events(described: &types::Service, since: Option<Timestamp>) -> Vec<ServiceEvent> {
    let events = described.events().iter().filter_map(event).enumerate();
    let is_kept = |(place, event): &(usize, ServiceEvent)| {
        *place < EVENTS || since.is_some_and(|since| *place < MOST_EVENTS && event.at >= since)
    };
    events.take_while(is_kept).map(|(_, event)| event).collect()
}

fn event(described: &types::ServiceEvent) -> Option<ServiceEvent> {
    Some(ServiceEvent {
        at: timestamp(described.created_at()?)?,
        message: described.message()?.to_owned(),
    })
}
