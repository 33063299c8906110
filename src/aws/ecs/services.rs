//! Services: `DescribeServices` and `UpdateService`.

use std::collections::BTreeMap;

use aws_sdk_ecs::operation::describe_services::DescribeServicesOutput;
use aws_sdk_ecs::types::{self, Failure, ServiceField};
use futures_util::{StreamExt, stream};
use tokio::time::Instant;

use super::client::{Ecs, READS_IN_FLIGHT};
use super::service::service;
use crate::aws::call::Call;
use crate::aws::error::Error;
use crate::domain::arn::ServiceId;
use crate::domain::deployment::Deployment;
use crate::domain::service::{Service, ServiceEvent};
use crate::domain::start::ErrorKind;

const DESCRIBE: &str = "DescribeServices";

/// Most services of one `DescribeServices`.
const DESCRIBED_AT_ONCE: usize = 10;

/// The services of one or more `DescribeServices`.
#[derive(Debug, Default)]
pub struct DescribedServices {
    /// The services that were found.
    pub services: Vec<Service>,
    /// The services that do not exist.
    pub gone: Vec<ServiceId>,
    /// The services that could not be described, each with its error.
    pub unread: Vec<(ServiceId, Error)>,
}

/// A deployment that was just started, and the service's events in the same answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restarted {
    /// The new primary deployment.
    pub deployment: Deployment,
    /// The newest first, at most five.
    pub events: Vec<ServiceEvent>,
}

impl Ecs {
    /// Describes services, ten a call and cluster by cluster, with the tags that begin with
    /// `prefix`. A call that fails, or has no answer at the instant `by`, fails its ten services
    /// alone.
    pub async fn describe_services(
        &self,
        ids: impl IntoIterator<Item = &ServiceId>,
        prefix: &str,
        by: Instant,
    ) -> DescribedServices {
        let mut clusters: BTreeMap<&str, Vec<ServiceId>> = BTreeMap::new();
        for id in ids {
            clusters.entry(&id.cluster).or_default().push(id.clone());
        }
        let calls: Vec<_> = clusters
            .values()
            .flat_map(|ids| ids.chunks(DESCRIBED_AT_ONCE))
            .map(<[_]>::to_vec)
            .collect();
        stream::iter(calls)
            .map(|ids| self.describe_services_of_cluster(ids, prefix, by))
            .buffered(READS_IN_FLIGHT)
            .fold(DescribedServices::default(), async |all, some| {
                all.and(some)
            })
            .await
    }

    /// Describes at most ten services of one cluster: [`DescribeServices`][api].
    ///
    /// [api]: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServices.html
    async fn describe_services_of_cluster(
        &self,
        ids: Vec<ServiceId>,
        prefix: &str,
        by: Instant,
    ) -> DescribedServices {
        let mut described = DescribedServices::default();
        let Some(first) = ids.first() else {
            return described;
        };
        let request = self
            .reads
            .describe_services()
            .cluster(&first.cluster)
            .set_services(Some(ids.iter().map(|id| id.name.clone()).collect()))
            .include(ServiceField::Tags);
        let call = Call::whole(DESCRIBE);
        let answer = call.send_paced(&self.paces.services, by, request.send());
        let answer = answer.await;
        for id in ids {
            let found = match &answer {
                Ok(answer) => find(answer, &id, prefix),
                Err(error) => Err(error.about(&id.to_string())),
            };
            match found {
                Ok(service) => described.services.push(service),
                // A cluster that is gone took its services with it.
                Err(error) if error.kind == ErrorKind::NotFound => described.gone.push(id),
                Err(error) => described.unread.push((id, error)),
            }
        }
        described
    }

    /// Starts a deployment that replaces the running tasks and changes nothing else:
    /// [`UpdateService`][api] with the cluster, the service and the force flag. It is sent once.
    /// If the answer is lost, the service must be described again.
    ///
    /// [api]: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html
    ///
    /// # Errors
    /// The call failed. After [`ErrorKind::Unavailable`] the deployment may have started all the
    /// same.
    pub async fn restart(&self, id: &ServiceId) -> Result<Restarted, Error> {
        let target = id.to_string();
        let call = Call::of("UpdateService", &target);
        let request = self
            .starts
            .update_service()
            .cluster(&id.cluster)
            .service(&id.name)
            .force_new_deployment(true);
        let answer = request.send().await.map_err(|error| call.failed(&error))?;
        let updated = answer.service().and_then(|updated| service(updated, ""));
        let updated = updated.ok_or_else(|| call.incomplete("the service"))?;
        let deployment = updated.primary().cloned();
        Ok(Restarted {
            deployment: deployment.ok_or_else(|| call.incomplete("a primary deployment"))?,
            events: updated.events,
        })
    }
}

impl DescribedServices {
    fn and(mut self, other: Self) -> Self {
        let Self {
            services,
            gone,
            unread,
        } = other;
        self.services.extend(services);
        self.gone.extend(gone);
        self.unread.extend(unread);
        self
    }
}

/// One service of an answer. The answer lists services that do not exist by ARN, with a reason:
/// "API failure reasons", Amazon ECS Developer Guide.
fn find(answer: &DescribeServicesOutput, id: &ServiceId, prefix: &str) -> Result<Service, Error> {
    let is_it = |described: &&types::Service| {
        let arn = described.service_arn().and_then(ServiceId::from_arn);
        arn.is_some_and(|(found, _)| found == *id)
    };
    let described = answer.services().iter().find(is_it);
    if let Some(service) = described.and_then(|described| service(described, prefix)) {
        return Ok(service);
    }
    let is_named = |failure: &&Failure| {
        failure
            .arn()
            .is_some_and(|arn| arn.rsplit('/').next() == Some(id.name.as_str()))
    };
    let target = id.to_string();
    let call = Call::of(DESCRIBE, &target);
    let failure = answer.failures().iter().find(is_named);
    Err(
        match failure.map(|failure| failure.reason().unwrap_or_default()) {
            Some("MISSING") => call.error(ErrorKind::NotFound, "MISSING"),
            Some(reason) => call.error(ErrorKind::Rejected, reason),
            None => call.incomplete("the service"),
        },
    )
}
