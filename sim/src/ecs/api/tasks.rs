use serde::Deserialize;
use serde_json::{Value, json};

use super::super::model::{EcsService, Task};
use super::super::state::Ecs;
use super::super::{names, tasks};
use crate::config::AccountConfig;
use crate::error::{ApiError, ApiResult};
use crate::output::seconds;
use crate::shared::Shared;

const MOST_TASKS: usize = 100;

#[derive(Deserialize)]
pub(super) struct DescribeTasks {
    cluster: Option<String>,
    tasks: Vec<String>,
}

pub(super) fn describe(ecs: &mut Ecs, shared: &mut Shared, input: &DescribeTasks) -> ApiResult {
    if input.tasks.len() > MOST_TASKS {
        return Err(ApiError::invalid_parameter(
            "Tasks list cannot be longer than 100.",
        ));
    }
    let cluster = names::cluster_name(input.cluster.as_deref());
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for reference in &input.tasks {
        let id = names::task_id(reference);
        if let Some((service, task)) = find(ecs, &cluster, id) {
            found.push(task_json(&shared.config, service, task));
        } else {
            let arn = shared.config.arn("ecs", &format!("task/{cluster}/{id}"));
            failures.push(json!({ "arn": arn, "reason": "MISSING" }));
        }
    }
    Ok(json!({ "tasks": found, "failures": failures }))
}

#[derive(Deserialize)]
pub(super) struct StopTask {
    cluster: Option<String>,
    task: String,
    #[serde(default)]
    reason: String,
}

/// Stops a task, without regard to the deployment configuration; the scheduler replaces it.
pub(super) fn stop(ecs: &mut Ecs, shared: &mut Shared, input: &StopTask) -> ApiResult {
    let cluster = names::cluster_name(input.cluster.as_deref());
    let id = names::task_id(&input.task).to_owned();
    let not_found = || ApiError::invalid_parameter("The referenced task was not found.");
    let service = find(ecs, &cluster, &id)
        .map(|(service, _)| service.id.clone())
        .ok_or_else(not_found)?;

    let service = ecs.service_mut(&service)?;
    let code = tasks::BY_USER;
    tasks::stop(service, &mut shared.clock, &id, &input.reason, code);
    shared.reconcile_later(service.id.clone());
    let (service, task) = find(ecs, &cluster, &id).ok_or_else(not_found)?;
    Ok(json!({ "task": task_json(&shared.config, service, task) }))
}

/// A task, live or stopped, and its service.
fn find<'a>(ecs: &'a Ecs, cluster: &str, id: &str) -> Option<(&'a EcsService, &'a Task)> {
    let mut services = ecs
        .services
        .values()
        .filter(|service| service.cluster == cluster);
    services.find_map(|service| {
        let task = service
            .tasks
            .iter()
            .chain(&service.stopped)
            .find(|task| task.id == id)?;
        Some((service, task))
    })
}

pub(super) fn arn(config: &AccountConfig, service: &EcsService, task: &Task) -> String {
    config.arn("ecs", &format!("task/{}/{}", service.cluster, task.id))
}

fn task_json(config: &AccountConfig, service: &EcsService, task: &Task) -> Value {
    let last_status = match (task.stopped_at, task.stopping_at, task.started_at) {
        (Some(_), _, _) => "STOPPED",
        (None, Some(_), _) => "DEACTIVATING",
        (None, None, Some(_)) => "RUNNING",
        (None, None, None) => "PENDING",
    };
    let mut fields = json!({
        "taskArn": arn(config, service, task),
        "clusterArn": config.arn("ecs", &format!("cluster/{}", service.cluster)),
        "taskDefinitionArn": task.definition,
        "group": format!("service:{}", service.name),
        "startedBy": format!("ecs-svc/{}", task.revision),
        "lastStatus": last_status,
        "desiredStatus": if task.is_stopping() { "STOPPED" } else { "RUNNING" },
        "healthStatus": if task.healthy { "HEALTHY" } else { "UNKNOWN" },
        "launchType": service.launch_type.name(),
        "containers": containers_json(task),
        "attachments": [],
        "overrides": {},
        "tags": [],
        "version": 1,
        "createdAt": seconds(task.created_at),
    });
    let times = [
        ("startedAt", task.started_at),
        ("stoppingAt", task.stopping_at),
        ("stoppedAt", task.stopped_at),
    ];
    if let Some(fields) = fields.as_object_mut() {
        fields.extend(
            times
                .into_iter()
                .filter_map(|(name, time)| Some((name.to_owned(), json!(seconds(time?))))),
        );
        if task.is_stopping() {
            fields.insert("stoppedReason".to_owned(), json!(task.stopped_reason));
            fields.insert("stopCode".to_owned(), json!(task.stop_code));
        }
    }
    fields
}

/// The containers of a task that has stopped because one of them exited; the others are left out.
fn containers_json(task: &Task) -> Value {
    if task.stop_code == tasks::CONTAINER_EXITED {
        json!([{ "name": "app", "lastStatus": "STOPPED", "exitCode": 1 }])
    } else {
        json!([])
    }
}
