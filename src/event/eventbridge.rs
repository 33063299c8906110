//! The envelope of an event of EventBridge.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::arn::{AccountRegion, Arn};
use crate::json;

/// "AWS service events delivered directly to Amazon EventBridge", Amazon EventBridge User Guide.
#[derive(Deserialize)]
#[serde(expecting = "an event of EventBridge")]
pub(super) struct EventBridge<'a> {
    #[serde(default, deserialize_with = "json::any_text")]
    pub(super) id: String,
    #[serde(rename = "detail-type", deserialize_with = "json::text")]
    pub(super) detail_type: String,
    #[serde(deserialize_with = "json::text")]
    pub(super) source: String,
    #[serde(deserialize_with = "json::text")]
    pub(super) account: String,
    #[serde(deserialize_with = "json::text")]
    pub(super) region: String,
    #[serde(deserialize_with = "json::time")]
    pub(super) time: Timestamp,
    #[serde(default, deserialize_with = "json::texts")]
    pub(super) resources: Vec<String>,
    #[serde(borrow)]
    pub(super) detail: &'a RawValue,
}

impl EventBridge<'_> {
    pub(super) fn name(&self) -> String {
        format!("{} {}", self.source, self.detail_type)
    }

    /// The account and Region of the event. The partition is in its first ARN alone.
    pub(super) fn home(&self) -> AccountRegion {
        let home = AccountRegion::of_region(&self.account, &self.region);
        match self.resources.first().and_then(|arn| Arn::parse(arn)) {
            Some(arn) => AccountRegion {
                partition: arn.partition.into(),
                ..home
            },
            None => home,
        }
    }
}
