//! One call of an API: within its pace and its time, with its errors sorted.

use aws_sdk_ecs::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use tokio::time::{Instant, timeout_at};

use super::error::Error;
use super::pages::REPEATED_TOKEN;
use crate::domain::start::ErrorKind;
use crate::pace::Pace;

/// An operation, and the thing that a call of it is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call<'a> {
    pub(super) operation: &'static str,
    pub(super) target: Option<&'a str>,
}

impl<'a> Call<'a> {
    /// A call about one thing.
    pub(super) fn of(operation: &'static str, target: &'a str) -> Self {
        Self {
            operation,
            target: Some(target),
        }
    }

    /// A call about the account, or about several things at once.
    pub(super) fn whole(operation: &'static str) -> Self {
        Self {
            operation,
            target: None,
        }
    }

    /// Sends a request, unless the instant `by` comes before its answer. The request lies on the
    /// heap: futures of the SDK are large, and each `async fn` around one would hold it again.
    pub(super) fn send<T, E>(
        self,
        by: Instant,
        request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> impl Future<Output = Result<T, Error>>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let request = Box::pin(request);
        async move {
            match timeout_at(by, request).await {
                Ok(answer) => answer.map_err(|error| self.failed(&error)),
                Err(_) => Err(self.late()),
            }
        }
    }

    /// Sends a request when its turn has come, unless the instant `by` comes before its answer.
    pub(super) fn send_paced<T, E>(
        self,
        pace: &Pace,
        by: Instant,
        request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> impl Future<Output = Result<T, Error>>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let answer = self.send(by, request);
        async move {
            if pace.admit(by).await {
                answer.await
            } else {
                Err(self.late())
            }
        }
    }

    /// The error of an answer, or of a connection.
    pub(super) fn failed<E>(self, error: &SdkError<E, HttpResponse>) -> Error
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        Error::new(self.operation, self.target, error)
    }

    /// The error of a call that was given up because its time was over.
    pub(super) fn late(self) -> Error {
        self.error(ErrorKind::Unavailable, "no answer in time")
    }

    /// The error of a listing that ended at a page token which had been handed out before, so that
    /// something that matters may be missing.
    pub(super) fn repeated_token(self) -> Error {
        self.error(ErrorKind::Unavailable, REPEATED_TOKEN)
    }

    /// The error of an answer that lacks something that the API promises.
    pub(super) fn incomplete(self, lacks: &str) -> Error {
        self.error(ErrorKind::Rejected, &format!("the answer lacks {lacks}"))
    }

    /// The error of one part of a call whose other parts may have succeeded, in the words of AWS.
    pub(super) fn refused(self, code: &str, message: &str) -> Error {
        self.error(ErrorKind::Rejected, &format!("{code}: {message}"))
    }

    /// An error of this kind.
    pub(super) fn error(self, kind: ErrorKind, message: &str) -> Error {
        Error {
            operation: self.operation,
            target: self.target.map(str::to_owned),
            kind,
            message: message.to_owned(),
        }
    }
}
