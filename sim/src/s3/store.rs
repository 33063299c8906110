//! Buckets, and their objects in versions.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::notification::Notifications;
use crate::clockwork::Clockwork;
use crate::error::{ApiError, ApiResult};

#[derive(Debug, Default)]
pub(crate) struct Buckets {
    pub(super) buckets: BTreeMap<String, Bucket>,
}

#[derive(Debug, Default)]
pub(super) struct Bucket {
    pub(super) created_at: Timestamp,
    pub(super) versioned: bool,
    pub(super) notifications: Notifications,
    pub(super) objects: BTreeMap<String, Stored>,
}

/// An object, or the rest of a deleted one.
#[derive(Debug, Default)]
pub(super) struct Stored {
    /// The number of writes, also before a deletion.
    writes: u64,
    /// Oldest first, delete markers among them.
    pub(super) versions: Vec<Version>,
}

#[derive(Clone, Debug)]
pub(super) struct Version {
    /// Only in versioned buckets.
    pub(super) id: Option<String>,
    pub(super) etag: String,
    pub(super) size: usize,
    pub(super) modified_at: Timestamp,
    pub(super) is_delete_marker: bool,
}

/// An object that exists: its current version, and how often it was written.
pub(super) struct Live<'a> {
    pub(super) key: &'a str,
    pub(super) writes: u64,
    pub(super) version: &'a Version,
}

impl Stored {
    /// The current version.
    pub(super) fn current(&self) -> Option<&Version> {
        self.versions
            .last()
            .filter(|version| !version.is_delete_marker)
    }

    /// Without versioning a version has no id, and there is at most one of these.
    fn push(&mut self, version: Version) {
        if version.id.is_none() {
            self.versions.retain(|known| known.id.is_some());
        }
        self.versions.push(version);
    }

    /// Deletes the object. A bucket that was never versioned keeps no trace of it.
    pub(super) fn mark_deleted(&mut self, marker: Option<String>, now: Timestamp) {
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
        let live = bucket.live().filter(|live| matches(live.key));
        live.map(|live| (format!("s3:{name}/{}", live.key), live.writes))
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

    pub(super) fn bucket(&self, name: &str) -> ApiResult<&Bucket> {
        self.buckets.get(name).ok_or_else(no_bucket)
    }

    pub(super) fn bucket_mut(&mut self, name: &str) -> ApiResult<&mut Bucket> {
        self.buckets.get_mut(name).ok_or_else(no_bucket)
    }
}

impl Bucket {
    /// Objects that exist, in the order of their keys.
    pub(super) fn live(&self) -> impl Iterator<Item = Live<'_>> {
        self.objects.iter().filter_map(|(key, stored)| {
            Some(Live {
                key,
                writes: stored.writes,
                version: stored.current()?,
            })
        })
    }

    pub(super) fn write(&mut self, key: &str, content: &[u8], clock: &mut Clockwork) -> u64 {
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

pub(super) fn no_bucket() -> ApiError {
    ApiError::new("NoSuchBucket", "The specified bucket does not exist").with_status(404)
}
