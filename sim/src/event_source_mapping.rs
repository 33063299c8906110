//! Lambda's event source mapping for SQS: pollers gather messages into batches and invoke the
//! function; messages that fail come back later.
//!
//! "Using Lambda with Amazon SQS", "Configuring scaling behavior" and "Handling errors for an SQS
//! event source" of the Lambda Developer Guide.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::job::{Job, Window};
use crate::lambda::{Function, InvocationResult};
use crate::shared::Shared;
use crate::sqs::{Message, Queues, api};

/// The connection from a queue to a function.
#[derive(Clone, Debug)]
pub struct EventSourceMapping {
    /// The queue's name.
    pub queue: String,
    /// The function's name.
    pub function_name: String,
    /// The function's time-out.
    pub timeout: Duration,
    /// The most messages that one invocation gets.
    pub batch_size: usize,
    /// `MaximumBatchingWindowInSeconds`: the time for which a poller gathers after its first
    /// message.
    pub window: Duration,
    /// The most invocations at once.
    pub maximum_concurrency: usize,
    /// The number of pollers. Each message goes to one of them by chance, so more than one poller
    /// splits a burst into several batches. AWS begins with five.
    pub pollers: usize,
    /// `ReportBatchItemFailures`.
    pub report_batch_item_failures: bool,
}

impl EventSourceMapping {
    /// A mapping with one poller, batches of 100 within 5 s, 120 s time-out, two invocations at
    /// once, and partial batch responses.
    #[must_use]
    pub fn new(queue: &str) -> Self {
        Self {
            queue: queue.to_owned(),
            function_name: "ecs-reloader".to_owned(),
            timeout: Duration::from_mins(2),
            batch_size: 100,
            window: Duration::from_secs(5),
            maximum_concurrency: 2,
            pollers: 1,
            report_batch_item_failures: true,
        }
    }
}

#[derive(Default)]
pub(crate) struct Mappings {
    mappings: Vec<Mapping>,
    /// Batches whose invocation the driver is to start.
    ready: Vec<Batch>,
}

struct Mapping {
    settings: EventSourceMapping,
    function: Arc<dyn Function>,
    pollers: Vec<Poller>,
    /// Invocations under way.
    running: usize,
    enabled: bool,
}

/// A poller, which gathers one batch at a time.
#[derive(Default)]
struct Poller {
    gathered: Vec<Message>,
    /// Distinguishes the window of this batch from those of earlier ones.
    batch: u64,
}

/// The messages of one invocation, and its other inputs.
pub(crate) struct Batch {
    mapping: usize,
    messages: Vec<Message>,
    pub(crate) request_id: String,
    pub(crate) payload: Bytes,
    pub(crate) timeout: Duration,
    pub(crate) function: Arc<dyn Function>,
    pub(crate) function_arn: String,
}

impl Mapping {
    /// Pollers that may take one more message: those that are gathering, and an idle one if the
    /// concurrency allows another invocation.
    fn open_pollers(&self) -> Vec<usize> {
        if !self.enabled {
            return Vec::new();
        }
        let gathering = self
            .pollers
            .iter()
            .filter(|poller| !poller.gathered.is_empty())
            .count();
        let may_open = self.running + gathering < self.settings.maximum_concurrency;
        let open = self
            .pollers
            .iter()
            .enumerate()
            .filter(|(_, poller)| !poller.gathered.is_empty() || may_open);
        open.map(|(position, _)| position).collect()
    }
}

impl Mappings {
    pub(crate) fn connect(&mut self, settings: EventSourceMapping, function: Arc<dyn Function>) {
        let pollers = (0..settings.pollers.max(1))
            .map(|_| Poller::default())
            .collect();
        self.mappings.push(Mapping {
            settings,
            function,
            pollers,
            running: 0,
            enabled: true,
        });
    }

    pub(crate) fn take_batches(&mut self) -> Vec<Batch> {
        std::mem::take(&mut self.ready)
    }
}

impl Mappings {
    /// `UpdateEventSourceMapping` with `Enabled`. While it is disabled, gathered messages are still
    /// handed over, and no others are received.
    pub(crate) fn enable(
        &mut self,
        queues: &mut Queues,
        shared: &mut Shared,
        queue: &str,
        enabled: bool,
    ) {
        let of_queue = self
            .mappings
            .iter_mut()
            .filter(|mapping| mapping.settings.queue == queue);
        of_queue.for_each(|mapping| mapping.enabled = enabled);
        self.poll(queues, shared, queue);
    }

    /// Lets the mappings of a queue take the messages that are visible in it.
    pub(crate) fn poll(&mut self, queues: &mut Queues, shared: &mut Shared, queue: &str) {
        for id in 0..self.mappings.len() {
            while self
                .mappings
                .get(id)
                .is_some_and(|mapping| mapping.settings.queue == queue)
                && self.gather_one(queues, shared, id)
            {}
        }
    }

    /// Hands one message to a poller of the mapping; returns `false` if there is no message or no
    /// poller for it.
    fn gather_one(&mut self, queues: &mut Queues, shared: &mut Shared, id: usize) -> bool {
        let Some(mapping) = self.mappings.get(id) else {
            return false;
        };
        let open = mapping.open_pollers();
        let position = match open.as_slice() {
            [] => return false,
            [only] => *only,
            several => shared
                .clock
                .random
                .choice(several)
                .copied()
                .unwrap_or_default(),
        };
        let Ok(Some(message)) = queues.receive(&mut shared.clock, &mapping.settings.queue, None)
        else {
            return false;
        };
        let Some(mapping) = self.mappings.get_mut(id) else {
            return false;
        };
        let Some(poller) = mapping.pollers.get_mut(position) else {
            return false;
        };
        poller.gathered.push(message);
        if poller.gathered.len() == 1 {
            poller.batch += 1;
            let window = Window {
                mapping: id,
                poller: position,
                batch: poller.batch,
            };
            shared
                .clock
                .after(mapping.settings.window, Job::WindowEnds(window));
        }
        if poller.gathered.len() >= mapping.settings.batch_size {
            self.invoke(shared, id, position);
        }
        true
    }

    pub(crate) fn window_ends(&mut self, shared: &mut Shared, window: Window) {
        let Window {
            mapping: id,
            poller: position,
            batch,
        } = window;
        let mapping = self.mappings.get(id);
        let poller = mapping.and_then(|mapping| mapping.pollers.get(position));
        if poller.is_some_and(|poller| poller.batch == batch && !poller.gathered.is_empty()) {
            self.invoke(shared, id, position);
        }
    }

    fn invoke(&mut self, shared: &mut Shared, id: usize, position: usize) {
        let Some(mapping) = self.mappings.get_mut(id) else {
            return;
        };
        let Some(poller) = mapping.pollers.get_mut(position) else {
            return;
        };
        let messages = std::mem::take(&mut poller.gathered);
        mapping.running += 1;

        let EventSourceMapping {
            queue,
            function_name,
            timeout,
            ..
        } = &mapping.settings;
        let queue_arn = shared.config.arn("sqs", queue);
        let records: Vec<_> = messages
            .iter()
            .map(|message| {
                record(
                    message,
                    &queue_arn,
                    &shared.config.account_id,
                    &shared.config.region,
                )
            })
            .collect();
        let batch = Batch {
            mapping: id,
            request_id: shared.clock.uuid(),
            payload: Bytes::from(json!({ "Records": records }).to_string()),
            timeout: *timeout,
            function: Arc::clone(&mapping.function),
            function_arn: shared
                .config
                .arn("lambda", &format!("function:{function_name}")),
            messages,
        };
        self.ready.push(batch);
    }

    /// Deletes the messages that the invocation has done; the others become visible again after
    /// their visibility time-out.
    pub(crate) fn finish(
        &mut self,
        queues: &mut Queues,
        shared: &mut Shared,
        batch: &Batch,
        result: &InvocationResult,
    ) {
        let Some(mapping) = self.mappings.get_mut(batch.mapping) else {
            return;
        };
        mapping.running -= 1;
        let queue = mapping.settings.queue.clone();
        let done = done(
            &batch.messages,
            result,
            mapping.settings.report_batch_item_failures,
        );
        for message in done {
            queues.delete(&queue, &message.receipt);
        }
        self.poll(queues, shared, &queue);
    }
}

/// The record of a message in the event that the function gets.
fn record(message: &Message, queue_arn: &str, account: &str, region: &str) -> Value {
    json!({
        "messageId": message.id,
        "receiptHandle": message.receipt,
        "body": message.body,
        "attributes": api::system_attributes(account, message),
        "messageAttributes": message_attributes(&message.attributes),
        "md5OfBody": api::md5_of(&message.body),
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": region,
    })
}

/// Lambda spells the members of message attributes in camel case.
fn message_attributes(sent: &Value) -> Value {
    let attributes = sent.as_object().into_iter().flatten();
    let spelt = attributes.map(|(name, attribute)| {
        let member = |key: &str| attribute.get(key).cloned().unwrap_or_default();
        let value = json!({
            "stringValue": member("StringValue"),
            "dataType": member("DataType"),
            "stringListValues": [],
            "binaryListValues": [],
        });
        (name.clone(), value)
    });
    Value::Object(spelt.collect())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BatchResponse {
    batch_item_failures: Option<Vec<BatchItemFailure>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BatchItemFailure {
    item_identifier: String,
}

/// The messages that are done. A response that cannot be understood, or that names a message
/// outside the batch, fails all of them.
fn done<'a>(messages: &'a [Message], result: &InvocationResult, partial: bool) -> Vec<&'a Message> {
    let response = match result {
        InvocationResult::Ok(response) => response,
        InvocationResult::FunctionError(_)
        | InvocationResult::TimedOut
        | InvocationResult::Crashed => return Vec::new(),
    };
    if !partial || response.is_empty() {
        return messages.iter().collect();
    }
    let Ok(response) = serde_json::from_slice::<Option<BatchResponse>>(response) else {
        return Vec::new();
    };
    let failures = response
        .and_then(|response| response.batch_item_failures)
        .unwrap_or_default();
    let known = |failure: &BatchItemFailure| {
        messages
            .iter()
            .any(|message| message.id == failure.item_identifier)
    };
    if !failures.iter().all(known) {
        return Vec::new();
    }
    messages
        .iter()
        .filter(|message| {
            failures
                .iter()
                .all(|failure| failure.item_identifier != message.id)
        })
        .collect()
}
