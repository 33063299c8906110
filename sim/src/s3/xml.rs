//! Answers of S3 as XML.

use bytes::Bytes;
use http::{Response, StatusCode};
use jiff::Timestamp;
use serde::Serialize;

use crate::error::ApiError;
use crate::output::response;

/// The most keys of one page.
pub(super) const MOST_KEYS: usize = 1000;

/// Whole seconds, although written with milliseconds.
pub(super) fn listed_time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string()
}

pub(super) fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}

pub(super) fn xml(content: &impl Serialize) -> Response<Bytes> {
    response(
        StatusCode::OK,
        "application/xml",
        Bytes::from(document(content)),
    )
}

/// An error as S3 writes it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase", rename = "Error")]
struct ErrorDocument<'a> {
    code: &'a str,
    message: &'a str,
}

pub(crate) fn error_document(error: &ApiError) -> String {
    document(&ErrorDocument {
        code: &error.code,
        message: &error.message,
    })
}

/// The XML of an answer: plain structs, which always have a form in XML.
fn document(content: &impl Serialize) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}",
        quick_xml::se::to_string(content).unwrap_or_default()
    )
}
