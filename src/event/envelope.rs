//! What events come wrapped in: SQS, SNS, SNS inside SQS, EventBridge, or nothing.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Content, Inbox, Message, appconfig, ignored, manual, s3, secrets, ssm, with_room};
use crate::domain::arn::{AccountRegion, Arn};
use crate::domain::change::known_source;
use crate::domain::queue::Queue;
use crate::domain::reason::IgnoredReason;
use crate::domain::text::bounded;
use crate::json::{self, Few, MOST_ENTRIES, Malformed};
use crate::queue;

const ANY_EVENT: &str = "an event of Amazon EventBridge, a notification of Amazon S3, either of \
                         them inside Amazon SNS or SQS, or {\"reload\": {…}} or {\"sweep\": {…}}";
const TOO_DEEP: &str = "nothing deeper than SNS inside SQS";
const NOT_OWN: &str =
    "deferred work in a message of the function's own queue alone, RELOADER_QUEUE_URL";
const FEW_RECORDS: &str = "at most 1000 records";

/// Most records of an event of Lambda: "Configuring scaling behavior for SQS event source
/// mappings", AWS Lambda Developer Guide.
const MOST_RECORDS: usize = 10_000;

/// Just enough of a payload to tell what it is.
#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Probe<'a> {
    #[serde(default, deserialize_with = "json::maybe_text")]
    source: Option<String>,
    #[serde(rename = "detail-type", default, deserialize_with = "json::maybe_text")]
    detail_type: Option<String>,
    #[serde(borrow, rename = "Records")]
    records: Option<Few<Vec<&'a RawValue>, MOST_RECORDS>>,
    #[serde(rename = "Type", default, deserialize_with = "json::maybe_text")]
    sns_type: Option<String>,
    #[serde(rename = "Event", default, deserialize_with = "json::maybe_text")]
    s3_event: Option<String>,
    #[serde(borrow)]
    reload: Option<&'a RawValue>,
    #[serde(borrow)]
    sweep: Option<&'a RawValue>,
    #[serde(borrow)]
    deferred: Option<&'a RawValue>,
}

/// Just enough of a record to tell whose it is. SNS alone writes `EventSource`.
#[derive(Deserialize)]
#[serde(expecting = "a record")]
struct RecordProbe {
    #[serde(
        rename = "eventSource",
        alias = "EventSource",
        deserialize_with = "json::text"
    )]
    source: String,
}

/// "Using Lambda with Amazon SQS", AWS Lambda Developer Guide.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an SQS record")]
struct SqsRecord {
    #[serde(deserialize_with = "json::text")]
    message_id: String,
    body: String,
    #[serde(
        rename = "eventSourceARN",
        default,
        deserialize_with = "json::maybe_text"
    )]
    queue_arn: Option<String>,
    #[serde(default, deserialize_with = "json::or_default")]
    attributes: SqsAttributes,
}

#[derive(Default, Deserialize)]
#[serde(
    rename_all = "PascalCase",
    expecting = "the attributes of an SQS record"
)]
struct SqsAttributes {
    /// Milliseconds since 1970, as text.
    #[serde(default, deserialize_with = "json::maybe_text")]
    sent_timestamp: Option<String>,
    sender_id: Option<String>,
}

/// "Invoking Lambda functions with Amazon SNS notifications", AWS Lambda Developer Guide.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", expecting = "an SNS record")]
struct SnsRecord {
    sns: SnsMessage,
}

/// The same object is the body of a message that SNS puts into a queue.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", expecting = "an SNS notification")]
struct SnsMessage {
    message: String,
    #[serde(default, deserialize_with = "json::maybe_time")]
    timestamp: Option<Timestamp>,
}

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

    /// The account and Region that it is from; the first ARN alone tells the partition.
    pub(super) fn place(&self) -> AccountRegion {
        let place = AccountRegion::of_region(&self.account, &self.region);
        match self.resources.first().and_then(|arn| Arn::parse(arn)) {
            Some(arn) => AccountRegion {
                partition: arn.partition.to_owned(),
                ..place
            },
            None => place,
        }
    }
}

/// How deep we are: SQS may hold SNS, and neither may hold SQS.
#[derive(Clone, Copy)]
struct Depth {
    sns_may_follow: bool,
    /// Whether it stands directly in a message of the function's own queue.
    is_own: bool,
    /// When the message was sent: the clock that the times in it are held against, the same each
    /// time that the message is delivered.
    sent_at: Timestamp,
}

impl Depth {
    /// The same, of a message that was sent then: not later than what it came in.
    fn sent(self, at: Option<Timestamp>) -> Self {
        Self {
            sent_at: at.map_or(self.sent_at, |at| at.min(self.sent_at)),
            ..self
        }
    }
}

pub(super) fn open(payload: &str, now: Timestamp, own: Option<&Queue>) -> Inbox {
    let depth = Depth {
        sns_may_follow: true,
        is_own: false,
        sent_at: now,
    };
    match probe(payload) {
        Ok(Probe {
            records: Some(Few(records)),
            ..
        }) if records.iter().any(|record| is_queued(record)) => {
            let messages = records
                .iter()
                .enumerate()
                .map(|(place, record)| open_queued(record, place, depth, own));
            Inbox {
                from_queue: true,
                messages: with_room(messages),
            }
        }
        probed => {
            let told = probed.map_or_else(
                |malformed| vec![Content::Malformed(malformed)],
                |probe| describe_services(payload, probe, depth),
            );
            Inbox {
                from_queue: false,
                messages: vec![Message {
                    id: None,
                    sender: None,
                    contents: named_by(payload, told),
                }],
            }
        }
    }
}

fn probe(payload: &str) -> Result<Probe<'_>, Malformed> {
    if payload.trim_start().starts_with('{') {
        json::read(payload)
    } else {
        Err(Malformed::at("", ANY_EVENT))
    }
}

fn is_queued(record: &RawValue) -> bool {
    json::read::<RecordProbe>(record.get()).is_ok_and(|record| record.source == "aws:sqs")
}

fn open_queued(record: &RawValue, place: usize, depth: Depth, own: Option<&Queue>) -> Message {
    let at = format!("Records[{place}]");
    match json::read::<SqsRecord>(record.get()) {
        Ok(SqsRecord {
            message_id,
            body,
            queue_arn,
            attributes,
        }) => {
            let sent_at = attributes
                .sent_timestamp
                .and_then(|text| Timestamp::from_millisecond(text.parse().ok()?).ok());
            let is_own = own.is_some_and(|own| queue_arn.is_some_and(|arn| own.is_named_by(&arn)));
            let inside = Depth {
                is_own,
                ..depth.sent(sent_at)
            };
            let told = mend(look(&body, inside), |malformed| {
                malformed.in_text(&format!("{at}.body"))
            });
            let sender = attributes.sender_id.as_deref().map(bounded);
            Message {
                id: Some(message_id),
                contents: sent_by(sender.as_deref(), told),
                sender,
            }
        }
        Err(malformed) => Message {
            id: message_id(record),
            sender: sender_id(record),
            contents: vec![Content::Malformed(malformed.in_field(&at))],
        },
    }
}

/// The id alone of a record that is otherwise unreadable, so that it fails alone.
fn message_id(record: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Id {
        #[serde(deserialize_with = "json::text")]
        message_id: String,
    }
    Some(json::read::<Id>(record.get()).ok()?.message_id)
}

/// The same of its sender.
fn sender_id(record: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct Record {
        attributes: SqsAttributes,
    }
    json::read::<Record>(record.get())
        .ok()?
        .attributes
        .sender_id
        .as_deref()
        .map(bounded)
}

/// Lets changes say who told of them.
fn from_source(source: &str, mut told: Vec<Content>) -> Vec<Content> {
    for one in &mut told {
        if let Content::Changed(change) = one {
            change.source = known_source(source);
        }
    }
    told
}

/// Lets a request say who sent it.
fn sent_by(sender: Option<&str>, mut told: Vec<Content>) -> Vec<Content> {
    for one in &mut told {
        if let Content::Request(manual) = one {
            manual.request.sender = sender.map(str::to_owned);
        }
    }
    told
}

/// Lets what is malformed say what the event, notification or record is found by that `text` is.
fn named_by(text: &str, told: Vec<Content>) -> Vec<Content> {
    mend(told, |malformed| malformed.named_by(text))
}

/// Lets what is malformed say where it stands in what it came in.
fn mend(told: Vec<Content>, seen_from: impl Fn(Malformed) -> Malformed) -> Vec<Content> {
    let mend = |told| {
        if let Content::Malformed(malformed) = told {
            Content::Malformed(seen_from(malformed))
        } else {
            told
        }
    };
    told.into_iter().map(mend).collect()
}

fn look(payload: &str, depth: Depth) -> Vec<Content> {
    let told = probe(payload).map_or_else(
        |malformed| vec![Content::Malformed(malformed)],
        |probe| describe_services(payload, probe, depth),
    );
    named_by(payload, told)
}

fn describe_services(payload: &str, probe: Probe<'_>, depth: Depth) -> Vec<Content> {
    if let Some(Few(records)) = probe.records {
        look_at_records(&records, depth)
    } else if let Some(source) = probe.source {
        let told = look_at_event(
            payload,
            &source,
            probe.detail_type.as_deref(),
            depth.sent_at,
        );
        from_source(
            &source,
            told.unwrap_or_else(|malformed| vec![Content::Malformed(malformed)]),
        )
    } else if probe.sns_type.as_deref() == Some("Notification") {
        json::read::<SnsMessage>(payload).map_or_else(
            |malformed| vec![Content::Malformed(malformed)],
            |message| look_into_sns(&message, "Message", depth),
        )
    } else if probe.s3_event.as_deref() == Some("s3:TestEvent") {
        vec![ignored("aws:s3 s3:TestEvent", IgnoredReason::TestEvent)]
    } else if let Some(reload) = probe.reload {
        vec![manual::decode(reload, depth.sent_at).map_or_else(
            |malformed| Content::Malformed(malformed.in_field("reload")),
            Content::Request,
        )]
    } else if let Some(sweep) = probe.sweep {
        vec![manual::decode_sweep(sweep).map_or_else(
            |malformed| Content::Malformed(malformed.in_field("sweep")),
            Content::Sweep,
        )]
    } else if let Some(deferred) = probe.deferred {
        let work = if depth.is_own {
            queue::decode(deferred, depth.sent_at)
        } else {
            Err(Malformed::at("", NOT_OWN))
        };
        vec![work.map_or_else(
            |malformed| Content::Malformed(malformed.in_field("deferred")),
            |deferred| Content::DeferredWork(Box::new(deferred)),
        )]
    } else {
        vec![Content::Malformed(Malformed::at("", ANY_EVENT))]
    }
}

fn look_at_records(records: &[&RawValue], depth: Depth) -> Vec<Content> {
    if records.is_empty() {
        return vec![ignored("Records", IgnoredReason::NoRecords)];
    }
    if records.len() > MOST_ENTRIES {
        return vec![Content::Malformed(Malformed::at("Records", FEW_RECORDS))];
    }
    let mut all = Vec::new();
    let mut is_malformed = false;
    for (place, record) in records.iter().enumerate() {
        let told = match json::read::<RecordProbe>(record.get()) {
            Ok(RecordProbe { source }) => look_at_record(&source, record, depth),
            Err(malformed) => vec![Content::Malformed(malformed)],
        };
        for one in mend(told, |malformed| {
            malformed
                .named_by(record.get())
                .in_field(&format!("Records[{place}]"))
        }) {
            // They fail together: the first thing that is wrong says enough of a message that may
            // hold thousands.
            if !matches!(one, Content::Malformed(_)) || !std::mem::replace(&mut is_malformed, true)
            {
                all.push(one);
            }
        }
    }
    all
}

fn look_at_record(source: &str, record: &RawValue, depth: Depth) -> Vec<Content> {
    match source {
        "aws:s3" => from_source(
            source,
            vec![s3::decode_notification(record, depth.sent_at).unwrap_or_else(Content::Malformed)],
        ),
        "aws:sns" if depth.sns_may_follow => match json::read::<SnsRecord>(record.get()) {
            Ok(record) => look_into_sns(&record.sns, "Sns.Message", depth),
            Err(malformed) => vec![Content::Malformed(malformed)],
        },
        "aws:sns" | "aws:sqs" => vec![Content::Malformed(Malformed::at("", TOO_DEEP))],
        other => vec![ignored(other, IgnoredReason::UnknownSource)],
    }
}

fn look_into_sns(message: &SnsMessage, at: &str, depth: Depth) -> Vec<Content> {
    if !depth.sns_may_follow {
        return vec![Content::Malformed(Malformed::at("", TOO_DEEP))];
    }
    let inside = Depth {
        sns_may_follow: false,
        is_own: false,
        ..depth.sent(message.timestamp)
    };
    mend(look(&message.message, inside), |malformed| {
        malformed.in_text(at)
    })
}

fn look_at_event(
    payload: &str,
    source: &str,
    detail_type: Option<&str>,
    sent_at: Timestamp,
) -> Result<Vec<Content>, Malformed> {
    let name = || {
        detail_type.map_or_else(
            || source.to_owned(),
            |detail_type| format!("{source} {detail_type}"),
        )
    };
    match source {
        "aws.ssm" => Ok(vec![ssm::decode(&json::read(payload)?, sent_at)?]),
        "aws.s3" => Ok(vec![s3::decode_event(&json::read(payload)?, sent_at)?]),
        "aws.secretsmanager" => secrets::decode(&json::read(payload)?, sent_at),
        "aws.appconfig" => Ok(vec![appconfig::decode(&json::read(payload)?, sent_at)?]),
        "aws.ecs" | "aws.codedeploy" => Ok(vec![ignored(name(), IgnoredReason::NotSupportedYet)]),
        _ => Ok(vec![ignored(name(), IgnoredReason::UnknownSource)]),
    }
}
