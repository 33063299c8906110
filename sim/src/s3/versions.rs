//! `ListObjectVersions`: every version and delete marker below a prefix, in the order of the keys,
//! the newest of each key first.

use bytes::Bytes;
use http::Response;
use serde::Serialize;

use super::request::S3Request;
use super::store::{Buckets, Version};
use super::xml::{MOST_KEYS, listed_time, quoted, xml};
use crate::error::ApiResult;

/// The id of a version that was made without versioning.
const NO_ID: &str = "null";

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListVersionsResult<'a> {
    name: &'a str,
    prefix: &'a str,
    key_marker: &'a str,
    version_id_marker: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_key_marker: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_version_id_marker: Option<&'a str>,
    max_keys: usize,
    is_truncated: bool,
    #[serde(rename = "$value")]
    entries: Vec<Entry<'a>>,
}

#[derive(Serialize)]
enum Entry<'a> {
    Version(VersionEntry<'a>),
    DeleteMarker(MarkerEntry<'a>),
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct MarkerEntry<'a> {
    key: &'a str,
    version_id: &'a str,
    is_latest: bool,
    last_modified: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct VersionEntry<'a> {
    key: &'a str,
    version_id: &'a str,
    is_latest: bool,
    last_modified: String,
    #[serde(rename = "ETag")]
    etag: String,
    size: usize,
    storage_class: &'a str,
}

/// A version, its key, and whether it is the key's newest.
struct Listed<'a> {
    key: &'a str,
    version: &'a Version,
    is_latest: bool,
}

pub(super) fn list(buckets: &Buckets, request: &S3Request) -> ApiResult<Response<Bytes>> {
    let bucket = buckets.bucket(&request.bucket)?;
    let text = |name: &str| request.query(name).unwrap_or_default();
    let prefix = text("prefix");
    let key_marker = text("key-marker");
    let version_id_marker = text("version-id-marker");
    let max_keys = request
        .query("max-keys")
        .and_then(|size| size.parse().ok())
        .unwrap_or(MOST_KEYS)
        .min(MOST_KEYS);

    let all = bucket
        .objects
        .iter()
        .filter(|(key, _)| key.starts_with(prefix))
        .flat_map(|(key, stored)| {
            let newest_first = stored.versions.iter().rev().enumerate();
            newest_first.map(move |(age, version)| Listed {
                key,
                version,
                is_latest: age == 0,
            })
        });
    let mut marker_passed = version_id_marker.is_empty();
    let mut rest = all.filter(|listed| match listed.key.cmp(key_marker) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Greater => true,
        std::cmp::Ordering::Equal => {
            let passed = !version_id_marker.is_empty() && marker_passed;
            marker_passed |= listed.id() == version_id_marker;
            passed
        }
    });
    let page: Vec<_> = rest.by_ref().take(max_keys).collect();
    let is_truncated = rest.next().is_some();
    let last = page.last().filter(|_| is_truncated);
    Ok(xml(&ListVersionsResult {
        name: &request.bucket,
        prefix,
        key_marker,
        version_id_marker,
        next_key_marker: last.map(|listed| listed.key),
        next_version_id_marker: last.map(Listed::id),
        max_keys,
        is_truncated,
        entries: page.iter().map(Listed::entry).collect(),
    }))
}

impl<'a> Listed<'a> {
    fn id(&self) -> &'a str {
        self.version.id.as_deref().unwrap_or(NO_ID)
    }

    fn entry(&self) -> Entry<'a> {
        let (key, version_id) = (self.key, self.id());
        let is_latest = self.is_latest;
        let last_modified = listed_time(self.version.modified_at);
        if self.version.is_delete_marker {
            return Entry::DeleteMarker(MarkerEntry {
                key,
                version_id,
                is_latest,
                last_modified,
            });
        }
        Entry::Version(VersionEntry {
            key,
            version_id,
            is_latest,
            last_modified,
            etag: quoted(&self.version.etag),
            size: self.version.size,
            storage_class: "STANDARD",
        })
    }
}
