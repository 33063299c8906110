use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::selector::CURRENT;
use super::super::store::{Secret, Secrets, Version, not_found};
use crate::error::{ApiError, ApiResult};
use crate::output::seconds;
use crate::page;
use crate::shared::Shared;
use crate::tags::pairs;

const MOST_A_PAGE: usize = 100;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeSecret {
    secret_id: String,
}

pub(super) fn secret(secrets: &Secrets, shared: &Shared, input: &DescribeSecret) -> ApiResult {
    let secret = secrets.get(&input.secret_id)?;
    let mut fields = metadata(secret, shared.config.metadata_clock_ahead);
    fields.insert("VersionIdsToStages".to_owned(), labels_by_version(secret));
    Ok(Value::Object(fields))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListSecrets {
    #[serde(default)]
    include_planned_deletion: bool,
    #[serde(default)]
    filters: Vec<Filter>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Filter {
    key: String,
    values: Vec<String>,
}

impl Filter {
    /// Accepts names that begin with one of the values; after a `!`, names that do not ("Search for
    /// secrets", AWS Secrets Manager User Guide).
    fn accepts(&self, secret: &Secret) -> ApiResult<bool> {
        let begins = |value: &String| match value.strip_prefix('!') {
            Some(value) => !secret.name.starts_with(value),
            None => secret.name.starts_with(value.as_str()),
        };
        match self.key.as_str() {
            "name" => Ok(self.values.iter().any(begins)),
            other => Err(ApiError::invalid_parameter(format!(
                "The filter {other} is not simulated."
            ))),
        }
    }
}

pub(super) fn list(secrets: &Secrets, shared: &Shared, input: &ListSecrets) -> ApiResult {
    let wanted = |secret: &&Secret| input.include_planned_deletion || secret.deleted_at.is_none();
    let mut found = Vec::new();
    for secret in secrets.0.values().filter(wanted) {
        let verdicts: ApiResult<Vec<bool>> = input
            .filters
            .iter()
            .map(|filter| filter.accepts(secret))
            .collect();
        if verdicts?.into_iter().all(|accepted| accepted) {
            found.push(list_entry(secret, shared.config.metadata_clock_ahead));
        }
    }
    let page = page::of(
        &found,
        size(input.max_results)?,
        input.next_token.as_deref(),
    )?;
    Ok(json!({ "SecretList": page.items, "NextToken": page.next }))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListSecretVersionIds {
    secret_id: String,
    #[serde(default)]
    include_deprecated: bool,
    max_results: Option<usize>,
    next_token: Option<String>,
}

pub(super) fn versions(
    secrets: &Secrets,
    shared: &Shared,
    input: &ListSecretVersionIds,
) -> ApiResult {
    let secret = secrets.get(&input.secret_id)?;
    let wanted = |version: &&Version| input.include_deprecated || !version.labels.is_empty();
    let found: Vec<_> = secret
        .versions
        .iter()
        .filter(wanted)
        .map(|version| {
            let created_at = version.created_at + shared.config.metadata_clock_ahead;
            let mut fields = json!({ "VersionId": version.id, "CreatedDate": seconds(created_at) });
            if let (false, Some(fields)) = (version.labels.is_empty(), fields.as_object_mut()) {
                fields.insert("VersionStages".to_owned(), json!(version.labels));
            }
            fields
        })
        .collect();
    let page = page::of(
        &found,
        size(input.max_results)?,
        input.next_token.as_deref(),
    )?;
    Ok(json!({
        "ARN": secret.arn,
        "Name": secret.name,
        "Versions": page.items,
        "NextToken": page.next,
    }))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetSecretValue {
    secret_id: String,
    version_id: Option<String>,
    version_stage: Option<String>,
}

/// Returns the value, so that a test which finds the call on record proves something.
pub(super) fn value(secrets: &mut Secrets, input: &GetSecretValue) -> ApiResult {
    let secret = secrets.live(&input.secret_id)?;
    let stage = input.version_stage.as_deref().unwrap_or(CURRENT);
    let id = input.version_id.as_deref().or_else(|| secret.holder(stage));
    let version = id.and_then(|id| secret.version(id)).ok_or_else(not_found)?;
    Ok(json!({
        "ARN": secret.arn,
        "Name": secret.name,
        "VersionId": version.id,
        "SecretString": version.value,
        "VersionStages": version.labels,
        "CreatedDate": seconds(version.created_at),
    }))
}

fn list_entry(secret: &Secret, ahead: Duration) -> Value {
    let mut fields = metadata(secret, ahead);
    fields.insert(
        "SecretVersionsToStages".to_owned(),
        labels_by_version(secret),
    );
    Value::Object(fields)
}

fn labels_by_version(secret: &Secret) -> Value {
    let worn = secret
        .versions
        .iter()
        .filter(|version| !version.labels.is_empty());
    Value::Object(
        worn.map(|version| (version.id.clone(), json!(version.labels)))
            .collect(),
    )
}

/// The metadata of a secret, by a clock that is so far ahead.
fn metadata(secret: &Secret, ahead: Duration) -> Map<String, Value> {
    let known = [
        ("ARN", Some(json!(secret.arn))),
        ("Name", Some(json!(secret.name))),
        (
            "Description",
            secret.description.as_ref().map(|text| json!(text)),
        ),
        ("CreatedDate", Some(json!(seconds(secret.created_at)))),
        (
            "LastChangedDate",
            Some(json!(seconds(secret.changed_at + ahead))),
        ),
        (
            "LastRotatedDate",
            secret.rotated_at.map(|time| json!(seconds(time + ahead))),
        ),
        (
            "DeletedDate",
            secret.deleted_at.map(|time| json!(seconds(time))),
        ),
        ("Tags", Some(json!(pairs(&secret.tags)))),
    ];
    known
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
}

fn size(asked: Option<usize>) -> ApiResult<usize> {
    let size = asked.unwrap_or(MOST_A_PAGE);
    if (1..=MOST_A_PAGE).contains(&size) {
        Ok(size)
    } else {
        Err(ApiError::invalid_parameter(
            "MaxResults must be between 1 and 100.",
        ))
    }
}
