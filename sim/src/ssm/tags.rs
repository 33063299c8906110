use serde::Deserialize;
use serde_json::json;

use super::not_found;
use crate::error::{ApiError, ApiResult};
use crate::tagging::{TagPair, Tags, pairs, to_tags};
use crate::world::World;

/// What a tag of Systems Manager is attached to.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Resource {
    resource_type: String,
    resource_id: String,
}

impl Resource {
    /// The parameter's name; nothing else is tagged here.
    fn parameter(&self) -> ApiResult<&str> {
        if self.resource_type == "Parameter" {
            Ok(&self.resource_id)
        } else {
            Err(ApiError::new(
                "InvalidResourceType",
                format!("{} is not a valid resource type.", self.resource_type),
            ))
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AddTagsToResource {
    #[serde(flatten)]
    resource: Resource,
    tags: Vec<TagPair>,
}

pub(super) fn add(world: &mut World, input: &AddTagsToResource) -> ApiResult {
    world.tag_parameter(input.resource.parameter()?, |tags| {
        tags.extend(to_tags(&input.tags));
    })?;
    Ok(json!({}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RemoveTagsFromResource {
    #[serde(flatten)]
    resource: Resource,
    tag_keys: Vec<String>,
}

pub(super) fn remove(world: &mut World, input: &RemoveTagsFromResource) -> ApiResult {
    world.tag_parameter(input.resource.parameter()?, |tags| {
        tags.retain(|key, _| !input.tag_keys.contains(key));
    })?;
    Ok(json!({}))
}

pub(super) fn list(world: &World, input: &Resource) -> ApiResult {
    let (stored, _) = world
        .parameters
        .current(input.parameter()?)
        .ok_or_else(no_resource)?;
    Ok(json!({ "TagList": pairs(&stored.tags) }))
}

impl World {
    /// Changes a parameter's tags, which the index behind `GetResources` learns of later.
    pub(crate) fn tag_parameter(
        &mut self,
        name: &str,
        act: impl FnOnce(&mut Tags),
    ) -> ApiResult<()> {
        let stored = self
            .parameters
            .parameters
            .get_mut(name)
            .filter(|stored| !stored.versions.is_empty())
            .ok_or_else(no_resource)?;
        act(&mut stored.tags);
        let tags = stored.tags.clone();
        self.index_later(self.config.parameter_arn(name), tags);
        Ok(())
    }
}

fn no_resource() -> ApiError {
    ApiError {
        code: "InvalidResourceId".to_owned(),
        ..not_found()
    }
}
