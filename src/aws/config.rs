//! The configuration of the SDK's clients: one HTTP client, retries and timeouts.

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_sdk_ecs::config::retry::{RetryConfig, RetryPartition, TokenBucket};
use aws_sdk_ecs::config::timeout::TimeoutConfig;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_types::SdkConfig;

use super::http::http_client;

/// Reads the configuration from Lambda's environment, through `var` where the SDK does not read it
/// itself. One HTTP client serves all SDK clients, so that they share its connections.
///
/// Credentials come from the environment alone, where Lambda sets them ("Defined runtime environment
/// variables", AWS Lambda Developer Guide).
///
/// # Errors
/// If the environment names certificates to trust, and none of them can be used.
pub async fn load_config(var: impl Fn(&str) -> Option<String>) -> Result<SdkConfig, BoxError> {
    let config = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .credentials_provider(EnvironmentVariableCredentialsProvider::new())
        // Every attempt has a timeout: to measure the throughput of its body as well would cost each
        // call three percent.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .http_client(http_client(var)?);
    Ok(config.load().await)
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
