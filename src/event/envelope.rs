//! Reads the records of a queue as messages. Any other payload is one message.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::content::{Content, map_malformed, sent_by};
use super::inbox::{Inbox, Message, within_room};
use super::payload::{Context, Probe, RecordProbe, contents, contents_of, probe};
use crate::domain::queue::Queue;
use crate::domain::text::bounded;
use crate::json::{self, Few};

/// "Using Lambda with Amazon SQS", AWS Lambda Developer Guide.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an SQS record")]
struct SqsRecord {
    #[serde(deserialize_with = "json::text")]
    message_id: String,
    body: String,
    #[serde(rename = "eventSourceARN")]
    #[serde(default, deserialize_with = "json::maybe_text")]
    queue_arn: Option<String>,
    #[serde(default, deserialize_with = "json::or_default")]
    attributes: SqsAttributes,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[serde(expecting = "the attributes of an SQS record")]
struct SqsAttributes {
    /// Milliseconds since 1970, as text.
    #[serde(default, deserialize_with = "json::maybe_text")]
    sent_timestamp: Option<String>,
    sender_id: Option<String>,
}

pub(super) fn open(payload: &str, now: Timestamp, own: Option<&Queue>) -> Inbox {
    let context = Context {
        may_hold_sns: true,
        is_own: false,
        sent_at: now,
    };
    match probe(payload) {
        Ok(Probe {
            records: Some(Few(records)),
            ..
        }) if records.iter().any(|record| is_queued(record)) => {
            let records = records.iter().enumerate();
            let messages = records.map(|(index, record)| message(record, index, context, own));
            Inbox {
                from_queue: true,
                messages: within_room(messages),
            }
        }
        probe => Inbox {
            from_queue: false,
            messages: vec![Message {
                id: None,
                sender: None,
                contents: contents_of(payload, probe, context),
            }],
        },
    }
}

fn is_queued(record: &RawValue) -> bool {
    json::read::<RecordProbe>(record.get()).is_ok_and(|record| record.source == "aws:sqs")
}

fn message(record: &RawValue, index: usize, context: Context, own: Option<&Queue>) -> Message {
    let at = format!("Records[{index}]");
    match json::read::<SqsRecord>(record.get()) {
        Ok(record) => read_message(record, &at, context, own),
        Err(malformed) => Message {
            id: message_id(record),
            sender: sender_id(record),
            contents: vec![Content::Malformed(malformed.in_field(&at))],
        },
    }
}

fn read_message(record: SqsRecord, at: &str, context: Context, own: Option<&Queue>) -> Message {
    let SqsRecord {
        message_id,
        body,
        queue_arn,
        attributes,
    } = record;
    let sent_at = attributes
        .sent_timestamp
        .and_then(|text| Timestamp::from_millisecond(text.parse().ok()?).ok());
    let is_own = own.is_some_and(|own| queue_arn.is_some_and(|arn| own.is_named_by(&arn)));
    let inside = Context {
        is_own,
        ..context.sent(sent_at)
    };
    let sender = attributes.sender_id.as_deref().map(bounded);
    let contents = map_malformed(contents(&body, inside), |malformed| {
        malformed.in_text(&format!("{at}.body"))
    });
    Message {
        id: Some(message_id),
        contents: sent_by(sender.as_deref(), contents),
        sender,
    }
}

/// The id of a record that is otherwise unreadable, so that this record alone fails.
fn message_id(record: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Record {
        #[serde(deserialize_with = "json::text")]
        message_id: String,
    }
    Some(json::read::<Record>(record.get()).ok()?.message_id)
}

/// The sender of a record that is otherwise unreadable.
fn sender_id(record: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct Record {
        attributes: SqsAttributes,
    }
    let record = json::read::<Record>(record.get()).ok()?;
    record.attributes.sender_id.as_deref().map(bounded)
}
