use serde::Deserialize;
use serde_json::{Value, json};

use super::super::model::Status;
use super::super::names::cluster_name;
use super::super::state::Ecs;
use super::tags::{TagPair, pairs, to_tags};
use crate::error::ApiResult;
use crate::page;
use crate::shared::Shared;

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

pub(super) fn create(ecs: &mut Ecs, shared: &mut Shared, input: &CreateCluster) -> ApiResult {
    let tags = to_tags(&input.tags)?;
    ecs.clusters
        .entry(input.cluster_name.clone())
        .or_default()
        .extend(tags);
    Ok(json!({ "cluster": cluster_json(ecs, shared, &input.cluster_name, true) }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListClusters {
    max_results: Option<usize>,
    next_token: Option<String>,
}

pub(super) fn list(ecs: &mut Ecs, shared: &mut Shared, input: &ListClusters) -> ApiResult {
    let arns: Vec<String> = ecs.clusters.keys().map(|name| arn(shared, name)).collect();
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

pub(super) fn describe(ecs: &Ecs, shared: &Shared, input: &DescribeClusters) -> Value {
    let with_tags = input.include.iter().any(|what| what == "TAGS");
    let names = input
        .clusters
        .iter()
        .map(|reference| cluster_name(Some(reference)));
    let (known, missing): (Vec<_>, Vec<_>) =
        names.partition(|name| ecs.clusters.contains_key(name));
    let clusters: Vec<_> = known
        .iter()
        .map(|name| cluster_json(ecs, shared, name, with_tags))
        .collect();
    let failures: Vec<_> = missing
        .iter()
        .map(|name| json!({ "arn": arn(shared, name), "reason": "MISSING" }))
        .collect();
    json!({ "clusters": clusters, "failures": failures })
}

fn arn(shared: &Shared, name: &str) -> String {
    shared.config.arn("ecs", &format!("cluster/{name}"))
}

fn cluster_json(ecs: &Ecs, shared: &Shared, name: &str, with_tags: bool) -> Value {
    let services: Vec<_> = ecs
        .services
        .values()
        .filter(|service| service.cluster == name)
        .collect();
    let active = services
        .iter()
        .filter(|service| service.status == Status::Active)
        .count();
    let tags = ecs.clusters.get(name).filter(|_| with_tags);
    json!({
        "clusterArn": arn(shared, name),
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
