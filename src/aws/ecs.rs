//! Amazon ECS: looks at services, starts deployments, reads their history.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_ecs::Client;
use aws_sdk_ecs::config::Builder;
use aws_sdk_ecs::config::retry::RetryConfig;
use aws_sdk_ecs::operation::describe_services::DescribeServicesOutput;
use aws_sdk_ecs::primitives::DateTime;
use aws_sdk_ecs::types::{self, CreatedAt, Failure, ServiceDeploymentBrief, ServiceField};
use futures_util::future::join;
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use tokio::time::{Instant, timeout_at};

use super::cache::Cache;
use super::evidence::{approval, ended_by, past, service, stage};
use super::pages::{IN_A_CIRCLE, Listing, Pages};
use super::task_definition::references;
use super::{Error, SdkConfig, answered, impatient, patient, quota, timestamp, unrationed};
use crate::domain::arn::ServiceId;
use crate::domain::deployment::Deployment;
use crate::domain::history::{
    EndedBy, Evidence, History, Needed, OldestTask, PastDeployment, ServiceDeploymentStatus,
};
use crate::domain::reference::References;
use crate::domain::service::{Service, ServiceEvent};
use crate::domain::start::ErrorKind;
use crate::pace::Pace;

const DESCRIBE: &str = "DescribeServices";
const DESCRIBE_DEFINITION: &str = "DescribeTaskDefinition";
const LIST_DEPLOYMENTS: &str = "ListServiceDeployments";
const DESCRIBE_REVISIONS: &str = "DescribeServiceRevisions";
const DESCRIBE_DEPLOYMENTS: &str = "DescribeServiceDeployments";

/// Most services of one `DescribeServices`.
const DESCRIBED_AT_ONCE: usize = 10;

/// Most deployments of one `ListServiceDeployments`.
const DEPLOYMENTS_AT_ONCE: i32 = 100;

/// Most of one `DescribeServiceRevisions`, or of one `DescribeServiceDeployments`.
const DESCRIBED_OF_HISTORY: usize = 20;

/// Reads under way at once: enough to hide the round trip, and for a hundred services to be looked
/// at in one.
const READS_IN_FLIGHT: usize = 10;

/// Amazon ECS.
#[derive(Debug)]
pub struct Ecs {
    reads: Client,
    looks: Pace,
    histories: Pace,
    revisions: Pace,
    tasks: Pace,
    definitions: Pace,
    known: Cache,
    definitions_read: AtomicUsize,
    /// `UpdateService` has no client token, so the SDK must not send it twice on its own.
    starts: Client,
}

/// What a look at many services found.
#[derive(Debug, Default)]
pub struct DescribedServices {
    /// The services that were found.
    pub services: Vec<Service>,
    /// Services that are not there (any more).
    pub gone: Vec<ServiceId>,
    /// Services that could not be looked at, and why.
    pub unread: Vec<(ServiceId, Error)>,
}

/// A deployment that was just started, and the service's events as the answer shows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restarted {
    /// The new primary deployment.
    pub deployment: Deployment,
    /// The newest first, at most five.
    pub events: Vec<ServiceEvent>,
}

impl Ecs {
    pub(super) fn new(config: &SdkConfig, concurrency: u32) -> Self {
        let client = |retries| {
            let config = Builder::from(config)
                .retry_config(retries)
                .retry_partition(unrationed())
                .timeout_config(impatient());
            Client::from_conf(config.build())
        };
        Self {
            reads: client(patient()),
            looks: quota::SERVICES.limit.share(concurrency),
            histories: quota::DEPLOYMENTS.limit.share(concurrency),
            revisions: quota::REVISIONS.limit.share(concurrency),
            tasks: quota::TASKS.limit.share(concurrency),
            definitions: quota::TASK_DEFINITIONS.limit.share(concurrency),
            known: Cache::new(),
            definitions_read: AtomicUsize::new(0),
            starts: client(RetryConfig::disabled()),
        }
    }

    /// Describes services, ten a call and cluster by cluster, with the tags that begin with
    /// `prefix`. One failed call, or one without an answer at the instant `by`, fails its ten
    /// alone.
    /// [`DescribeServices`][api]
    ///
    /// [api]: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServices.html
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
        let answers = stream::iter(calls)
            .map(|ids| self.describe(ids, prefix, by))
            .buffered(READS_IN_FLIGHT);
        answers
            .fold(DescribedServices::default(), async |all, some| {
                all.and(some)
            })
            .await
    }

    async fn describe(&self, ids: Vec<ServiceId>, prefix: &str, by: Instant) -> DescribedServices {
        let Some(first) = ids.first() else {
            return DescribedServices::default();
        };
        let request = self
            .reads
            .describe_services()
            .cluster(&first.cluster)
            .include(ServiceField::Tags);
        let request = request.set_services(Some(ids.iter().map(|id| id.name.clone()).collect()));
        let answer = if self.looks.admit(by).await {
            timeout_at(by, request.send()).await.ok()
        } else {
            None
        };
        let mut looks = DescribedServices::default();
        for id in ids {
            let target = Some(id.to_string());
            let found = match &answer {
                Some(Ok(answer)) => find(answer, &id, prefix),
                Some(Err(error)) => Err(Error::new(DESCRIBE, target, error)),
                None => Err(Error::late(DESCRIBE, target)),
            };
            match found {
                Ok(service) => looks.services.push(service),
                Err(error) => looks.missed(id, error),
            }
        }
        looks
    }

    /// Starts a deployment that changes nothing but the running tasks: sends the cluster, the
    /// service and the force flag. Sent once; where the answer is lost, whether it took effect
    /// must be looked up.
    /// [`UpdateService`][api]
    ///
    /// [api]: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html
    ///
    /// # Errors
    /// With the cause; [`ErrorKind::Unavailable`] means that it may have taken effect.
    pub async fn restart(&self, id: &ServiceId) -> Result<Restarted, Error> {
        let request = self
            .starts
            .update_service()
            .cluster(&id.cluster)
            .service(&id.name)
            .force_new_deployment(true);
        let target = || Some(id.to_string());
        let answer = request
            .send()
            .await
            .map_err(|error| Error::new("UpdateService", target(), &error))?;
        let service = answer
            .service()
            .and_then(|told| service(told, ""))
            .ok_or_else(|| Error::incomplete("UpdateService", target(), "the service"))?;
        let deployment = service
            .primary()
            .cloned()
            .ok_or_else(|| Error::incomplete("UpdateService", target(), "a primary deployment"))?;
        Ok(Restarted {
            deployment,
            events: service.events,
        })
    }

    /// When the oldest task of a service was created that should run; nothing where none should.
    /// One call for the list of a hundred tasks, and one to look at them.
    /// [`ListTasks`](https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTasks.html),
    /// [`DescribeTasks`][api]
    ///
    /// [api]: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTasks.html
    ///
    /// # Errors
    /// It was not told before the instant `by`.
    pub async fn oldest_task(
        &self,
        id: &ServiceId,
        by: Instant,
    ) -> Result<Listing<Option<Timestamp>>, Error> {
        let (target, mut oldest, mut pages) = (id.to_string(), None, Pages::default());
        loop {
            if !self.tasks.admit(by).await {
                return Err(Error::late("ListTasks", Some(target)));
            }
            let request = self
                .reads
                .list_tasks()
                .cluster(&id.cluster)
                .service_name(&id.name)
                .set_next_token(pages.token());
            let listed = answered("ListTasks", &target, by, request.send()).await?;
            if !listed.task_arns().is_empty() {
                if !self.tasks.admit(by).await {
                    return Err(Error::late("DescribeTasks", Some(target)));
                }
                let request = self
                    .reads
                    .describe_tasks()
                    .cluster(&id.cluster)
                    .set_tasks(Some(listed.task_arns().to_vec()));
                let described = answered("DescribeTasks", &target, by, request.send()).await?;
                let created = described
                    .tasks()
                    .iter()
                    .filter_map(|task| timestamp(task.created_at()?));
                oldest = oldest.into_iter().chain(created).min();
            }
            if !pages.next(listed.next_token) {
                return Ok(pages.listing(oldest));
            }
        }
    }

    /// Reads the evidence that is needed of services, ten of them at a time. One that cannot be
    /// read before the instant `by` says so.
    pub async fn evidence(
        &self,
        needed: BTreeMap<ServiceId, Needed>,
        by: Instant,
    ) -> BTreeMap<ServiceId, Evidence> {
        let read = |(id, needed): (ServiceId, Needed)| async move {
            let (history, oldest_task) = join(
                Box::pin(self.history(&id, needed, by)),
                Box::pin(self.oldest_task_of(&id, needed, by)),
            )
            .await;
            (
                id,
                Evidence {
                    history,
                    oldest_task,
                },
            )
        };
        stream::iter(needed)
            .map(read)
            .buffered(READS_IN_FLIGHT)
            .collect()
            .await
    }

    async fn oldest_task_of(
        &self,
        id: &ServiceId,
        needed: Needed,
        by: Instant,
    ) -> Option<OldestTask> {
        if !needed.oldest_task {
            return None;
        }
        Some(match self.oldest_task(id, by).await {
            Ok(Listing {
                found,
                is_whole: true,
            }) => OldestTask::CreatedAt(found),
            // What is missing may be older.
            Ok(_) => OldestTask::Unreadable(
                Error::in_a_circle("ListTasks", Some(id.to_string())).to_string(),
            ),
            Err(error) => OldestTask::Unreadable(error.to_string()),
        })
    }

    async fn history(&self, id: &ServiceId, needed: Needed, by: Instant) -> Option<History> {
        let since = needed.history_since?;
        let late = || Err(Error::late(LIST_DEPLOYMENTS, Some(id.to_string())));
        let whole = self.whole_history(id, since, needed.has_hooks, by);
        let read = timeout_at(by, whole).await.unwrap_or_else(|_| late());
        Some(read.unwrap_or_else(|error| History::Unreadable(error.to_string())))
    }

    /// The deployments of a service created after `since`. One more call for twenty of them reads
    /// the task definitions that they run, and one the details of those that were rolled back
    /// or stopped, or may stand at a lifecycle hook.
    /// [`ListServiceDeployments`][list], [`DescribeServiceRevisions`][revisions]
    ///
    /// [list]: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListServiceDeployments.html
    /// [revisions]: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServiceRevisions.html
    ///
    /// # Errors
    /// The list could not be read to its end.
    async fn whole_history(
        &self,
        id: &ServiceId,
        since: Timestamp,
        has_hooks: bool,
        by: Instant,
    ) -> Result<History, Error> {
        let after = CreatedAt::builder()
            .after(DateTime::from_secs(since.as_second()))
            .build();
        let request = self
            .reads
            .list_service_deployments()
            .cluster(&id.cluster)
            .service(&id.name)
            .created_at(after)
            .max_results(DEPLOYMENTS_AT_ONCE);
        let mut pages = Pages::default();
        let (mut told, mut known): (Vec<ServiceDeploymentBrief>, _) = (Vec::new(), BTreeSet::new());
        loop {
            if !self.histories.admit(by).await {
                return Err(Error::late(LIST_DEPLOYMENTS, Some(id.to_string())));
            }
            let answer = request.clone().set_next_token(pages.token()).send().await;
            let answer = answer
                .map_err(|error| Error::new(LIST_DEPLOYMENTS, Some(id.to_string()), &error))?;
            let briefs = answer.service_deployments.unwrap_or_default().into_iter();
            told.extend(briefs.filter(|brief| known.insert(brief.service_deployment_arn.clone())));
            if !pages.next(answer.next_token) {
                break;
            }
        }
        let revisions: Vec<_> = told
            .iter()
            .filter_map(|brief| brief.target_service_revision_arn().map(str::to_owned))
            .collect();
        let ran = self.task_definitions(&revisions, by).await;
        let arn = |brief: &ServiceDeploymentBrief| {
            brief
                .service_deployment_arn()
                .unwrap_or_default()
                .to_owned()
        };
        let mut past: Vec<_> = told
            .iter()
            .filter_map(|brief| Some((arn(brief), past(brief, &ran)?)))
            .collect();
        self.detail(&mut past, has_hooks, by).await;
        let past = past.into_iter().map(|(_, past)| past).collect();
        Ok(if pages.is_whole() {
            History::Read(past)
        } else {
            History::Incomplete(past, format!("{LIST_DEPLOYMENTS}: {IN_A_CIRCLE}"))
        })
    }

    /// Reads who ended the deployments that were rolled back or stopped, and at which hook one
    /// stands; what cannot be read says so.
    /// [`DescribeServiceDeployments`][api]
    ///
    /// [api]: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServiceDeployments.html
    async fn detail(&self, past: &mut [(String, PastDeployment)], has_hooks: bool, by: Instant) {
        let created: Vec<_> = past.iter().map(|(_, past)| past.created_at).collect();
        let mut wanted: Vec<_> = past
            .iter_mut()
            .filter(|(_, past)| needs_detail(past, &created, has_hooks))
            .collect();
        for some in wanted.chunks_mut(DESCRIBED_OF_HISTORY) {
            let arns = some.iter().map(|(arn, _)| arn.clone()).collect();
            let request = self
                .reads
                .describe_service_deployments()
                .set_service_deployment_arns(Some(arns));
            let answer = if self.histories.admit(by).await {
                timeout_at(by, request.send()).await.ok()
            } else {
                None
            };
            for (arn, past) in some {
                let is_it = |told: &&types::ServiceDeployment| {
                    told.service_deployment_arn() == Some(arn.as_str())
                };
                let found =
                    match &answer {
                        Some(Ok(answer)) => answer
                            .service_deployments()
                            .iter()
                            .find(is_it)
                            .ok_or_else(|| {
                                Error::incomplete(
                                    DESCRIBE_DEPLOYMENTS,
                                    Some(arn.clone()),
                                    "the service deployment",
                                )
                            }),
                        Some(Err(error)) => {
                            Err(Error::new(DESCRIBE_DEPLOYMENTS, Some(arn.clone()), error))
                        }
                        None => Err(Error::late(DESCRIBE_DEPLOYMENTS, Some(arn.clone()))),
                    };
                match found {
                    Ok(told) if past.status == ServiceDeploymentStatus::Running => {
                        past.approval = approval(told);
                        (past.stage, past.at_hook) = stage(told);
                    }
                    Ok(told) => past.ended_by = ended_by(told),
                    Err(error) => past.ended_by = EndedBy::Unreadable(error.to_string()),
                }
            }
        }
    }

    /// What task definitions refer to, by their ARNs. Each is read once in the life of the process;
    /// what is not told before the instant `by` is an error of that one alone.
    /// [`DescribeTaskDefinition`][api]
    ///
    /// [api]: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTaskDefinition.html
    pub async fn references(
        &self,
        arns: BTreeSet<String>,
        by: Instant,
    ) -> BTreeMap<String, Result<Arc<References>, Error>> {
        let told = |arn: String| async move {
            let references = match self.known.get(&arn) {
                Some(known) => Ok(known),
                None => self.read_references(&arn, by).await,
            };
            (arn, references)
        };
        stream::iter(arns)
            .map(told)
            .buffered(READS_IN_FLIGHT)
            .collect()
            .await
    }

    /// How many task definitions were read in the life of the process.
    #[must_use]
    pub fn definitions_read(&self) -> usize {
        self.definitions_read.load(Ordering::Relaxed)
    }

    async fn read_references(&self, arn: &str, by: Instant) -> Result<Arc<References>, Error> {
        let target = || Some(arn.to_owned());
        if !self.definitions.admit(by).await {
            return Err(Error::late(DESCRIBE_DEFINITION, target()));
        }
        let request = self.reads.describe_task_definition().task_definition(arn);
        let answer = answered(DESCRIBE_DEFINITION, arn, by, request.send()).await?;
        let told = answer.task_definition().ok_or_else(|| {
            Error::incomplete(DESCRIBE_DEFINITION, target(), "the task definition")
        })?;
        let references = Arc::new(references(told));
        self.known.keep(arn, &references);
        self.definitions_read.fetch_add(1, Ordering::Relaxed);
        Ok(references)
    }

    /// What revisions run; one that cannot be read is left out, as it then proves nothing.
    async fn task_definitions(
        &self,
        revisions: &[String],
        by: Instant,
    ) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        for some in revisions.chunks(DESCRIBED_OF_HISTORY) {
            let request = self
                .reads
                .describe_service_revisions()
                .set_service_revision_arns(Some(some.to_vec()));
            let answer = if self.revisions.admit(by).await {
                request
                    .send()
                    .await
                    .map_err(|error| Error::new(DESCRIBE_REVISIONS, None, &error))
            } else {
                Err(Error::late(DESCRIBE_REVISIONS, None))
            };
            match answer {
                Ok(answer) => {
                    found.extend(answer.service_revisions().iter().filter_map(|revision| {
                        Some((
                            revision.service_revision_arn()?.to_owned(),
                            revision.task_definition()?.to_owned(),
                        ))
                    }));
                }
                Err(error) => {
                    tracing::warn!(%error, "what past deployments ran is unknown");
                }
            }
        }
        found
    }
}

/// Whether a deployment did not stay, or may stand at a hook. What a newer one superseded needs no
/// detail.
fn needs_detail(past: &PastDeployment, created: &[Timestamp], has_hooks: bool) -> bool {
    match past.status {
        ServiceDeploymentStatus::Running => has_hooks,
        ServiceDeploymentStatus::RollingBack | ServiceDeploymentStatus::RolledBack => true,
        ServiceDeploymentStatus::Stopped => !past.was_superseded(created.iter().copied()),
        ServiceDeploymentStatus::Succeeded => false,
    }
}

/// One service of an answer; those that are not there are listed by ARN, with a reason.
/// "API failure reasons", Amazon ECS Developer Guide.
fn find(answer: &DescribeServicesOutput, id: &ServiceId, prefix: &str) -> Result<Service, Error> {
    let is_it = |told: &&types::Service| {
        told.service_arn()
            .and_then(ServiceId::from_arn)
            .is_some_and(|(found, _)| found == *id)
    };
    if let Some(service) = answer
        .services()
        .iter()
        .find(is_it)
        .and_then(|told| service(told, prefix))
    {
        return Ok(service);
    }
    let named = |failure: &&Failure| {
        failure
            .arn()
            .is_some_and(|arn| arn.rsplit('/').next() == Some(id.name.as_str()))
    };
    let reason = answer
        .failures()
        .iter()
        .find(named)
        .map(|failure| failure.reason().unwrap_or_default());
    let target = Some(id.to_string());
    Err(match reason {
        Some("MISSING") => Error {
            operation: DESCRIBE,
            target,
            cause: ErrorKind::NotFound,
            message: "MISSING".to_owned(),
        },
        Some(reason) => Error {
            operation: DESCRIBE,
            target,
            cause: ErrorKind::Rejected,
            message: reason.to_owned(),
        },
        None => Error::incomplete(DESCRIBE, target, "the service"),
    })
}

impl DescribedServices {
    /// A cluster that is gone took its services with it.
    fn missed(&mut self, id: ServiceId, error: Error) {
        if error.cause == ErrorKind::NotFound {
            self.gone.push(id);
        } else {
            self.unread.push((id, error));
        }
    }

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
