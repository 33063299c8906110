//! Amazon S3: when an object changed and which version it had before, and never what is in it.

use std::collections::BTreeMap;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::Builder;
use aws_sdk_s3::types::{Object, ObjectVersion};
use jiff::Timestamp;
use tokio::time::Instant;

use super::pages::Pages;
use super::{Error, SdkConfig, answered, impatient, timestamp, unrationed, willing};

const LIST: &str = "ListObjectsV2";

/// The versions of one object that are looked at: enough to find its last two among those that were
/// written at the same moment.
const VERSIONS: i32 = 20;

/// Most pages of a listing, of a thousand objects each: a bucket may hold millions.
const MOST_PAGES: usize = 10;

/// What a listing found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListedObjects {
    /// How many were looked at.
    pub looked_at: usize,
    /// When each that was written lately was written, to the second, by its key.
    pub modified_at: BTreeMap<String, Timestamp>,
    /// Whether there are more than were looked at.
    pub is_cut_off: bool,
    /// Whether the listing ended at a page token that had been handed out before.
    pub is_in_a_circle: bool,
}

/// Amazon S3.
#[derive(Debug)]
pub struct S3 {
    client: Client,
}

impl S3 {
    pub(super) fn new(config: &SdkConfig) -> Self {
        let config = Builder::from(config)
            .retry_config(willing())
            .retry_partition(unrationed())
            .timeout_config(impatient());
        Self {
            client: Client::from_conf(config.build()),
        }
    }

    /// When an object was written, to the second; nothing where it is not there.
    /// [`ListObjectsV2`](https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html)
    ///
    /// # Errors
    /// It was not told before the instant `by`.
    pub async fn modified_at(
        &self,
        bucket: &str,
        key: &str,
        by: Instant,
    ) -> Result<Option<Timestamp>, Error> {
        let (target, mut pages) = (format!("{bucket}/{key}"), Pages::default());
        loop {
            let request = self
                .client
                .list_objects_v2()
                .bucket(bucket)
                .prefix(key)
                .max_keys(1)
                .set_continuation_token(pages.token());
            let answer = answered(LIST, &target, by, request.send()).await?;
            // A key comes before those that go on behind it.
            if let Some(first) = answer.contents().first() {
                return Ok(first
                    .last_modified()
                    .filter(|_| first.key() == Some(key))
                    .and_then(timestamp));
            }
            if !pages.next(answer.next_continuation_token) {
                return if pages.is_whole() {
                    Ok(None)
                } else {
                    Err(Error::in_a_circle(LIST, Some(target)))
                };
            }
        }
    }

    /// When the objects below a prefix were written that were written at `since` or later, folders
    /// of the console left out. Ten thousand are looked at, at most.
    ///
    /// # Errors
    /// They could not be listed before the instant `by`.
    pub async fn modified_below(
        &self,
        bucket: &str,
        prefix: &str,
        since: Timestamp,
        by: Instant,
    ) -> Result<ListedObjects, Error> {
        let (mut listed, mut pages) = (ListedObjects::default(), Pages::default());
        let mut last = String::new();
        for _ in 0..MOST_PAGES {
            let request = self
                .client
                .list_objects_v2()
                .bucket(bucket)
                .prefix(prefix)
                .set_continuation_token(pages.token());
            let answer = answered(LIST, &format!("{bucket}/{prefix}"), by, request.send()).await?;
            let told = answer.contents().iter().filter(|told| !is_folder(told));
            // Keys are told in their order: one that does not come after the last was counted
            // before.
            let keys: Vec<_> = told
                .clone()
                .filter_map(Object::key)
                .filter(|key| *key > last.as_str())
                .collect();
            listed.looked_at += keys.len();
            if let Some(newest) = keys.last() {
                (*newest).clone_into(&mut last);
            }
            let told =
                told.filter_map(|told| Some((told.key()?, timestamp(told.last_modified()?)?)));
            listed.modified_at.extend(
                told.filter(|(_, at)| *at >= since)
                    .map(|(key, at)| (key.to_owned(), at)),
            );
            if !pages.next(answer.next_continuation_token) {
                return Ok(ListedObjects {
                    is_in_a_circle: !pages.is_whole(),
                    ..listed
                });
            }
        }
        Ok(ListedObjects {
            is_cut_off: true,
            ..listed
        })
    }

    /// The id of the version before `version`, where the bucket keeps versions and there was one.
    /// [`ListObjectVersions`][api]
    ///
    /// [api]: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html
    ///
    /// # Errors
    /// It was not told before the instant `by`.
    pub async fn previous_version(
        &self,
        bucket: &str,
        key: &str,
        version: &str,
        by: Instant,
    ) -> Result<Option<String>, Error> {
        let request = self
            .client
            .list_object_versions()
            .bucket(bucket)
            .prefix(key)
            .max_keys(VERSIONS);
        let answer = answered(
            "ListObjectVersions",
            &format!("{bucket}/{key}"),
            by,
            request.send(),
        )
        .await?;
        // The newest first, and objects whose keys go on behind ours after it.
        let mut of_ours = answer
            .versions()
            .iter()
            .filter(|told| told.key() == Some(key))
            .filter_map(ObjectVersion::version_id);
        Ok(of_ours
            .by_ref()
            .find(|told| *told == version)
            .and_then(|_| of_ours.next())
            .map(str::to_owned))
    }
}

/// Whether it is what the console's "Create folder" writes.
fn is_folder(told: &Object) -> bool {
    told.size() == Some(0) && told.key().is_some_and(|key| key.ends_with('/'))
}
