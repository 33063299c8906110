//! The account's settings, fixed when it is opened.

use std::time::Duration;

use jiff::Timestamp;

use crate::event_bus::EventDelivery;
use crate::events::cloudtrail::ArnSpelling;
use crate::limits::RateLimits;

/// The settings of a simulated account.
#[derive(Clone, Debug)]
pub struct AccountConfig {
    /// Twelve digits.
    pub account_id: String,
    /// The account's one Region.
    pub region: String,
    /// The account's time at the moment it is opened; on loopback the wall clock.
    pub epoch: Timestamp,
    /// The seed of everything that is left to chance.
    pub seed: u64,
    /// The time that a tag, or a new service, takes to reach the index behind `GetResources`.
    pub tag_index_lag: Duration,
    /// Round trip of every API call. The effect happens in the middle of it.
    pub latency: Duration,
    /// The most that chance adds to the latency of an answer.
    pub latency_jitter: Duration,
    /// The delay before the ECS service scheduler works on a service that was changed.
    pub scheduler_delay: Duration,
    /// The URL that the account is served at on loopback, `http://127.0.0.1:4566`. The URLs of its
    /// queues begin with it. In process they are AWS's own.
    pub endpoint: Option<String>,
    /// The delivery of events by EventBridge.
    pub event_delivery: EventDelivery,
    /// The trail of CloudTrail.
    pub trail: Trail,
    /// The time after a write for which `DescribeParameters` still shows the version before it.
    pub parameter_metadata_lag: Duration,
    /// The time after a write of a parameter for which a task may still read the version before it.
    pub parameter_replica_lag: Duration,
    /// The time by which the clock of metadata is ahead: the times in the answers of
    /// `DescribeParameters`, `ListObjectsV2`, `ListSecrets` and `ListSecretVersionIds`.
    pub metadata_clock_ahead: Duration,
    /// The length of a rotation, from `RotateSecret` to the move of `AWSCURRENT`. The pending
    /// version exists after a quarter of it.
    pub rotation: Duration,
    /// The throttling of calls.
    pub rate_limits: RateLimits,
}

impl Default for AccountConfig {
    fn default() -> Self {
        Self {
            account_id: "123456789012".to_owned(),
            region: "eu-west-1".to_owned(),
            epoch: Timestamp::constant(1_769_853_600, 0), // 2026-01-31T10:00:00Z
            seed: 0,
            tag_index_lag: Duration::from_secs(3),
            latency: Duration::from_millis(20),
            latency_jitter: Duration::ZERO,
            scheduler_delay: Duration::from_secs(1),
            endpoint: None,
            event_delivery: EventDelivery::default(),
            trail: Trail::default(),
            parameter_metadata_lag: Duration::ZERO,
            parameter_replica_lag: Duration::ZERO,
            metadata_clock_ahead: Duration::ZERO,
            rotation: Duration::from_secs(6),
            rate_limits: RateLimits::Unlimited,
        }
    }
}

impl AccountConfig {
    /// `arn:aws:SERVICE:REGION:ACCOUNT:RESOURCE`.
    pub(crate) fn arn(&self, service: &str, resource: &str) -> String {
        format!(
            "arn:aws:{service}:{}:{}:{resource}",
            self.region, self.account_id
        )
    }

    /// An ARN leaves out the first slash of a parameter's path.
    pub(crate) fn parameter_arn(&self, name: &str) -> String {
        self.arn(
            "ssm",
            &format!("parameter/{}", name.trim_start_matches('/')),
        )
    }

    /// The ARN of the signer with this access key id, or of the owner of the account.
    pub(crate) fn user_arn(&self, principal: &str) -> String {
        format!("arn:aws:iam::{}:user/{principal}", self.account_id)
    }
}

/// The settings of CloudTrail's trail.
#[derive(Clone, Copy, Debug)]
pub struct Trail {
    /// The time from the call to its event, without EventBridge's own delay. The time in the event
    /// is that of the call.
    pub delay: Duration,
    /// The spelling of the ARN in Secrets Manager's responses.
    pub arn_spelling: ArnSpelling,
}

impl Default for Trail {
    /// Three minutes, `arn`.
    fn default() -> Self {
        Self {
            delay: Duration::from_mins(3),
            arn_spelling: ArnSpelling::default(),
        }
    }
}
