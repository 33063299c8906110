//! The configuration of the SDK's clients: one HTTP client, retries and timeouts.

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_sdk_ecs::config::retry::{RetryConfig, RetryPartition, TokenBucket};
use aws_sdk_ecs::config::timeout::TimeoutConfig;
use aws_types::SdkConfig;

/// Reads the configuration from Lambda's environment. One HTTP client serves all SDK clients, so
/// that they share its connections.
pub async fn load_config() -> SdkConfig {
    let tls = aws_smithy_http_client::tls::Provider::Rustls(
        aws_smithy_http_client::tls::rustls_provider::CryptoMode::AwsLc,
    );
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(tls)
        .build_https();
    aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http)
        .load()
        .await
}

/// Retries of reads that a restart needs. Five within some seconds outlast a throttle and a broken
/// connection.
pub(super) fn retries() -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(6)
        .with_initial_backoff(Duration::from_millis(300))
        .with_max_backoff(Duration::from_secs(8))
}

/// Retries of reads that a restart can do without: two, so that it need not wait for them.
pub(super) fn few_retries() -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(3)
        .with_initial_backoff(Duration::from_millis(200))
        .with_max_backoff(Duration::from_secs(1))
}

/// Makes the client of one service of AWS. A macro, because the builders of the SDK's crates have no
/// trait in common.
macro_rules! client {
    ($sdk:ident, $config:expr, $retries:expr) => {
        $sdk::Client::from_conf(
            $sdk::config::Builder::from($config)
                .retry_config($retries)
                .retry_partition($crate::aws::config::unlimited_retry_budget())
                .timeout_config($crate::aws::config::timeouts())
                .build(),
        )
    };
}
pub(super) use client;

/// A retry budget without end. The SDK's own is 500 tokens for all clients of the process: many
/// services at once use it up, and then every call fails at its first error. Here each call bounds
/// its attempts, and the invocation's deadline bounds all calls.
pub(super) fn unlimited_retry_budget() -> RetryPartition {
    RetryPartition::custom("unlimited")
        .token_bucket(TokenBucket::unlimited())
        .build()
}

/// Timeouts of every call. These APIs answer within tens of milliseconds; an answer that takes
/// seconds is lost.
pub(super) fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(3))
        .operation_attempt_timeout(Duration::from_secs(8))
        .build()
}
