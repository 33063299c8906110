//! "AWS AppConfig deployment events to Amazon EventBridge" extension, AWS `AppConfig` User Guide: a
//! deployment of a configuration profile is complete, or was rolled back.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::content::{Content, changed, ignored};
use super::eventbridge::EventBridge;
use crate::domain::arn::AccountRegion;
use crate::domain::change::{Change, ChangeKind, end_of_event_time};
use crate::domain::key::Key;
use crate::domain::reason::IgnoredReason;
use crate::json::{self, Malformed};

const COMPLETE: &str = "On Deployment Complete";

/// AWS's pages have both spellings. Tasks that started during the deployment have the value that
/// was rolled back.
const ROLLED_BACK: [&str; 2] = ["On Deployment Rollback", "On Deployment Rolled Back"];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
#[serde(expecting = "the detail of an AppConfig event")]
struct Detail<'a> {
    application: Named,
    environment: Named,
    configuration_profile: Named,
    /// A number for hosted configurations; for others the version of their source.
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

/// The longest version that is kept, in bytes: it is a number, or the version of a parameter, an
/// object or a pipeline.
const LONGEST_VERSION: usize = 1024;

impl Detail<'_> {
    fn version(&self) -> Option<String> {
        let json = self.configuration_version?.get();
        let version = serde_json::from_str(json).unwrap_or_else(|_| json.to_owned());
        (version.len() <= LONGEST_VERSION).then_some(version)
    }

    /// The profile by three of its names, or by three of its ids.
    fn key(&self, home: AccountRegion, part: fn(&Named) -> &str) -> Option<Key> {
        let [application, environment, profile] = [
            &self.application,
            &self.environment,
            &self.configuration_profile,
        ]
        .map(part);
        let is_part = |part: &str| !part.is_empty() && !part.contains('/');
        [application, environment, profile]
            .into_iter()
            .all(is_part)
            .then(|| Key::profile(home, application, environment, profile))
    }
}

/// Reads one change, by the names and by the ids of the profile: a term may have either.
pub(super) fn decode(event: &EventBridge<'_>, clock: Timestamp) -> Result<Content, Malformed> {
    let is_rolled_back = ROLLED_BACK.contains(&&*event.detail_type);
    if event.detail_type != COMPLETE && !is_rolled_back {
        return Ok(ignored(event.name(), IgnoredReason::UnknownKind));
    }
    let detail: Detail =
        json::read(event.detail.get()).map_err(|malformed| malformed.in_field("detail"))?;
    // The event of a rollback names the version that was rolled back, not the one that is current
    // again.
    let version = detail.version().filter(|_| !is_rolled_back);
    let by_names = detail.key(event.home(), |named| &named.name);
    let by_ids = detail.key(event.home(), |named| &named.id);
    let key = match (by_names, by_ids) {
        (Some(names), Some(ids)) => names.with_alternative(&ids),
        (Some(key), None) | (None, Some(key)) => key,
        (None, None) => {
            return Err(Malformed::at("detail", "names or ids without a slash"));
        }
    };
    let at = end_of_event_time(event.time, clock);
    Ok(changed(Change {
        version,
        ..Change::new(key, at, ChangeKind::Written, &event.id)
    }))
}
