//! The Secrets Manager API, AWS JSON 1.1.

mod describe;
mod labels;
mod tags;
mod write;

use serde_json::{Value, json};

use super::selector::name_in;
use super::store::Secrets;
use crate::error::{ApiError, ApiResult};
use crate::input::parse;
use crate::shared::Shared;

/// Performs the call of `principal`; CloudTrail has every call that writes, also one that fails.
pub(crate) fn perform(
    secrets: &mut Secrets,
    shared: &mut Shared,
    operation: &str,
    input: Value,
    principal: &str,
) -> ApiResult {
    match operation {
        "DescribeSecret" => describe::secret(secrets, shared, &parse(input)?),
        "ListSecrets" => describe::list(secrets, shared, &parse(input)?),
        "ListSecretVersionIds" => describe::versions(secrets, shared, &parse(input)?),
        "GetSecretValue" => describe::value(secrets, &parse(input)?),
        "CreateSecret"
        | "PutSecretValue"
        | "UpdateSecret"
        | "UpdateSecretVersionStage"
        | "RotateSecret"
        | "DeleteSecret"
        | "RestoreSecret"
        | "TagResource"
        | "UntagResource" => {
            let outcome = write(secrets, shared, operation, input.clone());
            shared.trail_secret_call(operation, &input, &outcome, principal);
            outcome
        }
        _ => Err(ApiError::unknown_operation()),
    }
}

fn write(secrets: &mut Secrets, shared: &mut Shared, operation: &str, input: Value) -> ApiResult {
    match operation {
        "CreateSecret" => write::create(secrets, shared, parse(input)?),
        "PutSecretValue" => write::put_value(secrets, shared, parse(input)?),
        "UpdateSecret" => write::update(secrets, shared, parse(input)?),
        "UpdateSecretVersionStage" => labels::update(secrets, shared, &parse(input)?),
        "RotateSecret" => write::rotate(secrets, shared, parse(input)?),
        "DeleteSecret" => write::delete(secrets, shared, &parse(input)?),
        "RestoreSecret" => write::restore(secrets, &parse(input)?),
        "TagResource" => tags::tag(secrets, shared, &parse(input)?),
        "UntagResource" => tags::untag(secrets, shared, &parse(input)?),
        _ => Err(ApiError::unknown_operation()),
    }
}

/// The secret's name, if the call has one.
pub(crate) fn target_of(input: &Value) -> String {
    let text = |name: &str| input.get(name).and_then(Value::as_str);
    let id = text("SecretId").or(text("Name")).unwrap_or_default();
    id.split_once(":secret:")
        .map_or(id, |(_, resource)| name_in(resource).unwrap_or(resource))
        .to_owned()
}

impl Secrets {
    /// The owner's next version; returns its id.
    pub(crate) fn put(&mut self, shared: &mut Shared, name: &str) -> ApiResult<String> {
        let version = shared.clock.uuid();
        let known = self.0.get(name);
        let (operation, id) = if known.is_some() {
            ("PutSecretValue", "SecretId")
        } else {
            ("CreateSecret", "Name")
        };
        if known.is_some_and(|secret| secret.deleted_at.is_some()) {
            self.as_owner(shared, "RestoreSecret", json!({ "SecretId": name }))?;
        }
        // Each version has a value of its own.
        let input = json!({ id: name, "ClientRequestToken": version, "SecretString": version });
        self.as_owner(shared, operation, input)?;
        Ok(version)
    }

    /// Moves a label to a version, as the owner does.
    pub(crate) fn move_stage(
        &mut self,
        shared: &mut Shared,
        name: &str,
        stage: &str,
        version: &str,
    ) -> ApiResult {
        let from = self.get(name)?.holder(stage).map(str::to_owned);
        let input = json!({
            "SecretId": name,
            "VersionStage": stage,
            "MoveToVersionId": version,
            "RemoveFromVersionId": from,
        });
        self.as_owner(shared, "UpdateSecretVersionStage", input)
    }

    /// A call of the account's owner.
    pub(crate) fn as_owner(
        &mut self,
        shared: &mut Shared,
        operation: &str,
        input: Value,
    ) -> ApiResult {
        perform(self, shared, operation, input, "owner")
    }
}
