//! Secrets, told by Secrets Manager itself or by CloudTrail.

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::envelope::EventBridge;
use super::{Content, changed, ignored};
use crate::domain::arn::{AccountRegion, Arn};
use crate::domain::change::{Change, ChangeKind, end_of_event_time};
use crate::domain::key::{CURRENT, Key, PREVIOUS, without_suffix};
use crate::domain::reason::IgnoredReason;
use crate::domain::watch::Term;
use crate::json::{self, Malformed};

/// Labels that Secrets Manager moves by itself: nobody reads a new value because of them.
const OWN_LABELS: [&str; 2] = ["AWSPENDING", PREVIOUS];

/// Labels of one version ("AWS Secrets Manager quotas"). Each is a change by the same caller.
const MOST_LABELS: usize = 20;

/// Characters of a secret's name ("AWS Secrets Manager quotas").
const LONGEST_NAME: usize = 512;

/// "Secret Label Updated", AWS Secrets Manager User Guide: sent whenever a label moves.
#[derive(Deserialize)]
#[serde(
    rename_all = "camelCase",
    expecting = "the detail of a Secrets Manager event"
)]
struct LabelUpdated {
    name: String,
    #[serde(rename = "labelUpdated", deserialize_with = "json::text")]
    label: String,
    #[serde(default, deserialize_with = "json::maybe_text")]
    version_id: Option<String>,
}

/// "Log entries for AWS Secrets Manager API calls", AWS Secrets Manager User Guide.
#[derive(Deserialize)]
#[serde(
    rename_all = "camelCase",
    expecting = "the detail of a CloudTrail event"
)]
struct ApiCall {
    #[serde(deserialize_with = "json::text")]
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
    #[serde(default, deserialize_with = "json::maybe_text")]
    arn: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "request parameters")]
struct Request {
    /// A name, a whole ARN, or one without its last six characters.
    #[serde(default, deserialize_with = "json::maybe_text")]
    secret_id: Option<String>,
    /// Becomes the id of the version that the call makes.
    #[serde(default, deserialize_with = "json::maybe_text")]
    client_request_token: Option<String>,
    #[serde(default, deserialize_with = "json::maybe_text")]
    version_stage: Option<String>,
    #[serde(default, deserialize_with = "json::maybe_texts")]
    version_stages: Option<Vec<String>>,
    #[serde(default, deserialize_with = "json::maybe_text")]
    move_to_version_id: Option<String>,
}

/// The ARN is spelt in three ways, and perhaps in several at once.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "response elements")]
struct Response {
    #[serde(default, deserialize_with = "json::maybe_text")]
    arn: Option<String>,
    #[serde(rename = "aRN", default, deserialize_with = "json::maybe_text")]
    a_rn: Option<String>,
    #[serde(rename = "ARN", default, deserialize_with = "json::maybe_text")]
    capital_arn: Option<String>,
    #[serde(default, deserialize_with = "json::maybe_text")]
    name: Option<String>,
    #[serde(default, deserialize_with = "json::maybe_text")]
    version_id: Option<String>,
}

impl Response {
    fn arn(&self) -> Option<&str> {
        [&self.arn, &self.a_rn, &self.capital_arn]
            .into_iter()
            .find_map(|arn| arn.as_deref())
    }
}

pub(super) fn decode(event: &EventBridge<'_>, clock: Timestamp) -> Result<Vec<Content>, Malformed> {
    match event.detail_type.as_str() {
        "Secret Label Updated" => decode_label(event, clock),
        "AWS API Call via CloudTrail" => decode_call(event, clock),
        // A rotation's success, among others: it comes after the move of the label that it reports.
        _ => Ok(vec![ignored(event.name(), IgnoredReason::UnknownKind)]),
    }
}

fn decode_label(event: &EventBridge<'_>, clock: Timestamp) -> Result<Vec<Content>, Malformed> {
    let detail: LabelUpdated =
        json::read(event.detail.get()).map_err(|malformed| malformed.in_field("detail"))?;
    let name = checked(&detail.name, "detail.name")?;
    if OWN_LABELS.contains(&detail.label.as_str()) {
        return Ok(vec![ignored(event.name(), IgnoredReason::PendingVersion)]);
    }
    let suffix = event.resources.first().and_then(|arn| {
        Arn::parse(arn)?
            .resource
            .strip_prefix("secret:")?
            .strip_prefix(name)?
            .strip_prefix('-')
    });
    let key = Key::secret(event.place(), name)
        .with_suffix(suffix)
        .at_stage(&detail.label);
    let change = Change::new(
        key,
        end_of_event_time(event.time, clock),
        ChangeKind::Written,
        &event.id,
    );
    Ok(vec![changed(Change {
        version: detail.version_id,
        ..change
    })])
}

fn decode_call(event: &EventBridge<'_>, clock: Timestamp) -> Result<Vec<Content>, Malformed> {
    let call: ApiCall =
        json::read(event.detail.get()).map_err(|malformed| malformed.in_field("detail"))?;
    let name = || format!("{} {}", event.source, call.event_name);
    if ![
        "PutSecretValue",
        "UpdateSecret",
        "UpdateSecretVersionStage",
        "DeleteSecret",
    ]
    .contains(&call.event_name.as_str())
    {
        return Ok(vec![ignored(name(), IgnoredReason::UnknownKind)]);
    }
    if call.error_code.is_some() {
        return Ok(vec![ignored(name(), IgnoredReason::CallFailed)]);
    }
    let kind = if call.event_name == "DeleteSecret" {
        ChangeKind::Deleted
    } else {
        ChangeKind::Written
    };
    let keys = secrets_of(&call, event.place())?;
    let (labels, version) = call.moved();
    if labels.is_empty() {
        let reason = if call.event_name == "UpdateSecret" {
            IgnoredReason::UnknownKind
        } else {
            IgnoredReason::PendingVersion
        };
        return Ok(vec![ignored(name(), reason)]);
    }
    if labels.len() > MOST_LABELS {
        return Err(Malformed::at(
            "detail.requestParameters.versionStages",
            format!("at most {MOST_LABELS} labels"),
        ));
    }
    let by = call
        .user_identity
        .as_ref()
        .and_then(|identity| identity.arn.clone());
    let keys = keys
        .iter()
        .flat_map(|key| labels.iter().map(|label| key.clone().at_stage(label)));
    let changes = keys.map(|key| {
        let change = Change::new(
            key,
            end_of_event_time(call.event_time, clock),
            kind,
            &event.id,
        );
        changed(Change {
            version: version.clone(),
            by: by.clone(),
            ..change
        })
    });
    Ok(changes.collect())
}

impl ApiCall {
    /// The labels that the call moved and somebody may read, and the version that they stand at
    /// now.
    fn moved(&self) -> (Vec<&str>, Option<String>) {
        let request = self.request_parameters.as_ref();
        let answered = self.response_elements.as_ref();
        let told = answered.and_then(|response| response.version_id.clone());
        let made = told
            .clone()
            .or_else(|| request?.client_request_token.clone());
        let (labels, version) = match self.event_name.as_str() {
            "UpdateSecretVersionStage" => {
                let to = request.and_then(|request| request.move_to_version_id.clone());
                (
                    request
                        .and_then(|request| request.version_stage.as_deref())
                        .filter(|_| to.is_some())
                        .into_iter()
                        .collect(),
                    to,
                )
            }
            // An answer that tells the name would tell a new version: without, only the description
            // or the key that encrypts is another. Often the answer tells the ARN
            // alone; then a restart for nothing is the lesser harm.
            "UpdateSecret"
                if told.is_none() && answered.is_some_and(|response| response.name.is_some()) =>
            {
                (Vec::new(), None)
            }
            "PutSecretValue" => {
                let asked = request.and_then(|request| request.version_stages.as_ref());
                (
                    asked.map_or_else(
                        || vec![CURRENT],
                        |stages| stages.iter().map(String::as_str).collect(),
                    ),
                    made,
                )
            }
            _ => (vec![CURRENT], made),
        };
        (
            labels
                .into_iter()
                .filter(|label| !OWN_LABELS.contains(label))
                .collect(),
            version,
        )
    }
}

/// The answer names the secret for certain. The request may name it in any way, so that its ARN may
/// mean either of two secrets.
fn secrets_of(call: &ApiCall, place: AccountRegion) -> Result<Vec<Key>, Malformed> {
    if let Some((arn, response)) = call
        .response_elements
        .as_ref()
        .and_then(|response| Some((Arn::parse(response.arn()?)?, response)))
    {
        let path = arn
            .resource
            .strip_prefix("secret:")
            .ok_or_else(|| Malformed::at("detail.responseElements.arn", "the ARN of a secret"))?;
        let (name, suffix) = match &response.name {
            Some(name) => (
                name.as_str(),
                path.strip_prefix(name.as_str())
                    .and_then(|rest| rest.strip_prefix('-')),
            ),
            None => {
                without_suffix(path).map_or((path, None), |(name, suffix)| (name, Some(suffix)))
            }
        };
        return Ok(vec![
            Key::secret(arn.place(), checked(name, "detail.responseElements.arn")?)
                .with_suffix(suffix),
        ]);
    }
    let asked = call
        .request_parameters
        .as_ref()
        .and_then(|request| request.secret_id.as_deref());
    let asked =
        asked.ok_or_else(|| Malformed::at("detail.requestParameters", "the field `secretId`"))?;
    let at = "detail.requestParameters.secretId";
    if asked.starts_with("arn:") {
        Ok(Term::parse(asked)
            .map_err(|expected| Malformed::at(at, expected))?
            .keys(&place)
            .collect())
    } else {
        Ok(vec![Key::secret(place, checked(asked, at)?)])
    }
}

fn checked<'a>(name: &'a str, at: &str) -> Result<&'a str, Malformed> {
    let good = !name.is_empty() && name.len() <= LONGEST_NAME;
    good.then_some(name).ok_or_else(|| {
        Malformed::at(
            at,
            format!("a secret's name of 1 to {LONGEST_NAME} characters"),
        )
    })
}
