//! Amazon S3: which version an object had before, and never what is in it.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::Builder;
use aws_sdk_s3::types::ObjectVersion;
use tokio::time::Instant;

use super::{Error, SdkConfig, answered, impatient, unrationed, willing};

/// The versions of one object that are looked at: enough to find its last two among those that were written at the same moment.
const VERSIONS: i32 = 20;

/// Amazon S3.
#[derive(Debug)]
pub struct S3 {
    client: Client,
}

impl S3 {
    pub(super) fn new(config: &SdkConfig) -> Self {
        let config = Builder::from(config).retry_config(willing()).retry_partition(unrationed()).timeout_config(impatient());
        Self { client: Client::from_conf(config.build()) }
    }

    /// The id of the version before `version`, where the bucket keeps versions and there was one.
    /// [`ListObjectVersions`](https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html)
    ///
    /// # Errors
    /// It was not told before the instant `by`.
    pub async fn previous_version(&self, bucket: &str, key: &str, version: &str, by: Instant) -> Result<Option<String>, Error> {
        let request = self.client.list_object_versions().bucket(bucket).prefix(key).max_keys(VERSIONS);
        let answer = answered("ListObjectVersions", &format!("{bucket}/{key}"), by, request.send()).await?;
        // The newest first, and objects whose keys go on behind ours after it.
        let mut of_ours = answer.versions().iter().filter(|told| told.key() == Some(key)).filter_map(ObjectVersion::version_id);
        Ok(of_ours.by_ref().find(|told| *told == version).and_then(|_| of_ours.next()).map(str::to_owned))
    }
}
