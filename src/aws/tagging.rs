//! The Resource Groups Tagging API: the services that have opted in, and the keys that are ignored.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_sdk_resourcegroupstagging::Client;
use aws_sdk_resourcegroupstagging::operation::get_resources::builders::GetResourcesFluentBuilder;
use aws_sdk_resourcegroupstagging::types::{ResourceTagMapping, TagFilter};
use aws_types::SdkConfig;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::call::Call;
use super::config::{client, retries};
use super::error::Error;
use super::pages::{Listing, Pages};
use super::quota;
use crate::domain::arn::{AccountRegion, ServiceId};
use crate::domain::key::Key;
use crate::domain::listed::Listed;
use crate::domain::tags::Tags;
use crate::domain::term::Term;
use crate::pace::Pace;

/// The time for which the list of ignored keys is kept.
const KEPT: SignedDuration = SignedDuration::from_mins(1);

/// Most resources of one answer.
const PAGE: i32 = 100;

/// The keys whose owners want nobody to be restarted: [`Key::thing`] of each.
pub type IgnoredKeys = Listing<BTreeSet<Key>>;

/// The Resource Groups Tagging API.
#[derive(Debug)]
pub struct Tagging {
    client: Client,
    pace: Pace,
    /// The keys that are ignored, and the time at which they were listed.
    ignored: Mutex<Option<(Timestamp, Arc<IgnoredKeys>)>>,
    /// ARNs that were listed and cannot be used, with advice for their owners: they are of another
    /// kind than the listing asks for, or have the short format.
    unusable: Mutex<BTreeMap<String, &'static str>>,
}

impl Tagging {
    pub(super) fn new(config: &SdkConfig, concurrency: u32) -> Self {
        Self {
            client: client!(aws_sdk_resourcegroupstagging, config, retries()),
            pace: quota::TAGGED.limit.share(concurrency),
            ignored: Mutex::default(),
            unusable: Mutex::default(),
        }
    }

    /// The services that have the tag `prefix:watch`, a hundred a call.
    ///
    /// # Errors
    /// The listing could not be read before the instant `by`. A part of it would hide how many
    /// services a change affects.
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
        let mut services: Vec<Listed> = Vec::new();
        let take = |resource: &ResourceTagMapping| {
            let Some((id, home)) = self.accepted(resource, service_of) else {
                return;
            };
            let known = services.last().filter(|last| last.home == home);
            let home = known.map_or(home, |last| last.home.clone());
            let tags = tags_of(resource, prefix);
            services.push(Listed { id, home, tags });
        };
        let listing = self.get_resources(request, by, take).await?;
        services.sort_by(|one, other| one.id.cmp(&other.id));
        services.dedup_by(|later, one| later.id == one.id && later.home == one.home);
        Ok(listing.map(|()| services))
    }

    /// Lists resources: [`GetResources`][api]. Each is taken as it comes: thousands of them would
    /// fill the memory. One may come more than once.
    ///
    /// [api]: https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html
    async fn get_resources(
        &self,
        request: GetResourcesFluentBuilder,
        by: Instant,
        mut take: impl FnMut(&ResourceTagMapping),
    ) -> Result<Listing<()>, Error> {
        let request = request.resources_per_page(PAGE);
        let call = Call::whole("GetResources");
        let mut pages = Pages::default();
        loop {
            let page = request.clone().set_pagination_token(pages.token());
            let answer = call.send_paced(&self.pace, by, page.send()).await?;
            for resource in answer.resource_tag_mapping_list() {
                take(resource);
            }
            if !pages.next(answer.pagination_token) {
                return Ok(pages.listing(()));
            }
        }
    }

    /// The parameters and secrets that have the tag `prefix:ignore` = `true`, listed at most once
    /// in a minute. If that fails, the last list stays in force.
    ///
    /// # Errors
    /// They could not be listed before the instant `by`, and never were.
    pub async fn ignored_keys(
        &self,
        prefix: &str,
        now: Timestamp,
        by: Instant,
    ) -> Result<Arc<IgnoredKeys>, Error> {
        let known = lock(&self.ignored).clone();
        if let Some((listed_at, keys)) = &known
            && now.duration_since(*listed_at) < KEPT
        {
            return Ok(Arc::clone(keys));
        }
        match self.list_ignored(prefix, by).await {
            Ok(keys) => {
                let keys = Arc::new(keys);
                *lock(&self.ignored) = Some((now, Arc::clone(&keys)));
                Ok(keys)
            }
            Err(error) => known.map(|(_, keys)| keys).ok_or(error),
        }
    }

    /// Takes the ARNs of listings since the last call that cannot be used, with advice for their
    /// owners.
    pub fn take_unusable_arns(&self) -> BTreeMap<String, &'static str> {
        std::mem::take(&mut lock(&self.unusable))
    }

    /// Reads a resource by its ARN. One that cannot be used is kept for
    /// [`Self::take_unusable_arns`].
    fn accepted<T>(
        &self,
        resource: &ResourceTagMapping,
        read: impl FnOnce(&str) -> Result<T, &'static str>,
    ) -> Option<T> {
        let arn = resource.resource_arn()?;
        let note = |advice: &&'static str| {
            lock(&self.unusable).insert(arn.to_owned(), advice);
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
        let mut keys = BTreeSet::new();
        let take = |resource: &ResourceTagMapping| keys.extend(self.accepted(resource, key_of));
        let request = request.tag_filters(ignored);
        let listing = self.get_resources(request, by, take).await?;
        Ok(listing.map(|()| keys))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
        .and_then(|term| Some(term.key(&AccountRegion::default())?.thing()))
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
