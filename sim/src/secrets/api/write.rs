use serde::Deserialize;
use serde_json::{Value, json};

use super::super::{CURRENT, Secret, Version};
use crate::error::{ApiError, ApiResult};
use crate::tagging::{TagPair, to_tags};
use crate::wire::seconds;
use crate::world::World;

const RECOVERY_DAYS: i64 = 30;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateSecret {
    name: String,
    client_request_token: Option<String>,
    description: Option<String>,
    secret_string: Option<String>,
    secret_binary: Option<String>,
    #[serde(default)]
    tags: Vec<TagPair>,
}

/// A secret may be created without a value; it has no version then.
pub(super) fn create(world: &mut World, input: CreateSecret) -> ApiResult {
    if let Some(existing) = world.secrets.0.get(&input.name) {
        let message = "You can't create this secret because a secret with this name is already \
                       scheduled for deletion.";
        let name = &input.name;
        return Err(match existing.deleted_at {
            Some(_) => ApiError::new("InvalidRequestException", message),
            None => ApiError::new(
                "ResourceExistsException",
                format!("The operation failed because the secret {name} already exists."),
            ),
        });
    }
    let tags = to_tags(&input.tags);
    let mut secret = Secret::new(&world.config, &mut world.clock, &input.name);
    secret.description = input.description;
    secret.tags.clone_from(&tags);
    let arn = secret.arn.clone();
    world.secrets.0.insert(input.name.clone(), secret);
    if !tags.is_empty() {
        world.index_later(arn.clone(), tags);
    }
    let value = input.secret_string.or(input.secret_binary);
    let version = match value {
        Some(value) => {
            Some(world.add_version(&input.name, input.client_request_token, value, &[])?)
        }
        None => None,
    };
    Ok(json!({ "ARN": arn, "Name": input.name, "VersionId": version }))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutSecretValue {
    secret_id: String,
    client_request_token: Option<String>,
    secret_string: Option<String>,
    secret_binary: Option<String>,
    #[serde(default)]
    version_stages: Vec<String>,
}

pub(super) fn put_value(world: &mut World, input: PutSecretValue) -> ApiResult {
    let (name, arn) = named(world.secrets.live(&input.secret_id)?);
    let value = input.secret_string.or(input.secret_binary);
    let value = value.ok_or_else(|| {
        ApiError::invalid_parameter("You must provide either SecretString or SecretBinary.")
    })?;
    let version = world.add_version(
        &name,
        input.client_request_token,
        value,
        &input.version_stages,
    )?;
    let labels = world
        .secrets
        .get(&arn)?
        .version(&version)
        .map(|version| version.labels.clone());
    Ok(json!({ "ARN": arn, "Name": name, "VersionId": version, "VersionStages": labels }))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateSecret {
    secret_id: String,
    client_request_token: Option<String>,
    description: Option<String>,
    secret_string: Option<String>,
    secret_binary: Option<String>,
}

/// With a value it makes a version, which becomes the current one.
pub(super) fn update(world: &mut World, input: UpdateSecret) -> ApiResult {
    let now = world.clock.now;
    let secret = world.secrets.live(&input.secret_id)?;
    let (name, arn) = named(secret);
    if input.description.is_some() {
        secret.description = input.description;
        secret.changed_at = now;
    }
    let version = match input.secret_string.or(input.secret_binary) {
        Some(value) => Some(world.add_version(&name, input.client_request_token, value, &[])?),
        None => None,
    };
    Ok(json!({ "ARN": arn, "Name": name, "VersionId": version }))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RotateSecret {
    secret_id: String,
    client_request_token: Option<String>,
    rotate_immediately: Option<bool>,
}

/// Answers before anything has rotated.
pub(super) fn rotate(world: &mut World, input: RotateSecret) -> ApiResult {
    let (name, arn) = named(world.secrets.live(&input.secret_id)?);
    let version = input
        .client_request_token
        .unwrap_or_else(|| world.clock.uuid());
    if input.rotate_immediately.unwrap_or(true) {
        world.start_rotation(arn.clone(), version.clone());
    }
    Ok(json!({ "ARN": arn, "Name": name, "VersionId": version }))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteSecret {
    secret_id: String,
    recovery_window_in_days: Option<i64>,
    #[serde(default)]
    force_delete_without_recovery: bool,
}

/// Nothing can be read from then on. Until the recovery window ends the secret can be restored;
/// without one it is gone at once.
pub(super) fn delete(world: &mut World, input: &DeleteSecret) -> ApiResult {
    let now = world.clock.now;
    let secret = world.secrets.live(&input.secret_id)?;
    let (name, arn) = named(secret);
    let days = if input.force_delete_without_recovery {
        0
    } else {
        input.recovery_window_in_days.unwrap_or(RECOVERY_DAYS)
    };
    if input.force_delete_without_recovery {
        world.secrets.0.remove(&name);
    } else {
        secret.deleted_at = Some(now);
    }
    let end = now + jiff::SignedDuration::from_hours(24 * days);
    Ok(json!({ "ARN": arn, "Name": name, "DeletionDate": seconds(end) }))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RestoreSecret {
    secret_id: String,
}

pub(super) fn restore(world: &mut World, input: &RestoreSecret) -> ApiResult {
    let (name, arn) = named(world.secrets.get(&input.secret_id)?);
    if let Some(secret) = world.secrets.0.get_mut(&name) {
        secret.deleted_at = None;
    }
    Ok(json!({ "ARN": arn, "Name": name }))
}

fn named(secret: &Secret) -> (String, String) {
    (secret.name.clone(), secret.arn.clone())
}

impl World {
    /// Makes a version, `token` being its id, and attaches labels to it; the first version of a
    /// secret becomes the current one, and so does one for which no labels are asked for.
    fn add_version(
        &mut self,
        name: &str,
        token: Option<String>,
        value: String,
        labels: &[String],
    ) -> ApiResult<String> {
        let id = token.unwrap_or_else(|| self.clock.uuid());
        let secret = self.secrets.live(name)?;
        match secret.version(&id) {
            Some(known) if known.value == value => return Ok(id),
            Some(_) => {
                let message = format!(
                    "You can't use ClientRequestToken {id} because that value is already in use \
                     for a version of secret {name}."
                );
                return Err(ApiError::new("ResourceExistsException", message));
            }
            None => {}
        }
        let first = secret.versions.is_empty();
        let created_at = self.clock.now;
        secret.versions.push(Version {
            id: id.clone(),
            value,
            created_at,
            labels: Vec::new(),
        });
        let asked = labels.iter().map(String::as_str);
        let current = (first || labels.is_empty()) && !labels.iter().any(|label| label == CURRENT);
        for label in asked.chain(current.then_some(CURRENT)) {
            self.move_label(name, label, &id);
        }
        Ok(id)
    }

    /// The owner's next version; answers its id.
    pub(crate) fn put_secret(&mut self, name: &str) -> ApiResult<String> {
        let version = self.clock.uuid();
        let known = self.secrets.0.get(name);
        let (operation, id) = if known.is_some() {
            ("PutSecretValue", "SecretId")
        } else {
            ("CreateSecret", "Name")
        };
        if known.is_some_and(|secret| secret.deleted_at.is_some()) {
            self.as_owner("RestoreSecret", json!({ "SecretId": name }))?;
        }
        // Each version has a value of its own.
        let input = json!({ id: name, "ClientRequestToken": version, "SecretString": version });
        self.as_owner(operation, input)?;
        Ok(version)
    }

    /// What the owner of the account asks Secrets Manager for.
    pub(crate) fn as_owner(&mut self, operation: &str, input: Value) -> ApiResult {
        super::perform(self, operation, input, "owner")
    }
}
