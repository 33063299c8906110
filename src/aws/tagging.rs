//! The Resource Groups Tagging API: who has opted in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_resourcegroupstagging::Client;
use aws_sdk_resourcegroupstagging::config::Builder;
use aws_sdk_resourcegroupstagging::operation::get_resources::builders::GetResourcesFluentBuilder;
use aws_sdk_resourcegroupstagging::types::{ResourceTagMapping, TagFilter};

use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, timeout_at};

use super::pages::{Listing, Pages};
use super::{Error, SdkConfig, impatient, patient, quota, unrationed};
use crate::domain::arn::{AccountRegion, ServiceId};
use crate::domain::key::Key;
use crate::domain::reference::References;
use crate::domain::tags::Tags;
use crate::domain::watch::{Match, Term};
use crate::pace::Pace;

const LIST: &str = "GetResources";

/// How long the list of ignored keys is believed.
const KEPT: SignedDuration = SignedDuration::from_mins(1);

/// Most resources of one answer.
const PAGE: i32 = 100;

/// A service in the tag index. The index lags and remembers services that are gone: what it says is
/// confirmed before it is believed.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// Which one.
    pub id: ServiceId,
    /// Its account and Region.
    pub home: AccountRegion,
    /// Its tags, as the index has them.
    pub tags: Tags,
}

impl Listed {
    /// How it stands to a key, as far as its tags alone tell.
    #[must_use]
    pub fn match_of(&self, key: &Key) -> Match {
        self.tags.watch.as_ref().map_or(Match::None, |watch| {
            watch.match_of(key, &self.home, &References::default(), None)
        })
    }
}

/// The keys whose owners want nobody to be restarted.
pub type IgnoredKeys = Listing<BTreeSet<Key>>;

/// The Resource Groups Tagging API.
#[derive(Debug)]
pub struct Tagging {
    client: Client,
    pace: Pace,
    /// The keys whose owners want nobody to be restarted, as of an instant.
    ignored: Mutex<Option<(Timestamp, Arc<IgnoredKeys>)>>,
    /// Resources that were listed and are not what was asked for, and what their owners can do.
    strangers: Mutex<BTreeMap<String, &'static str>>,
}

impl Tagging {
    pub(super) fn new(config: &SdkConfig, concurrency: u32) -> Self {
        let config = Builder::from(config)
            .retry_config(patient())
            .retry_partition(unrationed())
            .timeout_config(impatient());
        let pace = quota::TAGGED.limit.share(concurrency);
        Self {
            client: Client::from_conf(config.build()),
            pace,
            ignored: Mutex::default(),
            strangers: Mutex::default(),
        }
    }

    /// The services that carry the tag `prefix:watch`, a hundred a call.
    ///
    /// # Errors
    /// The listing could not be read before the instant `by`: a part of it would hide how many services a change concerns.
    /// [`GetResources`][api]
    ///
    /// [api]: https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html
    pub async fn services_watching(
        &self,
        prefix: &str,
        by: Instant,
    ) -> Result<Listing<Vec<Listed>>, Error> {
        let opted_in = TagFilter::builder().key(format!("{prefix}:watch")).build();
        let request = self
            .client
            .get_resources()
            .resource_type_filters("ecs:service")
            .tag_filters(opted_in);
        let listing = self.list(request, by).await?;
        let listed = |resource: &ResourceTagMapping| {
            let (id, home) = self.known(resource, service_of)?;
            Some(Listed {
                id,
                home,
                tags: tags_of(resource, prefix),
            })
        };
        Ok(listing.map(|resources| resources.values().filter_map(listed).collect()))
    }

    /// Every resource of a listing, by its ARN.
    async fn list(
        &self,
        request: GetResourcesFluentBuilder,
        by: Instant,
    ) -> Result<Listing<BTreeMap<String, ResourceTagMapping>>, Error> {
        let request = request.resources_per_page(PAGE);
        let (mut resources, mut pages) = (BTreeMap::new(), Pages::default());
        loop {
            if !self.pace.admit(by).await {
                return Err(Error::late(LIST, None));
            }
            let asked = request.clone().set_pagination_token(pages.token()).send();
            let answer = timeout_at(by, asked)
                .await
                .map_err(|_| Error::late(LIST, None))?;
            let answer = answer.map_err(|error| Error::new(LIST, None, &error))?;
            let told = answer
                .resource_tag_mapping_list
                .unwrap_or_default()
                .into_iter();
            resources.extend(
                told.filter_map(|resource| Some((resource.resource_arn()?.to_owned(), resource))),
            );
            if !pages.next(answer.pagination_token) {
                return Ok(pages.listing(resources));
            }
        }
    }

    /// The parameters and secrets that carry the tag `prefix:ignore` = `true`; asked for once in a
    /// minute. Where that fails, the list that was told last holds on.
    ///
    /// # Errors
    /// They could not be listed to the end before the instant `by`, and never were.
    pub async fn ignored_keys(
        &self,
        prefix: &str,
        now: Timestamp,
        by: Instant,
    ) -> Result<Arc<IgnoredKeys>, Error> {
        let known = self
            .ignored
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some((told, keys)) = &known
            && now.duration_since(*told) < KEPT
        {
            return Ok(Arc::clone(keys));
        }
        match self.list_ignored(prefix, by).await {
            Ok(keys) => {
                let keys = Arc::new(keys);
                *self.ignored.lock().unwrap_or_else(PoisonError::into_inner) =
                    Some((now, Arc::clone(&keys)));
                Ok(keys)
            }
            Err(error) => known.map(|(_, keys)| keys).ok_or(error),
        }
    }

    /// The resources that listings named since the last call and that are not what was asked for,
    /// by their ARNs, with what their owners can do.
    pub fn take_strangers(&self) -> BTreeMap<String, &'static str> {
        std::mem::take(
            &mut self
                .strangers
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    /// The resource as what was asked for; one that is not is noted.
    fn known<T>(
        &self,
        resource: &ResourceTagMapping,
        read: impl FnOnce(&str) -> Result<T, &'static str>,
    ) -> Option<T> {
        let arn = resource.resource_arn()?;
        let note = |advice: &&'static str| {
            self.strangers
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(arn.to_owned(), advice);
        };
        read(arn).inspect_err(note).ok()
    }

    async fn list_ignored(&self, prefix: &str, by: Instant) -> Result<IgnoredKeys, Error> {
        let ignored = TagFilter::builder()
            .key(format!("{prefix}:ignore"))
            .values("true")
            .build();
        let request = self
            .client
            .get_resources()
            .resource_type_filters("ssm:parameter")
            .resource_type_filters("secretsmanager:secret");
        let listing = self.list(request.tag_filters(ignored), by).await?;
        Ok(listing.map(|resources| {
            resources
                .values()
                .filter_map(|resource| self.known(resource, key_of))
                .collect()
        }))
    }
}

fn tags_of(resource: &ResourceTagMapping, prefix: &str) -> Tags {
    Tags::parse(
        prefix,
        resource.tags().iter().map(|tag| (tag.key(), tag.value())),
    )
}

fn key_of(arn: &str) -> Result<Key, &'static str> {
    Term::parse(arn)
        .ok()
        .and_then(|term| term.key(&AccountRegion::default()))
        .ok_or(NO_KEY)
}

fn service_of(arn: &str) -> Result<(ServiceId, AccountRegion), &'static str> {
    ServiceId::from_arn(arn).ok_or(if ServiceId::is_short_arn(arn) {
        SHORT_ARN
    } else {
        NO_SERVICE
    })
}

/// "Amazon Resource Names (ARNs) and IDs", Amazon ECS Developer Guide.
const SHORT_ARN: &str = "a service whose ARN has the short format, which names no cluster, is \
                         never restarted: turn on serviceLongArnFormat (aws ecs \
                         put-account-setting), then tag the service by its long ARN, \
                         service/CLUSTER/NAME (aws ecs tag-resource)";

const NO_SERVICE: &str = "this is no ARN of a service in the long format, service/CLUSTER/NAME: \
                          nothing is restarted for this tag";

const NO_KEY: &str = "this is no ARN of a parameter or of a secret that can be ignored: its \
                      change restarts as before";
