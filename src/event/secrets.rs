//! Secrets that change: events of Secrets Manager itself, and of CloudTrail.

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::content::{Content, changed, ignored};
use super::eventbridge::EventBridge;
use crate::domain::arn::{AccountRegion, Arn};
use crate::domain::change::{Change, ChangeKind, end_of_event_time};
use crate::domain::key::{CURRENT, Key, PREVIOUS, without_suffix};
use crate::domain::reason::IgnoredReason;
use crate::domain::term::Term;
use crate::json::{self, Malformed};

/// Labels that Secrets Manager moves by itself. They give no reader a new value.
const OWN_LABELS: [&str; 2] = ["AWSPENDING", PREVIOUS];

/// The most labels of one version ("AWS Secrets Manager quotas"). Each label is a change by the
/// same caller.
const MOST_LABELS: usize = 20;

/// Characters of a secret's name ("AWS Secrets Manager quotas").
const LONGEST_NAME: usize = 512;

/// An event that is sent whenever a label moves: "Secret Label Updated", AWS Secrets Manager User
/// Guide.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[serde(expecting = "the detail of a Secrets Manager event")]
struct LabelUpdated {
    name: String,
    #[serde(rename = "labelUpdated", deserialize_with = "json::text")]
    label: String,
    #[serde(default, deserialize_with = "json::maybe_text")]
    version_id: Option<String>,
}

/// "Log entries for AWS Secrets Manager API calls", AWS Secrets Manager User Guide.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[serde(expecting = "the detail of a CloudTrail event")]
struct ApiCall {
    #[serde(deserialize_with = "json::text")]
    event_name: String,
    #[serde(deserialize_with = "json::time")]
    event_time: Timestamp,
    error_code: Option<IgnoredAny>,
    user_identity: Option<UserIdentity>,
    request_parameters: Option<RequestParameters>,
    response_elements: Option<ResponseElements>,
}

#[derive(Deserialize)]
#[serde(expecting = "an identity")]
struct UserIdentity {
    #[serde(default, deserialize_with = "json::maybe_text")]
    arn: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "request parameters")]
struct RequestParameters {
    /// A name, a whole ARN, or one without its last six characters.
    #[serde(default, deserialize_with = "json::maybe_text")]
    secret_id: Option<String>,
    /// The id of the version that the call creates.
    #[serde(default, deserialize_with = "json::maybe_text")]
    client_request_token: Option<String>,
    #[serde(default, deserialize_with = "json::maybe_text")]
    version_stage: Option<String>,
    #[serde(default, deserialize_with = "json::maybe_texts")]
    version_stages: Option<Vec<String>>,
    #[serde(default, deserialize_with = "json::maybe_text")]
    move_to_version_id: Option<String>,
}

/// The ARN is in one of three fields, or in several of them.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "response elements")]
struct ResponseElements {
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

impl ResponseElements {
    fn arn(&self) -> Option<&str> {
        [&self.arn, &self.a_rn, &self.capital_arn]
            .into_iter()
            .find_map(|arn| arn.as_deref())
    }
}

pub(super) fn decode(event: &EventBridge<'_>, clock: Timestamp) -> Result<Vec<Content>, Malformed> {
    match &*event.detail_type {
        "Secret Label Updated" => decode_label(event, clock),
        "AWS API Call via CloudTrail" => decode_call(event, clock),
        // The success of a rotation, for example: the move of the label has an event of its own.
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
    let arn = event.resources.first().and_then(|arn| Arn::parse(arn));
    let suffix = arn.and_then(|arn| {
        let path = arn.resource.strip_prefix("secret:")?;
        path.strip_prefix(name)?.strip_prefix('-')
    });
    let key = Key::secret(event.home(), name)
        .with_suffix(suffix)
        .at_stage(&detail.label);
    let at = end_of_event_time(event.time, clock);
    Ok(vec![changed(Change {
        version: detail.version_id,
        ..Change::new(key, at, ChangeKind::Written, &event.id)
    })])
}

fn decode_call(event: &EventBridge<'_>, clock: Timestamp) -> Result<Vec<Content>, Malformed> {
    let call: ApiCall =
        json::read(event.detail.get()).map_err(|malformed| malformed.in_field("detail"))?;
    let name = || format!("{} {}", event.source, call.event_name);
    let kind = match call.event_name.as_str() {
        "PutSecretValue" | "UpdateSecret" | "UpdateSecretVersionStage" => ChangeKind::Written,
        "DeleteSecret" => ChangeKind::Deleted,
        _ => return Ok(vec![ignored(name(), IgnoredReason::UnknownKind)]),
    };
    if call.error_code.is_some() {
        return Ok(vec![ignored(name(), IgnoredReason::CallFailed)]);
    }
    let keys = call.keys(&event.home())?;
    let Moved { labels, version } = call.moved();
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
    let at = end_of_event_time(call.event_time, clock);
    let identity = call.user_identity.as_ref();
    let change = |key| {
        changed(Change {
            version: version.clone(),
            by: identity.and_then(|identity| identity.arn.clone()),
            ..Change::new(key, at, kind, &event.id)
        })
    };
    let labelled = |key: Key| {
        let labels = labels.iter();
        labels.map(move |label| key.clone().at_stage(label))
    };
    Ok(keys.into_iter().flat_map(labelled).map(change).collect())
}

/// The labels that a call moved and that a task may read, and the version that has them now.
#[derive(Default)]
struct Moved<'a> {
    labels: Vec<&'a str>,
    version: Option<String>,
}

impl ApiCall {
    fn moved(&self) -> Moved<'_> {
        let request = self.request_parameters.as_ref();
        let response = self.response_elements.as_ref();
        let answered = response.and_then(|response| response.version_id.clone());
        let created = answered
            .clone()
            .or_else(|| request?.client_request_token.clone());
        let Moved {
            mut labels,
            version,
        } = match self.event_name.as_str() {
            "UpdateSecretVersionStage" => {
                let version = request.and_then(|request| request.move_to_version_id.clone());
                let label = request.and_then(|request| request.version_stage.as_deref());
                Moved {
                    labels: label.filter(|_| version.is_some()).into_iter().collect(),
                    version,
                }
            }
            // An answer that has a name also has the id of the new version, if there is one. With a
            // name and no id, only the description or the encryption key changed. Often the answer
            // has the ARN alone: then an unnecessary restart is the lesser harm.
            "UpdateSecret"
                if answered.is_none()
                    && response.is_some_and(|response| response.name.is_some()) =>
            {
                Moved::default()
            }
            "PutSecretValue" => {
                let stages = request.and_then(|request| request.version_stages.as_ref());
                let labels = stages.map(|stages| stages.iter().map(String::as_str).collect());
                Moved {
                    labels: labels.unwrap_or_else(|| vec![CURRENT]),
                    version: created,
                }
            }
            _ => Moved {
                labels: vec![CURRENT],
                version: created,
            },
        };
        labels.retain(|label| !OWN_LABELS.contains(label));
        Moved { labels, version }
    }

    /// The secret that the call is about. The ARN in the answer names it exactly. The request may
    /// name it in several ways, and an ARN there may mean one of two secrets.
    fn keys(&self, home: &AccountRegion) -> Result<Vec<Key>, Malformed> {
        if let Some(response) = &self.response_elements
            && let Some(arn) = response.arn().and_then(Arn::parse)
        {
            return Ok(vec![response.key(&arn)?]);
        }
        let request = self.request_parameters.as_ref();
        let id = request
            .and_then(|request| request.secret_id.as_deref())
            .ok_or_else(|| Malformed::at("detail.requestParameters", "the field `secretId`"))?;
        let at = "detail.requestParameters.secretId";
        if id.starts_with("arn:") {
            let term = Term::parse(id).map_err(|expected| Malformed::at(at, expected))?;
            Ok(term.keys(home).collect())
        } else {
            Ok(vec![Key::secret(home.clone(), checked(id, at)?)])
        }
    }
}

impl ResponseElements {
    /// The secret with this ARN. Without a name beside it, the name is the ARN's without the last
    /// six characters, if it has them.
    fn key(&self, arn: &Arn<'_>) -> Result<Key, Malformed> {
        let at = "detail.responseElements.arn";
        let path = arn
            .resource
            .strip_prefix("secret:")
            .ok_or_else(|| Malformed::at(at, "the ARN of a secret"))?;
        let (name, suffix) = match &self.name {
            Some(name) => {
                let rest = path.strip_prefix(name.as_str());
                (name.as_str(), rest.and_then(|rest| rest.strip_prefix('-')))
            }
            None => match without_suffix(path) {
                Some((name, suffix)) => (name, Some(suffix)),
                None => (path, None),
            },
        };
        Ok(Key::secret(arn.home(), checked(name, at)?).with_suffix(suffix))
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
