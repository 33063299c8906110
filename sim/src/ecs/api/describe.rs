use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::hook::Hook;
use super::super::model::{Controller, Deployment, EcsService, Event, LaunchType, Strategy};
use super::super::names;
use super::super::state::{Ecs, cluster_not_found};
use super::super::view::{counts, deployment_status, rollout_name, status_name};
use super::tags::pairs;
use crate::config::AccountConfig;
use crate::error::{ApiError, ApiResult};
use crate::output::seconds;
use crate::shared::Shared;

const MOST_SERVICES: usize = 10;

#[derive(Deserialize)]
pub(super) struct DescribeServices {
    cluster: Option<String>,
    services: Vec<String>,
    #[serde(default)]
    include: Vec<String>,
}

pub(super) fn describe(ecs: &mut Ecs, shared: &mut Shared, input: &DescribeServices) -> ApiResult {
    if input.services.is_empty() {
        return Err(ApiError::invalid_parameter("Services cannot be empty."));
    }
    if input.services.len() > MOST_SERVICES {
        return Err(ApiError::invalid_parameter(
            "Services list cannot be longer than 10.",
        ));
    }
    let cluster = names::cluster_name(input.cluster.as_deref());
    if !ecs.clusters.contains_key(&cluster) {
        return Err(cluster_not_found());
    }
    let with_tags = input.include.iter().any(|what| what == "TAGS");
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for reference in &input.services {
        let id = names::service_id(Some(&cluster), reference);
        let service = ecs.services.get(&id);
        if let Some(service) = service.filter(|service| service.cluster == cluster) {
            found.push(service_json(&shared.config, service, with_tags));
        } else {
            let arn = shared.config.arn("ecs", &format!("service/{id}"));
            failures.push(json!({ "arn": arn, "reason": "MISSING" }));
        }
    }
    Ok(json!({ "services": found, "failures": failures }))
}

/// A service as ECS describes it. Services that ECS does not deploy itself have task sets in place
/// of deployments.
pub(super) fn service_json(config: &AccountConfig, service: &EcsService, with_tags: bool) -> Value {
    let deployments = service.deployments.iter();
    let (deployments, task_sets): (Vec<_>, Vec<_>) = match service.controller {
        Controller::Ecs => {
            let deployments = deployments.enumerate();
            let deployments = deployments
                .map(|(position, deployment)| deployment_json(service, position, deployment));
            (deployments.collect(), Vec::new())
        }
        Controller::CodeDeploy | Controller::External => {
            let task_sets =
                deployments.map(|deployment| task_set_json(config, service, deployment));
            (Vec::new(), task_sets.collect())
        }
    };
    let mut fields = json!({
        "serviceArn": service.arn,
        "serviceName": service.name,
        "clusterArn": config.arn("ecs", &format!("cluster/{}", service.cluster)),
        "status": status_name(service.status),
        "desiredCount": service.desired,
        "runningCount": service.running(),
        "pendingCount": service.pending(),
        "launchType": service.launch_type.name(),
        "deploymentConfiguration": configuration_json(service),
        "resourceManagementType": if service.express { "ECS" } else { "CUSTOMER" },
        "deploymentController": { "type": service.controller.name() },
        "deployments": deployments,
        "taskSets": task_sets,
        "schedulingStrategy": if service.daemon { "DAEMON" } else { "REPLICA" },
        "events": service.events.iter().map(event_json).collect::<Vec<_>>(),
        "createdAt": seconds(service.created_at),
    });
    if let Some(fields) = fields.as_object_mut() {
        fields.extend(unused_features());
        fields.extend(platform(service.launch_type, "LATEST"));
        // A service in Express Mode names none; its deployments do.
        if !service.express {
            fields.insert("taskDefinition".to_owned(), json!(service.task_definition));
        }
        if with_tags {
            fields.insert("tags".to_owned(), json!(pairs(&service.tags)));
        }
    }
    fields
}

/// Members with the value that they have in a service that does not use them.
fn unused_features() -> [(String, Value); 9] {
    [
        ("loadBalancers", json!([])),
        ("serviceRegistries", json!([])),
        ("placementConstraints", json!([])),
        ("placementStrategy", json!([])),
        ("healthCheckGracePeriodSeconds", json!(0)),
        ("enableECSManagedTags", json!(false)),
        ("propagateTags", json!("NONE")),
        ("enableExecuteCommand", json!(false)),
        ("availabilityZoneRebalancing", json!("DISABLED")),
    ]
    .map(|(name, value)| (name.to_owned(), value))
}

fn event_json(event: &Event) -> Value {
    json!({
        "id": event.id,
        "createdAt": seconds(event.created_at),
        "message": event.message,
    })
}

/// Fargate alone has platform versions.
pub(super) fn platform(launch_type: LaunchType, version: &str) -> Vec<(String, Value)> {
    match launch_type {
        LaunchType::Fargate => vec![
            ("platformVersion".to_owned(), json!(version)),
            ("platformFamily".to_owned(), json!("Linux")),
        ],
        LaunchType::External => Vec::new(),
    }
}

/// `deploymentConfiguration`, as a service and its deployments have it.
pub(super) fn configuration_json(service: &EcsService) -> Value {
    let breaker = service.circuit_breaker;
    let (strategy, bake) = match service.strategy {
        Strategy::Rolling => ("ROLLING", Duration::ZERO),
        Strategy::BlueGreen { bake } => ("BLUE_GREEN", bake),
        Strategy::Canary { bake, .. } => ("CANARY", bake),
    };
    let mut fields = json!({
        "deploymentCircuitBreaker": {
            "enable": breaker.is_some(),
            "rollback": breaker.is_some_and(|breaker| breaker.rollback),
        },
        "minimumHealthyPercent": service.minimum_percent,
        "maximumPercent": service.maximum_percent,
        "strategy": strategy,
        "bakeTimeInMinutes": minutes(bake),
        "lifecycleHooks": service.hooks.iter().map(hook_json).collect::<Vec<_>>(),
    });
    let alarms = service.alarms.as_ref().map(|alarms| {
        let alarms = json!({
            "alarmNames": alarms.names,
            "enable": true,
            "rollback": alarms.rollback,
        });
        ("alarms".to_owned(), alarms)
    });
    let canary = match service.strategy {
        Strategy::Canary { step, .. } => {
            let canary = json!({ "canaryPercent": 5.0, "canaryBakeTimeInMinutes": minutes(step) });
            Some(("canaryConfiguration".to_owned(), canary))
        }
        Strategy::Rolling | Strategy::BlueGreen { .. } => None,
    };
    let early = service.early_success.map(|criteria| {
        let criteria = criteria.to_json();
        ("earlySuccessCriteria".to_owned(), criteria)
    });
    if let Some(fields) = fields.as_object_mut() {
        fields.extend(alarms.into_iter().chain(canary).chain(early));
    }
    fields
}

fn hook_json(hook: &Hook) -> Value {
    let action = if hook.continues {
        "CONTINUE"
    } else {
        "ROLLBACK"
    };
    let mut fields = json!({
        "targetType": hook.target.name(),
        "lifecycleStages": [hook.stage.name()],
        "timeoutConfiguration": { "timeoutInMinutes": minutes(hook.timeout), "action": action },
    });
    if let (Some(arn), Some(fields)) = (hook.target.arn(), fields.as_object_mut()) {
        fields.insert("hookTargetArn".to_owned(), json!(arn));
    }
    fields
}

fn minutes(length: Duration) -> u64 {
    length.as_secs() / 60
}

fn deployment_json(service: &EcsService, position: usize, deployment: &Deployment) -> Value {
    let (running, pending) = counts(service, deployment);
    let mut fields = json!({
        "id": deployment.id(),
        "status": deployment_status(position),
        "taskDefinition": deployment.task_definition,
        "desiredCount": if position == 0 { service.desired } else { 0 },
        "runningCount": running,
        "pendingCount": pending,
        "failedTasks": deployment.failed_tasks,
        "createdAt": seconds(deployment.created_at),
        "updatedAt": seconds(deployment.updated_at),
        "launchType": service.launch_type.name(),
    });
    if let Some(fields) = fields.as_object_mut() {
        fields.extend(platform(service.launch_type, "1.4.0"));
        if let Some(service_connect) = &deployment.service_connect {
            fields.insert(
                "serviceConnectConfiguration".to_owned(),
                service_connect.clone(),
            );
        }
        // By the API reference, rolling deployments alone have a rollout state.
        if service.strategy == Strategy::Rolling {
            fields.insert(
                "rolloutState".to_owned(),
                json!(rollout_name(deployment.rollout)),
            );
            fields.insert("rolloutStateReason".to_owned(), json!(deployment.reason));
        }
    }
    fields
}

fn task_set_json(config: &AccountConfig, service: &EcsService, deployment: &Deployment) -> Value {
    let (running, pending) = counts(service, deployment);
    let (started_by, external_id) = match service.controller {
        Controller::CodeDeploy => (
            "CODE_DEPLOY",
            format!("d-{}", deployment.revision.get(..9).unwrap_or_default()),
        ),
        Controller::Ecs | Controller::External => ("", String::new()),
    };
    let id = format!("ecs-svc/{}", deployment.revision);
    json!({
        "id": id,
        "taskSetArn": config.arn("ecs", &format!("task-set/{}/{id}", service.id)),
        "serviceArn": service.arn,
        "clusterArn": config.arn("ecs", &format!("cluster/{}", service.cluster)),
        "startedBy": started_by,
        "externalId": external_id,
        "status": "PRIMARY",
        "taskDefinition": deployment.task_definition,
        "computedDesiredCount": service.desired,
        "runningCount": running,
        "pendingCount": pending,
        "createdAt": seconds(deployment.created_at),
        "updatedAt": seconds(deployment.updated_at),
        "launchType": service.launch_type.name(),
        "scale": { "value": 100.0, "unit": "PERCENT" },
        "stabilityStatus": "STEADY_STATE",
        "stabilityStatusAt": seconds(deployment.updated_at),
        "loadBalancers": [],
        "serviceRegistries": [],
        "tags": [],
    })
}
