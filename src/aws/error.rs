//! The error of a call, sorted once.

use aws_sdk_ecs::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use crate::domain::start::ErrorKind;

/// A call that failed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{operation}{}: {message}", of(target.as_deref()))]
pub struct Error {
    /// The operation, as AWS names it.
    pub operation: &'static str,
    /// The thing that the call was about.
    pub target: Option<String>,
    /// The kind of error: it decides what is done next.
    pub kind: ErrorKind,
    /// AWS's own words, or the connection's.
    pub message: String,
}

fn of(target: Option<&str>) -> String {
    target
        .map(|target| format!(" of {target}"))
        .unwrap_or_default()
}

impl Error {
    pub(super) fn new<E>(
        operation: &'static str,
        target: Option<&str>,
        error: &SdkError<E, HttpResponse>,
    ) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        Self {
            operation,
            target: target.map(str::to_owned),
            kind: kind(error),
            message: message(error),
        }
    }

    /// The same error of one of the things that a call was about.
    pub(super) fn about(&self, target: &str) -> Self {
        Self {
            target: Some(target.to_owned()),
            ..self.clone()
        }
    }
}

/// "Common error types", Amazon ECS API Reference. The tagging API alone says `ThrottledException`.
const THROTTLES: [&str; 5] = [
    "ThrottlingException",
    "ThrottledException",
    "Throttling",
    "TooManyRequestsException",
    "RequestLimitExceeded",
];

const NOT_FOUND: [&str; 3] = [
    "ServiceNotFoundException",
    "ClusterNotFoundException",
    "ServiceNotActiveException",
];

/// Errors of credentials that are too old, or too new for AWS's clock: the SDK renews them.
const RENEWED: [&str; 4] = [
    "ExpiredTokenException",
    "RequestExpired",
    "UnrecognizedClientException",
    "InvalidSignatureException",
];

fn kind<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> ErrorKind {
    match error {
        SdkError::ServiceError(answer) => {
            kind_of_answer(answer.err(), answer.raw().status().as_u16())
        }
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => {
            ErrorKind::Unavailable
        }
        _ => ErrorKind::Rejected,
    }
}

fn kind_of_answer(error: &impl ProvideErrorMetadata, status: u16) -> ErrorKind {
    let code = error.code().unwrap_or_default();
    if THROTTLES.contains(&code) || status == 429 {
        ErrorKind::Throttled
    } else if NOT_FOUND.contains(&code) {
        ErrorKind::NotFound
    } else if code == "InvalidParameterException" && has_too_many_deployments(error) {
        ErrorKind::TooManyDeployments
    } else if RENEWED.contains(&code) || status >= 500 {
        ErrorKind::Unavailable
    } else if code.is_empty() && (200..300).contains(&status) {
        // A success whose body cannot be read took effect, as does one whose answer is lost.
        ErrorKind::Unavailable
    } else if code == "AccessDeniedException" || status == 401 || status == 403 {
        ErrorKind::Denied
    } else {
        ErrorKind::Rejected
    }
}

/// Only the message of the error says so: it has no code or field of its own. If AWS changes the
/// words, the restart fails like any other.
fn has_too_many_deployments(error: &impl ProvideErrorMetadata) -> bool {
    error
        .message()
        .is_some_and(|message| message.contains("active deployments exist"))
}

/// The message for an answer that breaks off, or is not as the API promises.
const UNREADABLE: &str = "the answer could not be read";

fn message<E>(error: &SdkError<E, HttpResponse>) -> String
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match error {
        SdkError::ServiceError(answer) => match (answer.err().code(), answer.err().message()) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            (Some(code), None) => code.to_owned(),
            // The body may be anything, and is not shown.
            (None, _) if answer.raw().status().is_success() => UNREADABLE.to_owned(),
            (None, _) => format!("HTTP status {}", answer.raw().status().as_u16()),
        },
        SdkError::ResponseError(_) => UNREADABLE.to_owned(),
        _ => chain(error),
    }
}

/// An error and all its causes, on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
