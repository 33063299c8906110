use serde::Deserialize;
use serde_json::json;

use super::super::selector::CURRENT;
use super::super::store::{Secret, Secrets, Version};
use crate::error::{ApiError, ApiResult};
use crate::job::{Job, RotationStep};
use crate::output::seconds;
use crate::shared::Shared;
use crate::tags::{TagPair, to_tags};

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
pub(super) fn create(secrets: &mut Secrets, shared: &mut Shared, input: CreateSecret) -> ApiResult {
    if let Some(existing) = secrets.0.get(&input.name) {
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
    let mut secret = Secret::new(&shared.config, &mut shared.clock, &input.name);
    secret.description = input.description;
    secret.tags.clone_from(&tags);
    let arn = secret.arn.clone();
    secrets.0.insert(input.name.clone(), secret);
    if !tags.is_empty() {
        shared.index_later(arn.clone(), tags);
    }
    let value = input.secret_string.or(input.secret_binary);
    let version = match value {
        Some(value) => Some(secrets.add_version(
            shared,
            &input.name,
            input.client_request_token,
            value,
            &[],
        )?),
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

pub(super) fn put_value(
    secrets: &mut Secrets,
    shared: &mut Shared,
    input: PutSecretValue,
) -> ApiResult {
    let (name, arn) = named(secrets.live(&input.secret_id)?);
    let value = input.secret_string.or(input.secret_binary);
    let value = value.ok_or_else(|| {
        ApiError::invalid_parameter("You must provide either SecretString or SecretBinary.")
    })?;
    let version = secrets.add_version(
        shared,
        &name,
        input.client_request_token,
        value,
        &input.version_stages,
    )?;
    let labels = secrets
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
pub(super) fn update(secrets: &mut Secrets, shared: &mut Shared, input: UpdateSecret) -> ApiResult {
    let now = shared.clock.now;
    let secret = secrets.live(&input.secret_id)?;
    let (name, arn) = named(secret);
    if input.description.is_some() {
        secret.description = input.description;
        secret.changed_at = now;
    }
    let version = match input.secret_string.or(input.secret_binary) {
        Some(value) => {
            Some(secrets.add_version(shared, &name, input.client_request_token, value, &[])?)
        }
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

/// Answers before the rotation begins.
pub(super) fn rotate(secrets: &mut Secrets, shared: &mut Shared, input: RotateSecret) -> ApiResult {
    let (name, arn) = named(secrets.live(&input.secret_id)?);
    let version = input
        .client_request_token
        .unwrap_or_else(|| shared.clock.uuid());
    if input.rotate_immediately.unwrap_or(true) {
        let step = RotationStep {
            arn: arn.clone(),
            version: version.clone(),
            finishes: false,
        };
        shared
            .clock
            .after(shared.config.rotation / 4, Job::Rotate(step));
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

/// Marks the secret for deletion: its values cannot be read from then on, and until the recovery
/// window ends it can be restored. Without a window it is gone at once.
pub(super) fn delete(
    secrets: &mut Secrets,
    shared: &mut Shared,
    input: &DeleteSecret,
) -> ApiResult {
    let now = shared.clock.now;
    let secret = secrets.live(&input.secret_id)?;
    let (name, arn) = named(secret);
    let days = if input.force_delete_without_recovery {
        0
    } else {
        input.recovery_window_in_days.unwrap_or(RECOVERY_DAYS)
    };
    if input.force_delete_without_recovery {
        secrets.0.remove(&name);
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

pub(super) fn restore(secrets: &mut Secrets, input: &RestoreSecret) -> ApiResult {
    let (name, arn) = named(secrets.get(&input.secret_id)?);
    if let Some(secret) = secrets.0.get_mut(&name) {
        secret.deleted_at = None;
    }
    Ok(json!({ "ARN": arn, "Name": name }))
}

fn named(secret: &Secret) -> (String, String) {
    (secret.name.clone(), secret.arn.clone())
}

impl Secrets {
    /// Makes a version with `token` as its id, and attaches labels to it. The first version of a
    /// secret becomes the current one, and so does one without labels of its own.
    fn add_version(
        &mut self,
        shared: &mut Shared,
        name: &str,
        token: Option<String>,
        value: String,
        labels: &[String],
    ) -> ApiResult<String> {
        let id = token.unwrap_or_else(|| shared.clock.uuid());
        let secret = self.live(name)?;
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
        let created_at = shared.clock.now;
        secret.versions.push(Version {
            id: id.clone(),
            value,
            created_at,
            labels: Vec::new(),
        });
        let asked = labels.iter().map(String::as_str);
        let current = (first || labels.is_empty()) && !labels.iter().any(|label| label == CURRENT);
        for label in asked.chain(current.then_some(CURRENT)) {
            self.move_label(shared, name, label, &id);
        }
        Ok(id)
    }
}
