use std::collections::VecDeque;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::builder::service;
use super::super::early_success::{EarlySuccess, EarlySuccessInput};
use super::super::hook::{Alarms, Hook, Stage};
use super::super::model::Controller;
use super::super::model::{CircuitBreaker, EcsService, Guard, LaunchType, Status, Strategy};
use super::super::state::{Ecs, cluster_not_found};
use super::super::{deployment, names};
use super::describe::service_json;
use super::tags::{TagPair, to_tags};
use crate::error::{ApiError, ApiResult};
use crate::shared::Shared;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateService {
    cluster: Option<String>,
    service_name: String,
    task_definition: Option<String>,
    desired_count: Option<usize>,
    #[serde(default)]
    deployment_configuration: DeploymentConfiguration,
    deployment_controller: Option<ControllerInput>,
    scheduling_strategy: Option<String>,
    launch_type: Option<String>,
    service_connect_configuration: Option<Value>,
    #[serde(default)]
    tags: Vec<TagPair>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeploymentConfiguration {
    minimum_healthy_percent: Option<usize>,
    maximum_percent: Option<usize>,
    deployment_circuit_breaker: Option<BreakerInput>,
    strategy: Option<String>,
    bake_time_in_minutes: Option<u64>,
    canary_configuration: Option<CanaryInput>,
    #[serde(default)]
    lifecycle_hooks: Vec<HookInput>,
    alarms: Option<AlarmsInput>,
    early_success_criteria: Option<EarlySuccessInput>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CanaryInput {
    canary_bake_time_in_minutes: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HookInput {
    target_type: Option<String>,
    #[serde(default)]
    lifecycle_stages: Vec<String>,
    timeout_configuration: Option<TimeoutInput>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TimeoutInput {
    timeout_in_minutes: Option<u64>,
    action: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AlarmsInput {
    alarm_names: Vec<String>,
    enable: bool,
    rollback: bool,
}

#[derive(Clone, Copy, Deserialize)]
struct BreakerInput {
    enable: bool,
    rollback: bool,
}

#[derive(Deserialize)]
struct ControllerInput {
    r#type: String,
}

pub(super) fn create(ecs: &mut Ecs, shared: &mut Shared, input: CreateService) -> ApiResult {
    let id = names::service_id(input.cluster.as_deref(), &input.service_name);
    let cluster = names::cluster_name(input.cluster.as_deref());
    if !ecs.clusters.contains_key(&cluster) {
        return Err(cluster_not_found());
    }
    let existing = ecs.services.get(&id);
    if existing.is_some_and(|existing| existing.status != Status::Inactive) {
        return Err(ApiError::invalid_parameter(
            "Creation of service was not idempotent.",
        ));
    }
    let reference = input.task_definition.as_deref().unwrap_or_default();
    let definition = ecs.task_definition(reference);
    let task_definition = definition
        .map(|definition| definition.arn.clone())
        .ok_or_else(|| ApiError::new("ClientException", "TaskDefinition not found."))?;
    let proxy = input.service_connect_configuration.as_ref();
    let references = ecs.references_of(&shared.config, &task_definition, proxy);

    let mut service = new_service(shared, input, cluster, task_definition)?;
    deployment::start(&mut service, &mut shared.clock, references)?;
    let described = service_json(&shared.config, &service, true);
    shared.reconcile_later(id.clone());
    shared.index_later(service.arn.clone(), service.tags.clone());
    ecs.services.insert(id, service);
    Ok(json!({ "service": described }))
}

/// The service without tasks and deployments.
fn new_service(
    shared: &Shared,
    input: CreateService,
    cluster: String,
    task_definition: String,
) -> ApiResult<EcsService> {
    let id = format!("{cluster}/{}", input.service_name);
    let daemon = input.scheduling_strategy.as_deref() == Some("DAEMON");
    let external = input.launch_type.as_deref() == Some("EXTERNAL");
    let configuration = &input.deployment_configuration;
    let (minimum, maximum) = if daemon { (0, 100) } else { (100, 200) };
    Ok(EcsService {
        arn: shared.config.arn("ecs", &format!("service/{id}")),
        id,
        cluster,
        status: Status::Active,
        created_at: shared.clock.now,
        desired: input.desired_count.unwrap_or(usize::from(daemon)),
        minimum_percent: configuration.minimum_healthy_percent.unwrap_or(minimum),
        maximum_percent: configuration.maximum_percent.unwrap_or(maximum),
        controller: controller_of(input.deployment_controller.as_ref())?,
        daemon,
        circuit_breaker: breaker_of(configuration.deployment_circuit_breaker),
        strategy: strategy_of(configuration),
        hooks: hooks_of(&configuration.lifecycle_hooks),
        alarms: alarms_of(configuration.alarms.as_ref()),
        early_success: EarlySuccess::of(configuration.early_success_criteria.as_ref()),
        launch_type: if external {
            LaunchType::External
        } else {
            LaunchType::Fargate
        },
        express: false,
        task_definition,
        tags: to_tags(&input.tags)?,
        name: input.service_name,
        service_connect: input.service_connect_configuration,
        deployments: Vec::new(),
        last_completed: None,
        history: Vec::new(),
        tasks: Vec::new(),
        stopped: VecDeque::new(),
        events: VecDeque::new(),
        behaviour: service("").into_behaviour(),
        guard: Guard::default(),
        failures_in_a_row: 0,
        wait_until: None,
    })
}

fn breaker_of(input: Option<BreakerInput>) -> Option<CircuitBreaker> {
    input
        .filter(|breaker| breaker.enable)
        .map(|breaker| CircuitBreaker {
            rollback: breaker.rollback,
        })
}

fn strategy_of(input: &DeploymentConfiguration) -> Strategy {
    const CANARY_BAKE_MINUTES: u64 = 10;
    let bake = Duration::from_mins(input.bake_time_in_minutes.unwrap_or_default());
    let step = || {
        input
            .canary_configuration
            .as_ref()
            .and_then(|canary| canary.canary_bake_time_in_minutes)
    };
    match input.strategy.as_deref() {
        Some("BLUE_GREEN") => Strategy::BlueGreen { bake },
        Some("CANARY") => Strategy::Canary {
            step: Duration::from_mins(step().unwrap_or(CANARY_BAKE_MINUTES)),
            bake,
        },
        // Linear deployments are not simulated: they roll.
        Some(_) | None => Strategy::Rolling,
    }
}

/// A hook for each of its stages. The answer of a Lambda function is unknown here: it succeeds at
/// once.
fn hooks_of(inputs: &[HookInput]) -> Vec<Hook> {
    let hook = |input: &HookInput, stage: Stage| {
        let hook = if input.target_type.as_deref() == Some("PAUSE") {
            Hook::pause(stage)
        } else {
            Hook::lambda(stage, Duration::ZERO, true)
        };
        let timeout = input.timeout_configuration.as_ref();
        let minutes = timeout.and_then(|timeout| timeout.timeout_in_minutes);
        let hook = minutes.into_iter().fold(hook, |hook, minutes| {
            hook.expiring_after(Duration::from_mins(minutes))
        });
        if timeout.is_some_and(|timeout| timeout.action.as_deref() == Some("CONTINUE")) {
            hook.continuing()
        } else {
            hook
        }
    };
    let stages = |input: &HookInput| {
        let named = |stage: &Stage| {
            input
                .lifecycle_stages
                .iter()
                .any(|name| name == stage.name())
        };
        Stage::WITH_HOOKS
            .into_iter()
            .filter(named)
            .collect::<Vec<_>>()
    };
    inputs
        .iter()
        .flat_map(|input| stages(input).into_iter().map(|stage| hook(input, stage)))
        .collect()
}

fn alarms_of(input: Option<&AlarmsInput>) -> Option<Alarms> {
    const BAKE: Duration = Duration::from_mins(5);
    let input = input.filter(|alarms| alarms.enable)?;
    Some(Alarms {
        names: input.alarm_names.clone(),
        rollback: input.rollback,
        bake: BAKE,
    })
}

fn controller_of(input: Option<&ControllerInput>) -> ApiResult<Controller> {
    let known = [
        Controller::Ecs,
        Controller::CodeDeploy,
        Controller::External,
    ];
    let Some(input) = input else {
        return Ok(Controller::Ecs);
    };
    let found = known
        .into_iter()
        .find(|controller| controller.name() == input.r#type);
    found.ok_or_else(|| {
        ApiError::invalid_parameter(format!(
            "Invalid deployment controller type: {}",
            input.r#type
        ))
    })
}
