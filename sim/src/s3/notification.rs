//! The configuration of a bucket's events: EventBridge, and queues by event, prefix and suffix.

use serde::{Deserialize, Serialize};

/// The document of `PutBucketNotificationConfiguration`: the part about queues and EventBridge.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename = "NotificationConfiguration")]
pub(super) struct Notifications {
    #[serde(rename = "QueueConfiguration", default)]
    pub(super) queues: Vec<QueueConfiguration>,
    #[serde(
        rename = "EventBridgeConfiguration",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub(super) event_bridge: Option<EventBridge>,
}

/// An element without content: it is there or not.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct EventBridge {}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct QueueConfiguration {
    pub(super) id: String,
    queue: String,
    /// `s3:ObjectCreated:*`.
    #[serde(rename = "Event")]
    events: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    filter: Option<Filter>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", default)]
struct Filter {
    s3_key: KeyFilter,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
struct KeyFilter {
    #[serde(rename = "FilterRule")]
    rules: Vec<FilterRule>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
struct FilterRule {
    name: String,
    #[serde(default)]
    value: String,
}

impl FilterRule {
    fn accepts(&self, key: &str) -> bool {
        if self.name.eq_ignore_ascii_case("prefix") {
            key.starts_with(&self.value)
        } else {
            key.ends_with(&self.value)
        }
    }
}

impl QueueConfiguration {
    pub(super) fn wants(&self, kind: &str, key: &str) -> bool {
        let of_kind = |event: &String| {
            let event = event.trim_start_matches("s3:");
            event == kind
                || event
                    .strip_suffix('*')
                    .is_some_and(|family| kind.starts_with(family))
        };
        let mut rules = self.filter.iter().flat_map(|filter| &filter.s3_key.rules);
        self.events.iter().any(of_kind) && rules.all(|rule| rule.accepts(key))
    }

    /// The name in the queue's ARN.
    pub(super) fn name(&self) -> &str {
        self.queue.rsplit(':').next().unwrap_or_default()
    }
}

impl Notifications {
    /// All events go to EventBridge, none to a queue.
    pub(super) fn to_event_bridge() -> Self {
        Self {
            queues: Vec::new(),
            event_bridge: Some(EventBridge {}),
        }
    }
}
