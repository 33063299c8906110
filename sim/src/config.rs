//! The account's settings, fixed when it is opened.

use std::time::Duration;

use jiff::Timestamp;

use crate::event_bus::EventDelivery;
use crate::limits::RateLimits;

/// How a simulated account is set up.
#[derive(Clone, Debug)]
pub struct AccountConfig {
    /// Twelve digits.
    pub account_id: String,
    /// The account's one Region.
    pub region: String,
    /// The account's time at the moment it is opened; on loopback the wall clock.
    pub epoch: Timestamp,
    /// Decides everything that is left to chance.
    pub seed: u64,
    /// How long a tag, or a new service, takes to reach the index behind `GetResources`.
    pub tag_index_lag: Duration,
    /// Round trip of every API call. The effect happens in the middle of it.
    pub latency: Duration,
    /// How long the ECS service scheduler takes to turn to a service that was changed.
    pub scheduler_delay: Duration,
    /// Where the account is served on loopback, for the URLs that it gives out: `http://127.0.0.1:4566`. In process they are AWS's own.
    pub endpoint: Option<String>,
    /// How events travel through EventBridge.
    pub event_delivery: EventDelivery,
    /// Whether calls are throttled at the rates AWS documents.
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
            scheduler_delay: Duration::from_secs(1),
            endpoint: None,
            event_delivery: EventDelivery::default(),
            rate_limits: RateLimits::Unlimited,
        }
    }
}

impl AccountConfig {
    /// `arn:aws:SERVICE:REGION:ACCOUNT:RESOURCE`.
    pub(crate) fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:aws:{service}:{}:{}:{resource}", self.region, self.account_id)
    }
}
