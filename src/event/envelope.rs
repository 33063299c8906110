//! Reads the records of a queue as messages. Any other payload is one message.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::content::{Content, map_malformed, sent_by};
use super::inbox::{Inbox, Message, within_room};
use super::payload::{Context, MOST_RECORDS, Probe, RecordProbe, contents, contents_of, probe};
use crate::domain::queue::Queue;
use crate::domain::text::bounded;
use crate::json::{self, Few};

/// "Using Lambda with Amazon SQS", AWS Lambda Developer Guide.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an SQS record")]
struct SqsRecord<'a> {
    #[serde(deserialize_with = "json::text")]
    message_id: String,
    #[serde(borrow)]
    body: Cow<'a, str>,
    /// Anything: the source of one record is enough.
    #[serde(borrow)]
    event_source: Option<&'a RawValue>,
    #[serde(rename = "eventSourceARN")]
    #[serde(borrow, default, deserialize_with = "json::maybe_text")]
    queue_arn: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "json::or_default")]
    attributes: SqsAttributes<'a>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[serde(expecting = "the attributes of an SQS record")]
struct SqsAttributes<'a> {
    /// Milliseconds since 1970, as text.
    #[serde(borrow, default, deserialize_with = "json::maybe_text")]
    sent_timestamp: Option<Cow<'a, str>>,
    #[serde(borrow)]
    sender_id: Option<Cow<'a, str>>,
}

/// The payload that Lambda makes of the messages that it polls: good records, and nothing else.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Polled<'a> {
    #[serde(borrow)]
    records: Few<Vec<SqsRecord<'a>>, MOST_RECORDS>,
}

/// The source of a message that was polled from a queue.
const SQS: &str = "aws:sqs";

pub(super) fn open(payload: &str, now: Timestamp, own: Option<&Queue>) -> Inbox {
    let context = Context {
        may_hold_sns: true,
        is_own: false,
        sent_at: now,
    };
    if let Some(records) = polled(payload) {
        let records = records.into_iter().enumerate();
        let messages = records.map(|(index, record)| read_message(record, index, context, own));
        return Inbox {
            from_queue: true,
            messages: within_room(messages),
        };
    }
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

/// The records of SQS, if all are good. They are read in one scan; each record of any other payload
/// is read by itself.
fn polled(payload: &str) -> Option<Vec<SqsRecord<'_>>> {
    let first = payload.trim_start().strip_prefix('{')?.trim_start();
    first.strip_prefix("\"Records\"")?;
    let Polled {
        records: Few(records),
    } = json::maybe(payload)?;
    let is_queued = |record: &SqsRecord<'_>| {
        let source = record.event_source.and_then(json::plain_text);
        source == Some(SQS)
    };
    (!records.is_empty() && records.iter().all(is_queued)).then_some(records)
}

fn is_queued(record: &RawValue) -> bool {
    json::read::<RecordProbe>(record.get()).is_ok_and(|record| record.source == SQS)
}

fn message(record: &RawValue, index: usize, context: Context, own: Option<&Queue>) -> Message {
    match json::read::<SqsRecord>(record.get()) {
        Ok(record) => read_message(record, index, context, own),
        Err(malformed) => Message {
            id: message_id(record),
            sender: sender_id(record),
            contents: vec![Content::Malformed(malformed.in_field(&place(index)))],
        },
    }
}

fn place(index: usize) -> String {
    format!("Records[{index}]")
}

fn read_message(
    record: SqsRecord<'_>,
    index: usize,
    context: Context,
    own: Option<&Queue>,
) -> Message {
    let SqsRecord {
        message_id,
        body,
        event_source: _,
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
        malformed.in_text(&format!("{}.body", place(index)))
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
    struct Record<'a> {
        #[serde(borrow)]
        attributes: SqsAttributes<'a>,
    }
    let record = json::read::<Record>(record.get()).ok()?;
    record.attributes.sender_id.as_deref().map(bounded)
}
