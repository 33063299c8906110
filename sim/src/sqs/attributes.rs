//! The attributes of a queue, and its name.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{Queue, Redrive};
use crate::error::{ApiError, ApiResult};
use crate::shared::Shared;

pub(super) type Attributes = BTreeMap<String, String>;

/// The last part of a queue's URL or ARN.
pub(super) fn name_of(reference: &str) -> &str {
    reference.rsplit(['/', ':']).next().unwrap_or_default()
}

impl Queue {
    /// Takes over the attributes that the simulation knows.
    pub(super) fn apply(&mut self, attributes: &Attributes) -> ApiResult<()> {
        if let Some(timeout) = seconds_in(attributes, "VisibilityTimeout")? {
            self.visibility_timeout = timeout;
        }
        if let Some(delay) = seconds_in(attributes, "DelaySeconds")? {
            self.delay = delay;
        }
        if let Some(policy) = attributes.get("RedrivePolicy") {
            self.redrive = redrive_in(policy)?;
        }
        Ok(())
    }

    /// All attributes, even if the caller requests fewer.
    pub(super) fn attributes(&self, shared: &Shared, name: &str) -> Map<String, Value> {
        let counts = self.counts(shared);
        let config = &shared.config;
        let redrive = self.redrive.as_ref().map(|redrive| {
            let policy = json!({
                "deadLetterTargetArn": config.arn("sqs", &redrive.dead_letters),
                "maxReceiveCount": redrive.most_receives,
            });
            ("RedrivePolicy", policy.to_string())
        });
        let settings = [
            ("QueueArn", config.arn("sqs", name)),
            (
                "VisibilityTimeout",
                self.visibility_timeout.as_secs().to_string(),
            ),
            ("DelaySeconds", self.delay.as_secs().to_string()),
        ];
        let all = counts.into_iter().chain(settings).chain(redrive);
        all.map(|(name, text)| (name.to_owned(), json!(text)))
            .collect()
    }

    /// The numbers of messages: visible, delayed and in flight.
    fn counts(&self, shared: &Shared) -> [(&'static str, String); 3] {
        let now = shared.clock.now;
        let messages = self.messages.values();
        let (visible, hidden): (Vec<_>, Vec<_>) =
            messages.partition(|message| message.visible_at <= now);
        let hidden = hidden.into_iter();
        let (delayed, in_flight): (Vec<_>, Vec<_>) =
            hidden.partition(|message| message.receives == 0);
        [
            ("ApproximateNumberOfMessages", visible.len()),
            ("ApproximateNumberOfMessagesDelayed", delayed.len()),
            ("ApproximateNumberOfMessagesNotVisible", in_flight.len()),
        ]
        .map(|(name, count)| (name, count.to_string()))
    }
}

fn seconds_in(attributes: &Attributes, name: &str) -> ApiResult<Option<Duration>> {
    let invalid = |_| {
        ApiError::new(
            "InvalidAttributeValue",
            format!("Invalid value for the parameter {name}."),
        )
    };
    attributes
        .get(name)
        .map(|text| text.parse().map(Duration::from_secs).map_err(invalid))
        .transpose()
}

/// `{"deadLetterTargetArn": "arn:…", "maxReceiveCount": 5}`, the count also as text; an empty
/// policy removes the redrive.
fn redrive_in(policy: &str) -> ApiResult<Option<Redrive>> {
    if policy.is_empty() {
        return Ok(None);
    }
    let policy: Value = serde_json::from_str(policy).unwrap_or_default();
    let target = policy.get("deadLetterTargetArn").and_then(Value::as_str);
    let count = policy
        .get("maxReceiveCount")
        .and_then(|count| count.as_u64().or_else(|| count.as_str()?.parse().ok()));
    let parsed = target.zip(count.and_then(|count| u32::try_from(count).ok()));
    let (target, most_receives) = parsed.ok_or_else(|| {
        ApiError::new(
            "InvalidAttributeValue",
            "Invalid value for the parameter RedrivePolicy.",
        )
    })?;
    Ok(Some(Redrive {
        dead_letters: name_of(target).to_owned(),
        most_receives,
    }))
}
