//! The messages of deferred work.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::aws::Sqs;
use crate::clock::{Clock, Deadline};
use crate::domain::backoff::delay;
use crate::domain::batch::{Batch, MessageIndex};
use crate::domain::defer::{Deferral, requeued};
use crate::domain::deferred_work::DeferredWork;
use crate::domain::resolution::{FollowUp, Resolutions};
use crate::queue::encode;

/// Sends deferred work to the function's own queue, if it has one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sender<'a> {
    pub(super) sqs: &'a Sqs,
    pub(super) queue_url: Option<&'a str>,
    pub(super) clock: &'a Clock,
    pub(super) deadline: Deadline,
}

/// The results of sending.
#[derive(Debug, Default)]
pub(super) struct Sent {
    /// The messages that were sent.
    pub(super) messages: usize,
    /// The messages of the inbox that must be redelivered, since some work could not be sent.
    pub(super) redelivered: BTreeSet<MessageIndex>,
}

impl Sender<'_> {
    /// Sends the messages of a batch, and gives each resolution its follow-up.
    pub(super) async fn defer(&self, deferral: Deferral, resolutions: &mut Resolutions) -> Sent {
        let mut sent = Sent::default();
        for (id, follow_up) in deferral.follow_ups {
            if let FollowUp::Redeliver(messages) = &follow_up {
                sent.redelivered.extend(messages);
            }
            if let Some(resolution) = resolutions.get_mut(&id) {
                resolution.follow_up = follow_up;
            }
        }
        let now = self.clock.now();
        for outgoing in deferral.messages {
            if let Some(messages) = self.send(&outgoing.work, now).await {
                sent.messages += messages;
                continue;
            }
            sent.redelivered.extend(&outgoing.messages);
            for id in &outgoing.services {
                if let Some(resolution) = resolutions.get_mut(id) {
                    resolution.follow_up = FollowUp::Redeliver(outgoing.messages.clone());
                }
            }
        }
        sent
    }

    /// Sends a whole batch of which nothing was planned. If that fails, its messages are
    /// redelivered. Half of the time for sending is kept for the batches that were begun, and for
    /// the answer.
    pub(super) async fn requeue(&self, batch: Batch) -> Sent {
        let until = self.deadline.until;
        let by = until + self.deadline.send_by.saturating_duration_since(until) / 2;
        let messages = batch.messages.clone();
        if batch.is_dry_run() || tokio::time::Instant::now() >= by {
            return Sent {
                messages: 0,
                redelivered: messages,
            };
        }
        let (now, failed_listings) = (self.clock.now(), batch.failed_listings);
        self.requeue_at(batch, now, failed_listings).await
    }

    /// Sends a whole batch, due at `not_before`.
    pub(super) async fn requeue_at(
        &self,
        batch: Batch,
        not_before: Timestamp,
        failed_listings: u32,
    ) -> Sent {
        let outgoing = requeued(batch, not_before, failed_listings);
        match self.send(&outgoing.work, self.clock.now()).await {
            Some(messages) => Sent {
                messages,
                redelivered: BTreeSet::new(),
            },
            None => Sent {
                messages: 0,
                redelivered: outgoing.messages,
            },
        }
    }

    /// The number of messages that were sent; `None` if one could not be.
    async fn send(&self, work: &DeferredWork, now: Timestamp) -> Option<usize> {
        let queue_url = self.queue_url?;
        let bodies = encode(work);
        let messages = bodies.len();
        for body in bodies {
            let delay = delay(work.not_before, now);
            let answer = self.sqs.send(queue_url, body, delay, self.deadline.send_by);
            if let Err(error) = answer.await {
                tracing::warn!(%error, "deferred work could not be sent to the queue");
                return None;
            }
        }
        Some(messages)
    }
}
