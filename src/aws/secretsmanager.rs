//! Secrets Manager: when a secret changed and which version it had before. Its value is never read.

use std::collections::BTreeMap;

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::types::{
    Filter, FilterNameStringType, SecretListEntry, SecretVersionsListEntry,
};
use aws_types::SdkConfig;
use jiff::Timestamp;
use tokio::time::Instant;

use super::call::Call;
use super::config::{client, few_retries};
use super::error::Error;
use super::pages::{Listing, Pages};
use super::quota;
use super::timestamp::timestamp;
use crate::domain::key::{CURRENT, PREVIOUS};
use crate::pace::Pace;

const LIST: &str = "ListSecrets";
const LIST_VERSIONS: &str = "ListSecretVersionIds";

/// Most secrets, or versions of one, of one answer.
const PAGE: i32 = 100;

/// A secret of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedSecret {
    /// Its name.
    pub name: String,
    /// Its ARN. An earlier secret of the same name had another one.
    pub arn: String,
    /// The time at which anything of it changed last, perhaps only its description.
    pub changed_at: Option<Timestamp>,
    /// The time of the last rotation.
    pub rotated_at: Option<Timestamp>,
}

/// Secrets Manager.
#[derive(Debug)]
pub struct SecretsManager {
    client: Client,
    pace: Pace,
}

impl SecretsManager {
    pub(super) fn new(config: &SdkConfig, concurrency: u32) -> Self {
        Self {
            client: client!(aws_sdk_secretsmanager, config, few_retries()),
            pace: quota::SECRETS.limit.share(concurrency),
        }
    }

    /// The time at which anything of a secret changed last: its value, a label, its description, or
    /// its restoration. `None` if it does not exist, or is being deleted. The listing may lag by
    /// minutes.
    ///
    /// # Errors
    /// It was not listed before the instant `by`.
    pub async fn changed_at(&self, name: &str, by: Instant) -> Result<Option<Timestamp>, Error> {
        let filter = Filter::builder()
            .key(FilterNameStringType::Name)
            .values(name)
            .build();
        let listed = self.list_secrets(Some(vec![filter]), by).await?;
        // The filter finds every name that begins with this one.
        match listed.found.into_iter().find(|listed| listed.name == name) {
            None if !listed.is_whole => Err(Call::of(LIST, name).repeated_token()),
            found => Ok(found.and_then(|listed| listed.changed_at)),
        }
    }

    /// All secrets of the account that are not being deleted, a hundred a call.
    ///
    /// # Errors
    /// They could not be listed before the instant `by`.
    pub async fn list(&self, by: Instant) -> Result<Listing<Vec<ListedSecret>>, Error> {
        self.list_secrets(None, by).await
    }

    /// Lists secrets, each once: [`ListSecrets`][api].
    ///
    /// [api]: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecrets.html
    async fn list_secrets(
        &self,
        filters: Option<Vec<Filter>>,
        by: Instant,
    ) -> Result<Listing<Vec<ListedSecret>>, Error> {
        let request = self
            .client
            .list_secrets()
            .set_filters(filters)
            .max_results(PAGE);
        let call = Call::of(LIST, "the account");
        let (mut listed, mut pages) = (BTreeMap::new(), Pages::default());
        loop {
            let page = request.clone().set_next_token(pages.token());
            let answer = call.send_paced(&self.pace, by, page.send()).await?;
            let secrets = answer.secret_list().iter().filter_map(secret);
            listed.extend(secrets.map(|secret| (secret.arn.clone(), secret)));
            if !pages.next(answer.next_token) {
                return Ok(pages.listing(listed.into_values().collect()));
            }
        }
    }

    /// Lists the versions of a secret that have a label, in the order of the answers:
    /// [`ListSecretVersionIds`][api].
    ///
    /// [api]: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecretVersionIds.html
    async fn list_secret_version_ids(
        &self,
        name: &str,
        by: Instant,
    ) -> Result<Listing<Vec<SecretVersionsListEntry>>, Error> {
        let request = self
            .client
            .list_secret_version_ids()
            .secret_id(name)
            .max_results(PAGE);
        let call = Call::of(LIST_VERSIONS, name);
        let (mut versions, mut pages) = (Vec::new(), Pages::default());
        loop {
            let page = request.clone().set_next_token(pages.token());
            let answer = call.send_paced(&self.pace, by, page.send()).await?;
            versions.extend(answer.versions.unwrap_or_default());
            if !pages.next(answer.next_token) {
                return Ok(pages.listing(versions));
            }
        }
    }

    /// The time of creation of the version that has a label now; `None` if no version has it.
    ///
    /// # Errors
    /// It was not listed before the instant `by`.
    pub async fn version_created_at(
        &self,
        name: &str,
        label: &str,
        by: Instant,
    ) -> Result<Option<Timestamp>, Error> {
        let versions = self.list_secret_version_ids(name, by).await?;
        match labelled(&versions.found, label) {
            None if !versions.is_whole => Err(Call::of(LIST_VERSIONS, name).repeated_token()),
            version => Ok(version.and_then(|version| timestamp(version.created_date()?))),
        }
    }

    /// The id of the version that was current before `version`, if that one is current now and
    /// there was one. Only versions with a label are listed.
    ///
    /// # Errors
    /// It was not listed before the instant `by`.
    pub async fn previous_version(
        &self,
        name: &str,
        version: Option<&str>,
        by: Instant,
    ) -> Result<Option<String>, Error> {
        let versions = self.list_secret_version_ids(name, by).await?;
        let id_at = |label: &str| labelled(&versions.found, label)?.version_id();
        let is_current = version.is_none_or(|version| id_at(CURRENT) == Some(version));
        match id_at(PREVIOUS) {
            None if !versions.is_whole => Err(Call::of(LIST_VERSIONS, name).repeated_token()),
            previous => Ok(previous.filter(|_| is_current).map(str::to_owned)),
        }
    }
}

fn secret(listed: &SecretListEntry) -> Option<ListedSecret> {
    Some(ListedSecret {
        name: listed.name()?.to_owned(),
        arn: listed.arn()?.to_owned(),
        changed_at: listed.last_changed_date().and_then(timestamp),
        rotated_at: listed.last_rotated_date().and_then(timestamp),
    })
}

/// The version that has a label.
fn labelled<'a>(
    versions: &'a [SecretVersionsListEntry],
    label: &str,
) -> Option<&'a SecretVersionsListEntry> {
    versions
        .iter()
        .find(|version| version.version_stages().iter().any(|stage| stage == label))
}
