//! Secrets, told by Secrets Manager itself or by CloudTrail.

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::envelope::EventBridge;
use super::json::{self, Malformed};
use super::{Told, changed, ignored};
use crate::domain::arn::{Arn, Place};
use crate::domain::change::{Change, ChangeKind, end_of_event_time};
use crate::domain::key::{CURRENT, Key, without_suffix};
use crate::domain::reason::IgnoredReason;

/// Labels that Secrets Manager moves by itself: nobody reads a new value because of them.
const OWN_LABELS: [&str; 2] = ["AWSPENDING", "AWSPREVIOUS"];

/// Characters of a secret's name ("AWS Secrets Manager quotas").
const LONGEST_NAME: usize = 512;

/// "Secret Label Updated", AWS Secrets Manager User Guide: sent whenever a label moves.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "the detail of a Secrets Manager event")]
struct LabelUpdated {
    name: String,
    #[serde(rename = "labelUpdated")]
    label: String,
    version_id: Option<String>,
}

/// "Log entries for AWS Secrets Manager API calls", AWS Secrets Manager User Guide.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "the detail of a CloudTrail event")]
struct ApiCall {
    event_name: String,
    #[serde(deserialize_with = "json::time")]
    event_time: Timestamp,
    error_code: Option<IgnoredAny>,
    user_identity: Option<UserIdentity>,
    request_parameters: Option<Request>,
    response_elements: Option<Response>,
}

#[derive(Deserialize)]
#[serde(expecting = "an identity")]
struct UserIdentity {
    arn: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "request parameters")]
struct Request {
    /// A name, a whole ARN, or one without its last six characters.
    secret_id: Option<String>,
    version_stage: Option<String>,
    version_stages: Option<Vec<String>>,
    move_to_version_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "response elements")]
struct Response {
    #[serde(alias = "aRN", alias = "ARN")]
    arn: Option<String>,
    name: Option<String>,
    version_id: Option<String>,
}

pub(super) fn decode(event: &EventBridge<'_>) -> Result<Vec<Told>, Malformed> {
    match event.detail_type.as_str() {
        "Secret Label Updated" => decode_label(event),
        "AWS API Call via CloudTrail" => decode_call(event),
        // A rotation's success, among others: it comes after the move of the label that it reports.
        _ => Ok(vec![ignored(event.name(), IgnoredReason::UnknownKind)]),
    }
}

fn decode_label(event: &EventBridge<'_>) -> Result<Vec<Told>, Malformed> {
    let detail: LabelUpdated = json::read(event.detail.get()).map_err(|malformed| malformed.in_field("detail"))?;
    let name = checked(&detail.name, "detail.name")?;
    if OWN_LABELS.contains(&detail.label.as_str()) {
        return Ok(vec![ignored(event.name(), IgnoredReason::PendingVersion)]);
    }
    let suffix =
        event.resources.first().and_then(|arn| Arn::parse(arn)?.resource.strip_prefix("secret:")?.strip_prefix(name)?.strip_prefix('-'));
    let key = Key::secret(event.place(), name).with_suffix(suffix).at_stage(&detail.label);
    let change = Change::new(key, end_of_event_time(event.time), ChangeKind::Written, &event.id);
    Ok(vec![changed(Change { version: detail.version_id, ..change })])
}

fn decode_call(event: &EventBridge<'_>) -> Result<Vec<Told>, Malformed> {
    let call: ApiCall = json::read(event.detail.get()).map_err(|malformed| malformed.in_field("detail"))?;
    let name = || format!("{} {}", event.source, call.event_name);
    if !["PutSecretValue", "UpdateSecret", "UpdateSecretVersionStage", "DeleteSecret"].contains(&call.event_name.as_str()) {
        return Ok(vec![ignored(name(), IgnoredReason::UnknownKind)]);
    }
    if call.error_code.is_some() {
        return Ok(vec![ignored(name(), IgnoredReason::CallFailed)]);
    }
    let key = secret_of(&call, event.place())?;
    let (stages, version) = call.moved();
    let kind = if call.event_name == "DeleteSecret" { ChangeKind::Deleted } else { ChangeKind::Written };
    if stages.is_empty() {
        let reason = if call.event_name == "UpdateSecret" { IgnoredReason::UnknownKind } else { IgnoredReason::PendingVersion };
        return Ok(vec![ignored(name(), reason)]);
    }
    let by = call.user_identity.as_ref().and_then(|identity| identity.arn.clone());
    let changes = stages.into_iter().map(|stage| {
        let change = Change::new(key.clone().at_stage(stage), end_of_event_time(call.event_time), kind, &event.id);
        changed(Change { version: version.clone(), by: by.clone(), ..change })
    });
    Ok(changes.collect())
}

impl ApiCall {
    /// The labels that the call moved and somebody may read, and the version that they stand at now.
    fn moved(&self) -> (Vec<&str>, Option<String>) {
        let request = self.request_parameters.as_ref();
        let made = self.response_elements.as_ref().and_then(|response| response.version_id.clone());
        let labels = match self.event_name.as_str() {
            "PutSecretValue" => match request.and_then(|request| request.version_stages.as_ref()) {
                Some(stages) => stages.iter().map(String::as_str).collect(),
                None => vec![CURRENT],
            },
            "UpdateSecretVersionStage" => {
                let to = request.and_then(|request| request.move_to_version_id.clone());
                let label = request.and_then(|request| request.version_stage.as_deref()).filter(|_| to.is_some());
                return (label.into_iter().filter(|label| !OWN_LABELS.contains(label)).collect(), to);
            }
            // Without a new version only the description, or the key that encrypts, is another.
            "UpdateSecret" if self.response_elements.is_some() && made.is_none() => Vec::new(),
            _ => vec![CURRENT],
        };
        (labels.into_iter().filter(|label| !OWN_LABELS.contains(label)).collect(), made)
    }
}

/// The answer names the secret for certain; the request may name it in any way.
fn secret_of(call: &ApiCall, place: Place) -> Result<Key, Malformed> {
    let answered = call.response_elements.as_ref();
    let arn = answered.and_then(|response| response.arn.as_deref());
    let asked = call.request_parameters.as_ref().and_then(|request| request.secret_id.as_deref());
    let path = |arn: &'_ str| Some(Arn::parse(arn)?.resource.strip_prefix("secret:")?.to_owned());
    let whole = arn.and_then(path);
    let asked_path = asked.map(|asked| path(asked).unwrap_or_else(|| asked.to_owned()));
    let place = arn.or(asked).and_then(Arn::parse).map_or(place, |arn| arn.place());
    let (name, suffix) = match (answered.and_then(|response| response.name.clone()), &whole, &asked_path) {
        (Some(name), whole, _) => {
            let suffix = whole.as_ref().and_then(|whole| whole.strip_prefix(&name)?.strip_prefix('-').map(str::to_owned));
            (name, suffix)
        }
        (None, Some(whole), _) => split(whole),
        (None, None, Some(path)) if asked.is_some_and(|asked| asked.starts_with("arn:")) => split(path),
        (None, None, Some(name)) => (name.clone(), None),
        (None, None, None) => return Err(Malformed::at("detail.requestParameters", "the field `secretId`")),
    };
    Ok(Key::secret(place, checked(&name, "detail.requestParameters.secretId")?).with_suffix(suffix.as_deref()))
}

fn split(path: &str) -> (String, Option<String>) {
    without_suffix(path).map_or_else(|| (path.to_owned(), None), |(name, suffix)| (name.to_owned(), Some(suffix.to_owned())))
}

fn checked<'a>(name: &'a str, at: &str) -> Result<&'a str, Malformed> {
    let good = !name.is_empty() && name.len() <= LONGEST_NAME;
    good.then_some(name).ok_or_else(|| Malformed::at(at, format!("a secret's name of 1 to {LONGEST_NAME} characters")))
}
