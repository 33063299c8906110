//! Tasks: `ListTasks` and `DescribeTasks`.

use aws_sdk_ecs::operation::list_tasks::ListTasksOutput;
use aws_sdk_ecs::types::Task;
use jiff::Timestamp;
use tokio::time::Instant;

use super::client::Ecs;
use crate::aws::call::Call;
use crate::aws::error::Error;
use crate::aws::pages::{Listing, Pages};
use crate::aws::timestamp::timestamp;
use crate::domain::arn::ServiceId;

impl Ecs {
    /// The creation of the oldest task whose desired status is RUNNING; `None` if there is none.
    /// Two calls for each hundred tasks.
    ///
    /// # Errors
    /// A call failed, or had no answer before the instant `by`.
    pub async fn oldest_task(
        &self,
        id: &ServiceId,
        by: Instant,
    ) -> Result<Listing<Option<Timestamp>>, Error> {
        let (mut oldest, mut pages) = (None, Pages::default());
        loop {
            let page = self.list_tasks(id, pages.token(), by).await?;
            let tasks = self.describe_tasks(id, page.task_arns(), by).await?;
            let created = tasks
                .iter()
                .filter_map(|task| timestamp(task.created_at()?));
            oldest = oldest.into_iter().chain(created).min();
            if !pages.next(page.next_token) {
                return Ok(pages.listing(oldest));
            }
        }
    }

    /// Lists up to a hundred tasks whose desired status is RUNNING: [`ListTasks`][api].
    ///
    /// [api]: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTasks.html
    async fn list_tasks(
        &self,
        id: &ServiceId,
        page: Option<String>,
        by: Instant,
    ) -> Result<ListTasksOutput, Error> {
        let request = self
            .reads
            .list_tasks()
            .cluster(&id.cluster)
            .service_name(&id.name)
            .set_next_token(page);
        let target = id.to_string();
        let call = Call::of("ListTasks", &target);
        call.send_paced(&self.paces.tasks, by, request.send()).await
    }

    /// Describes up to a hundred tasks: [`DescribeTasks`][api]. No call for none.
    ///
    /// [api]: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTasks.html
    async fn describe_tasks(
        &self,
        id: &ServiceId,
        arns: &[String],
        by: Instant,
    ) -> Result<Vec<Task>, Error> {
        if arns.is_empty() {
            return Ok(Vec::new());
        }
        let request = self
            .reads
            .describe_tasks()
            .cluster(&id.cluster)
            .set_tasks(Some(arns.to_vec()));
        let target = id.to_string();
        let call = Call::of("DescribeTasks", &target);
        let answer = call.send_paced(&self.paces.tasks, by, request.send());
        Ok(answer.await?.tasks.unwrap_or_default())
    }
}
