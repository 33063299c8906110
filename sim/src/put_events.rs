//! The part of the EventBridge API, AWS JSON 1.1, that takes events of the account's own programs.
//! "Sending events with `PutEvents`", Amazon EventBridge User Guide.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::{ApiError, ApiResult};
use crate::input::parse;
use crate::shared::Shared;

const MOST_ENTRIES: usize = 10;

/// The most bytes of an entry, and of all entries of a call.
const MOST_BYTES: usize = 256 * 1024;

/// The bytes of a time, as EventBridge counts them.
const TIME_BYTES: usize = 14;

const DEFAULT_BUS: &str = "default";

/// An event that a program of the account put on a bus.
#[derive(Clone, Debug, PartialEq)]
pub struct PutEvent {
    /// The time at which the bus took it.
    pub time: Timestamp,
    /// The name of the bus. The answer to the caller is the same if there is no such bus.
    pub bus: String,
    /// Its sender, by its own word.
    pub source: String,
    /// Its kind.
    pub detail_type: String,
    /// Its content.
    pub detail: Value,
}

/// The events that were taken, oldest first.
#[derive(Debug, Default)]
pub(crate) struct PutEvents(Vec<PutEvent>);

impl PutEvents {
    pub(crate) fn taken(&self) -> &[PutEvent] {
        &self.0
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    entries: Vec<Entry>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Entry {
    event_bus_name: Option<String>,
    source: String,
    detail_type: String,
    detail: String,
    resources: Vec<String>,
    time: Option<f64>,
}

impl Entry {
    fn bytes(&self) -> usize {
        let resources = self.resources.iter().map(String::len).sum::<usize>();
        let time = self.time.map_or(0, |_| TIME_BYTES);
        self.source.len() + self.detail_type.len() + self.detail.len() + resources + time
    }

    /// The content; otherwise the code and the message of the error.
    fn check(&self) -> Result<Value, (&'static str, String)> {
        for (name, value) in [
            ("Source", &self.source),
            ("DetailType", &self.detail_type),
            ("Detail", &self.detail),
        ] {
            if value.is_empty() {
                let message = format!(
                    "Parameter {name} is not valid. Reason: {name} is a required argument."
                );
                return Err(("InvalidArgument", message));
            }
        }
        if self.source.starts_with("aws.") {
            let message = format!("Not authorized for the source: {}.", self.source);
            return Err(("NotAuthorizedForSourceException", message));
        }
        let detail = serde_json::from_str(&self.detail).ok();
        detail
            .filter(Value::is_object)
            .ok_or_else(|| ("MalformedDetail", "Detail is malformed.".to_owned()))
    }
}

pub(crate) fn perform(
    events: &mut PutEvents,
    shared: &mut Shared,
    operation: &str,
    input: Value,
) -> ApiResult {
    match operation {
        "PutEvents" => put(events, shared, parse(input)?),
        _ => Err(ApiError::unknown_operation()),
    }
}

fn put(events: &mut PutEvents, shared: &mut Shared, input: Input) -> ApiResult {
    let number = input.entries.len();
    if !(1..=MOST_ENTRIES).contains(&number) {
        return Err(validation(format!(
            "1 validation error detected: Value at 'entries' failed to satisfy constraint: Member \
             must have length less than or equal to {MOST_ENTRIES}, and greater than or equal to 1"
        )));
    }
    if input.entries.iter().map(Entry::bytes).sum::<usize>() > MOST_BYTES {
        let message = "Total size of the entries in the request is over the limit.";
        return Err(validation(message.to_owned()));
    }
    let results: Vec<_> = input
        .entries
        .into_iter()
        .map(|entry| match entry.check() {
            Ok(detail) => {
                let id = shared.clock.uuid();
                events.0.push(PutEvent {
                    time: shared.clock.now,
                    bus: bus_of(entry.event_bus_name),
                    source: entry.source,
                    detail_type: entry.detail_type,
                    detail,
                });
                json!({ "EventId": id })
            }
            Err((code, message)) => failed_entry(code, &message),
        })
        .collect();
    Ok(answer(&results))
}

/// The name of a bus that is named by its name or its ARN.
fn bus_of(name: Option<String>) -> String {
    let name = name.unwrap_or_else(|| DEFAULT_BUS.to_owned());
    match name.split_once(":event-bus/") {
        Some((_, name)) => name.to_owned(),
        None => name,
    }
}

fn validation(message: String) -> ApiError {
    ApiError::new("ValidationException", message)
}

fn failed_entry(code: &str, message: &str) -> Value {
    json!({ "ErrorCode": code, "ErrorMessage": message })
}

fn answer(results: &[Value]) -> Value {
    let failed = results
        .iter()
        .filter(|result| result.get("ErrorCode").is_some());
    json!({ "FailedEntryCount": failed.count(), "Entries": results })
}

/// The first of these buses.
pub(crate) fn target_of(input: &Value) -> String {
    let entry = input.get("Entries").and_then(|entries| entries.get(0));
    let name = entry.and_then(|entry| entry.get("EventBusName")?.as_str());
    bus_of(name.map(str::to_owned))
}

/// A call of which the bus takes all entries but the first ones: the input without them.
pub(crate) fn without_first(mut input: Value, failing: usize) -> Value {
    if let Some(entries) = input.get_mut("Entries").and_then(Value::as_array_mut) {
        entries.drain(..failing.min(entries.len()));
    }
    input
}

/// The answer to that call: the first entries failed for a fault of the bus.
pub(crate) fn with_failures(output: &Value, failing: usize) -> Value {
    let failed = || failed_entry("InternalFailure", "The bus could not take the event.");
    let taken = output.get("Entries").and_then(Value::as_array);
    let taken = taken.into_iter().flatten().cloned();
    let results: Vec<_> = std::iter::repeat_with(failed)
        .take(failing)
        .chain(taken)
        .collect();
    answer(&results)
}
