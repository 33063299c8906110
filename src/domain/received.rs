//! What one invocation received, as its log tells it, whoever it concerns.

use serde::Serialize;

use super::text::bounded;

/// The names that an event is found by, as far as they can be read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// The id that its source gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// `aws.ssm`, `aws:s3` …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The kind of event of that source, such as `Parameter Store Change`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail_type: Option<String>,
}

/// An event that could not be read. Its message becomes a dead letter with the same id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MalformedEvent {
    /// Where it is wrong, and what was expected there.
    pub error: String,
    /// The queue's id of the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// Who sent the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender_id: Option<String>,
    /// Its own names.
    #[serde(flatten)]
    pub origin: Origin,
}

/// What a person, or the schedule of the sweep, asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RequestLine {
    /// How many keys it says to have changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed: Option<usize>,
    /// How many services it names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub services: Option<usize>,
    /// Whether a sweep that was asked for repairs: the function's setting decides where that is not told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sweep: Option<&'static str>,
    /// Whether only the decisions are asked for.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// Instead of the function's own limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_services: Option<usize>,
    /// The person's own words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_reason: Option<String>,
    /// The queue's id of the message that it came in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// Who sent that message; nothing where the function was invoked directly: CloudTrail's data events tell that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender_id: Option<String>,
}

impl Origin {
    /// Takes names that others wrote.
    #[must_use]
    pub fn of(event_id: Option<&str>, source: Option<&str>, detail_type: Option<&str>) -> Self {
        let shown = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(bounded);
        Self { event_id: shown(event_id), source: shown(source), detail_type: shown(detail_type) }
    }
}
