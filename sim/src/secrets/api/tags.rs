use serde::Deserialize;
use serde_json::Value;

use crate::error::ApiResult;
use crate::tagging::{TagPair, Tags, to_tags};
use crate::world::World;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TagResource {
    secret_id: String,
    tags: Vec<TagPair>,
}

pub(super) fn tag(world: &mut World, input: &TagResource) -> ApiResult {
    change(world, &input.secret_id, |tags| {
        tags.extend(to_tags(&input.tags));
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UntagResource {
    secret_id: String,
    tag_keys: Vec<String>,
}

pub(super) fn untag(world: &mut World, input: &UntagResource) -> ApiResult {
    change(world, &input.secret_id, |tags| {
        tags.retain(|key, _| !input.tag_keys.contains(key));
    })
}

fn change(world: &mut World, id: &str, act: impl FnOnce(&mut Tags)) -> ApiResult {
    let secret = world.secrets.live(id)?;
    act(&mut secret.tags);
    let (arn, tags) = (secret.arn.clone(), secret.tags.clone());
    world.index_later(arn, tags);
    // Neither operation has output.
    Ok(Value::Null)
}
