//! Secrets Manager: when a secret changed and which version it had before, and never its value.

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::Builder;
use aws_sdk_secretsmanager::types::SecretVersionsListEntry;
use jiff::Timestamp;
use tokio::time::Instant;

use super::{Error, SdkConfig, answered, impatient, quota, timestamp, unrationed, willing};
use crate::domain::key::CURRENT;
use crate::pace::Pace;

/// Most secrets of one answer.
const PAGE: i32 = 100;

/// What a listing tells of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedSecret {
    /// Its name.
    pub name: String,
    /// Its ARN, which a secret of the same name before it did not have.
    pub arn: String,
    /// When anything of it changed, a mere description among it.
    pub changed_at: Option<Timestamp>,
    /// When it was rotated last.
    pub rotated_at: Option<Timestamp>,
}

/// Secrets Manager.
#[derive(Debug)]
pub struct SecretsManager {
    client: Client,
    listings: Pace,
}

impl SecretsManager {
    pub(super) fn new(config: &SdkConfig, concurrency: u32) -> Self {
        let config = Builder::from(config).retry_config(willing()).retry_partition(unrationed()).timeout_config(impatient());
        Self { client: Client::from_conf(config.build()), listings: quota::SECRETS.limit.share(concurrency) }
    }

    /// All secrets of the account that are not being deleted, a hundred a call.
    /// [`ListSecrets`](https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecrets.html)
    ///
    /// # Errors
    /// They could not be listed to the end before the instant `by`.
    pub async fn list(&self, by: Instant) -> Result<Vec<ListedSecret>, Error> {
        let (mut listed, mut token) = (Vec::new(), None);
        loop {
            if !self.listings.admit(by).await {
                return Err(Error::late("ListSecrets", None));
            }
            let request = self.client.list_secrets().max_results(PAGE).set_next_token(token);
            let answer = answered("ListSecrets", "the account", by, request.send()).await?;
            listed.extend(answer.secret_list().iter().filter_map(|told| {
                let (changed_at, rotated_at) = (told.last_changed_date(), told.last_rotated_date());
                Some(ListedSecret {
                    name: told.name()?.to_owned(),
                    arn: told.arn()?.to_owned(),
                    changed_at: changed_at.and_then(timestamp),
                    rotated_at: rotated_at.and_then(timestamp),
                })
            }));
            token = answer.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(listed);
            }
        }
    }

    /// When the version was created that a label stands at; nothing where none has it.
    /// [`ListSecretVersionIds`](https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecretVersionIds.html)
    ///
    /// # Errors
    /// It was not told before the instant `by`.
    pub async fn version_created_at(&self, name: &str, label: &str, by: Instant) -> Result<Option<Timestamp>, Error> {
        if !self.listings.admit(by).await {
            return Err(Error::late("ListSecretVersionIds", Some(name.to_owned())));
        }
        let answer = answered("ListSecretVersionIds", name, by, self.client.list_secret_version_ids().secret_id(name).send()).await?;
        let labelled = answer.versions().iter().find(|told| told.version_stages().iter().any(|stage| stage == label));
        Ok(labelled.and_then(|told| timestamp(told.created_date()?)))
    }

    /// The id of the version that was current before `version`, where that one is current now and there was one. Only versions with a label
    /// are listed.
    /// [`ListSecretVersionIds`](https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecretVersionIds.html)
    ///
    /// # Errors
    /// It was not told before the instant `by`.
    pub async fn previous_version(&self, name: &str, version: Option<&str>, by: Instant) -> Result<Option<String>, Error> {
        if !self.listings.admit(by).await {
            return Err(Error::late("ListSecretVersionIds", Some(name.to_owned())));
        }
        let answer = answered("ListSecretVersionIds", name, by, self.client.list_secret_version_ids().secret_id(name).send()).await?;
        let at = |label: &str| {
            let labelled = |told: &&SecretVersionsListEntry| told.version_stages().iter().any(|stage| stage == label);
            answer.versions().iter().find(labelled).and_then(SecretVersionsListEntry::version_id)
        };
        let is_current = version.is_none_or(|version| at(CURRENT) == Some(version));
        Ok(at("AWSPREVIOUS").filter(|_| is_current).map(str::to_owned))
    }
}
