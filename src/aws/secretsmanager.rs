//! Secrets Manager: when a secret changed and which version it had before, and never its value.

use std::collections::BTreeMap;

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::Builder;
use aws_sdk_secretsmanager::types::{Filter, FilterNameStringType, SecretVersionsListEntry};
use jiff::Timestamp;
use tokio::time::Instant;

use super::pages::{Listing, Pages};
use super::{Error, SdkConfig, answered, impatient, quota, timestamp, unrationed, willing};
use crate::domain::key::{CURRENT, PREVIOUS};
use crate::pace::Pace;

const LIST_VERSIONS: &str = "ListSecretVersionIds";

/// Most secrets, or versions of one, of one answer.
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
        let config = Builder::from(config)
            .retry_config(willing())
            .retry_partition(unrationed())
            .timeout_config(impatient());
        Self {
            client: Client::from_conf(config.build()),
            listings: quota::SECRETS.limit.share(concurrency),
        }
    }

    /// When anything of a secret changed last, the move of a label, a restoration and a description
    /// among it; nothing where it is not there, or is being deleted. The listing may lag by
    /// minutes.
    /// [`ListSecrets`][api]
    ///
    /// [api]: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecrets.html
    ///
    /// # Errors
    /// It was not told before the instant `by`.
    pub async fn changed_at(&self, name: &str, by: Instant) -> Result<Option<Timestamp>, Error> {
        let filter = Filter::builder()
            .key(FilterNameStringType::Name)
            .values(name)
            .build();
        let listed = self.list_those(Some(vec![filter]), by).await?;
        // The filter lets through what begins like that.
        match listed.found.into_iter().find(|listed| listed.name == name) {
            None if !listed.is_whole => {
                Err(Error::in_a_circle("ListSecrets", Some(name.to_owned())))
            }
            found => Ok(found.and_then(|listed| listed.changed_at)),
        }
    }

    /// All secrets of the account that are not being deleted, a hundred a call.
    /// [`ListSecrets`][api]
    ///
    /// [api]: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecrets.html
    ///
    /// # Errors
    /// They could not be listed before the instant `by`.
    pub async fn list(&self, by: Instant) -> Result<Listing<Vec<ListedSecret>>, Error> {
        self.list_those(None, by).await
    }

    async fn list_those(
        &self,
        filters: Option<Vec<Filter>>,
        by: Instant,
    ) -> Result<Listing<Vec<ListedSecret>>, Error> {
        let (mut listed, mut pages) = (BTreeMap::new(), Pages::default());
        loop {
            if !self.listings.admit(by).await {
                return Err(Error::late("ListSecrets", None));
            }
            let request = self
                .client
                .list_secrets()
                .set_filters(filters.clone())
                .max_results(PAGE)
                .set_next_token(pages.token());
            let answer = answered("ListSecrets", "the account", by, request.send()).await?;
            listed.extend(answer.secret_list().iter().filter_map(|told| {
                let (changed_at, rotated_at) = (told.last_changed_date(), told.last_rotated_date());
                let (name, arn) = (told.name()?.to_owned(), told.arn()?.to_owned());
                let (changed_at, rotated_at) = (
                    changed_at.and_then(timestamp),
                    rotated_at.and_then(timestamp),
                );
                Some((
                    arn.clone(),
                    ListedSecret {
                        name,
                        arn,
                        changed_at,
                        rotated_at,
                    },
                ))
            }));
            if !pages.next(answer.next_token) {
                return Ok(pages.listing(listed.into_values().collect()));
            }
        }
    }

    /// The versions of a secret that have a label, in the order in which they are told.
    /// [`ListSecretVersionIds`][api]
    ///
    /// [api]: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecretVersionIds.html
    async fn versions(
        &self,
        name: &str,
        by: Instant,
    ) -> Result<Listing<Vec<SecretVersionsListEntry>>, Error> {
        let (mut versions, mut pages) = (Vec::new(), Pages::default());
        loop {
            if !self.listings.admit(by).await {
                return Err(Error::late(LIST_VERSIONS, Some(name.to_owned())));
            }
            let request = self
                .client
                .list_secret_version_ids()
                .secret_id(name)
                .max_results(PAGE)
                .set_next_token(pages.token());
            let answer = answered(LIST_VERSIONS, name, by, request.send()).await?;
            versions.extend(answer.versions.unwrap_or_default());
            if !pages.next(answer.next_token) {
                return Ok(pages.listing(versions));
            }
        }
    }

    /// When the version was created that a label stands at; nothing where none has it.
    /// [`ListSecretVersionIds`][api]
    ///
    /// [api]: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecretVersionIds.html
    ///
    /// # Errors
    /// It was not told before the instant `by`.
    pub async fn version_created_at(
        &self,
        name: &str,
        label: &str,
        by: Instant,
    ) -> Result<Option<Timestamp>, Error> {
        let versions = self.versions(name, by).await?;
        let labelled = versions
            .found
            .iter()
            .find(|told| told.version_stages().iter().any(|stage| stage == label));
        match labelled {
            None if !versions.is_whole => {
                Err(Error::in_a_circle(LIST_VERSIONS, Some(name.to_owned())))
            }
            labelled => Ok(labelled.and_then(|told| timestamp(told.created_date()?))),
        }
    }

    /// The id of the version that was current before `version`, where that one is current now and
    /// there was one. Only versions with a label are listed.
    /// [`ListSecretVersionIds`][api]
    ///
    /// [api]: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecretVersionIds.html
    ///
    /// # Errors
    /// It was not told before the instant `by`.
    pub async fn previous_version(
        &self,
        name: &str,
        version: Option<&str>,
        by: Instant,
    ) -> Result<Option<String>, Error> {
        let versions = self.versions(name, by).await?;
        let at = |label: &str| {
            let labelled = |told: &&SecretVersionsListEntry| {
                told.version_stages().iter().any(|stage| stage == label)
            };
            versions
                .found
                .iter()
                .find(labelled)
                .and_then(SecretVersionsListEntry::version_id)
        };
        let is_current = version.is_none_or(|version| at(CURRENT) == Some(version));
        match at(PREVIOUS) {
            None if !versions.is_whole => {
                Err(Error::in_a_circle(LIST_VERSIONS, Some(name.to_owned())))
            }
            previous => Ok(previous.filter(|_| is_current).map(str::to_owned)),
        }
    }
}
