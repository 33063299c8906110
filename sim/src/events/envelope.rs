//! The envelope of EventBridge's events.

use jiff::Timestamp;
use serde_json::{Value, json};

/// The members that every EventBridge event has.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    /// A UUID.
    pub id: &'a str,
    /// Twelve digits.
    pub account: &'a str,
    /// The time of the event; written in whole seconds.
    pub time: Timestamp,
    /// The Region.
    pub region: &'a str,
}

impl Envelope<'_> {
    pub(super) fn wrap(
        &self,
        source: &str,
        detail_type: &str,
        resources: &[&str],
        detail: &Value,
    ) -> Value {
        json!({
            "version": "0",
            "id": self.id,
            "detail-type": detail_type,
            "source": source,
            "account": self.account,
            "time": whole_second(self.time),
            "region": self.region,
            "resources": resources,
            "detail": detail,
        })
    }
}

/// A time as EventBridge and CloudTrail write it.
pub(super) fn whole_second(time: Timestamp) -> String {
    Timestamp::from_second(time.as_second())
        .unwrap_or(time)
        .to_string()
}
