//! Task definitions: `DescribeTaskDefinition`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::{StreamExt, stream};
use tokio::time::Instant;

use super::client::{Ecs, READS_IN_FLIGHT};
use super::references::references;
use crate::aws::call::Call;
use crate::aws::error::Error;
use crate::domain::reference::References;

impl Ecs {
    /// The references of task definitions, by their ARNs. Each is read once in the life of the
    /// process. One that cannot be read before the instant `by` is an error of its own.
    pub async fn references(
        &self,
        arns: BTreeSet<String>,
        by: Instant,
    ) -> BTreeMap<String, Result<Arc<References>, Error>> {
        let references = |arn: String| async move {
            let references = match self.definitions.get(&arn) {
                Some(known) => Ok(known),
                None => self.describe_task_definition(&arn, by).await,
            };
            (arn, references)
        };
        stream::iter(arns)
            .map(references)
            .buffered(READS_IN_FLIGHT)
            .collect()
            .await
    }

    /// The references of a task definition that this process has read.
    #[must_use]
    pub fn known_references(&self, arn: &str) -> Option<Arc<References>> {
        self.definitions.get(arn)
    }

    /// The number of task definitions that were read in the life of the process.
    #[must_use]
    pub fn definitions_read(&self) -> usize {
        self.definitions.read()
    }

    /// Reads and keeps the references of a task definition: [`DescribeTaskDefinition`][api].
    ///
    /// [api]: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTaskDefinition.html
    async fn describe_task_definition(
        &self,
        arn: &str,
        by: Instant,
    ) -> Result<Arc<References>, Error> {
        let call = Call::of("DescribeTaskDefinition", arn);
        let request = self.reads.describe_task_definition().task_definition(arn);
        let answer = call.send_paced(&self.paces.task_definitions, by, request.send());
        let answer = answer.await?;
        let definition = answer.task_definition();
        let definition = definition.ok_or_else(|| call.incomplete("the task definition"))?;
        let references = Arc::new(references(definition));
        self.definitions.keep(arn, &references);
        Ok(references)
    }
}
