//! Where a bucket sends its events: EventBridge, and queues by event, prefix and suffix.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{ApiError, ApiResult};
use crate::events::{self, Envelope, Object};
use crate::world::World;

/// The document of `PutBucketNotificationConfiguration`, as far as queues and EventBridge go.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename = "NotificationConfiguration")]
pub(super) struct Notifications {
    #[serde(rename = "QueueConfiguration", default)]
    queues: Vec<QueueConfiguration>,
    #[serde(
        rename = "EventBridgeConfiguration",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    event_bridge: Option<EventBridge>,
}

/// An element whose presence says all.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct EventBridge {}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", default)]
struct QueueConfiguration {
    id: String,
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
    fn wants(&self, kind: &str, key: &str) -> bool {
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
    fn name(&self) -> &str {
        self.queue.rsplit(':').next().unwrap_or_default()
    }
}

impl Notifications {
    /// EventBridge gets everything, no queue anything.
    pub(super) fn to_event_bridge() -> Self {
        Self {
            queues: Vec::new(),
            event_bridge: Some(EventBridge {}),
        }
    }
}

impl World {
    /// Tells EventBridge and the queues of a bucket what happened to an object; `kind` is
    /// `ObjectCreated:Put`.
    pub(super) fn tell(
        &mut self,
        object: &Object<'_>,
        kind: &str,
        event: impl FnOnce(&Envelope<'_>) -> Value,
    ) {
        let Ok(bucket) = self.buckets.bucket(object.bucket) else {
            return;
        };
        let wanting: Vec<_> = bucket
            .notifications
            .queues
            .iter()
            .filter(|queue| queue.wants(kind, object.key))
            .cloned()
            .collect();
        if bucket.notifications.event_bridge.is_some() {
            self.emit(event);
        }
        for queue in wanting {
            let message = self
                .event(|envelope| events::object_notification(envelope, object, kind, &queue.id));
            self.bus
                .deliver(&mut self.clock, Duration::ZERO, queue.name(), &message);
        }
    }

    /// Replaces a bucket's configuration; each queue gets a test event.
    pub(super) fn configure_notifications(&mut self, name: &str, document: &[u8]) -> ApiResult<()> {
        let malformed = "The XML you provided was not well-formed or did not validate against our \
                         published schema";
        let parsed = quick_xml::de::from_reader(document)
            .map_err(|_| ApiError::new("MalformedXML", malformed));
        let mut notifications: Notifications = parsed?;
        for queue in notifications
            .queues
            .iter_mut()
            .filter(|queue| queue.id.is_empty())
        {
            queue.id = self.clock.uuid();
        }
        self.buckets.bucket_mut(name)?.notifications = notifications.clone();
        for queue in &notifications.queues {
            let request_id = self.clock.token(16).to_uppercase();
            let test =
                self.event(|envelope| events::notification_test(envelope, name, &request_id));
            self.send_to_queue(queue.name(), test.to_string());
        }
        Ok(())
    }
}
