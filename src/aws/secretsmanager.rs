//! Secrets Manager: which version a secret had before, and never its value.

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::Builder;
use tokio::time::{Instant, timeout_at};

use super::{Error, SdkConfig, impatient, unrationed, willing};

const LIST: &str = "ListSecretVersionIds";

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

    /// The id of the version that was current before, where there was one. Versions with a label come on the first page.
    /// [`ListSecretVersionIds`](https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecretVersionIds.html)
    ///
    /// # Errors
    /// It was not told before the instant `by`.
    pub async fn previous_version(&self, secret: &str, by: Instant) -> Result<Option<String>, Error> {
        let target = || Some(secret.to_owned());
        let answer = timeout_at(by, self.client.list_secret_version_ids().secret_id(secret).send()).await;
        let answer = answer.map_err(|_| Error::late(LIST, target()))?.map_err(|error| Error::new(LIST, target(), &error))?;
        let previous = answer.versions().iter().find(|version| version.version_stages().iter().any(|stage| stage == "AWSPREVIOUS"));
        Ok(previous.and_then(|version| version.version_id()).map(str::to_owned))
    }
}
