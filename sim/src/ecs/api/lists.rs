use serde::Deserialize;
use serde_json::json;

use super::super::model::{EcsService, Status, Task};
use super::super::names;
use super::super::state::{Ecs, cluster_not_found};
use crate::error::{ApiError, ApiResult};
use crate::page;
use crate::shared::Shared;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListServices {
    cluster: Option<String>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

/// DRAINING and INACTIVE services are not listed.
pub(super) fn services(ecs: &Ecs, input: &ListServices) -> ApiResult {
    let cluster = known_cluster(ecs, input.cluster.as_deref())?;
    let services = ecs.services.values();
    let active =
        services.filter(|service| service.cluster == cluster && service.status == Status::Active);
    let arns: Vec<_> = active.map(|service| service.arn.clone()).collect();
    let page = page::of(
        &arns,
        page_size(input.max_results, 10)?,
        input.next_token.as_deref(),
    )?;
    Ok(json!({ "serviceArns": page.items, "nextToken": page.next }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListTasks {
    cluster: Option<String>,
    service_name: Option<String>,
    started_by: Option<String>,
    desired_status: Option<String>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

pub(super) fn tasks(ecs: &mut Ecs, shared: &mut Shared, input: &ListTasks) -> ApiResult {
    let cluster = known_cluster(ecs, input.cluster.as_deref())?;
    let wanted = input
        .service_name
        .as_deref()
        .map(|name| names::service_id(Some(&cluster), name));
    if let Some(id) = &wanted {
        ecs.service(id)?;
    }
    let stopped = input.desired_status.as_deref() == Some("STOPPED");
    let services = ecs
        .services
        .values()
        .filter(|service| service.cluster == cluster);
    let services = services.filter(|service| wanted.as_ref().is_none_or(|id| *id == service.id));
    let started_by = |task: &Task| {
        input
            .started_by
            .as_ref()
            .is_none_or(|by| *by == format!("ecs-svc/{}", task.revision))
    };
    let arns: Vec<_> = services
        .flat_map(|service| {
            listed(service, stopped)
                .into_iter()
                .map(move |task| (service, task))
        })
        .filter(|(_, task)| started_by(task))
        .map(|(service, task)| super::tasks::arn(&shared.config, service, task))
        .collect();
    let page = page::of(
        &arns,
        page_size(input.max_results, 100)?,
        input.next_token.as_deref(),
    )?;
    Ok(json!({ "taskArns": page.items, "nextToken": page.next }))
}

/// By desired status: a task that was ordered to stop has STOPPED, although it still runs.
fn listed(service: &EcsService, stopped: bool) -> Vec<&Task> {
    let live = service
        .tasks
        .iter()
        .filter(|task| task.is_stopping() == stopped);
    let gone = service.stopped.iter().filter(|_| stopped);
    live.chain(gone).collect()
}

fn known_cluster(ecs: &Ecs, reference: Option<&str>) -> ApiResult<String> {
    let name = names::cluster_name(reference);
    if ecs.clusters.contains_key(&name) {
        Ok(name)
    } else {
        Err(cluster_not_found())
    }
}

fn page_size(asked: Option<usize>, default: usize) -> ApiResult<usize> {
    let size = asked.unwrap_or(default);
    if (1..=100).contains(&size) {
        Ok(size)
    } else {
        Err(ApiError::invalid_parameter(
            "maxResults must be between 1 and 100",
        ))
    }
}
