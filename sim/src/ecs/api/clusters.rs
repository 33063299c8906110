use serde::Deserialize;
use serde_json::{Value, json};

use super::super::names::cluster_name;
use super::tags::{TagPair, pairs, to_tags};
use crate::error::ApiResult;
use crate::wire::page;
use crate::world::World;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct CreateCluster {
    cluster_name: String,
    tags: Vec<TagPair>,
}

impl Default for CreateCluster {
    fn default() -> Self {
        Self {
            cluster_name: "default".to_owned(),
            tags: Vec::new(),
        }
    }
}

pub(super) fn create(world: &mut World, input: &CreateCluster) -> ApiResult {
    let tags = to_tags(&input.tags)?;
    world
        .ecs
        .clusters
        .entry(input.cluster_name.clone())
        .or_default()
        .extend(tags);
    Ok(json!({ "cluster": cluster_json(world, &input.cluster_name, true) }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListClusters {
    max_results: Option<usize>,
    next_token: Option<String>,
}

pub(super) fn list(world: &mut World, input: &ListClusters) -> ApiResult {
    let arns: Vec<String> = world
        .ecs
        .clusters
        .keys()
        .map(|name| arn(world, name))
        .collect();
    let page = page::of(
        &arns,
        input.max_results.unwrap_or(100),
        input.next_token.as_deref(),
    )?;
    Ok(json!({ "clusterArns": page.items, "nextToken": page.next }))
}

#[derive(Deserialize)]
#[serde(default)]
pub(super) struct DescribeClusters {
    clusters: Vec<String>,
    include: Vec<String>,
}

impl Default for DescribeClusters {
    fn default() -> Self {
        Self {
            clusters: vec!["default".to_owned()],
            include: Vec::new(),
        }
    }
}

pub(super) fn describe(world: &World, input: &DescribeClusters) -> Value {
    let with_tags = input.include.iter().any(|what| what == "TAGS");
    let names = input
        .clusters
        .iter()
        .map(|reference| cluster_name(Some(reference)));
    let (known, missing): (Vec<_>, Vec<_>) =
        names.partition(|name| world.ecs.clusters.contains_key(name));
    let clusters: Vec<_> = known
        .iter()
        .map(|name| cluster_json(world, name, with_tags))
        .collect();
    let failures: Vec<_> = missing
        .iter()
        .map(|name| json!({ "arn": arn(world, name), "reason": "MISSING" }))
        .collect();
    json!({ "clusters": clusters, "failures": failures })
}

fn arn(world: &World, name: &str) -> String {
    world.config.arn("ecs", &format!("cluster/{name}"))
}

fn cluster_json(world: &World, name: &str, with_tags: bool) -> Value {
    let services: Vec<_> = world
        .ecs
        .services
        .values()
        .filter(|service| service.cluster == name)
        .collect();
    let active = services
        .iter()
        .filter(|service| service.status == super::super::model::Status::Active)
        .count();
    let tags = world.ecs.clusters.get(name).filter(|_| with_tags);
    json!({
        "clusterArn": arn(world, name),
        "clusterName": name,
        "status": "ACTIVE",
        "registeredContainerInstancesCount": 0,
        "runningTasksCount": services.iter().map(|service| service.running()).sum::<usize>(),
        "pendingTasksCount": services.iter().map(|service| service.pending()).sum::<usize>(),
        "activeServicesCount": active,
        "statistics": [],
        "tags": tags.map(pairs).unwrap_or_default(),
        "settings": [],
        "capacityProviders": [],
        "defaultCapacityProviderStrategy": [],
    })
}
