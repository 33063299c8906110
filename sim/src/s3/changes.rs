//! Changes of objects and of notifications, and the events that they send.

use std::time::Duration;

use serde_json::Value;

use super::notification::Notifications;
use super::store::{Buckets, Version};
use crate::clockwork::Clockwork;
use crate::error::{ApiError, ApiResult};
use crate::events::envelope::Envelope;
use crate::events::s3::{
    Object, notification_test, object_created, object_deleted, object_notification,
};
use crate::job::{Delivery, Job};
use crate::shared::Shared;

impl Buckets {
    pub(crate) fn put(
        &mut self,
        shared: &mut Shared,
        bucket: &str,
        key: &str,
        content: &[u8],
    ) -> ApiResult<u64> {
        let writes = self
            .bucket_mut(bucket)?
            .write(key, content, &mut shared.clock);
        self.notify_created(shared, bucket, key);
        Ok(writes)
    }

    /// Deletes an object. It succeeds without an event if there is none.
    pub(crate) fn delete(
        &mut self,
        shared: &mut Shared,
        name: &str,
        key: &str,
    ) -> ApiResult<Option<String>> {
        let clock = &mut shared.clock;
        let bucket = self.bucket_mut(name)?;
        let versioned = bucket.versioned;
        let Some(stored) = bucket
            .objects
            .get_mut(key)
            .filter(|stored| stored.current().is_some())
        else {
            return Ok(None);
        };
        let marker = versioned.then(|| clock.token(32));
        stored.mark_deleted(marker.clone(), clock.now);
        let (sequencer, request_id) = (sequencer(clock), clock.token(16).to_uppercase());
        let object = Object {
            bucket: name,
            key,
            size: 0,
            etag: "",
            version_id: marker.as_deref(),
            sequencer: &sequencer,
            request_id: &request_id,
        };
        let kind = if versioned {
            "ObjectRemoved:DeleteMarkerCreated"
        } else {
            "ObjectRemoved:Delete"
        };
        self.notify(shared, &object, kind, |envelope| {
            object_deleted(envelope, &object)
        });
        Ok(marker)
    }

    fn notify_created(&self, shared: &mut Shared, bucket: &str, key: &str) {
        let stored = self
            .buckets
            .get(bucket)
            .and_then(|bucket| bucket.objects.get(key)?.current().cloned());
        let Some(Version { id, etag, size, .. }) = stored else {
            return;
        };
        let (sequencer, request_id) = (
            sequencer(&mut shared.clock),
            shared.clock.token(16).to_uppercase(),
        );
        let object = Object {
            bucket,
            key,
            size,
            etag: &etag,
            version_id: id.as_deref(),
            sequencer: &sequencer,
            request_id: &request_id,
        };
        self.notify(shared, &object, "ObjectCreated:Put", |envelope| {
            object_created(envelope, &object, "PutObject")
        });
    }

    /// Sends the event of an object to EventBridge and to the queues of its bucket; `kind` is
    /// `ObjectCreated:Put` or another name of S3's.
    fn notify(
        &self,
        shared: &mut Shared,
        object: &Object<'_>,
        kind: &str,
        event: impl FnOnce(&Envelope<'_>) -> Value,
    ) {
        let Ok(bucket) = self.bucket(object.bucket) else {
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
            shared.emit(event);
        }
        for queue in wanting {
            let message =
                shared.event(|envelope| object_notification(envelope, object, kind, &queue.id));
            shared
                .bus
                .deliver(&mut shared.clock, Duration::ZERO, queue.name(), &message);
        }
    }

    /// Replaces a bucket's configuration; each queue gets a test event.
    pub(super) fn configure_notifications(
        &mut self,
        shared: &mut Shared,
        name: &str,
        document: &[u8],
    ) -> ApiResult<()> {
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
            queue.id = shared.clock.uuid();
        }
        self.bucket_mut(name)?.notifications = notifications.clone();
        for queue in &notifications.queues {
            let request_id = shared.clock.token(16).to_uppercase();
            let test = shared.event(|envelope| notification_test(envelope, name, &request_id));
            let delivery = Delivery {
                queue: queue.name().to_owned(),
                body: test.to_string(),
            };
            shared.clock.at(shared.clock.now, Job::Deliver(delivery));
        }
        Ok(())
    }
}

/// Hexadecimal, greater for later writes of a key.
fn sequencer(clock: &mut Clockwork) -> String {
    format!(
        "{:014X}{}",
        clock.now.as_microsecond(),
        clock.hex(2).to_uppercase()
    )
}
