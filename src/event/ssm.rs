//! "Parameter Store Change": "Configuring notifications or triggering actions based on Parameter
//! Store events", AWS Systems Manager User Guide. The event has neither value nor version.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::content::{Content, changed, ignored};
use super::eventbridge::EventBridge;
use crate::domain::change::{Change, ChangeKind, end_of_event_time};
use crate::domain::key::Key;
use crate::domain::reason::IgnoredReason;
use crate::json::{self, Malformed};

/// Characters of a parameter's name ("About requirements and constraints for parameter names":
/// 1,011 with its path; 2,048 with its ARN).
const LONGEST_NAME: usize = 2048;

#[derive(Deserialize)]
#[serde(expecting = "the detail of a Parameter Store event")]
struct Detail<'a> {
    #[serde(borrow, deserialize_with = "json::text")]
    operation: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
    exception: Option<IgnoredAny>,
}

pub(super) fn decode(event: &EventBridge<'_>, clock: Timestamp) -> Result<Content, Malformed> {
    if event.detail_type != "Parameter Store Change" {
        return Ok(ignored(event.name(), IgnoredReason::UnknownKind));
    }
    let detail: Detail =
        json::read(event.detail.get()).map_err(|malformed| malformed.in_field("detail"))?;
    let kind = match &*detail.operation {
        "Create" | "Update" => ChangeKind::Written,
        "Delete" => ChangeKind::Deleted,
        "LabelParameterVersion" => ChangeKind::Labelled,
        _ => return Ok(ignored(event.name(), IgnoredReason::UnknownKind)),
    };
    if detail.exception.is_some() {
        return Ok(ignored(event.name(), IgnoredReason::NotValidated));
    }
    if detail.name.trim_start_matches('/').is_empty() || detail.name.len() > LONGEST_NAME {
        return Err(Malformed::at(
            "detail.name",
            format!("a parameter's name of 1 to {LONGEST_NAME} characters"),
        ));
    }
    let key = Key::parameter(event.home(), &detail.name);
    let at = end_of_event_time(event.time, clock);
    Ok(changed(Change::new(key, at, kind, &event.id)))
}
