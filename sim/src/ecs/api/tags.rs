use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::names;
use super::super::state::{Ecs, cluster_not_found, service_not_found};
use crate::error::{ApiError, ApiResult};
use crate::shared::Shared;
use crate::tags::Tags;

const MOST_TAGS: usize = 50;

/// A tag in ECS's spelling.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct TagPair {
    key: String,
    #[serde(default)]
    value: String,
}

pub(super) fn pairs(tags: &Tags) -> Vec<TagPair> {
    tags.iter()
        .map(|(key, value)| TagPair {
            key: key.clone(),
            value: value.clone(),
        })
        .collect()
}

/// Letters, digits, spaces and `_ . : / = + - @`; keys up to 128, values up to 256 characters
/// ("Tagging Amazon ECS resources").
pub(super) fn to_tags(pairs: &[TagPair]) -> ApiResult<Tags> {
    let allowed = |text: &str| {
        text.chars()
            .all(|c| c.is_alphanumeric() || c.is_whitespace() || "_.:/=+-@".contains(c))
    };
    let fits =
        |text: &str, least: usize, most: usize| (least..=most).contains(&text.chars().count());
    for TagPair { key, value } in pairs {
        if !allowed(key) || !fits(key, 1, 128) || key.starts_with("aws:") {
            return Err(ApiError::invalid_parameter(format!(
                "Invalid tag key: {key}"
            )));
        }
        if !allowed(value) || !fits(value, 0, 256) {
            return Err(ApiError::invalid_parameter(format!(
                "Invalid tag value: {value}"
            )));
        }
    }
    Ok(pairs
        .iter()
        .map(|TagPair { key, value }| (key.clone(), value.clone()))
        .collect())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TagResource {
    resource_arn: String,
    tags: Vec<TagPair>,
}

pub(super) fn tag(ecs: &mut Ecs, shared: &mut Shared, input: &TagResource) -> ApiResult {
    let new = to_tags(&input.tags)?;
    change(ecs, shared, &input.resource_arn, |tags| tags.extend(new))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UntagResource {
    resource_arn: String,
    tag_keys: Vec<String>,
}

pub(super) fn untag(ecs: &mut Ecs, shared: &mut Shared, input: &UntagResource) -> ApiResult {
    change(ecs, shared, &input.resource_arn, |tags| {
        tags.retain(|key, _| !input.tag_keys.contains(key));
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListTagsForResource {
    resource_arn: String,
}

pub(super) fn list(ecs: &mut Ecs, input: &ListTagsForResource) -> ApiResult {
    let tags = tags_mut(ecs, &input.resource_arn)?;
    Ok(json!({ "tags": pairs(tags) }))
}

impl Ecs {
    /// Sets a tag of a service, or removes it.
    pub(crate) fn tag_service(
        &mut self,
        shared: &mut Shared,
        id: &str,
        key: &str,
        value: Option<&str>,
    ) -> ApiResult {
        let arn = self.service(id)?.arn.clone();
        change(self, shared, &arn, |tags| {
            tags.remove(key);
            tags.extend(value.map(|value| (key.to_owned(), value.to_owned())));
        })
    }
}

fn change(ecs: &mut Ecs, shared: &mut Shared, arn: &str, act: impl FnOnce(&mut Tags)) -> ApiResult {
    let tags = tags_mut(ecs, arn)?;
    let mut changed = tags.clone();
    act(&mut changed);
    if changed.len() > MOST_TAGS {
        return Err(ApiError::invalid_parameter(
            "The maximum number of tags per resource is 50.",
        ));
    }
    tags.clone_from(&changed);
    shared.index_later(arn.to_owned(), changed);
    Ok(json!({}))
}

/// The tags of a service or a cluster; nothing else is tagged here.
fn tags_mut<'a>(ecs: &'a mut Ecs, arn: &str) -> ApiResult<&'a mut Tags> {
    if arn.contains(":cluster/") {
        let name = names::cluster_name(Some(arn));
        return ecs.clusters.get_mut(&name).ok_or_else(cluster_not_found);
    }
    let id = names::service_id(None, arn);
    let service = ecs
        .services
        .get_mut(&id)
        .filter(|service| service.arn == arn);
    service
        .map(|service| &mut service.tags)
        .ok_or_else(service_not_found)
}
