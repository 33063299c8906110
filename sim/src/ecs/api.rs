//! The ECS API, AWS JSON 1.1.

mod clusters;
mod create;
mod deployments;
mod describe;
mod history;
mod lists;
mod protection;
mod tags;
mod task_definitions;
mod tasks;
mod update;

use serde_json::Value;

use super::names;
use super::state::Ecs;
use crate::error::{ApiError, ApiResult};
use crate::input::parse;
use crate::shared::Shared;

pub(crate) fn perform(
    ecs: &mut Ecs,
    shared: &mut Shared,
    operation: &str,
    input: Value,
) -> ApiResult {
    match operation {
        "CreateCluster" => clusters::create(ecs, shared, &parse(input)?),
        "ListClusters" => clusters::list(ecs, shared, &parse(input)?),
        "DescribeClusters" => Ok(clusters::describe(ecs, shared, &parse(input)?)),
        "RegisterTaskDefinition" => task_definitions::register(ecs, shared, input),
        "DescribeTaskDefinition" => task_definitions::describe(ecs, &parse(input)?),
        "CreateService" => create::create(ecs, shared, parse(input)?),
        "DescribeServices" => describe::describe(ecs, shared, &parse(input)?),
        "ListServices" => lists::services(ecs, &parse(input)?),
        "UpdateService" => update::update(ecs, shared, &parse(input)?),
        "DeleteService" => update::delete(ecs, shared, &parse(input)?),
        "ListTasks" => lists::tasks(ecs, shared, &parse(input)?),
        "DescribeTasks" => tasks::describe(ecs, shared, &parse(input)?),
        "StopTask" => tasks::stop(ecs, shared, &parse(input)?),
        "UpdateTaskProtection" => protection::update(ecs, shared, &parse(input)?),
        "TagResource" => tags::tag(ecs, shared, &parse(input)?),
        "UntagResource" => tags::untag(ecs, shared, &parse(input)?),
        "ListTagsForResource" => tags::list(ecs, &parse(input)?),
        "ListServiceDeployments" => history::list(ecs, shared, &parse(input)?),
        "DescribeServiceDeployments" => history::describe_deployments(ecs, shared, &parse(input)?),
        "StopServiceDeployment" => deployments::stop(ecs, shared, &parse(input)?),
        "ContinueServiceDeployment" => deployments::resume(ecs, shared, &parse(input)?),
        "DescribeServiceRevisions" => history::describe_revisions(ecs, shared, &parse(input)?),
        _ => Err(ApiError::unknown_operation()),
    }
}

/// The target of a call: services as `cluster/name`, a resource's ARN or service, or a cluster.
pub(crate) fn target_of(input: &Value) -> String {
    let text = |name: &str| input.get(name).and_then(Value::as_str);
    let cluster = text("cluster");
    let service = |name: &str| names::service_id(cluster, name);
    if let Some(name) = text("service").or_else(|| text("serviceName")) {
        return service(name);
    }
    if let Some(listed) = input.get("services").and_then(Value::as_array) {
        return listed
            .iter()
            .filter_map(Value::as_str)
            .map(service)
            .collect::<Vec<_>>()
            .join(",");
    }
    match (text("resourceArn"), cluster) {
        (Some(arn), _) if arn.contains(":service/") => service(arn),
        (Some(arn), _) => arn.to_owned(),
        (None, Some(cluster)) => names::cluster_name(Some(cluster)),
        (None, None) => text("taskDefinition")
            .or_else(|| text("family"))
            .unwrap_or_default()
            .to_owned(),
    }
}
