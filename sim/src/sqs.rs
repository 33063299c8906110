//! SQS standard queues: a received message is hidden for a while, comes back, and ends in a
//! dead-letter queue.

pub(crate) mod api;
mod attributes;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::clockwork::Clockwork;
use crate::error::{ApiError, ApiResult};
use crate::job::Job;

#[derive(Debug, Default)]
pub(crate) struct Queues {
    /// By name.
    queues: BTreeMap<String, Queue>,
    sent: u64,
}

#[derive(Debug)]
struct Queue {
    visibility_timeout: Duration,
    delay: Duration,
    /// A message becomes visible after this time, even if its delay is longer.
    longest_delay: Duration,
    redrive: Option<Redrive>,
    /// In the order in which they were sent.
    messages: BTreeMap<u64, Message>,
}

/// The queue for messages that were received `most_receives` times and never deleted.
#[derive(Clone, Debug)]
pub(crate) struct Redrive {
    pub(crate) dead_letters: String,
    pub(crate) most_receives: u32,
}

#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) body: String,
    pub(crate) attributes: Value,
    pub(crate) sent_at: Timestamp,
    pub(crate) first_received_at: Option<Timestamp>,
    pub(crate) receives: u32,
    /// The handle of the newest receive; earlier handles have no effect.
    pub(crate) receipt: String,
    visible_at: Timestamp,
}

impl Queue {
    fn new() -> Self {
        Self {
            visibility_timeout: Duration::from_secs(30),
            delay: Duration::ZERO,
            longest_delay: Duration::MAX,
            redrive: None,
            messages: BTreeMap::new(),
        }
    }
}

impl Queues {
    fn queue(&self, name: &str) -> ApiResult<&Queue> {
        self.queues.get(name).ok_or_else(no_queue)
    }

    fn queue_mut(&mut self, name: &str) -> ApiResult<&mut Queue> {
        self.queues.get_mut(name).ok_or_else(no_queue)
    }

    pub(crate) fn create(
        &mut self,
        name: &str,
        visibility_timeout: Duration,
        redrive: Option<Redrive>,
    ) {
        let queue = self
            .queues
            .entry(name.to_owned())
            .or_insert_with(Queue::new);
        queue.visibility_timeout = visibility_timeout;
        queue.redrive = redrive;
    }

    /// The bodies of all messages in a queue, visible or not, oldest first.
    pub(crate) fn bodies(&self, name: &str) -> Vec<String> {
        let messages = self.queues.get(name).map(|queue| queue.messages.values());
        messages
            .into_iter()
            .flatten()
            .map(|message| message.body.clone())
            .collect()
    }

    pub(crate) fn delete(&mut self, name: &str, receipt: &str) {
        if let Some(queue) = self.queues.get_mut(name) {
            queue
                .messages
                .retain(|_, message| message.receipt != receipt);
        }
    }

    fn put(&mut self, name: &str, message: Message) {
        self.sent += 1;
        let number = self.sent;
        if let Some(queue) = self.queues.get_mut(name) {
            queue.messages.insert(number, message);
        }
    }
}

impl Queues {
    /// Limits the delays of a queue's messages.
    pub(crate) fn hasten(&mut self, name: &str, longest_delay: Duration) {
        if let Some(queue) = self.queues.get_mut(name) {
            queue.longest_delay = longest_delay;
        }
    }

    /// A message from an AWS service. If the queue does not exist it is lost, as with AWS.
    pub(crate) fn deliver(&mut self, clock: &mut Clockwork, queue: &str, body: String) {
        // The error says only that there is no such queue.
        let _ = self.send(clock, queue, body, Value::Null, None);
    }

    pub(crate) fn send(
        &mut self,
        clock: &mut Clockwork,
        queue: &str,
        body: String,
        attributes: Value,
        delay: Option<Duration>,
    ) -> ApiResult<String> {
        let known = self.queue(queue)?;
        let delay = delay.unwrap_or(known.delay).min(known.longest_delay);
        let id = clock.uuid();
        let visible_at = clock.now + delay;
        let message = Message {
            id: id.clone(),
            body,
            attributes,
            sent_at: clock.now,
            first_received_at: None,
            receives: 0,
            receipt: String::new(),
            visible_at,
        };
        self.put(queue, message);
        clock.at(visible_at, Job::MessagesVisible(queue.to_owned()));
        Ok(id)
    }

    /// Receives the next visible message and hides it for `visibility` or the queue's own time. A
    /// message that was received too often goes to the dead-letter queue instead.
    pub(crate) fn receive(
        &mut self,
        clock: &mut Clockwork,
        name: &str,
        visibility: Option<Duration>,
    ) -> ApiResult<Option<Message>> {
        let now = clock.now;
        loop {
            let queue = self.queue_mut(name)?;
            let visible = queue
                .messages
                .iter_mut()
                .find(|(_, message)| message.visible_at <= now);
            let Some((number, message)) = visible else {
                return Ok(None);
            };
            let redrive = queue
                .redrive
                .as_ref()
                .filter(|redrive| message.receives >= redrive.most_receives);
            if let Some(redrive) = redrive {
                let (number, dead_letters) = (*number, redrive.dead_letters.clone());
                self.bury(clock, name, number, &dead_letters);
                continue;
            }
            message.receives += 1;
            message.first_received_at = message.first_received_at.or(Some(now));
            message.receipt = clock.token(64);
            message.visible_at = now + visibility.unwrap_or(queue.visibility_timeout);
            clock.at(message.visible_at, Job::MessagesVisible(name.to_owned()));
            return Ok(Some(message.clone()));
        }
    }

    fn bury(&mut self, clock: &mut Clockwork, name: &str, number: u64, dead_letters: &str) {
        let message = self
            .queue_mut(name)
            .ok()
            .and_then(|queue| queue.messages.remove(&number));
        if let Some(mut message) = message {
            message.receipt.clear();
            self.put(dead_letters, message);
            clock.at(clock.now, Job::MessagesVisible(dead_letters.to_owned()));
        }
    }
}

fn no_queue() -> ApiError {
    ApiError::new("QueueDoesNotExist", "The specified queue does not exist.")
}
