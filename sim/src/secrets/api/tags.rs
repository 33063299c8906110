use serde::Deserialize;
use serde_json::Value;

use super::super::store::Secrets;
use crate::error::ApiResult;
use crate::shared::Shared;
use crate::tags::{TagPair, Tags, to_tags};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TagResource {
    secret_id: String,
    tags: Vec<TagPair>,
}

pub(super) fn tag(secrets: &mut Secrets, shared: &mut Shared, input: &TagResource) -> ApiResult {
    change(secrets, shared, &input.secret_id, |tags| {
        tags.extend(to_tags(&input.tags));
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UntagResource {
    secret_id: String,
    tag_keys: Vec<String>,
}

pub(super) fn untag(
    secrets: &mut Secrets,
    shared: &mut Shared,
    input: &UntagResource,
) -> ApiResult {
    change(secrets, shared, &input.secret_id, |tags| {
        tags.retain(|key, _| !input.tag_keys.contains(key));
    })
}

fn change(
    secrets: &mut Secrets,
    shared: &mut Shared,
    id: &str,
    act: impl FnOnce(&mut Tags),
) -> ApiResult {
    let secret = secrets.live(id)?;
    act(&mut secret.tags);
    let (arn, tags) = (secret.arn.clone(), secret.tags.clone());
    shared.index_later(arn, tags);
    // Neither operation has output.
    Ok(Value::Null)
}
