//! A service as tests and the demo see it, in more detail than AWS shows.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::history::{EndedBy, ServiceDeployment, TaskFailure};
use super::hook::{HookRun, Stage};
use super::model::{Deployment, EcsService, Lowest, Rollout, Status, Task};
use super::state::Ecs;

/// The state of a service at one instant.
#[derive(Clone, Debug)]
pub struct ServiceView {
    /// `cluster/name`.
    pub name: String,
    /// `ACTIVE`, `DRAINING` or `INACTIVE`.
    pub status: &'static str,
    /// `desiredCount`.
    pub desired: usize,
    /// Tasks that run and were not ordered to stop.
    pub running: usize,
    /// Tasks that are being started.
    pub pending: usize,
    /// The primary deployment first, then those still draining.
    pub deployments: Vec<DeploymentView>,
    /// Live tasks, oldest first.
    pub tasks: Vec<TaskView>,
    /// Service events, newest first.
    pub events: Vec<String>,
    /// Service deployments, newest first.
    pub history: Vec<HistoryView>,
    /// The fewest running tasks ever seen, at the moment that was worst compared with the floor.
    pub lowest_running: usize,
    /// The fewest tasks that the deployment configuration allowed at that moment, without those
    /// that had failed by themselves.
    pub floor: usize,
}

impl ServiceView {
    /// Returns true if the service always had as many running tasks as its deployment configuration
    /// requires.
    #[must_use]
    pub fn kept_its_floor(&self) -> bool {
        self.lowest_running >= self.floor
    }

    /// Returns true if the service is steady: one deployment, completed or failed for good, and as
    /// many healthy tasks as desired.
    #[must_use]
    pub fn is_steady(&self) -> bool {
        self.deployments.len() <= 1
            && self.tasks.len() == self.desired
            && self.tasks.iter().all(|task| task.healthy)
            && self
                .deployments
                .iter()
                .all(|deployment| deployment.rollout_state != "IN_PROGRESS")
    }
}

/// A deployment as `DescribeServices` shows it.
#[derive(Clone, Debug)]
pub struct DeploymentView {
    /// `ecs-svc/…`.
    pub id: String,
    /// `PRIMARY` or `ACTIVE`.
    pub status: &'static str,
    /// `IN_PROGRESS`, `COMPLETED` or `FAILED`.
    pub rollout_state: &'static str,
    /// Its creation time; a rollback does not change it.
    pub created_at: Timestamp,
    /// Its running tasks.
    pub running: usize,
    /// Its tasks that are being started.
    pub pending: usize,
    /// Its tasks that did not start.
    pub failed_tasks: usize,
}

/// A live task.
#[derive(Clone, Debug)]
pub struct TaskView {
    /// 32 hexadecimal digits.
    pub id: String,
    /// The deployment that started it: `ecs-svc/…`.
    pub deployment: String,
    /// The time at which ECS created it.
    pub created_at: Timestamp,
    /// The time at which its containers started; `None` before.
    pub started_at: Option<Timestamp>,
    /// True if it counts for a deployment.
    pub healthy: bool,
    /// True if it was ordered to stop.
    pub stopping: bool,
    /// The versions that it read between its creation and its start.
    pub read: BTreeMap<String, u64>,
}

/// A service deployment as `ListServiceDeployments` shows it.
#[derive(Clone, Debug)]
pub struct HistoryView {
    /// The deployment that it carried out: `ecs-svc/…`.
    pub deployment: String,
    /// `SUCCESSFUL`, `ROLLBACK_SUCCESSFUL` and so on.
    pub status: &'static str,
    /// The time of the request for it.
    pub created_at: Timestamp,
    /// The time at which its rollback began.
    pub rolled_back_at: Option<Timestamp>,
    /// The time at which it ended.
    pub finished_at: Option<Timestamp>,
    /// The ARN of the task definition that it deploys.
    pub task_definition: String,
    /// The reason of its status, in the words of AWS; empty if AWS gives none.
    pub status_reason: String,
    /// The cause that ended it before it was successful. If a newer deployment stopped a rollback,
    /// it is the cause of the rollback.
    pub ended_by: Option<EndedBy>,
    /// Its stage, `PRE_SCALE_UP` and so on, while it goes forward; its last one afterwards.
    pub stage: Option<&'static str>,
    /// The time at which its bake began.
    pub baking_since: Option<Timestamp>,
    /// Runs of its lifecycle hooks, oldest first.
    pub hooks: Vec<HookView>,
    /// Its tasks that failed to start, oldest first.
    pub failures: Vec<TaskFailure>,
}

/// A run of a lifecycle hook as `DescribeServiceDeployments` shows it, and its times.
#[derive(Clone, Debug)]
pub struct HookView {
    /// Names this run alone.
    pub id: String,
    /// `AWAITING_ACTION`, `IN_PROGRESS`, `SUCCEEDED`, `FAILED` or `TIMED_OUT`.
    pub status: &'static str,
    /// The time at which the deployment came to it.
    pub began_at: Timestamp,
    /// The time at which it ends by itself.
    pub expires_at: Timestamp,
    /// The time at which it ended.
    pub ended_at: Option<Timestamp>,
}

/// A running task that holds an older version than the current one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaleTask {
    /// `cluster/name`.
    pub service: String,
    /// 32 hexadecimal digits.
    pub task: String,
    /// The thing that it read: `ssm:/app/db`.
    pub thing: String,
    /// The version it read.
    pub read: u64,
    /// The current version.
    pub current: u64,
}

impl Ecs {
    pub(crate) fn view(&self, id: &str) -> Option<ServiceView> {
        self.services.get(id).map(ServiceView::from)
    }

    /// The deployment of a service that was started at this instant.
    pub(crate) fn started_now(&self, id: &str, now: Timestamp) -> Option<String> {
        let primary = self.services.get(id)?.deployments.first()?;
        (primary.created_at == now).then(|| primary.id())
    }

    /// Every version that a running task holds.
    pub(crate) fn versions_held(&self) -> impl Iterator<Item = HeldVersion<'_>> {
        self.services.iter().flat_map(|(id, service)| {
            let running = service.tasks.iter().filter(|task| task.is_running());
            running.flat_map(move |task| {
                task.read.iter().map(move |(thing, version)| HeldVersion {
                    service: id,
                    task: &task.id,
                    thing,
                    version: *version,
                })
            })
        })
    }
}

/// The version of something that a running task holds.
pub(crate) struct HeldVersion<'a> {
    pub(crate) service: &'a str,
    pub(crate) task: &'a str,
    pub(crate) thing: &'a str,
    pub(crate) version: u64,
}

impl From<&EcsService> for ServiceView {
    fn from(service: &EcsService) -> Self {
        let now = Lowest {
            running: service.running(),
            floor: service.guard.floor,
        };
        let lowest = service.guard.lowest.unwrap_or(now);
        let deployments = service.deployments.iter().enumerate();
        Self {
            name: service.id.clone(),
            status: status_name(service.status),
            desired: service.desired,
            running: service.running(),
            pending: service.pending(),
            deployments: deployments
                .map(|(position, deployment)| view_deployment(service, position, deployment))
                .collect(),
            tasks: service.tasks.iter().map(TaskView::from).collect(),
            events: service
                .events
                .iter()
                .map(|event| event.message.clone())
                .collect(),
            history: service
                .history
                .iter()
                .rev()
                .map(HistoryView::from)
                .collect(),
            lowest_running: lowest.running,
            floor: lowest.floor,
        }
    }
}

fn view_deployment(
    service: &EcsService,
    position: usize,
    deployment: &Deployment,
) -> DeploymentView {
    let (running, pending) = counts(service, deployment);
    DeploymentView {
        id: deployment.id(),
        status: deployment_status(position),
        rollout_state: rollout_name(deployment.rollout),
        created_at: deployment.created_at,
        running,
        pending,
        failed_tasks: deployment.failed_tasks,
    }
}

impl From<&Task> for TaskView {
    fn from(task: &Task) -> Self {
        Self {
            id: task.id.clone(),
            deployment: format!("ecs-svc/{}", task.revision),
            created_at: task.created_at,
            started_at: task.started_at,
            healthy: task.healthy,
            stopping: task.is_stopping(),
            read: task.read.clone(),
        }
    }
}

impl From<&ServiceDeployment> for HistoryView {
    fn from(deployment: &ServiceDeployment) -> Self {
        Self {
            deployment: format!("ecs-svc/{}", deployment.target_revision),
            status: deployment.status.name(),
            created_at: deployment.created_at,
            rolled_back_at: deployment
                .rollback
                .as_ref()
                .map(|rollback| rollback.started_at),
            finished_at: deployment.finished_at,
            task_definition: deployment.task_definition.clone(),
            status_reason: deployment.reason.clone(),
            ended_by: deployment.ended_by,
            stage: deployment.stage.map(Stage::name),
            baking_since: deployment.baking_since,
            hooks: deployment.hooks.iter().map(HookView::from).collect(),
            failures: deployment.failures.clone(),
        }
    }
}

impl From<&HookRun> for HookView {
    fn from(run: &HookRun) -> Self {
        let HookRun {
            id,
            status,
            began_at,
            expires_at,
            ended_at,
            ..
        } = run;
        Self {
            id: id.clone(),
            status: status.name(),
            began_at: *began_at,
            expires_at: *expires_at,
            ended_at: *ended_at,
        }
    }
}

/// Running and pending tasks of a deployment.
pub(super) fn counts(service: &EcsService, deployment: &Deployment) -> (usize, usize) {
    let mine = || {
        service
            .tasks
            .iter()
            .filter(|task| task.revision == deployment.revision)
    };
    (
        mine().filter(|task| task.is_running()).count(),
        mine().filter(|task| task.is_pending()).count(),
    )
}

pub(super) fn deployment_status(position: usize) -> &'static str {
    if position == 0 { "PRIMARY" } else { "ACTIVE" }
}

pub(super) fn status_name(status: Status) -> &'static str {
    match status {
        Status::Active => "ACTIVE",
        Status::Draining => "DRAINING",
        Status::Inactive => "INACTIVE",
    }
}

pub(super) fn rollout_name(rollout: Rollout) -> &'static str {
    match rollout {
        Rollout::InProgress => "IN_PROGRESS",
        Rollout::Completed => "COMPLETED",
        Rollout::Failed => "FAILED",
    }
}
