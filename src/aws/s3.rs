//! Amazon S3: when an object changed and which version it had before. Its content is never read.

use std::collections::BTreeMap;

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::list_objects_v2::builders::ListObjectsV2FluentBuilder;
use aws_sdk_s3::types::{Object, ObjectVersion};
use aws_types::SdkConfig;
use jiff::Timestamp;
use tokio::time::Instant;

use super::call::Call;
use super::config::{client, few_retries};
use super::error::Error;
use super::pages::Pages;
use super::timestamp::timestamp;

const LIST: &str = "ListObjectsV2";

/// The number of versions of one object that are read: the last two may be among several that were
/// written at the same moment.
const VERSIONS: i32 = 20;

/// Most pages of a listing, of a thousand objects each: a bucket may hold millions.
const MOST_PAGES: usize = 10;

/// The objects below a prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListedObjects {
    /// The number of objects that were listed.
    pub number: usize,
    /// The time of writing, to the second, of each that was written lately, by its key.
    pub modified_at: BTreeMap<String, Timestamp>,
    /// True if there are more objects than were listed.
    pub is_cut_off: bool,
    /// True if the listing ended at a page token that had been handed out before.
    pub has_repeated_token: bool,
}

/// Amazon S3.
#[derive(Debug)]
pub struct S3 {
    client: Client,
}

impl S3 {
    pub(super) fn new(config: &SdkConfig) -> Self {
        Self {
            client: client!(aws_sdk_s3, config, few_retries()),
        }
    }

    /// The time at which an object was written, to the second; `None` if it does not exist.
    ///
    /// # Errors
    /// It was not listed before the instant `by`.
    pub async fn modified_at(
        &self,
        bucket: &str,
        key: &str,
        by: Instant,
    ) -> Result<Option<Timestamp>, Error> {
        let target = format!("{bucket}/{key}");
        let call = Call::of(LIST, &target);
        let request = self.list_objects_v2(bucket, key).max_keys(1);
        let mut pages = Pages::default();
        loop {
            let page = request.clone().set_continuation_token(pages.token());
            let answer = call.send(by, page.send()).await?;
            // A key comes before the longer keys that begin with it.
            if let Some(first) = answer.contents().first() {
                let modified_at = first.last_modified().and_then(timestamp);
                return Ok(modified_at.filter(|_| first.key() == Some(key)));
            }
            if !pages.next(answer.next_continuation_token) {
                return if pages.is_whole() {
                    Ok(None)
                } else {
                    Err(call.repeated_token())
                };
            }
        }
    }

    /// Lists the objects below a prefix that were written at `since` or later, without the folders
    /// of the console. Ten thousand objects are listed, at most.
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
        let target = format!("{bucket}/{prefix}");
        let call = Call::of(LIST, &target);
        let request = self.list_objects_v2(bucket, prefix);
        let (mut listed, mut pages) = (ListedObjects::default(), Pages::default());
        let mut last = String::new();
        for _ in 0..MOST_PAGES {
            let page = request.clone().set_continuation_token(pages.token());
            let answer = call.send(by, page.send()).await?;
            for object in answer.contents().iter().filter(|object| !is_folder(object)) {
                let Some(key) = object.key() else {
                    continue;
                };
                // Objects are listed in the order of their keys: one that comes before the last, or
                // is the last, was counted already.
                if key > last.as_str() {
                    listed.number += 1;
                    key.clone_into(&mut last);
                }
                let modified_at = object.last_modified().and_then(timestamp);
                if let Some(modified_at) = modified_at.filter(|at| *at >= since) {
                    listed.modified_at.insert(key.to_owned(), modified_at);
                }
            }
            if !pages.next(answer.next_continuation_token) {
                listed.has_repeated_token = !pages.is_whole();
                return Ok(listed);
            }
        }
        listed.is_cut_off = true;
        Ok(listed)
    }

    /// A listing of the objects whose keys begin with a prefix: [`ListObjectsV2`][api].
    ///
    /// [api]: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
    fn list_objects_v2(&self, bucket: &str, prefix: &str) -> ListObjectsV2FluentBuilder {
        self.client.list_objects_v2().bucket(bucket).prefix(prefix)
    }

    /// The id of the version before `version`, if the bucket keeps versions and there was one:
    /// [`ListObjectVersions`][api].
    ///
    /// [api]: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html
    ///
    /// # Errors
    /// It was not listed before the instant `by`.
    pub async fn previous_version(
        &self,
        bucket: &str,
        key: &str,
        version: &str,
        by: Instant,
    ) -> Result<Option<String>, Error> {
        let target = format!("{bucket}/{key}");
        let request = self
            .client
            .list_object_versions()
            .bucket(bucket)
            .prefix(key)
            .max_keys(VERSIONS);
        let call = Call::of("ListObjectVersions", &target);
        let answer = call.send(by, request.send()).await?;
        // The newest comes first. Versions of longer keys that begin with this one come last.
        let mut versions = answer
            .versions()
            .iter()
            .filter(|listed| listed.key() == Some(key))
            .filter_map(ObjectVersion::version_id);
        let is_known = versions.any(|listed| listed == version);
        Ok(versions.next().filter(|_| is_known).map(str::to_owned))
    }
}

/// True if the console's "Create folder" wrote the object.
fn is_folder(object: &Object) -> bool {
    object.size() == Some(0) && object.key().is_some_and(|key| key.ends_with('/'))
}
