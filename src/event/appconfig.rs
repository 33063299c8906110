//! "AWS AppConfig deployment events to Amazon EventBridge" extension, AWS `AppConfig` User Guide: a
//! deployment of a configuration profile is complete, or was rolled back.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::envelope::EventBridge;
use super::{Content, changed, ignored};
use crate::domain::change::{Change, ChangeKind, end_of_event_time};
use crate::domain::key::Key;
use crate::domain::reason::IgnoredReason;
use crate::json::{self, Malformed};

const COMPLETE: &str = "On Deployment Complete";

/// AWS's pages spell it in both ways. Tasks that started in the middle of the deployment hold the
/// value that was taken back.
const ROLLED_BACK: [&str; 2] = ["On Deployment Rollback", "On Deployment Rolled Back"];

#[derive(Deserialize)]
#[serde(
    rename_all = "PascalCase",
    expecting = "the detail of an AppConfig event"
)]
struct Detail<'a> {
    application: Named,
    environment: Named,
    configuration_profile: Named,
    /// A number for hosted configurations, else the version of their source.
    #[serde(borrow)]
    configuration_version: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", expecting = "an Id and a Name")]
struct Named {
    #[serde(deserialize_with = "json::text")]
    id: String,
    #[serde(deserialize_with = "json::text")]
    name: String,
}

/// Bytes of a version that is told: it is a number, or the version of a parameter, an object or a
/// pipeline.
const LONGEST_VERSION: usize = 1024;

impl Detail<'_> {
    fn version(&self) -> Option<String> {
        let told = self.configuration_version?.get();
        let version = serde_json::from_str(told).unwrap_or_else(|_| told.to_owned());
        (version.len() <= LONGEST_VERSION).then_some(version)
    }
}

/// One change, by the three names and by the three ids: a term may say either.
pub(super) fn decode(event: &EventBridge<'_>, clock: Timestamp) -> Result<Content, Malformed> {
    let is_rolled_back = ROLLED_BACK.contains(&event.detail_type.as_str());
    if event.detail_type != COMPLETE && !is_rolled_back {
        return Ok(ignored(event.name(), IgnoredReason::UnknownKind));
    }
    let detail: Detail =
        json::read(event.detail.get()).map_err(|malformed| malformed.in_field("detail"))?;
    // A rollback tells the version that was given up: which one is in force again is not told.
    let version = detail.version().filter(|_| !is_rolled_back);
    let key = |part: fn(&Named) -> &str| {
        let Detail {
            application,
            environment,
            configuration_profile: profile,
            ..
        } = &detail;
        let parts = [application, environment, profile].map(part);
        if parts
            .iter()
            .any(|part| part.is_empty() || part.contains('/'))
        {
            return None;
        }
        let [application, environment, profile] = parts;
        Some(Key::profile(
            event.place(),
            application,
            environment,
            profile,
        ))
    };
    let keys = [key(|named| &named.name), key(|named| &named.id)];
    let key = keys
        .into_iter()
        .flatten()
        .reduce(|names, ids| names.with_alternative(&ids));
    let key = key.ok_or_else(|| Malformed::at("detail", "names or ids without a slash"))?;
    let change = Change::new(
        key,
        end_of_event_time(event.time, clock),
        ChangeKind::Written,
        &event.id,
    );
    Ok(changed(Change { version, ..change }))
}
