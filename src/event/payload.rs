//! The contents of one payload: an event, a notification, records, a message of SNS, a request, a
//! sweep or deferred work.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::content::{Content, from_source, ignored, map_malformed, or_malformed};
use super::eventbridge::EventBridge;
use super::{appconfig, manual, s3, secrets, ssm};
use crate::domain::reason::IgnoredReason;
use crate::json::{self, Few, MOST_ENTRIES, Malformed};
use crate::queue;

const ANY_EVENT: &str = "an event of Amazon EventBridge, a notification of Amazon S3, either of \
                         them inside Amazon SNS or SQS, or {\"reload\": {…}} or {\"sweep\": {…}}";
const TOO_DEEP: &str = "nothing deeper than SNS inside SQS";
const NOT_OWN: &str =
    "deferred work in a message of the function's own queue alone, RELOADER_QUEUE_URL";
const FEW_RECORDS: &str = "at most 1000 records";

/// Most records of one invocation: "Configuring scaling behavior for SQS event source
/// mappings", AWS Lambda Developer Guide.
pub(super) const MOST_RECORDS: usize = 10_000;

/// The fields of a payload, read in one scan. Some of them show its kind. Those that only an event
/// has may be anything until the kind is known.
#[derive(Deserialize)]
#[serde(expecting = "an object")]
pub(super) struct Probe<'a> {
    #[serde(borrow, default, deserialize_with = "json::maybe_text")]
    source: Option<Cow<'a, str>>,
    #[serde(rename = "detail-type")]
    #[serde(borrow, default, deserialize_with = "json::maybe_text")]
    detail_type: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "Records")]
    pub(super) records: Option<Few<Vec<&'a RawValue>, MOST_RECORDS>>,
    #[serde(rename = "Type")]
    #[serde(borrow, default, deserialize_with = "json::maybe_text")]
    sns_type: Option<Cow<'a, str>>,
    #[serde(rename = "Event")]
    #[serde(borrow, default, deserialize_with = "json::maybe_text")]
    s3_event: Option<Cow<'a, str>>,
    #[serde(borrow)]
    reload: Option<&'a RawValue>,
    #[serde(borrow)]
    sweep: Option<&'a RawValue>,
    #[serde(borrow)]
    deferred: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    account: Option<&'a RawValue>,
    #[serde(borrow)]
    region: Option<&'a RawValue>,
    #[serde(borrow)]
    time: Option<&'a RawValue>,
    #[serde(borrow)]
    resources: Option<&'a RawValue>,
    #[serde(borrow)]
    detail: Option<&'a RawValue>,
}

impl<'a> Probe<'a> {
    /// The event of Amazon EventBridge that has these fields, if each of them is there and plain.
    fn event(&self) -> Option<EventBridge<'a>> {
        let text = |value: Option<&'a RawValue>| Some(Cow::from(json::plain_text(value?)?));
        Some(EventBridge {
            id: text(self.id)?,
            detail_type: self.detail_type.clone()?,
            source: self.source.clone()?,
            account: text(self.account)?,
            region: text(self.region)?,
            time: json::time(self.time?).ok()?,
            resources: json::texts(self.resources?).ok()?,
            detail: self.detail?,
        })
    }
}

/// The field that shows the kind of a record. SNS alone writes `EventSource`.
#[derive(Deserialize)]
#[serde(expecting = "a record")]
pub(super) struct RecordProbe {
    #[serde(rename = "eventSource", alias = "EventSource")]
    #[serde(deserialize_with = "json::text")]
    pub(super) source: String,
}

/// "Invoking Lambda functions with Amazon SNS notifications", AWS Lambda Developer Guide.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", expecting = "an SNS record")]
struct SnsRecord {
    sns: SnsMessage,
}

/// SNS puts the same object into a queue, as the body of a message.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", expecting = "an SNS notification")]
struct SnsMessage {
    message: String,
    #[serde(default, deserialize_with = "json::maybe_time")]
    timestamp: Option<Timestamp>,
}

/// The place and time of a payload. A message of SQS may hold one of SNS; neither may hold one of
/// SQS.
#[derive(Clone, Copy)]
pub(super) struct Context {
    pub(super) may_hold_sns: bool,
    /// True if the payload stands directly in a message of the function's own queue.
    pub(super) is_own: bool,
    /// The time at which the message was sent. Times in the payload are compared with it, so that
    /// they mean the same at each delivery of the message.
    pub(super) sent_at: Timestamp,
}

impl Context {
    /// The context of a message inside this one, sent at that time, but at the latest when this one
    /// was sent.
    pub(super) fn sent(self, at: Option<Timestamp>) -> Self {
        Self {
            sent_at: at.map_or(self.sent_at, |at| at.min(self.sent_at)),
            ..self
        }
    }
}

pub(super) fn probe(payload: &str) -> Result<Probe<'_>, Malformed> {
    if payload.trim_start().starts_with('{') {
        json::read(payload)
    } else {
        Err(Malformed::at("", ANY_EVENT))
    }
}

/// Reads the contents of a payload.
pub(super) fn contents(payload: &str, context: Context) -> Vec<Content> {
    contents_of(payload, probe(payload), context)
}

/// Reads the contents of a payload that was probed.
pub(super) fn contents_of(
    payload: &str,
    probe: Result<Probe<'_>, Malformed>,
    context: Context,
) -> Vec<Content> {
    let contents = probe.and_then(|probe| read(payload, &probe, context));
    map_malformed(or_malformed(contents), |malformed| {
        malformed.named_by(payload)
    })
}

fn read(payload: &str, probe: &Probe<'_>, context: Context) -> Result<Vec<Content>, Malformed> {
    if let Some(Few(records)) = &probe.records {
        of_records(records, context)
    } else if let Some(source) = &probe.source {
        let contents = of_event(payload, probe, source, context.sent_at)?;
        Ok(from_source(source, contents))
    } else if probe.sns_type.as_deref() == Some("Notification") {
        of_sns(&json::read(payload)?, "Message", context)
    } else if probe.s3_event.as_deref() == Some("s3:TestEvent") {
        let event = ignored("aws:s3 s3:TestEvent", IgnoredReason::TestEvent);
        Ok(vec![event])
    } else if let Some(reload) = probe.reload {
        let manual = manual::decode(reload, context.sent_at);
        let manual = manual.map_err(|malformed| malformed.in_field("reload"))?;
        Ok(vec![Content::Request(manual)])
    } else if let Some(sweep) = probe.sweep {
        let sweep = manual::decode_sweep(sweep);
        let sweep = sweep.map_err(|malformed| malformed.in_field("sweep"))?;
        Ok(vec![Content::Sweep(sweep)])
    } else if let Some(deferred) = probe.deferred {
        let deferred = of_deferred(deferred, context);
        Ok(vec![
            deferred.map_err(|malformed| malformed.in_field("deferred"))?,
        ])
    } else {
        Err(Malformed::at("", ANY_EVENT))
    }
}

fn of_deferred(deferred: &RawValue, context: Context) -> Result<Content, Malformed> {
    if !context.is_own {
        return Err(Malformed::at("", NOT_OWN));
    }
    let deferred = queue::decode(deferred, context.sent_at)?;
    Ok(Content::DeferredWork(Box::new(deferred)))
}

fn of_records(records: &[&RawValue], context: Context) -> Result<Vec<Content>, Malformed> {
    if records.is_empty() {
        return Ok(vec![ignored("Records", IgnoredReason::NoRecords)]);
    }
    if records.len() > MOST_ENTRIES {
        return Err(Malformed::at("Records", FEW_RECORDS));
    }
    let mut all = Vec::new();
    let mut has_malformed = false;
    for (index, record) in records.iter().enumerate() {
        let contents = map_malformed(or_malformed(of_record(record, context)), |malformed| {
            malformed
                .named_by(record.get())
                .in_field(&format!("Records[{index}]"))
        });
        // Records fail together, and a message may hold thousands: the first mistake is enough.
        for content in contents {
            let is_malformed = matches!(content, Content::Malformed(_));
            if !(is_malformed && has_malformed) {
                all.push(content);
            }
            has_malformed |= is_malformed;
        }
    }
    Ok(all)
}

fn of_record(record: &RawValue, context: Context) -> Result<Vec<Content>, Malformed> {
    let RecordProbe { source } = json::read(record.get())?;
    match source.as_str() {
        "aws:s3" => {
            let change = s3::decode_notification(record, context.sent_at)?;
            Ok(from_source(&source, vec![change]))
        }
        "aws:sns" if context.may_hold_sns => {
            let record: SnsRecord = json::read(record.get())?;
            of_sns(&record.sns, "Sns.Message", context)
        }
        "aws:sns" | "aws:sqs" => Err(Malformed::at("", TOO_DEEP)),
        other => Ok(vec![ignored(other, IgnoredReason::UnknownSource)]),
    }
}

/// Reads the message of SNS in the field `at`.
fn of_sns(message: &SnsMessage, at: &str, context: Context) -> Result<Vec<Content>, Malformed> {
    if !context.may_hold_sns {
        return Err(Malformed::at("", TOO_DEEP));
    }
    let inside = Context {
        may_hold_sns: false,
        is_own: false,
        ..context.sent(message.timestamp)
    };
    let contents = contents(&message.message, inside);
    Ok(map_malformed(contents, |malformed| malformed.in_text(at)))
}

fn of_event(
    payload: &str,
    probe: &Probe<'_>,
    source: &str,
    sent_at: Timestamp,
) -> Result<Vec<Content>, Malformed> {
    // Only an event of another form is read a second time. So is a bad one, for the place of the
    // mistake.
    let event = || probe.event().map_or_else(|| json::read(payload), Ok);
    let ignored_for = |reason| {
        let name = match &probe.detail_type {
            Some(detail_type) => format!("{source} {detail_type}"),
            None => source.to_owned(),
        };
        Ok(vec![ignored(name, reason)])
    };
    match source {
        "aws.ssm" => Ok(vec![ssm::decode(&event()?, sent_at)?]),
        "aws.s3" => Ok(vec![s3::decode_event(&event()?, sent_at)?]),
        "aws.secretsmanager" => secrets::decode(&event()?, sent_at),
        "aws.appconfig" => Ok(vec![appconfig::decode(&event()?, sent_at)?]),
        "aws.ecs" | "aws.codedeploy" => ignored_for(IgnoredReason::NotSupportedYet),
        _ => ignored_for(IgnoredReason::UnknownSource),
    }
}
