//! The ECS API, AWS JSON 1.1.

mod clusters;
mod create;
mod deployments;
mod describe;
mod history;
mod lists;
mod tags;
mod task_definitions;
mod tasks;
mod update;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::names;
use crate::error::{ApiError, ApiResult};
use crate::world::World;

pub(crate) fn perform(world: &mut World, operation: &str, input: Value) -> ApiResult {
    match operation {
        "CreateCluster" => clusters::create(world, &parse(input)?),
        "ListClusters" => clusters::list(world, &parse(input)?),
        "DescribeClusters" => Ok(clusters::describe(world, &parse(input)?)),
        "RegisterTaskDefinition" => task_definitions::register(world, input),
        "DescribeTaskDefinition" => task_definitions::describe(world, &parse(input)?),
        "CreateService" => create::create(world, parse(input)?),
        "DescribeServices" => describe::describe(world, &parse(input)?),
        "ListServices" => lists::services(world, &parse(input)?),
        "UpdateService" => update::update(world, &parse(input)?),
        "DeleteService" => update::delete(world, &parse(input)?),
        "ListTasks" => lists::tasks(world, &parse(input)?),
        "DescribeTasks" => tasks::describe(world, &parse(input)?),
        "StopTask" => tasks::stop(world, &parse(input)?),
        "TagResource" => tags::tag(world, &parse(input)?),
        "UntagResource" => tags::untag(world, &parse(input)?),
        "ListTagsForResource" => tags::list(world, &parse(input)?),
        "ListServiceDeployments" => history::list(world, &parse(input)?),
        "DescribeServiceDeployments" => history::describe_deployments(world, &parse(input)?),
        "StopServiceDeployment" => deployments::stop(world, &parse(input)?),
        "ContinueServiceDeployment" => deployments::go_on(world, &parse(input)?),
        "DescribeServiceRevisions" => history::describe_revisions(world, &parse(input)?),
        _ => Err(ApiError::unknown_operation()),
    }
}

/// Reads an operation's input; members it does not know are AWS's, and none of the simulation's
/// business.
pub(crate) fn parse<T: DeserializeOwned>(input: Value) -> ApiResult<T> {
    let input = if input.is_null() { json!({}) } else { input };
    serde_json::from_value(input).map_err(|error| ApiError::new("SerializationException", error))
}

/// What a call is about: services as `cluster/name`, a resource's ARN or service, a cluster.
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
