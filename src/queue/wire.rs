//! The JSON of a message, field by field. Every list has a bound and every number a range.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::default::is_default;
use crate::json;

/// The version of the message. It grows when a field is removed or changes its meaning.
pub(super) const VERSION: u32 = 1;

/// The body of a message, to be written.
#[derive(Serialize)]
pub(super) struct Envelope<'a> {
    pub(super) deferred: &'a Message,
}

/// The deferred work.
#[derive(Serialize, Deserialize)]
#[serde(expecting = "an object with version, not_before and work")]
pub(super) struct Message {
    pub(super) version: u32,
    #[serde(deserialize_with = "json::time")]
    pub(super) not_before: Timestamp,
    #[serde(default, deserialize_with = "json::or_default")]
    pub(super) hops: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    #[serde(deserialize_with = "json::or_default")]
    pub(super) failed_listings: u32,
    #[serde(default, deserialize_with = "json::list")]
    pub(super) work: Vec<Work>,
    #[serde(default, skip_serializing_if = "is_default")]
    #[serde(deserialize_with = "json::members")]
    pub(super) attempts: BTreeMap<String, WireAttempt>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) request: Option<WireRequest>,
    #[serde(default, skip_serializing_if = "is_default")]
    #[serde(deserialize_with = "json::list")]
    pub(super) notices: Vec<WireNotice>,
}

/// Changes that share one scope:
///
/// * without a list, all services;
/// * with `only`, these services alone;
/// * with `except`, all services but these.
///
/// An entry without changes continues the list of the entry before it.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Work {
    #[serde(default, deserialize_with = "json::list")]
    pub(super) changes: Vec<WireChange>,
    #[serde(default, skip_serializing_if = "is_default")]
    #[serde(deserialize_with = "json::maybe_texts")]
    pub(super) only: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "is_default")]
    #[serde(deserialize_with = "json::maybe_texts")]
    pub(super) except: Option<Vec<String>>,
}

/// One change, without its scope.
#[derive(Serialize, Deserialize)]
pub(super) struct WireChange {
    #[serde(deserialize_with = "json::text")]
    pub(super) kind: String,
    #[serde(deserialize_with = "json::text")]
    pub(super) path: String,
    #[serde(deserialize_with = "json::text")]
    pub(super) partition: String,
    #[serde(default, skip_serializing_if = "is_default")]
    #[serde(deserialize_with = "json::any_text")]
    pub(super) account: String,
    #[serde(default, skip_serializing_if = "is_default")]
    #[serde(deserialize_with = "json::any_text")]
    pub(super) region: String,
    #[serde(default, skip_serializing_if = "is_default")]
    #[serde(deserialize_with = "json::maybe_text")]
    pub(super) stage: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    #[serde(deserialize_with = "json::maybe_text")]
    pub(super) suffix: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    #[serde(deserialize_with = "json::maybe_text")]
    pub(super) alternative: Option<String>,
    #[serde(deserialize_with = "json::time")]
    pub(super) at: Timestamp,
    pub(super) change: WireChangeKind,
    #[serde(default, skip_serializing_if = "is_default")]
    #[serde(deserialize_with = "json::maybe_text")]
    pub(super) version: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    #[serde(deserialize_with = "json::maybe_text")]
    pub(super) previous: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    #[serde(deserialize_with = "json::maybe_text")]
    pub(super) etag: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    #[serde(deserialize_with = "json::maybe_text")]
    pub(super) by: Option<String>,
    #[serde(deserialize_with = "json::text")]
    pub(super) event: String,
    #[serde(default, skip_serializing_if = "is_default")]
    #[serde(deserialize_with = "json::any_text")]
    pub(super) source: String,
    #[serde(default, skip_serializing_if = "is_default")]
    #[serde(deserialize_with = "json::or_default")]
    pub(super) ignored: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    #[serde(deserialize_with = "json::or_default")]
    pub(super) enriched: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    #[serde(deserialize_with = "json::or_default")]
    pub(super) shares_second: bool,
}

/// The kind of a change.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum WireChangeKind {
    Labelled,
    Deleted,
    Written,
}

/// The attempts at one service so far.
#[derive(PartialEq, Serialize, Deserialize)]
pub(super) struct WireAttempt {
    #[serde(default, skip_serializing_if = "is_default")]
    #[serde(deserialize_with = "json::maybe_text")]
    pub(super) last_reason: Option<String>,
    #[serde(default, deserialize_with = "json::seconds")]
    pub(super) waited_seconds: u32,
    #[serde(default, deserialize_with = "json::or_default")]
    pub(super) count: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    #[serde(deserialize_with = "json::list")]
    pub(super) rollouts: Vec<WireRollout>,
    #[serde(default, skip_serializing_if = "is_default")]
    #[serde(deserialize_with = "json::or_default")]
    pub(super) owes_restart: bool,
}

/// The deployment that is followed.
#[derive(PartialEq, Serialize, Deserialize)]
pub(super) struct WireRollout {
    #[serde(deserialize_with = "json::text")]
    pub(super) deployment: String,
    #[serde(deserialize_with = "json::time")]
    pub(super) started_at: Timestamp,
    #[serde(default, skip_serializing_if = "is_default")]
    #[serde(deserialize_with = "json::or_default")]
    pub(super) by_others: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    #[serde(deserialize_with = "json::or_default")]
    pub(super) running: i32,
    #[serde(default, skip_serializing_if = "is_default")]
    #[serde(deserialize_with = "json::maybe_text")]
    pub(super) stage: Option<String>,
    /// The time of its last progress; its start, if it made none.
    #[serde(default, skip_serializing_if = "is_default")]
    #[serde(deserialize_with = "json::maybe_time")]
    pub(super) progress_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "is_default")]
    #[serde(deserialize_with = "json::maybe_time")]
    pub(super) complete_since: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "is_default")]
    #[serde(deserialize_with = "json::or_default")]
    pub(super) timed_out: bool,
}

/// A manual request.
#[derive(PartialEq, Serialize, Deserialize)]
pub(super) struct WireRequest {
    #[serde(default, deserialize_with = "json::members")]
    pub(super) services: BTreeMap<String, Option<WireAccountRegion>>,
    #[serde(deserialize_with = "json::time")]
    pub(super) requested_at: Timestamp,
    #[serde(default, skip_serializing_if = "is_default")]
    #[serde(deserialize_with = "json::maybe_services")]
    pub(super) max_services: Option<usize>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) reason: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) sender: Option<String>,
}

/// The account and Region of a service that a request names by its ARN.
#[derive(PartialEq, Serialize, Deserialize)]
pub(super) struct WireAccountRegion {
    #[serde(deserialize_with = "json::text")]
    pub(super) partition: String,
    #[serde(deserialize_with = "json::text")]
    pub(super) account: String,
    #[serde(deserialize_with = "json::text")]
    pub(super) region: String,
}

/// A notice that could not be sent.
#[derive(PartialEq, Serialize, Deserialize)]
pub(super) struct WireNotice {
    #[serde(deserialize_with = "json::text")]
    pub(super) id: String,
    #[serde(deserialize_with = "json::text")]
    pub(super) kind: String,
    #[serde(default, skip_serializing_if = "is_default")]
    #[serde(deserialize_with = "json::maybe_text")]
    pub(super) key: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    #[serde(deserialize_with = "json::maybe_text")]
    pub(super) version: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    #[serde(deserialize_with = "json::maybe_text")]
    pub(super) previous_version: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    #[serde(deserialize_with = "json::maybe_time")]
    pub(super) changed_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "is_default")]
    #[serde(deserialize_with = "json::maybe_text")]
    pub(super) changed_by: Option<String>,
    #[serde(default, deserialize_with = "json::texts")]
    pub(super) services: Vec<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    #[serde(deserialize_with = "json::or_default")]
    pub(super) more_services: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    #[serde(deserialize_with = "json::texts")]
    pub(super) deployments: Vec<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    #[serde(deserialize_with = "json::maybe_text")]
    pub(super) reason: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    #[serde(deserialize_with = "json::texts")]
    pub(super) details: Vec<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    #[serde(deserialize_with = "json::maybe_time")]
    pub(super) until: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "is_default")]
    #[serde(deserialize_with = "json::maybe_text")]
    pub(super) restore: Option<String>,
    #[serde(deserialize_with = "json::time")]
    pub(super) at: Timestamp,
}
