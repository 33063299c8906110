//! "AWS AppConfig deployment events to Amazon EventBridge" extension, AWS `AppConfig` User Guide: a deployment of a configuration profile is
//! complete.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::envelope::EventBridge;
use super::json::{self, Malformed};
use super::{Told, changed, ignored};
use crate::domain::change::{Change, ChangeKind, end_of_event_time};
use crate::domain::key::Key;
use crate::domain::reason::IgnoredReason;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", expecting = "the detail of an AppConfig event")]
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

/// Bytes of a version that is told: it is a number, or the version of a parameter, an object or a pipeline.
const LONGEST_VERSION: usize = 1024;

impl Detail<'_> {
    fn version(&self) -> Option<String> {
        let told = self.configuration_version?.get();
        let version = serde_json::from_str(told).unwrap_or_else(|_| told.to_owned());
        (version.len() <= LONGEST_VERSION).then_some(version)
    }
}

/// One change for the three names and one for the three ids: a term may say either.
pub(super) fn decode(event: &EventBridge<'_>) -> Result<Vec<Told>, Malformed> {
    if event.detail_type != "On Deployment Complete" {
        return Ok(vec![ignored(event.name(), IgnoredReason::UnknownKind)]);
    }
    let detail: Detail = json::read(event.detail.get()).map_err(|malformed| malformed.in_field("detail"))?;
    let version = detail.version();
    let told = |part: fn(&Named) -> &str| {
        let Detail { application, environment, configuration_profile: profile, .. } = &detail;
        let parts = [application, environment, profile].map(part);
        if parts.iter().any(|part| part.is_empty() || part.contains('/')) {
            return None;
        }
        let [application, environment, profile] = parts;
        let key = Key::profile(event.place(), application, environment, profile);
        let change = Change::new(key, end_of_event_time(event.time), ChangeKind::Written, &event.id);
        Some(changed(Change { version: version.clone(), ..change }))
    };
    let mut changes: Vec<_> = [told(|named| &named.name), told(|named| &named.id)].into_iter().flatten().collect();
    changes.dedup();
    if changes.is_empty() { Err(Malformed::at("detail", "names or ids without a slash")) } else { Ok(changes) }
}
