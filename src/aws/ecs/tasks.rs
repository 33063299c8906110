//! Tasks: `ListTasks` and `DescribeTasks`.

use std::collections::BTreeMap;

use aws_sdk_ecs::operation::list_tasks::ListTasksOutput;
use aws_sdk_ecs::types::{Container, DesiredStatus, Task, TaskStopCode};
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use tokio::time::Instant;

use super::client::{Ecs, READS_IN_FLIGHT};
use crate::aws::call::Call;
use crate::aws::error::Error;
use crate::aws::pages::{Listing, Pages};
use crate::aws::timestamp::timestamp;
use crate::domain::arn::ServiceId;
use crate::domain::rollout::RolloutId;
use crate::domain::rollout_tasks::{
    CountedTasks, Counting, RolloutTasks, SeenTask, StoppedTask, TasksNeeded,
};

const LIST: &str = "ListTasks";

/// The tasks that one rollout needs.
#[derive(Clone, Debug)]
pub struct TasksOfRollout {
    /// The service.
    pub service: ServiceId,
    /// The rollout.
    pub rollout: RolloutId,
    /// The tasks.
    pub needed: TasksNeeded,
}

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
            let page = self
                .list_tasks(id, DesiredStatus::Running, pages.token(), by)
                .await?;
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

    /// Counts the tasks of rollouts, ten rollouts at a time, by their services. Tasks that cannot be
    /// read before the instant `by` say so.
    pub async fn rollout_tasks(
        &self,
        wanted: Vec<TasksOfRollout>,
        by: Instant,
    ) -> BTreeMap<ServiceId, BTreeMap<RolloutId, RolloutTasks>> {
        let count = |wanted: TasksOfRollout| async move {
            let counted = self.count_tasks(&wanted.service, &wanted.needed, by).await;
            let counted = match counted {
                Ok(counted) => RolloutTasks::Read(counted),
                Err(error) => RolloutTasks::Unreadable(error.to_string()),
            };
            (wanted.service, wanted.rollout, counted)
        };
        let counted = stream::iter(wanted).map(count).buffered(READS_IN_FLIGHT);
        let none = BTreeMap::<ServiceId, BTreeMap<_, _>>::new();
        counted
            .fold(none, async |mut all, (service, rollout, counted)| {
                all.entry(service).or_default().insert(rollout, counted);
                all
            })
            .await
    }

    /// Counts the tasks of a service: those that run, and those that were ordered to stop. A task
    /// that drains is in the second list, and still serves with the old value. Two listings for a
    /// hundred tasks, and one description each.
    async fn count_tasks(
        &self,
        id: &ServiceId,
        needed: &TasksNeeded,
        by: Instant,
    ) -> Result<CountedTasks, Error> {
        let mut counting = Counting::of(needed);
        // In this order: a task that begins to drain meanwhile is in both lists, and not in none.
        for desired in [DesiredStatus::Running, DesiredStatus::Stopped] {
            let mut pages = Pages::default();
            loop {
                let token = pages.token();
                let page = self.list_tasks(id, desired.clone(), token, by).await?;
                let tasks = self.describe_tasks(id, page.task_arns(), by).await?;
                for task in tasks.iter().filter_map(seen_task) {
                    counting.add(task);
                }
                if !pages.next(page.next_token) {
                    break;
                }
            }
            if !pages.is_whole() {
                return Err(Call::of(LIST, &id.to_string()).repeated_token());
            }
        }
        Ok(counting.finish())
    }

    /// Lists up to a hundred tasks of this desired status: [`ListTasks`][api].
    ///
    /// [api]: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTasks.html
    async fn list_tasks(
        &self,
        id: &ServiceId,
        desired: DesiredStatus,
        page: Option<String>,
        by: Instant,
    ) -> Result<ListTasksOutput, Error> {
        let request = self
            .reads
            .list_tasks()
            .cluster(&id.cluster)
            .service_name(&id.name)
            .desired_status(desired)
            .set_next_token(page);
        let target = id.to_string();
        let call = Call::of(LIST, &target);
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

/// A task, as far as the end of a rollout needs it; `None` without a time of creation.
fn seen_task(task: &Task) -> Option<SeenTask> {
    let arn = task.task_arn()?;
    let has_stopped = matches!(task.last_status(), Some("STOPPED" | "DELETED"));
    let stopped = || StoppedTask {
        id: arn.rsplit('/').next().unwrap_or_default().to_owned(),
        at: task.stopped_at().and_then(timestamp),
        code: task.stop_code().map_or("", TaskStopCode::as_str).to_owned(),
        reason: stopped_reason(task),
        has_failed: has_failed(task.stop_code()),
    };
    Some(SeenTask {
        arn: arn.to_owned(),
        started_by: task.started_by().unwrap_or_default().to_owned(),
        created_at: timestamp(task.created_at()?)?,
        stopped: has_stopped.then(stopped),
    })
}

/// True if a task failed by itself. A code that is newer than this version counts as a failure: it
/// is shown.
fn has_failed(code: Option<&TaskStopCode>) -> bool {
    match code {
        Some(
            TaskStopCode::ServiceSchedulerInitiated
            | TaskStopCode::UserInitiated
            | TaskStopCode::SpotInterruption
            | TaskStopCode::TerminationNotice,
        )
        | None => false,
        Some(_) => true,
    }
}

/// `stoppedReason`, and of each container that says more its name, exit code and reason:
/// `Essential container in task exited (app: exit code 1)`.
fn stopped_reason(task: &Task) -> String {
    let reason = task.stopped_reason().unwrap_or_default();
    let containers = task
        .containers()
        .iter()
        .filter_map(|container: &Container| {
            let exit = container.exit_code().filter(|code| *code != 0);
            let exit = exit.map(|code| format!("exit code {code}"));
            let facts = exit
                .into_iter()
                .chain(container.reason().map(str::to_owned));
            let facts: Vec<_> = facts.collect();
            let name = container.name().unwrap_or_default();
            (!facts.is_empty()).then(|| format!("{name}: {}", facts.join(", ")))
        });
    let containers: Vec<_> = containers.collect();
    if containers.is_empty() {
        reason.to_owned()
    } else {
        format!("{reason} ({})", containers.join("; "))
    }
}
