//! EventBridge: events match rules, and reach the rules' queues late, twice or never.

use std::time::Duration;

use serde_json::Value;

use crate::clockwork::Clockwork;
use crate::job::{Delivery, Job};

/// The delivery of events to a rule's target.
#[derive(Clone, Copy, Debug)]
pub struct EventDelivery {
    /// The least time from the change to the queue.
    pub delay: Duration,
    /// The most that chance adds to the delay: events overtake each other.
    pub jitter: Duration,
    /// The probability that an event never arrives.
    pub loss: f64,
    /// The probability that an event arrives twice.
    pub duplication: f64,
}

impl Default for EventDelivery {
    /// Half a second, in order, once.
    fn default() -> Self {
        Self {
            delay: Duration::from_millis(500),
            jitter: Duration::ZERO,
            loss: 0.0,
            duplication: 0.0,
        }
    }
}

/// A rule whose target is a queue.
#[derive(Clone, Debug)]
pub struct EventRule {
    source: &'static str,
    detail_types: &'static [&'static str],
    buckets: Vec<String>,
    queue: String,
}

impl EventRule {
    fn new(source: &'static str, detail_types: &'static [&'static str], queue: &str) -> Self {
        Self {
            source,
            detail_types,
            buckets: Vec::new(),
            queue: queue.to_owned(),
        }
    }

    fn of_buckets<'a>(mut self, buckets: impl IntoIterator<Item = &'a str>) -> Self {
        self.buckets = buckets.into_iter().map(str::to_owned).collect();
        self
    }

    /// Every `Parameter Store Change` goes to `queue`.
    #[must_use]
    pub fn parameters(queue: &str) -> Self {
        Self::new("aws.ssm", &["Parameter Store Change"], queue)
    }

    /// `Object Created` of these buckets goes to `queue`. The buckets must send their events to
    /// EventBridge.
    #[must_use]
    pub fn objects<'a>(queue: &str, buckets: impl IntoIterator<Item = &'a str>) -> Self {
        Self::new("aws.s3", &["Object Created"], queue).of_buckets(buckets)
    }

    /// `Object Deleted` of these buckets goes to `queue`. The buckets must send their events to
    /// EventBridge.
    #[must_use]
    pub fn objects_deleted<'a>(queue: &str, buckets: impl IntoIterator<Item = &'a str>) -> Self {
        Self::new("aws.s3", &["Object Deleted"], queue).of_buckets(buckets)
    }

    /// Every `Secret Label Updated` goes to `queue`, of any label.
    #[must_use]
    pub fn secrets(queue: &str) -> Self {
        Self::new("aws.secretsmanager", &["Secret Label Updated"], queue)
    }

    /// All events of CloudTrail from Secrets Manager, calls that write and rotations, go to
    /// `queue`, minutes later.
    #[must_use]
    pub fn cloudtrail_secrets(queue: &str) -> Self {
        Self::new(
            "aws.secretsmanager",
            &[
                "AWS API Call via CloudTrail",
                "AWS Service Event via CloudTrail",
            ],
            queue,
        )
    }

    /// Every deployment of AppConfig that is complete, or was rolled back, goes to `queue`.
    #[must_use]
    pub fn appconfig(queue: &str) -> Self {
        Self::new(
            "aws.appconfig",
            &[
                "On Deployment Complete",
                "On Deployment Rollback",
                "On Deployment Rolled Back",
            ],
            queue,
        )
    }

    fn matches(&self, event: &Value) -> bool {
        let text = |pointer: &str| {
            event
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let bucket = text("/detail/bucket/name");
        text("/source") == self.source
            && self.detail_types.contains(&text("/detail-type"))
            && (self.buckets.is_empty() || self.buckets.iter().any(|wanted| wanted == bucket))
    }
}

#[derive(Debug)]
pub(crate) struct EventBus {
    rules: Vec<EventRule>,
    delivery: EventDelivery,
}

impl EventBus {
    pub(crate) fn new(delivery: EventDelivery) -> Self {
        Self {
            rules: Vec::new(),
            delivery,
        }
    }

    pub(crate) fn add_rule(&mut self, rule: EventRule) {
        self.rules.push(rule);
    }

    pub(crate) fn set_delivery(&mut self, delivery: EventDelivery) {
        self.delivery = delivery;
    }

    /// Sends an event to the queue of every rule that it matches. Its source sends it `late`.
    pub(crate) fn emit(&self, clock: &mut Clockwork, late: Duration, event: &Value) {
        for rule in self.rules.iter().filter(|rule| rule.matches(event)) {
            self.deliver(clock, late, &rule.queue, event);
        }
    }

    /// Sends a message to a queue with the delays and losses of events.
    pub(crate) fn deliver(
        &self,
        clock: &mut Clockwork,
        late: Duration,
        queue: &str,
        message: &Value,
    ) {
        let EventDelivery {
            delay,
            jitter,
            loss,
            duplication,
        } = self.delivery;
        if clock.chance(loss) {
            return;
        }
        let copies = if clock.chance(duplication) { 2 } else { 1 };
        for _ in 0..copies {
            let delay = late + delay + jitter.mul_f64(clock.random.f64());
            clock.after(
                delay,
                Job::Deliver(Delivery {
                    queue: queue.to_owned(),
                    body: message.to_string(),
                }),
            );
        }
    }
}
