//! Where a bucket sends its events: EventBridge, and queues by event and prefix.

use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::Value;

use super::Bucket;
use crate::error::{ApiError, ApiResult};
use crate::events::{self, Envelope, Object};
use crate::world::World;

/// A queue that gets the bucket's notifications.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct QueueConfiguration {
    id: String,
    queue_arn: String,
    /// `s3:ObjectCreated:*`.
    events: Vec<String>,
    prefix: String,
    suffix: String,
}

impl QueueConfiguration {
    fn wants(&self, kind: &str, key: &str) -> bool {
        let of_kind = |event: &String| {
            let event = event.trim_start_matches("s3:");
            event == kind || event.strip_suffix('*').is_some_and(|family| kind.starts_with(family))
        };
        self.events.iter().any(of_kind) && key.starts_with(&self.prefix) && key.ends_with(&self.suffix)
    }

    fn queue(&self) -> &str {
        self.queue_arn.rsplit(':').next().unwrap_or_default()
    }
}

impl World {
    /// Tells EventBridge and the queues of a bucket what happened to an object; `kind` is `ObjectCreated:Put`.
    pub(super) fn tell(&mut self, object: &Object<'_>, kind: &str, event: impl FnOnce(&Envelope<'_>) -> Value) {
        let Some(bucket) = self.buckets.buckets.get(object.bucket) else { return };
        let wanting: Vec<_> = bucket.queues.iter().filter(|queue| queue.wants(kind, object.key)).cloned().collect();
        if bucket.event_bridge {
            self.emit(event);
        }
        for configuration in wanting {
            let message = self.event(|envelope| events::object_notification(envelope, object, kind, &configuration.id));
            self.bus.deliver(&mut self.clock, configuration.queue(), &message);
        }
    }

    /// Replaces a bucket's configuration; each queue gets a test event.
    pub(super) fn configure_notifications(&mut self, name: &str, document: &[u8]) -> ApiResult<()> {
        let (event_bridge, mut queues) = parse(document)?;
        for queue in queues.iter_mut().filter(|queue| queue.id.is_empty()) {
            queue.id = self.clock.uuid();
        }
        let bucket = self.buckets.bucket_mut(name)?;
        bucket.event_bridge = event_bridge;
        bucket.queues.clone_from(&queues);
        for queue in queues {
            let request_id = self.clock.token(16).to_uppercase();
            let test = self.event(|envelope| events::notification_test(envelope, name, &request_id));
            self.send_to_queue(queue.queue(), test.to_string());
        }
        Ok(())
    }
}

impl Bucket {
    pub(super) fn notification_document(&self) -> String {
        let mut document = String::from("<NotificationConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
        for QueueConfiguration { id, queue_arn, events, prefix, suffix } in &self.queues {
            let events: String = events.iter().map(|event| format!("<Event>{event}</Event>")).collect();
            let rule = |name: &str, value: &str| {
                let value = quick_xml::escape::escape(value);
                if value.is_empty() { String::new() } else { format!("<FilterRule><Name>{name}</Name><Value>{value}</Value></FilterRule>") }
            };
            let rules = format!("{}{}", rule("prefix", prefix), rule("suffix", suffix));
            let filter = if rules.is_empty() { String::new() } else { format!("<Filter><S3Key>{rules}</S3Key></Filter>") };
            document += &format!("<QueueConfiguration><Id>{id}</Id><Queue>{queue_arn}</Queue>{events}{filter}</QueueConfiguration>");
        }
        if self.event_bridge {
            document += "<EventBridgeConfiguration/>";
        }
        document + "</NotificationConfiguration>"
    }
}

/// Reads a NotificationConfiguration: whether EventBridge is on, and the queues.
fn parse(document: &[u8]) -> ApiResult<(bool, Vec<QueueConfiguration>)> {
    let malformed = |_| ApiError::new("MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema");
    let mut reader = Reader::from_reader(document);
    let (mut event_bridge, mut queues) = (false, Vec::new());
    let (mut current, mut text, mut filter) = (QueueConfiguration::default(), String::new(), String::new());
    loop {
        match reader.read_event().map_err(malformed)? {
            Event::Eof => return Ok((event_bridge, queues)),
            Event::Start(element) | Event::Empty(element) => {
                event_bridge |= element.local_name().as_ref() == b"EventBridgeConfiguration";
                text.clear();
            }
            Event::Text(part) => text += &part.decode().map_err(|error| malformed(error.into()))?,
            Event::End(element) => match element.local_name().as_ref() {
                b"Id" => text.clone_into(&mut current.id),
                b"Queue" => text.clone_into(&mut current.queue_arn),
                b"Event" => current.events.push(text.clone()),
                b"Name" => filter = text.to_lowercase(),
                b"Value" if filter == "prefix" => text.clone_into(&mut current.prefix),
                b"Value" if filter == "suffix" => text.clone_into(&mut current.suffix),
                b"QueueConfiguration" => queues.push(std::mem::take(&mut current)),
                _ => {}
            },
            _ => {}
        }
    }
}
