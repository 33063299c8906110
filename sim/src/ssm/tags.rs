use serde::Deserialize;
use serde_json::json;

use super::{ParameterStore, not_found};
use crate::error::{ApiError, ApiResult};
use crate::shared::Shared;
use crate::tags::{TagPair, Tags, pairs, to_tags};

/// The resource that a tag of Systems Manager is attached to.
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

pub(super) fn add(
    store: &mut ParameterStore,
    shared: &mut Shared,
    input: &AddTagsToResource,
) -> ApiResult {
    store.tag(shared, input.resource.parameter()?, |tags| {
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

pub(super) fn remove(
    store: &mut ParameterStore,
    shared: &mut Shared,
    input: &RemoveTagsFromResource,
) -> ApiResult {
    store.tag(shared, input.resource.parameter()?, |tags| {
        tags.retain(|key, _| !input.tag_keys.contains(key));
    })?;
    Ok(json!({}))
}

pub(super) fn list(store: &ParameterStore, input: &Resource) -> ApiResult {
    let (stored, _) = store.current(input.parameter()?).ok_or_else(no_resource)?;
    Ok(json!({ "TagList": pairs(&stored.tags) }))
}

impl ParameterStore {
    /// Changes a parameter's tags; the index behind `GetResources` has them later.
    pub(crate) fn tag(
        &mut self,
        shared: &mut Shared,
        name: &str,
        act: impl FnOnce(&mut Tags),
    ) -> ApiResult<()> {
        let stored = self
            .parameters
            .get_mut(name)
            .filter(|stored| !stored.versions.is_empty())
            .ok_or_else(no_resource)?;
        act(&mut stored.tags);
        let tags = stored.tags.clone();
        shared.index_later(shared.config.parameter_arn(name), tags);
        Ok(())
    }
}

fn no_resource() -> ApiError {
    ApiError {
        code: "InvalidResourceId".to_owned(),
        ..not_found()
    }
}
