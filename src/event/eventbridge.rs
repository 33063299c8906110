//! The envelope of an event of EventBridge.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::arn::{AccountRegion, Arn, partition_of};
use crate::json;

/// "AWS service events delivered directly to Amazon EventBridge", Amazon EventBridge User Guide.
#[derive(Deserialize)]
#[serde(expecting = "an event of EventBridge")]
pub(super) struct EventBridge<'a> {
    #[serde(borrow, default, deserialize_with = "json::any_text")]
    pub(super) id: Cow<'a, str>,
    #[serde(rename = "detail-type")]
    #[serde(borrow, deserialize_with = "json::text")]
    pub(super) detail_type: Cow<'a, str>,
    #[serde(borrow, deserialize_with = "json::text")]
    pub(super) source: Cow<'a, str>,
    #[serde(borrow, deserialize_with = "json::text")]
    pub(super) account: Cow<'a, str>,
    #[serde(borrow, deserialize_with = "json::text")]
    pub(super) region: Cow<'a, str>,
    #[serde(deserialize_with = "json::time")]
    pub(super) time: Timestamp,
    #[serde(borrow, default, deserialize_with = "json::texts")]
    pub(super) resources: Vec<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) detail: &'a RawValue,
}

impl EventBridge<'_> {
    pub(super) fn name(&self) -> String {
        format!("{} {}", self.source, self.detail_type)
    }

    /// The account and Region of the event. The partition is in its first ARN alone.
    pub(super) fn home(&self) -> AccountRegion {
        let arn = self.resources.first().and_then(|arn| Arn::parse(arn));
        let partition = arn.map_or_else(|| partition_of(&self.region), |arn| arn.partition);
        AccountRegion {
            partition: partition.into(),
            account: (*self.account).into(),
            region: (*self.region).into(),
        }
    }
}
