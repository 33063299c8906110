//! S3's REST requests: bucket and key from host and path, the operation from method and query.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::{Buf, Bytes};
use http::{Method, Request};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::page::{Turn, Turns};

/// The parameter of `ListObjectsV2` with the token of a page.
pub(super) const TOKEN: &str = "continuation-token";

#[derive(Clone, Debug)]
pub(crate) struct S3Request {
    pub(crate) method: Method,
    /// Empty for calls about the account.
    pub(super) bucket: String,
    /// Raw; empty for calls about a bucket.
    pub(super) key: String,
    query: BTreeMap<String, String>,
    pub(super) body: Bytes,
    /// The page of a listing that never ends, if it asks for one.
    pub(super) turn: Option<Turn>,
}

impl S3Request {
    /// `bucket` is the bucket that the host names, in the virtual-host style.
    pub(crate) fn parse(request: &Request<Bytes>, bucket: Option<String>) -> Self {
        let path = request.uri().path().trim_start_matches('/');
        let (bucket, key) = bucket.map_or_else(
            || {
                let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
                (decoded(bucket).into_owned(), key)
            },
            |bucket| (bucket, path),
        );
        let query = request
            .uri()
            .query()
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty());
        let query = query.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (
                decoded(name).into_owned(),
                decoded(&value.replace('+', " ")).into_owned(),
            )
        });
        let chunked = request
            .headers()
            .get("x-amz-content-sha256")
            .is_some_and(|value| value.as_bytes().starts_with(b"STREAMING-"));
        let body = request.body();
        Self {
            method: request.method().clone(),
            bucket,
            key: decoded(key).into_owned(),
            query: query.collect(),
            body: if chunked {
                unchunked(body.clone())
            } else {
                body.clone()
            },
            turn: None,
        }
    }

    /// Asks for a page of a listing that never ends.
    pub(crate) fn turned(&self, turns: Turns) -> Self {
        let mut turned = self.clone();
        let token = turned.query.remove(TOKEN);
        turned.turn = Some(Turn::after(token.as_deref(), turns));
        turned
    }

    pub(super) fn query(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    pub(crate) fn operation(&self) -> &'static str {
        let about_object = !self.key.is_empty();
        let has = |name: &str| self.query.contains_key(name);
        match (&self.method, about_object) {
            (&Method::PUT, true) => "PutObject",
            (&Method::DELETE, true) => "DeleteObject",
            (&Method::HEAD, true) => "HeadObject",
            (&Method::GET, true) => "GetObject",
            (&Method::PUT, false) if has("notification") => "PutBucketNotificationConfiguration",
            (&Method::PUT, false) if has("versioning") => "PutBucketVersioning",
            (&Method::PUT, false) => "CreateBucket",
            (&Method::GET, false) if self.bucket.is_empty() => "ListBuckets",
            (&Method::GET, false) if has("notification") => "GetBucketNotificationConfiguration",
            (&Method::GET, false) if has("versions") => "ListObjectVersions",
            (&Method::GET, false) => "ListObjectsV2",
            (&Method::HEAD, false) => "HeadBucket",
            _ => "Unknown",
        }
    }

    pub(crate) fn target(&self) -> String {
        if self.key.is_empty() {
            self.bucket.clone()
        } else {
            format!("{}/{}", self.bucket, self.key)
        }
    }

    pub(crate) fn input(&self) -> Value {
        json!({ "Bucket": self.bucket, "Key": self.key, "Query": self.query })
    }
}

fn decoded(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8_lossy()
}

/// The content of an aws-chunked body: `SIZE[;chunk-signature=…]CRLF DATA CRLF`, a chunk of size 0,
/// trailers.
fn unchunked(mut body: Bytes) -> Bytes {
    let mut content = Vec::new();
    while let Some(end) = body.windows(2).position(|pair| pair == b"\r\n") {
        let head = String::from_utf8_lossy(&body.split_to(end)).into_owned();
        body.advance(2);
        let size = head
            .split(';')
            .next()
            .and_then(|size| usize::from_str_radix(size.trim(), 16).ok())
            .unwrap_or_default();
        if size == 0 || size > body.len() {
            break;
        }
        content.extend_from_slice(&body.split_to(size));
        body.advance(2.min(body.len()));
    }
    Bytes::from(content)
}
