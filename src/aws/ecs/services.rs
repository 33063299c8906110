//! Services: `DescribeServices` and `UpdateService`.

use std::collections::BTreeMap;

use aws_sdk_ecs::operation::describe_services::DescribeServicesOutput;
use aws_sdk_ecs::types::{Failure, ServiceField};
use futures_util::{StreamExt, stream};
use tokio::time::Instant;

use super::client::{Ecs, READS_IN_FLIGHT};
use super::detail::Detail;
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

/// The instants of descriptions. Amazon ECS has made the description of a service at this instant
/// or later.
pub type DescribedAt = BTreeMap<ServiceId, Instant>;

/// The services of one or more `DescribeServices`.
#[derive(Debug, Default)]
pub struct DescribedServices {
    /// The services that were found.
    pub services: Vec<Service>,
    /// The instants at which they were described.
    pub described_at: DescribedAt,
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
    /// Describes services, ten a call and cluster by cluster. A call that fails, or has no answer at
    /// the instant `by`, fails its ten services alone.
    pub async fn describe_services(
        &self,
        ids: impl IntoIterator<Item = &ServiceId>,
        detail: Detail<'_>,
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
            .map(|ids| self.describe_services_of_cluster(ids, detail, by))
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
        detail: Detail<'_>,
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
        // It begins when its turn has come.
        let request = async move {
            let sent_at = Instant::now();
            request.send().await.map(|answer| (sent_at, answer))
        };
        let answer = Call::whole(DESCRIBE).send_paced(&self.paces.services, by, request);
        match answer.await {
            Ok((sent_at, answer)) => {
                let found = by_name(&answer, detail);
                described.add(ids, sent_at, found, answer.failures());
            }
            Err(error) => {
                for id in ids {
                    let error = error.about(&id.to_string());
                    described.add_error(id, error);
                }
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
        let detail = Detail::of("");
        let updated = answer.service();
        let updated = updated.and_then(|updated| service(updated, detail));
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
            mut described_at,
            gone,
            unread,
        } = other;
        self.services.extend(services);
        self.described_at.append(&mut described_at);
        self.gone.extend(gone);
        self.unread.extend(unread);
        self
    }

    /// Adds these services: those that an answer has, and the failures of the others.
    fn add(
        &mut self,
        ids: Vec<ServiceId>,
        sent_at: Instant,
        mut found: BTreeMap<ServiceId, Service>,
        failures: &[Failure],
    ) {
        for id in ids {
            if let Some(service) = found.remove(&id) {
                self.services.push(service);
                self.described_at.insert(id, sent_at);
            } else {
                let error = failure(failures, &id);
                self.add_error(id, error);
            }
        }
    }

    fn add_error(&mut self, id: ServiceId, error: Error) {
        if error.kind == ErrorKind::NotFound {
            // A cluster that is gone took its services with it.
            self.gone.push(id);
        } else {
            self.unread.push((id, error));
        }
    }
}

fn by_name(answer: &DescribeServicesOutput, detail: Detail<'_>) -> BTreeMap<ServiceId, Service> {
    let services = answer.services().iter();
    let services = services.filter_map(|described| service(described, detail));
    services
        .map(|service| (service.id.clone(), service))
        .collect()
}

/// The failure of a service that an answer does not have. The answer lists services that do not
/// exist by ARN, with a reason: "API failure reasons", Amazon ECS Developer Guide.
fn failure(failures: &[Failure], id: &ServiceId) -> Error {
    let is_named = |failure: &&Failure| {
        failure
            .arn()
            .is_some_and(|arn| arn.rsplit('/').next() == Some(id.name.as_str()))
    };
    let target = id.to_string();
    let call = Call::of(DESCRIBE, &target);
    let failure = failures.iter().find(is_named);
    match failure.map(|failure| failure.reason().unwrap_or_default()) {
        Some("MISSING") => call.error(ErrorKind::NotFound, "MISSING"),
        Some(reason) => call.error(ErrorKind::Rejected, reason),
        None => call.incomplete("the service"),
    }
}
