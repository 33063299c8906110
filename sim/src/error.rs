//! Errors as AWS's JSON and REST protocols write them.

use std::fmt::Display;

/// An API error: the code clients match on, a message for people, and the HTTP status.
#[derive(Clone, Debug)]
pub(crate) struct ApiError {
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) status: u16,
}

pub(crate) type ApiResult<T = serde_json::Value> = Result<T, ApiError>;

impl ApiError {
    /// An error of the caller, with status 400 as the JSON protocols give it.
    pub(crate) fn new(code: impl Into<String>, message: impl Display) -> Self {
        Self {
            code: code.into(),
            message: message.to_string(),
            status: 400,
        }
    }

    pub(crate) fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    pub(crate) fn invalid_parameter(message: impl Display) -> Self {
        Self::new("InvalidParameterException", message)
    }

    /// The answer of a JSON service to an operation that it does not have.
    pub(crate) fn unknown_operation() -> Self {
        Self::new("UnknownOperationException", "").with_status(404)
    }
}
