//! The Secrets Manager API, AWS JSON 1.1.

mod describe;
mod labels;
mod tags;
mod write;

use serde_json::Value;

use super::name_in;
use crate::ecs::api::parse;
use crate::error::{ApiError, ApiResult};
use crate::world::World;

/// Does what `principal` asks for; CloudTrail tells of what writes, also where it fails.
pub(crate) fn perform(
    world: &mut World,
    operation: &str,
    input: Value,
    principal: &str,
) -> ApiResult {
    match operation {
        "DescribeSecret" => describe::secret(world, &parse(input)?),
        "ListSecrets" => describe::list(world, &parse(input)?),
        "ListSecretVersionIds" => describe::versions(world, &parse(input)?),
        "GetSecretValue" => describe::value(world, &parse(input)?),
        "CreateSecret"
        | "PutSecretValue"
        | "UpdateSecret"
        | "UpdateSecretVersionStage"
        | "RotateSecret"
        | "DeleteSecret"
        | "RestoreSecret"
        | "TagResource"
        | "UntagResource" => {
            let outcome = write(world, operation, input.clone());
            world.trail_secret_call(operation, &input, &outcome, principal);
            outcome
        }
        _ => Err(ApiError::unknown_operation()),
    }
}

fn write(world: &mut World, operation: &str, input: Value) -> ApiResult {
    match operation {
        "CreateSecret" => write::create(world, parse(input)?),
        "PutSecretValue" => write::put_value(world, parse(input)?),
        "UpdateSecret" => write::update(world, parse(input)?),
        "UpdateSecretVersionStage" => labels::update(world, &parse(input)?),
        "RotateSecret" => write::rotate(world, parse(input)?),
        "DeleteSecret" => write::delete(world, &parse(input)?),
        "RestoreSecret" => write::restore(world, &parse(input)?),
        "TagResource" => tags::tag(world, &parse(input)?),
        "UntagResource" => tags::untag(world, &parse(input)?),
        _ => Err(ApiError::unknown_operation()),
    }
}

/// The secret's name, as far as the call tells it.
pub(crate) fn target_of(input: &Value) -> String {
    let text = |name: &str| input.get(name).and_then(Value::as_str);
    let id = text("SecretId").or(text("Name")).unwrap_or_default();
    id.split_once(":secret:")
        .map_or(id, |(_, resource)| name_in(resource).unwrap_or(resource))
        .to_owned()
}
