//! The Runtime API's four paths, version 2018-06-01, for one process.
//!
//! Shapes, statuses and error types are those of AWS's page "Using the Lambda runtime API for
//! custom runtimes" and of the specification it links.

use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::time::Instant;

use crate::lambda::{Invocation, InvocationResult};

/// The largest answer to a synchronous invocation, in bytes: 6 MB and the room that Lambda leaves
/// for its own wrapping.
const RESPONSE_LIMIT: usize = 6_291_556;

/// A message of the process through the Runtime API.
#[derive(Debug)]
pub(super) enum Signal {
    /// It asked for an event: it is idle.
    Ready,
    /// It cannot initialize, for this reason.
    InitError(Bytes),
    /// The invocation it works on has this result.
    Answered(InvocationResult),
}

/// One process's Runtime API.
#[derive(Debug)]
pub(super) struct Protocol {
    invocations: tokio::sync::Mutex<UnboundedReceiver<Invocation>>,
    signals: UnboundedSender<Signal>,
    /// The request id of the invocation that the process has and has not answered.
    working_on: Mutex<Option<String>>,
}

impl Protocol {
    pub(super) fn new(
        invocations: UnboundedReceiver<Invocation>,
        signals: UnboundedSender<Signal>,
    ) -> Self {
        Self {
            invocations: tokio::sync::Mutex::new(invocations),
            signals,
            working_on: Mutex::new(None),
        }
    }

    pub(super) async fn answer(&self, request: Request<Bytes>) -> Response<Bytes> {
        let path = request
            .uri()
            .path()
            .strip_prefix("/2018-06-01/runtime/")
            .unwrap_or_default();
        let parts: Vec<&str> = path.split('/').collect();
        match (request.method(), parts.as_slice()) {
            (&Method::GET, ["invocation", "next"]) => self.next().await,
            (&Method::POST, ["invocation", id, "response"]) => self.response(id, request.body()),
            (&Method::POST, ["invocation", id, "error"]) => self.error(id, request.body()),
            (&Method::POST, ["init", "error"]) => {
                self.signal(Signal::InitError(request.into_body()));
                accepted()
            }
            _ => failure(
                StatusCode::NOT_FOUND,
                "NotFound",
                "the Runtime API has no such path",
            ),
        }
    }

    async fn next(&self) -> Response<Bytes> {
        self.signal(Signal::Ready);
        let Some(invocation) = self.invocations.lock().await.recv().await else {
            return failure(
                StatusCode::INTERNAL_SERVER_ERROR,
                "Container",
                "the execution environment is shutting down",
            );
        };
        *self
            .working_on
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(invocation.request_id.clone());
        event(invocation)
    }

    fn response(&self, id: &str, body: &Bytes) -> Response<Bytes> {
        if !self.finish(id) {
            return invalid_request_id();
        }
        if body.len() > RESPONSE_LIMIT {
            let message = format!(
                "Response payload size exceeded maximum allowed payload size ({RESPONSE_LIMIT} \
                 bytes)."
            );
            self.signal(Signal::Answered(function_error(
                "Function.ResponseSizeTooLarge",
                &message,
            )));
            return failure(
                StatusCode::PAYLOAD_TOO_LARGE,
                "RequestEntityTooLarge",
                &message,
            );
        }
        self.signal(Signal::Answered(InvocationResult::Ok(body.clone())));
        accepted()
    }

    fn error(&self, id: &str, body: &Bytes) -> Response<Bytes> {
        if !self.finish(id) {
            return invalid_request_id();
        }
        self.signal(Signal::Answered(InvocationResult::FunctionError(
            body.clone(),
        )));
        accepted()
    }

    /// Ends the invocation that is being worked on; returns `false` if that is not `id`.
    fn finish(&self, id: &str) -> bool {
        self.working_on
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take_if(|current| current == id)
            .is_some()
    }

    /// The environment that listens is gone only when the process is being ended; the signal is not
    /// needed then.
    fn signal(&self, signal: Signal) {
        let _ = self.signals.send(signal);
    }
}

/// The answer to `next`.
fn event(invocation: Invocation) -> Response<Bytes> {
    let Invocation {
        request_id,
        payload,
        deadline,
        function_arn,
    } = invocation;
    let response = Response::builder()
        .header("Content-Type", "application/json")
        .header("Lambda-Runtime-Aws-Request-Id", request_id)
        .header("Lambda-Runtime-Deadline-Ms", epoch_ms(deadline).to_string())
        .header("Lambda-Runtime-Invoked-Function-Arn", function_arn)
        .header("Lambda-Runtime-Trace-Id", trace_id())
        .body(payload);
    response.unwrap_or_else(|error| {
        failure(
            StatusCode::INTERNAL_SERVER_ERROR,
            "Container",
            &error.to_string(),
        )
    })
}

/// `deadline` in milliseconds since 1970, by the clock that the process reads.
fn epoch_ms(deadline: Instant) -> u128 {
    (real_now() + deadline.saturating_duration_since(Instant::now())).as_millis()
}

/// An X-Ray trace header that asks for no trace.
fn trace_id() -> String {
    format!(
        "Root=1-{:08x}-{:024x};Parent={:016x};Sampled=0",
        real_now().as_secs(),
        fastrand::u128(..) >> 32,
        fastrand::u64(..)
    )
}

#[expect(
    clippy::disallowed_methods,
    reason = "the process on the other side reads the real clock, whatever time the account has"
)]
fn real_now() -> std::time::Duration {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
}

fn accepted() -> Response<Bytes> {
    json_response(StatusCode::ACCEPTED, &json!({ "status": "OK" }))
}

fn invalid_request_id() -> Response<Bytes> {
    failure(
        StatusCode::BAD_REQUEST,
        "InvalidRequestID",
        "Invalid request ID",
    )
}

fn failure(status: StatusCode, error_type: &str, message: &str) -> Response<Bytes> {
    json_response(
        status,
        &json!({ "errorType": error_type, "errorMessage": message }),
    )
}

fn json_response(status: StatusCode, body: &Value) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(
        http::header::CONTENT_TYPE,
        http::HeaderValue::from_static("application/json"),
    );
    response
}

/// An error in Lambda's own words, for a fault outside the function.
pub(super) fn function_error(error_type: &str, message: &str) -> InvocationResult {
    InvocationResult::FunctionError(Bytes::from(
        json!({ "errorType": error_type, "errorMessage": message }).to_string(),
    ))
}
