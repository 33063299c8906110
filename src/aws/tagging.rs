//! The Resource Groups Tagging API: who has opted in.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_resourcegroupstagging::Client;
use aws_sdk_resourcegroupstagging::config::Builder;
use aws_sdk_resourcegroupstagging::types::{ResourceTagMapping, TagFilter};

use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, timeout_at};

use super::{Error, SdkConfig, impatient, patient, unrationed};
use crate::domain::arn::{Place, ServiceId};
use crate::domain::key::Key;
use crate::domain::tags::Tags;
use crate::domain::watch::{Listening, Term};

const LIST: &str = "GetResources";

/// How long the list of ignored keys is believed.
const KEPT: SignedDuration = SignedDuration::from_mins(1);

/// Most resources of one answer.
const PAGE: i32 = 100;

/// A service in the tag index. The index lags and remembers services that are gone: what it says is confirmed before it is believed.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// Which one.
    pub id: ServiceId,
    /// Its account and Region.
    pub home: Place,
    /// Its tags, as the index has them.
    pub tags: Tags,
}

impl Listed {
    /// How it stands to a key, as far as its tags alone tell.
    #[must_use]
    pub fn listens(&self, key: &Key) -> Listening {
        self.tags.watch.as_ref().map_or(Listening::No, |watch| watch.listens(key, &self.home, None))
    }
}

/// The Resource Groups Tagging API.
#[derive(Debug)]
pub struct Tagging {
    client: Client,
    /// The keys whose owners want nobody to be restarted, as of an instant.
    ignored: Mutex<Option<(Timestamp, Arc<BTreeSet<Key>>)>>,
}

impl Tagging {
    pub(super) fn new(config: &SdkConfig) -> Self {
        let config = Builder::from(config).retry_config(patient()).retry_partition(unrationed()).timeout_config(impatient());
        Self { client: Client::from_conf(config.build()), ignored: Mutex::default() }
    }

    /// The services that carry the tag `prefix:watch`, a hundred a call.
    ///
    /// # Errors
    /// The listing could not be read to its end. [`GetResources`](https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html)
    pub async fn services_watching(&self, prefix: &str) -> Result<Vec<Listed>, Error> {
        let opted_in = TagFilter::builder().key(format!("{prefix}:watch")).build();
        let request = self.client.get_resources().resource_type_filters("ecs:service").tag_filters(opted_in).resources_per_page(PAGE);
        let mut resources = request.into_paginator().items().send();
        let mut listed = Vec::new();
        while let Some(resource) = resources.next().await {
            let resource = resource.map_err(|error| Error::new(LIST, None, &error))?;
            listed.extend(read(&resource, prefix));
        }
        Ok(listed)
    }

    /// The parameters and secrets that carry the tag `prefix:ignore` = `true`; asked for once in a minute. Where that fails, the list that was
    /// told last holds on.
    ///
    /// # Errors
    /// They could not be listed to the end before the instant `by`, and never were.
    pub async fn ignored_keys(&self, prefix: &str, now: Timestamp, by: Instant) -> Result<Arc<BTreeSet<Key>>, Error> {
        let known = self.ignored.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((told, keys)) = &known
            && now.duration_since(*told) < KEPT
        {
            return Ok(Arc::clone(keys));
        }
        match timeout_at(by, self.list_ignored(prefix)).await.unwrap_or_else(|_| Err(Error::late(LIST, None))) {
            Ok(keys) => {
                let keys = Arc::new(keys);
                *self.ignored.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, Arc::clone(&keys)));
                Ok(keys)
            }
            Err(error) => known.map(|(_, keys)| keys).ok_or(error),
        }
    }

    async fn list_ignored(&self, prefix: &str) -> Result<BTreeSet<Key>, Error> {
        let ignored = TagFilter::builder().key(format!("{prefix}:ignore")).values("true").build();
        let request = self.client.get_resources().resource_type_filters("ssm:parameter").resource_type_filters("secretsmanager:secret");
        let mut resources = request.tag_filters(ignored).resources_per_page(PAGE).into_paginator().items().send();
        let mut keys = BTreeSet::new();
        while let Some(resource) = resources.next().await {
            keys.extend(key_of(&resource.map_err(|error| Error::new(LIST, None, &error))?));
        }
        Ok(keys)
    }
}

fn key_of(resource: &ResourceTagMapping) -> Option<Key> {
    Term::parse(resource.resource_arn()?).ok()?.key(&Place::default())
}

fn read(resource: &ResourceTagMapping, prefix: &str) -> Option<Listed> {
    let (id, home) = ServiceId::from_arn(resource.resource_arn()?)?;
    let tags = Tags::parse(prefix, resource.tags().iter().map(|tag| (tag.key(), tag.value())));
    Some(Listed { id, home, tags })
}
