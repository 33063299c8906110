//! Service deployments: `ListServiceDeployments`, `DescribeServiceDeployments` and
//! `DescribeServiceRevisions`.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecs::primitives::DateTime;
use aws_sdk_ecs::types::{CreatedAt, ServiceDeployment, ServiceDeploymentBrief};
use jiff::Timestamp;
use tokio::time::Instant;

use super::client::Ecs;
use crate::aws::call::Call;
use crate::aws::error::Error;
use crate::aws::pages::{Listing, Pages};
use crate::domain::arn::ServiceId;

/// The operation that lists the history, by which errors of the history are named.
pub(super) const LIST: &str = "ListServiceDeployments";

/// Most deployments of one `ListServiceDeployments`.
const LISTED_AT_ONCE: i32 = 100;

/// Most of one `DescribeServiceRevisions`, or of one `DescribeServiceDeployments`.
const DESCRIBED_AT_ONCE: usize = 20;

impl Ecs {
    /// Lists the deployments of a service that were created after `since`, each once:
    /// [`ListServiceDeployments`][api].
    ///
    /// [api]: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListServiceDeployments.html
    pub(super) async fn list_service_deployments(
        &self,
        id: &ServiceId,
        since: Timestamp,
        by: Instant,
    ) -> Result<Listing<Vec<ServiceDeploymentBrief>>, Error> {
        let since = DateTime::from_secs(since.as_second());
        let request = self
            .reads
            .list_service_deployments()
            .cluster(&id.cluster)
            .service(&id.name)
            .created_at(CreatedAt::builder().after(since).build())
            .max_results(LISTED_AT_ONCE);
        let target = id.to_string();
        let call = Call::of(LIST, &target);
        let (mut listed, mut known) = (Vec::new(), BTreeSet::new());
        let mut pages = Pages::default();
        loop {
            let page = request.clone().set_next_token(pages.token()).send();
            let answer = call.send_paced(&self.paces.deployments, by, page).await?;
            let briefs = answer.service_deployments.unwrap_or_default().into_iter();
            let new = briefs.filter(|brief| known.insert(brief.service_deployment_arn.clone()));
            listed.extend(new);
            if !pages.next(answer.next_token) {
                return Ok(pages.listing(listed));
            }
        }
    }

    /// Describes deployments, twenty a call: [`DescribeServiceDeployments`][api]. A call that fails
    /// is an error of each of its deployments.
    ///
    /// [api]: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServiceDeployments.html
    pub(super) async fn describe_service_deployments(
        &self,
        arns: &[String],
        by: Instant,
    ) -> BTreeMap<String, Result<ServiceDeployment, Error>> {
        let mut described = BTreeMap::new();
        for arns in arns.chunks(DESCRIBED_AT_ONCE) {
            let request = self
                .reads
                .describe_service_deployments()
                .set_service_deployment_arns(Some(arns.to_vec()));
            let call = Call::whole("DescribeServiceDeployments");
            let answer = call.send_paced(&self.paces.deployments, by, request.send());
            let answer = answer
                .await
                .map(|answer| answer.service_deployments.unwrap_or_default());
            for arn in arns {
                let is_it = |deployment: &&ServiceDeployment| {
                    deployment.service_deployment_arn() == Some(arn.as_str())
                };
                let deployment = match &answer {
                    Ok(deployments) => deployments
                        .iter()
                        .find(is_it)
                        .cloned()
                        .ok_or_else(|| call.incomplete("the service deployment").about(arn)),
                    Err(error) => Err(error.about(arn)),
                };
                described.insert(arn.clone(), deployment);
            }
        }
        described
    }

    /// The task definitions that revisions run, by the ARNs of the revisions, twenty a call:
    /// [`DescribeServiceRevisions`][api]. A revision that cannot be read is left out, as it then
    /// proves nothing.
    ///
    /// [api]: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServiceRevisions.html
    pub(super) async fn describe_service_revisions(
        &self,
        arns: &[String],
        by: Instant,
    ) -> BTreeMap<String, String> {
        let mut task_definitions = BTreeMap::new();
        for arns in arns.chunks(DESCRIBED_AT_ONCE) {
            let request = self
                .reads
                .describe_service_revisions()
                .set_service_revision_arns(Some(arns.to_vec()));
            let call = Call::whole("DescribeServiceRevisions");
            let answer = call.send_paced(&self.paces.revisions, by, request.send());
            match answer.await {
                Ok(answer) => {
                    let revisions = answer.service_revisions.unwrap_or_default().into_iter();
                    task_definitions.extend(revisions.filter_map(|revision| {
                        Some((revision.service_revision_arn?, revision.task_definition?))
                    }));
                }
                Err(error) => {
                    tracing::warn!(%error, "the task definitions of past deployments are unknown");
                }
            }
        }
        task_definitions
    }
}
