//! S3: buckets, objects in versions, and what a change of them sets off.

pub(crate) mod api;
mod notification;
mod request;
mod versions;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::clockwork::Clockwork;
use crate::error::{ApiError, ApiResult};
use crate::events::{self, Object};
use crate::world::World;
use notification::Notifications;
pub(crate) use request::S3Request;

#[derive(Debug, Default)]
pub(crate) struct Buckets {
    buckets: BTreeMap<String, Bucket>,
}

#[derive(Debug, Default)]
struct Bucket {
    created_at: Timestamp,
    versioned: bool,
    notifications: Notifications,
    objects: BTreeMap<String, Stored>,
}

/// An object, or what is left of a deleted one.
#[derive(Debug, Default)]
struct Stored {
    /// How often it was written, deletions notwithstanding.
    writes: u64,
    /// Oldest first, delete markers among them.
    versions: Vec<Version>,
}

#[derive(Clone, Debug)]
struct Version {
    /// Only in versioned buckets.
    id: Option<String>,
    etag: String,
    size: usize,
    modified_at: Timestamp,
    is_delete_marker: bool,
}

impl Stored {
    /// The version that is there now.
    fn current(&self) -> Option<&Version> {
        self.versions
            .last()
            .filter(|version| !version.is_delete_marker)
    }

    /// Without versioning a version has no id, and there is one such at most.
    fn push(&mut self, version: Version) {
        if version.id.is_none() {
            self.versions.retain(|known| known.id.is_some());
        }
        self.versions.push(version);
    }

    /// A bucket that was never versioned keeps nothing of what was deleted.
    fn mark_deleted(&mut self, marker: Option<String>, now: Timestamp) {
        let versioned = marker.is_some();
        self.push(Version {
            id: marker,
            etag: String::new(),
            size: 0,
            modified_at: now,
            is_delete_marker: true,
        });
        if !versioned && self.versions.len() == 1 {
            self.versions.clear();
        }
    }
}

impl Buckets {
    /// The object `bucket/key`, or all of a bucket below a prefix that ends in `/`, with the number
    /// of their writes.
    pub(crate) fn versions_of(&self, path: &str) -> Vec<(String, u64)> {
        let Some((name, key)) = path.split_once('/') else {
            return Vec::new();
        };
        let Some(bucket) = self.buckets.get(name) else {
            return Vec::new();
        };
        let prefix = key.is_empty() || key.ends_with('/');
        let matches = |known: &str| {
            if prefix {
                known.starts_with(key)
            } else {
                known == key
            }
        };
        let live = bucket.live().filter(|(known, ..)| matches(known));
        live.map(|(known, stored, _)| (format!("s3:{name}/{known}"), stored.writes))
            .collect()
    }

    pub(crate) fn ensure_exists(&mut self, path: &str, clock: &mut Clockwork) {
        let Some((name, key)) = path.split_once('/') else {
            return;
        };
        let bucket = self.bucket_or_new(name, clock.now);
        if bucket
            .objects
            .get(key)
            .is_none_or(|stored| stored.current().is_none())
        {
            bucket.write(key, b"content", clock);
        }
    }

    /// Buckets of a scenario are versioned and send their events to EventBridge from the start.
    pub(crate) fn ensure_bucket(&mut self, name: &str, now: Timestamp) {
        self.bucket_or_new(name, now);
    }

    fn bucket_or_new(&mut self, name: &str, now: Timestamp) -> &mut Bucket {
        let new = || Bucket {
            created_at: now,
            versioned: true,
            notifications: Notifications::to_event_bridge(),
            ..Bucket::default()
        };
        self.buckets.entry(name.to_owned()).or_insert_with(new)
    }

    fn bucket(&self, name: &str) -> ApiResult<&Bucket> {
        self.buckets.get(name).ok_or_else(no_bucket)
    }

    fn bucket_mut(&mut self, name: &str) -> ApiResult<&mut Bucket> {
        self.buckets.get_mut(name).ok_or_else(no_bucket)
    }
}

impl Bucket {
    /// Objects that exist, with their current version.
    fn live(&self) -> impl Iterator<Item = (&String, &Stored, &Version)> {
        self.objects
            .iter()
            .filter_map(|(key, stored)| Some((key, stored, stored.current()?)))
    }

    fn write(&mut self, key: &str, content: &[u8], clock: &mut Clockwork) -> u64 {
        let id = self.versioned.then(|| clock.token(32));
        let etag = format!("{:x}", md5::compute(content));
        let stored = self.objects.entry(key.to_owned()).or_default();
        stored.writes += 1;
        stored.push(Version {
            id,
            etag,
            size: content.len(),
            modified_at: clock.now,
            is_delete_marker: false,
        });
        stored.writes
    }
}

impl World {
    pub(crate) fn put_object(&mut self, bucket: &str, key: &str, content: &[u8]) -> ApiResult<u64> {
        let clock = &mut self.clock;
        let writes = self.buckets.bucket_mut(bucket)?.write(key, content, clock);
        self.tell_created(bucket, key);
        Ok(writes)
    }

    /// Deleting what does not exist succeeds, and tells nobody.
    pub(crate) fn delete_object(&mut self, name: &str, key: &str) -> ApiResult<Option<String>> {
        let clock = &mut self.clock;
        let bucket = self.buckets.bucket_mut(name)?;
        let versioned = bucket.versioned;
        let Some(stored) = bucket
            .objects
            .get_mut(key)
            .filter(|stored| stored.current().is_some())
        else {
            return Ok(None);
        };
        let marker = versioned.then(|| clock.token(32));
        stored.mark_deleted(marker.clone(), clock.now);
        let (sequencer, request_id) = (sequencer(clock), clock.token(16).to_uppercase());
        let object = Object {
            bucket: name,
            key,
            size: 0,
            etag: "",
            version_id: marker.as_deref(),
            sequencer: &sequencer,
            request_id: &request_id,
        };
        let kind = if versioned {
            "ObjectRemoved:DeleteMarkerCreated"
        } else {
            "ObjectRemoved:Delete"
        };
        self.tell(&object, kind, |envelope| {
            events::object_deleted(envelope, &object)
        });
        Ok(marker)
    }

    fn tell_created(&mut self, bucket: &str, key: &str) {
        let stored = self
            .buckets
            .buckets
            .get(bucket)
            .and_then(|bucket| bucket.objects.get(key)?.current().cloned());
        let Some(Version { id, etag, size, .. }) = stored else {
            return;
        };
        let (sequencer, request_id) = (
            sequencer(&mut self.clock),
            self.clock.token(16).to_uppercase(),
        );
        let object = Object {
            bucket,
            key,
            size,
            etag: &etag,
            version_id: id.as_deref(),
            sequencer: &sequencer,
            request_id: &request_id,
        };
        self.tell(&object, "ObjectCreated:Put", |envelope| {
            events::object_created(envelope, &object, "PutObject")
        });
    }
}

/// Hexadecimal, greater for later writes of a key.
fn sequencer(clock: &mut Clockwork) -> String {
    format!(
        "{:014X}{}",
        clock.now.as_microsecond(),
        clock.hex(2).to_uppercase()
    )
}

fn no_bucket() -> ApiError {
    ApiError::new("NoSuchBucket", "The specified bucket does not exist").with_status(404)
}

/// An error as S3 tells it.
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

/// XML of anything that S3 answers: plain structs, which always have a form in XML.
fn document(content: &impl Serialize) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}",
        quick_xml::se::to_string(content).unwrap_or_default()
    )
}
