//! The AWS JSON and REST-XML protocols: answers and errors on the wire.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Value, json};

use super::api::Api;
use crate::error::ApiError;
use crate::output::response;
use crate::s3::xml::error_document;

impl Api {
    fn content_type(self) -> &'static str {
        match self {
            Self::Ecs | Self::Tagging | Self::Ssm | Self::Secrets | Self::Events => {
                "application/x-amz-json-1.1"
            }
            Self::Sqs => "application/x-amz-json-1.0",
            Self::S3 => "application/xml",
        }
    }

    pub(super) fn json_response(self, output: &Value) -> Response<Bytes> {
        // Operations without output answer with an empty body, as AWS does.
        let body = if output.is_null() {
            Bytes::new()
        } else {
            Bytes::from(output.to_string())
        };
        response(StatusCode::OK, self.content_type(), body)
    }

    /// The error in this API's protocol; an answer to HEAD has no body.
    pub(super) fn error_response(self, error: &ApiError, with_body: bool) -> Response<Bytes> {
        let status =
            StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = match self {
            Self::S3 => error_document(error),
            Self::Sqs => {
                let kind = format!("com.amazonaws.sqs#{}", error.code);
                json!({ "__type": kind, "message": error.message }).to_string()
            }
            Self::Ecs | Self::Tagging | Self::Ssm | Self::Secrets | Self::Events => {
                json!({ "__type": error.code, "message": error.message }).to_string()
            }
        };
        let body = if with_body {
            Bytes::from(body)
        } else {
            Bytes::new()
        };
        let mut response = response(status, self.content_type(), body);
        if self != Self::S3
            && let Ok(code) = HeaderValue::from_str(&error.code)
        {
            response.headers_mut().insert("x-amzn-errortype", code);
        }
        response
    }

    /// The error of this API for too many calls.
    pub(super) fn throttle(self) -> ApiError {
        match self {
            Self::Ecs | Self::Ssm | Self::Secrets | Self::Events => {
                ApiError::new("ThrottlingException", "Rate exceeded")
            }
            Self::Tagging => ApiError::new("ThrottledException", "Rate exceeded"),
            Self::Sqs => ApiError::new("RequestThrottled", "Rate exceeded"),
            Self::S3 => {
                ApiError::new("SlowDown", "Please reduce your request rate.").with_status(503)
            }
        }
    }
}

pub(super) fn add_request_id(response: &mut Response<Bytes>, api: Api, id: &str) {
    let name = if api == Api::S3 {
        "x-amz-request-id"
    } else {
        "x-amzn-requestid"
    };
    if let Ok(id) = HeaderValue::from_str(id) {
        response.headers_mut().insert(name, id);
    }
}
