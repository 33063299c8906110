//! Sends notices to the event bus, and back to the queue if the bus does not take them.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::aws::{Aws, OwnEvent};
use crate::clock::{Clock, Deadline};
use crate::domain::backoff::{Attempt, Requeue, delay};
use crate::domain::batch::MessageIndex;
use crate::domain::deferred_work::DeferredWork;
use crate::domain::notice::Notice;
use crate::event::{Content, Inbox};
use crate::queue::encode;
use crate::report::notices::{DETAIL_TYPE, Detail, Gathered, SOURCE};
use crate::settings::Settings;

/// The longest time that an invocation takes for its notices. They are sent when all restarts are
/// started and all deferred work is in the queue, so that none of these waits for them.
const TIMEOUT: Duration = Duration::from_secs(3);

/// The most lines about notices that are lost.
const MOST_LINES: usize = 20;

/// Sends notices.
#[derive(Clone, Copy, Debug)]
pub struct Notifier<'a> {
    /// The clients.
    pub aws: &'a Aws,
    /// The settings of the function.
    pub settings: &'a Settings,
    /// The time of day.
    pub clock: &'a Clock,
    /// The end of the invocation.
    pub deadline: Deadline,
}

/// The notices that earlier invocations could not send.
#[derive(Debug, Default)]
struct Returned {
    notices: Vec<Notice>,
    /// The messages that carried them.
    messages: BTreeSet<MessageIndex>,
    /// The number of messages before these.
    hops: u32,
}

/// The results of sending.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Notified {
    /// Notices that the bus took.
    pub sent: usize,
    /// Notices that it did not take, and those for which there was no room.
    pub unsent: usize,
    /// Messages that were sent to the queue for later.
    pub deferred: usize,
    /// Messages that carried notices, and could be sent neither to the bus nor to the queue.
    pub redelivered: BTreeSet<MessageIndex>,
}

impl Notifier<'_> {
    /// Sends the notices of this invocation, and those of its inbox. One that the bus does not take
    /// goes to the queue, and is sent again after a pause that grows, for `RELOADER_HOLD_LIMIT`.
    ///
    /// Calls: none without a notice. Otherwise one for ten notices, and one for the message of those
    /// that the bus did not take.
    pub async fn notify(&self, gathered: Gathered, inbox: &Inbox) -> Notified {
        let Some(bus) = &self.settings.event_bus else {
            return Notified::default();
        };
        let returned = Returned::of(inbox);
        let unsent = gathered.left_out;
        if unsent > 0 {
            tracing::error!(notices = unsent, "too many notices for one invocation");
        }
        let notices = returned.notices.iter().cloned().chain(gathered.notices);
        // A notice that two messages carry is one.
        let mut known = BTreeSet::new();
        let notices: Vec<_> = notices.filter(|one| known.insert(one.id.clone())).collect();
        let refused = self.send(bus, &notices).await;
        let notified = Notified {
            sent: notices.len().saturating_sub(refused.len()),
            unsent: unsent.saturating_add(refused.len()),
            ..Notified::default()
        };
        self.send_later(refused, returned, notified).await
    }

    /// Sends notices to the bus; returns those that it did not take.
    async fn send(&self, bus: &str, notices: &[Notice]) -> Vec<Notice> {
        if notices.is_empty() {
            return Vec::new();
        }
        let events: Vec<_> = notices.iter().map(event).collect();
        let by = self.deadline.until.min(Instant::now() + TIMEOUT);
        let results = self.aws.eventbridge.put(bus, &events, by).await;
        let failed = notices.iter().zip(results);
        let failed = failed.filter_map(|(notice, result)| Some((notice, result.err()?)));
        let failed: Vec<_> = failed.collect();
        if let Some((_, error)) = failed.first() {
            tracing::warn!(%error, notices = failed.len(), "notices could not be sent");
        }
        failed
            .into_iter()
            .map(|(notice, _)| notice.clone())
            .collect()
    }

    /// Sends notices to the queue. Those that are older than the limit are given up.
    async fn send_later(
        &self,
        refused: Vec<Notice>,
        returned: Returned,
        notified: Notified,
    ) -> Notified {
        let (now, limit) = (self.clock.now(), self.settings.hold_limit);
        let is_recent = |notice: &Notice| now.duration_since(notice.at) < limit;
        let (recent, old): (Vec<_>, Vec<_>) = refused.into_iter().partition(is_recent);
        lose(
            &old,
            "a notice is given up: it could not be sent for RELOADER_HOLD_LIMIT",
        );
        if recent.is_empty() {
            return notified;
        }
        let (at, hops) = (next_attempt(returned.hops, limit, now), returned.hops);
        let work = DeferredWork::of_notices(recent, at, hops.saturating_add(1));
        if let Some(deferred) = self.defer(&work, now).await {
            return Notified {
                deferred,
                ..notified
            };
        }
        // SQS keeps those that came in a message.
        let came = |notice: &Notice| returned.notices.iter().any(|one| one.id == notice.id);
        let lost: Vec<_> = work.notices.into_iter().filter(|one| !came(one)).collect();
        lose(
            &lost,
            "a notice is lost: neither the bus nor a queue took it",
        );
        Notified {
            redelivered: returned.messages,
            ..notified
        }
    }

    /// The number of messages that were sent to the queue; `None` if there is no queue, or if one
    /// of them could not be sent.
    async fn defer(&self, work: &DeferredWork, now: Timestamp) -> Option<usize> {
        let queue_url = self.settings.queue_url.as_deref()?;
        let bodies = encode(work);
        let messages = bodies.len();
        for body in bodies {
            let delay = delay(work.not_before, now);
            let answer = self
                .aws
                .sqs
                .send(queue_url, body, delay, self.deadline.send_by);
            if let Err(error) = answer.await {
                tracing::warn!(%error, "notices could not be sent to the queue");
                return None;
            }
        }
        Some(messages)
    }
}

impl Returned {
    fn of(inbox: &Inbox) -> Self {
        let mut returned = Self::default();
        for (place, message) in inbox.messages.iter().enumerate() {
            for content in &message.contents {
                if let Content::DeferredWork(work) = content
                    && !work.notices.is_empty()
                {
                    returned.notices.extend(work.notices.iter().cloned());
                    returned.messages.insert(place);
                    returned.hops = returned.hops.max(work.hops);
                }
            }
        }
        returned
    }
}

fn event(notice: &Notice) -> OwnEvent {
    OwnEvent {
        source: SOURCE,
        detail_type: DETAIL_TYPE,
        detail: serde_json::to_string(&Detail::from(notice)).unwrap_or_default(),
        at: notice.at,
    }
}

/// The time of the next attempt after so many before it.
fn next_attempt(attempts: u32, limit: SignedDuration, now: Timestamp) -> Timestamp {
    let attempt = Attempt {
        count: attempts,
        ..Attempt::default()
    };
    let (at, _) = attempt.requeued(Requeue::LATER, limit, SignedDuration::ZERO, now);
    at
}

/// Writes a line for each of these notices: nobody receives them.
fn lose(notices: &[Notice], message: &str) {
    for Notice {
        id,
        kind,
        key,
        services,
        ..
    } in notices.iter().take(MOST_LINES)
    {
        tracing::error!(%id, %kind, ?key, ?services, "{message}");
    }
}
