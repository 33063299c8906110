use serde::Deserialize;
use serde_json::json;

use super::super::selector::CURRENT;
use super::super::store::{Secret, Secrets};
use crate::error::{ApiError, ApiResult};
use crate::shared::Shared;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateSecretVersionStage {
    secret_id: String,
    version_stage: String,
    move_to_version_id: Option<String>,
    remove_from_version_id: Option<String>,
}

/// Moves a label to a version, or removes it from one. A caller that moves a label must name the
/// version that has it.
pub(super) fn update(
    secrets: &mut Secrets,
    shared: &mut Shared,
    input: &UpdateSecretVersionStage,
) -> ApiResult {
    let secret = secrets.live(&input.secret_id)?;
    check(secret, input)?;
    let (name, arn) = (secret.name.clone(), secret.arn.clone());
    if let Some(version) = &input.move_to_version_id {
        secrets.move_label(shared, &name, &input.version_stage, version);
    } else {
        secret.detach(&input.version_stage);
        secret.changed_at = shared.clock.now;
    }
    Ok(json!({ "ARN": arn, "Name": name }))
}

fn check(secret: &Secret, input: &UpdateSecretVersionStage) -> ApiResult<()> {
    let UpdateSecretVersionStage {
        version_stage: stage,
        move_to_version_id: to,
        remove_from_version_id: from,
        ..
    } = input;
    if to.as_ref().is_some_and(|id| secret.version(id).is_none()) {
        let message = "Secrets Manager can't find the specified secret version.";
        return Err(ApiError::new("ResourceNotFoundException", message));
    }
    if to.is_none() && stage == CURRENT {
        return Err(ApiError::invalid_parameter(
            "You can only move staging label AWSCURRENT to a different secret version. It can't \
             be completely removed.",
        ));
    }
    let holder = secret.holder(stage);
    if to.is_none() && from.is_none() {
        return Err(ApiError::invalid_parameter(
            "You must specify RemoveFromVersionId or MoveToVersionId.",
        ));
    }
    match (holder, from.as_deref()) {
        (Some(holder), None) if to.as_deref() != Some(holder) => {
            Err(ApiError::invalid_parameter(format!(
                "The parameter RemoveFromVersionId can't be empty. Staging label {stage} is \
                 currently attached to version {holder}, so you must explicitly reference that \
                 version in RemoveFromVersionId."
            )))
        }
        (holder, Some(from)) if holder != Some(from) => Err(ApiError::invalid_parameter(format!(
            "Staging label {stage} is not attached to version {from}."
        ))),
        _ => Ok(()),
    }
}
