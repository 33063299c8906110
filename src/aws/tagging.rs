//! The Resource Groups Tagging API: who has opted in.

use aws_sdk_resourcegroupstagging::Client;
use aws_sdk_resourcegroupstagging::config::Builder;
use aws_sdk_resourcegroupstagging::types::{ResourceTagMapping, TagFilter};

use super::{Error, SdkConfig, impatient, patient, unrationed};
use crate::domain::arn::{Place, ServiceId};
use crate::domain::tags::Tags;

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

/// The Resource Groups Tagging API.
#[derive(Debug)]
pub struct Tagging {
    client: Client,
}

impl Tagging {
    pub(super) fn new(config: &SdkConfig) -> Self {
        let config = Builder::from(config).retry_config(patient()).retry_partition(unrationed()).timeout_config(impatient());
        Self { client: Client::from_conf(config.build()) }
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
            let resource = resource.map_err(|error| Error::new("GetResources", None, &error))?;
            listed.extend(read(&resource, prefix));
        }
        Ok(listed)
    }
}

fn read(resource: &ResourceTagMapping, prefix: &str) -> Option<Listed> {
    let (id, home) = ServiceId::from_arn(resource.resource_arn()?)?;
    let tags = Tags::parse(prefix, resource.tags().iter().map(|tag| (tag.key(), tag.value())));
    Some(Listed { id, home, tags })
}
