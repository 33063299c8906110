//! AWS in our words: clients of the SDK that take and return domain types. Nothing outside this
//! module names the SDK's types.

mod cache;
mod ecs;
mod evidence;
mod pages;
mod quota;
mod s3;
mod secretsmanager;
mod sqs;
mod ssm;
mod tagging;
mod task_definition;

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_sdk_ecs::config::retry::{RetryConfig, RetryPartition, TokenBucket};
use aws_sdk_ecs::config::timeout::TimeoutConfig;
use aws_sdk_ecs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ecs::primitives::DateTime;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use jiff::{Timestamp, Unit};
use tokio::time::{Instant, timeout_at};

use crate::domain::start::ErrorKind;

pub use aws_types::SdkConfig;
pub use ecs::{DescribedServices, Ecs, Restarted};
pub use pages::{IN_A_CIRCLE, Listing};
pub use quota::{QUOTAS, Quota};
pub use s3::{ListedObjects, S3};
pub use secretsmanager::{ListedSecret, SecretsManager};
pub use sqs::Sqs;
pub use ssm::{DescribedParameters, ListedParameter, Ssm};
pub use tagging::{IgnoredKeys, Listed, Tagging};

/// The clients of every AWS service that the function calls. They share the HTTP client, and so the
/// connections, of the configuration that they are made from.
#[derive(Debug)]
pub struct Aws {
    /// Amazon ECS.
    pub ecs: Ecs,
    /// The Resource Groups Tagging API.
    pub tagging: Tagging,
    /// Systems Manager Parameter Store.
    pub ssm: Ssm,
    /// Secrets Manager.
    pub secrets: SecretsManager,
    /// Amazon S3.
    pub s3: S3,
    /// Amazon SQS.
    pub sqs: Sqs,
}

impl Aws {
    /// Makes every client, for one process of a function that runs at most `concurrency` processes
    /// at once.
    #[must_use]
    pub fn new(config: &SdkConfig, concurrency: u32) -> Self {
        Self {
            ecs: Ecs::new(config, concurrency),
            tagging: Tagging::new(config, concurrency),
            ssm: Ssm::new(config, concurrency),
            secrets: SecretsManager::new(config, concurrency),
            s3: S3::new(config),
            sqs: Sqs::new(config),
        }
    }
}

/// The configuration that Lambda's environment gives. One HTTP client serves all SDK clients, so
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

/// A call that did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[error("{operation}{}: {message}", target.as_deref().map(|target| format!(" of {target}")).unwrap_or_default())]
pub struct Error {
    /// As AWS names it.
    pub operation: &'static str,
    /// What was asked about.
    pub target: Option<String>,
    /// What it means to us.
    pub cause: ErrorKind,
    /// AWS's own words, or the connection's.
    pub message: String,
}

impl Error {
    fn new<E>(
        operation: &'static str,
        target: Option<String>,
        error: &SdkError<E, HttpResponse>,
    ) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        Self {
            operation,
            target,
            cause: cause(error),
            message: message(error),
        }
    }

    /// A call that was given up because its time was over.
    fn late(operation: &'static str, target: Option<String>) -> Self {
        Self {
            operation,
            target,
            cause: ErrorKind::Unavailable,
            message: "no answer in time".to_owned(),
        }
    }

    /// A listing that ended at a page token that had been handed out before, where what is missing
    /// matters.
    fn in_a_circle(operation: &'static str, target: Option<String>) -> Self {
        Self {
            operation,
            target,
            cause: ErrorKind::Unavailable,
            message: IN_A_CIRCLE.to_owned(),
        }
    }

    /// An answer that lacks what the API promises.
    fn incomplete(operation: &'static str, target: Option<String>, lacks: &str) -> Self {
        Self {
            operation,
            target,
            cause: ErrorKind::Rejected,
            message: format!("the answer lacks {lacks}"),
        }
    }
}

/// What a call answers, unless the instant `by` comes first.
async fn answered<T, E>(
    operation: &'static str,
    target: &str,
    by: Instant,
    call: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
) -> Result<T, Error>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match timeout_at(by, call).await {
        Ok(answer) => {
            answer.map_err(|error| Error::new(operation, Some(target.to_owned()), &error))
        }
        Err(_) => Err(Error::late(operation, Some(target.to_owned()))),
    }
}

/// Sorts an error, once and here. "Common error types", Amazon ECS API Reference; the tagging API
/// alone says `ThrottledException`.
fn cause<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> ErrorKind {
    match error {
        SdkError::ServiceError(answered) => {
            match (answered.err().code(), answered.raw().status().as_u16()) {
                (
                    Some(
                        "ThrottlingException"
                        | "ThrottledException"
                        | "Throttling"
                        | "TooManyRequestsException"
                        | "RequestLimitExceeded",
                    ),
                    _,
                )
                | (_, 429) => ErrorKind::Throttled,
                (
                    Some(
                        "ServiceNotFoundException"
                        | "ClusterNotFoundException"
                        | "ServiceNotActiveException",
                    ),
                    _,
                ) => ErrorKind::NotFound,
                // No code of its own tells it, and no field: the message is all there is. Where its
                // words change, the restart has failed, as any other.
                (Some("InvalidParameterException"), _)
                    if says(answered.err(), "active deployments exist") =>
                {
                    ErrorKind::TooManyDeployments
                }
                // Credentials that are old, or of another time than the clock's, are renewed. What
                // answered well and cannot be read took effect: it is the same as
                // an answer that was lost.
                (
                    Some(
                        "ExpiredTokenException"
                        | "RequestExpired"
                        | "UnrecognizedClientException"
                        | "InvalidSignatureException",
                    ),
                    _,
                )
                | (_, 500..)
                | (None, 200..300) => ErrorKind::Unavailable,
                (Some("AccessDeniedException"), _) | (_, 401 | 403) => ErrorKind::Denied,
                _ => ErrorKind::Rejected,
            }
        }
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => {
            ErrorKind::Unavailable
        }
        _ => ErrorKind::Rejected,
    }
}

fn says(error: &impl ProvideErrorMetadata, words: &str) -> bool {
    error
        .message()
        .is_some_and(|message| message.contains(words))
}

/// Of an answer that breaks off, or is not what the API promises.
const UNREADABLE: &str = "the answer could not be read";

fn message<E>(error: &SdkError<E, HttpResponse>) -> String
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match error {
        SdkError::ServiceError(answered) => match (answered.err().code(), answered.err().message())
        {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            (Some(code), None) => code.to_owned(),
            // What stands there instead may be anything, and is not told.
            (None, _) if answered.raw().status().is_success() => UNREADABLE.to_owned(),
            (None, _) => format!("HTTP status {}", answered.raw().status().as_u16()),
        },
        SdkError::ResponseError(_) => UNREADABLE.to_owned(),
        _ => chain(error),
    }
}

/// An error and all its causes on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Reads are repeated: five times within some seconds rides out a throttle and a broken connection.
fn patient() -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(6)
        .with_initial_backoff(Duration::from_millis(300))
        .with_max_backoff(Duration::from_secs(8))
}

/// What is merely good to know is asked for three times: it must not keep a restart attempts.
fn willing() -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(3)
        .with_initial_backoff(Duration::from_millis(200))
        .with_max_backoff(Duration::from_secs(1))
}

/// The SDK lets all clients of the process share 500 tokens for retries, which many services at
/// once use up, and then gives up at the first error. Attempts are bounded for each call, and all
/// calls by the invocation's deadline; that is enough.
fn unrationed() -> RetryPartition {
    RetryPartition::custom("unrationed")
        .token_bucket(TokenBucket::unlimited())
        .build()
}

/// An answer of these APIs takes tens of milliseconds; one that takes seconds is not coming.
fn impatient() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(3))
        .operation_attempt_timeout(Duration::from_secs(8))
        .build()
}

/// These APIs tell milliseconds, as a fraction that binary numbers miss by a little.
fn timestamp(told: &DateTime) -> Option<Timestamp> {
    Timestamp::new(told.secs(), i32::try_from(told.subsec_nanos()).ok()?)
        .ok()?
        .round(Unit::Millisecond)
        .ok()
}
