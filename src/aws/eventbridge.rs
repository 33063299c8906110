//! Amazon EventBridge: takes notices.

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::primitives::DateTime;
use aws_sdk_eventbridge::types::{PutEventsRequestEntry, PutEventsResultEntry};
use aws_types::SdkConfig;
use jiff::Timestamp;
use tokio::time::Instant;

use super::call::Call;
use super::config::{client, few_retries};
use super::error::Error;
use crate::domain::text::bounded;

/// The most events of one call: [`PutEvents`][api].
///
/// [api]: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
const MOST_EVENTS: usize = 10;

/// The most bytes of the events of one call: well below the limit of 256 KB.
const MOST_BYTES: usize = 200_000;

/// Amazon EventBridge.
#[derive(Debug)]
pub struct EventBridge {
    client: Client,
}

/// An event of our own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnEvent {
    /// Its sender.
    pub source: &'static str,
    /// Its kind.
    pub detail_type: &'static str,
    /// Its content, as JSON.
    pub detail: String,
    /// Its time.
    pub at: Timestamp,
}

impl EventBridge {
    pub(super) fn new(config: &SdkConfig) -> Self {
        Self {
            client: client!(aws_sdk_eventbridge, config, few_retries()),
        }
    }

    /// Sends events to a bus, named by its name or its ARN, and says of each whether the bus took
    /// it. After a call that failed as a whole no further call is made: its error is that of all
    /// events that are left. Calls: one for ten events, and for 200 kB of them.
    pub async fn put(&self, bus: &str, events: &[OwnEvent], by: Instant) -> Vec<Result<(), Error>> {
        let call = Call::of("PutEvents", bus);
        let mut results = Vec::new();
        for some in in_calls(events) {
            let entries = some.iter().map(|event| entry(bus, event));
            let request = self
                .client
                .put_events()
                .set_entries(Some(entries.collect()));
            let answer = match call.send(by, request.send()).await {
                Ok(answer) => answer,
                Err(error) => {
                    let left = events.len().saturating_sub(results.len());
                    results.extend(std::iter::repeat_n(Err(error), left));
                    return results;
                }
            };
            let taken = answer.entries().iter().map(|entry| result(call, entry));
            // An entry without an answer counts as not sent: a notice may come twice.
            let missing = std::iter::repeat_with(|| Err(call.incomplete("a result")));
            results.extend(taken.chain(missing).take(some.len()));
        }
        results
    }
}

/// The events of each call.
fn in_calls(events: &[OwnEvent]) -> Vec<&[OwnEvent]> {
    let mut calls = Vec::new();
    let mut rest = events;
    while !rest.is_empty() {
        let mut bytes = 0;
        let fit = rest.iter().take(MOST_EVENTS).take_while(|event| {
            bytes += event.source.len() + event.detail_type.len() + event.detail.len();
            bytes <= MOST_BYTES
        });
        // An event that is too long goes alone: the bus refuses it, and no other.
        let (some, more) = rest.split_at(fit.count().max(1));
        calls.push(some);
        rest = more;
    }
    calls
}

fn entry(bus: &str, event: &OwnEvent) -> PutEventsRequestEntry {
    PutEventsRequestEntry::builder()
        .event_bus_name(bus)
        .source(event.source)
        .detail_type(event.detail_type)
        .detail(&event.detail)
        .time(DateTime::from_secs(event.at.as_second()))
        .build()
}

fn result(call: Call<'_>, entry: &PutEventsResultEntry) -> Result<(), Error> {
    let Some(code) = entry.error_code() else {
        return Ok(());
    };
    let message = entry.error_message().unwrap_or_default();
    Err(call.refused(code, &bounded(message)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(bytes: usize) -> OwnEvent {
        OwnEvent {
            source: "s",
            detail_type: "d",
            detail: "x".repeat(bytes),
            at: Timestamp::UNIX_EPOCH,
        }
    }

    fn sizes(bytes: &[usize]) -> Vec<usize> {
        let events: Vec<_> = bytes.iter().map(|bytes| event(*bytes)).collect();
        in_calls(&events).iter().map(|some| some.len()).collect()
    }

    #[test]
    fn ten_events_are_one_call_and_long_ones_are_fewer() {
        assert_eq!(sizes(&[]), [0; 0]);
        assert_eq!(sizes(&[10; 21]), [10, 10, 1]);
        assert_eq!(sizes(&[90_000; 5]), [2, 2, 1]);
        assert_eq!(sizes(&[10, 300_000, 10]), [1, 1, 1]);
    }
}
