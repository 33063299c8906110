//! The part of AWS Lambda that the simulated account needs: a function that answers invocations.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::time::Instant;

/// One call of the function, with the data that the Lambda Runtime API passes on.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// `Lambda-Runtime-Aws-Request-Id`.
    pub request_id: String,
    /// The event, as JSON.
    pub payload: Bytes,
    /// `Lambda-Runtime-Deadline-Ms`: the function is stopped then.
    pub deadline: Instant,
    /// `Lambda-Runtime-Invoked-Function-Arn`.
    pub function_arn: String,
}

/// The end of an invocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvocationResult {
    /// The function's response, as JSON.
    Ok(Bytes),
    /// The function answered with an error: `{"errorType": …, "errorMessage": …}`.
    FunctionError(Bytes),
    /// The deadline passed first: the function was stopped.
    TimedOut,
    /// The function ended without an answer.
    Crashed,
}

/// A Lambda function: in process an async closure, on loopback the real binary behind the Runtime
/// API.
pub trait Function: Send + Sync {
    /// Answers one invocation. The future is dropped when the deadline passes.
    fn invoke(&self, invocation: Invocation) -> BoxFuture<'_, InvocationResult>;
}

impl<F, Answered> Function for F
where
    F: Fn(Invocation) -> Answered + Send + Sync,
    Answered: Future<Output = InvocationResult> + Send + 'static,
{
    fn invoke(&self, invocation: Invocation) -> BoxFuture<'_, InvocationResult> {
        Box::pin(self(invocation))
    }
}
