//! Secrets Manager: which version a secret had before, and never its value.

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::Builder;
use aws_sdk_secretsmanager::types::SecretVersionsListEntry;
use tokio::time::Instant;

use super::{Error, SdkConfig, answered, impatient, unrationed, willing};
use crate::domain::key::CURRENT;

/// Secrets Manager.
#[derive(Debug)]
pub struct SecretsManager {
    client: Client,
}

impl SecretsManager {
    pub(super) fn new(config: &SdkConfig) -> Self {
        let config = Builder::from(config).retry_config(willing()).retry_partition(unrationed()).timeout_config(impatient());
        Self { client: Client::from_conf(config.build()) }
    }

    /// The id of the version that was current before `version`, where that one is current now and there was one. Only versions with a label
    /// are listed.
    /// [`ListSecretVersionIds`](https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecretVersionIds.html)
    ///
    /// # Errors
    /// It was not told before the instant `by`.
    pub async fn previous_version(&self, name: &str, version: Option<&str>, by: Instant) -> Result<Option<String>, Error> {
        let answer = answered("ListSecretVersionIds", name, by, self.client.list_secret_version_ids().secret_id(name).send()).await?;
        let at = |label: &str| {
            let labelled = |told: &&SecretVersionsListEntry| told.version_stages().iter().any(|stage| stage == label);
            answer.versions().iter().find(labelled).and_then(SecretVersionsListEntry::version_id)
        };
        let is_current = version.is_none_or(|version| at(CURRENT) == Some(version));
        Ok(at("AWSPREVIOUS").filter(|_| is_current).map(str::to_owned))
    }
}
