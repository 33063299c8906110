//! The events, changes and requests that one invocation received, as its log reports them.

use jiff::Timestamp;
use serde::Serialize;

use super::arn::AccountRegion;
use super::change::{Change, ChangeKind, REQUEST, Scope};
use super::default::is_default;
use super::reason::IgnoredReason;
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

/// An event that is not acted on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IgnoredEvent {
    /// Its source and kind, such as `aws.s3 Object Deleted`.
    pub event: String,
    /// The reason.
    pub reason: IgnoredReason,
}

/// An event that could not be read. Its message becomes a dead letter with the same id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MalformedEvent {
    /// The place of the mistake, and the text that was expected there.
    pub error: String,
    /// The queue's id of the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// The sender of the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender_id: Option<String>,
    /// Its own names.
    #[serde(flatten)]
    pub origin: Origin,
}

/// A change that an invocation received, watched or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReceivedChange {
    /// As a watch term of the function's account and Region; by ARN if it is elsewhere.
    pub key: String,
    /// `written`, `labelled` or `deleted`.
    pub change: &'static str,
    /// Its version, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The version before it, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
    /// A deployment must have been created after this instant to have read it.
    pub changed_at: Timestamp,
    /// The author of the change, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed_by: Option<String>,
    /// The id of its event.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub event_id: String,
    /// The sender of that event.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub source: &'static str,
    /// The services that it affects; `None` if the services that watch could not be listed.
    #[serde(flatten)]
    pub reach: Option<Reach>,
    /// The person's own words, if a request named it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_reason: Option<String>,
    /// The sender of that request, if it came through the queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender_id: Option<String>,
    /// True if it is reported for the first time, and not by a deferred message.
    #[serde(skip)]
    pub is_new: bool,
}

/// The services that a change reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Reach {
    /// Services that a decision about this change was made for.
    pub affected: usize,
    /// Services that it may affect, but whose task definition could not be read.
    #[serde(skip_serializing_if = "is_default")]
    pub undecided: usize,
    /// Services with a tag or a reference that does not parse, and that may mean this key. Their
    /// mistakes are in lines of their own.
    #[serde(skip_serializing_if = "is_default")]
    pub services_with_mistakes: usize,
}

impl ReceivedChange {
    /// The line of a change, seen from the account and Region `home` if that is known.
    #[must_use]
    pub fn of(change: &Change, home: Option<&AccountRegion>, reach: Option<Reach>) -> Self {
        let Change {
            key,
            at,
            kind,
            version,
            previous,
            etag,
            by,
            event,
            source,
            scope,
            ..
        } = change;
        let shown = |text: &Option<String>| text.as_deref().map(bounded);
        Self {
            key: bounded(&home.map_or_else(|| key.to_string(), |home| key.seen_from(home))),
            change: match kind {
                ChangeKind::Labelled => "labelled",
                ChangeKind::Deleted => "deleted",
                ChangeKind::Written => "written",
            },
            version: shown(version).or_else(|| shown(etag)),
            previous: shown(previous),
            changed_at: *at,
            changed_by: shown(by),
            event_id: bounded(event),
            source,
            reach,
            request_reason: None,
            sender_id: None,
            is_new: *scope == Scope::All,
        }
    }

    /// True if a person may search for it in the log: a service watches it or may mean it, or a
    /// request named it. For a change in a deferred message the lines of the services are enough.
    #[must_use]
    pub fn is_notable(&self) -> bool {
        let reaches =
            |Reach {
                 affected,
                 undecided,
                 services_with_mistakes,
             }: Reach| affected + undecided + services_with_mistakes > 0;
        self.is_new && (self.source == REQUEST || self.reach.is_none_or(reaches))
    }
}

/// The request of a person, or of the schedule of the sweep.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RequestLine {
    /// The number of keys that it says to have changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed: Option<usize>,
    /// The number of services that it names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub services: Option<usize>,
    /// `repair` or `report` of a sweep; `as set` if the setting of the function decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sweep: Option<&'static str>,
    /// True if only the decisions are requested.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// The limit instead of the function's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_services: Option<usize>,
    /// The person's own words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_reason: Option<String>,
    /// The queue's id of the message that it came in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// The sender of that message. Of a direct invocation CloudTrail's data events name it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender_id: Option<String>,
}

impl Origin {
    /// Takes names that others wrote.
    #[must_use]
    pub fn of(event_id: Option<&str>, source: Option<&str>, detail_type: Option<&str>) -> Self {
        let shown = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(bounded);
        Self {
            event_id: shown(event_id),
            source: shown(source),
            detail_type: shown(detail_type),
        }
    }
}
