//! The state of a service: the part that ECS knows, and the notes of the simulation beside it.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::early_success::EarlySuccess;
use super::history::{HistoryStatus, ServiceDeployment, TaskFailure};
use super::hook::{Alarms, Hook};
use crate::clockwork::Clockwork;
use crate::job::Read;
use crate::tags::Tags;

/// `DescribeServices` returns as many events at most.
const EVENTS_KEPT: usize = 100;
/// ECS shows stopped tasks for an hour; the simulation shows the newest of them.
const STOPPED_TASKS_KEPT: usize = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Active,
    Draining,
    Inactive,
}

/// The controller of a service: `deploymentController.type`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Controller {
    /// ECS itself, rolling.
    #[default]
    Ecs,
    /// AWS CodeDeploy, blue/green.
    CodeDeploy,
    /// A third party, through task sets.
    External,
}

impl Controller {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ecs => "ECS",
            Self::CodeDeploy => "CODE_DEPLOY",
            Self::External => "EXTERNAL",
        }
    }
}

#[derive(Debug)]
pub(crate) struct EcsService {
    /// `cluster/name`.
    pub(super) id: String,
    pub(super) cluster: String,
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) status: Status,
    pub(super) created_at: Timestamp,
    pub(super) desired: usize,
    pub(super) minimum_percent: usize,
    pub(super) maximum_percent: usize,
    pub(super) controller: Controller,
    pub(super) daemon: bool,
    pub(super) circuit_breaker: Option<CircuitBreaker>,
    pub(super) strategy: Strategy,
    pub(super) hooks: Vec<Hook>,
    pub(super) alarms: Option<Alarms>,
    pub(super) early_success: Option<EarlySuccess>,
    pub(super) launch_type: LaunchType,
    /// Express Mode: Amazon ECS manages the resources of the service.
    pub(super) express: bool,
    pub(super) task_definition: String,
    /// `serviceConnectConfiguration` of the deployments to come.
    pub(super) service_connect: Option<Value>,
    /// The primary first, then the active ones, newest first.
    pub(super) deployments: Vec<Deployment>,
    /// The target of a rollback.
    pub(super) last_completed: Option<Deployment>,
    /// Newest last.
    pub(super) history: Vec<ServiceDeployment>,
    /// Oldest first.
    pub(super) tasks: Vec<Task>,
    pub(super) stopped: VecDeque<Task>,
    /// Newest first.
    pub(super) events: VecDeque<Event>,
    pub(crate) tags: Tags,
    pub(super) behaviour: Behaviour,
    pub(super) guard: Guard,
    /// The number of tasks that failed to start in a row. ECS waits because of them until
    /// `wait_until`.
    pub(super) failures_in_a_row: u32,
    pub(super) wait_until: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct CircuitBreaker {
    pub(super) rollback: bool,
}

/// `deploymentConfiguration.strategy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strategy {
    /// Task by task.
    Rolling,
    /// All new tasks beside the old ones, which stop when the new ones have been healthy for this
    /// long.
    BlueGreen { bake: Duration },
    /// As blue/green; a small part of the traffic goes over first, and all of it after `step`.
    Canary { step: Duration, bake: Duration },
}

/// The machines on which the tasks of a service run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LaunchType {
    Fargate,
    /// On machines of the customer's own: Amazon ECS Anywhere.
    External,
}

impl LaunchType {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Fargate => "FARGATE",
            Self::External => "EXTERNAL",
        }
    }
}

/// The behaviour of a service's containers.
#[derive(Clone, Debug)]
pub(crate) struct Behaviour {
    /// Patterns of the things that a task reads at start.
    pub(super) reads: Vec<Read>,
    /// From creation to running.
    pub(super) starting: Duration,
    /// From running to healthy.
    pub(super) settling: Duration,
    /// From the order to stop to stopped.
    pub(super) stopping: Duration,
    pub(super) failing: Failing,
    /// A parameter that each task writes when it starts, and the number of tasks that still do.
    pub(super) writing: Option<(String, u32)>,
}

/// The new tasks that fail to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failing {
    Never,
    Next(usize),
    Always,
    /// Those that read one of these versions of this thing.
    WhenReading(String, Range<u64>),
}

#[derive(Clone, Debug)]
pub(crate) struct Deployment {
    /// The service revision's id; `ecs-svc/` before it makes the deployment's.
    pub(super) revision: String,
    pub(super) task_definition: String,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    pub(super) rollout: Rollout,
    pub(super) reason: String,
    pub(super) failed_tasks: usize,
    /// The time at which all tasks of a deployment that shifts traffic were healthy, and its
    /// traffic began to go over.
    pub(super) scaled_at: Option<Timestamp>,
    /// The start of its bake time: its traffic had gone over, or all tasks of a rolling deployment
    /// were healthy.
    pub(super) shifted_at: Option<Timestamp>,
    /// `serviceConnectConfiguration`, as it was given.
    pub(super) service_connect: Option<Value>,
    /// The references of its task definition and its Service Connect proxy.
    pub(super) references: Vec<Read>,
}

impl Deployment {
    pub(super) fn id(&self) -> String {
        format!("ecs-svc/{}", self.revision)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rollout {
    InProgress,
    Completed,
    Failed,
}

#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(super) id: String,
    /// The revision of the deployment that started it.
    pub(super) revision: String,
    /// The ARN of its task definition.
    pub(super) definition: String,
    pub(super) created_at: Timestamp,
    pub(super) started_at: Option<Timestamp>,
    pub(super) healthy: bool,
    pub(super) stopping_at: Option<Timestamp>,
    pub(super) stopped_at: Option<Timestamp>,
    pub(super) stopped_reason: String,
    /// `stopCode`; empty while it runs.
    pub(super) stop_code: &'static str,
    /// The end of its scale-in protection.
    pub(super) protected_until: Option<Timestamp>,
    pub(super) doomed: bool,
    /// The things that it read, with their versions.
    pub(super) read: BTreeMap<String, u64>,
    /// Required patterns that named nothing when the task read them.
    pub(super) missing: Vec<String>,
}

impl Task {
    pub(super) fn is_stopping(&self) -> bool {
        self.stopping_at.is_some()
    }

    pub(super) fn is_running(&self) -> bool {
        self.started_at.is_some() && !self.is_stopping()
    }

    /// Returns true if neither a deployment nor a scale-in may stop it now.
    pub(super) fn is_protected(&self, now: Timestamp) -> bool {
        self.protected_until.is_some_and(|until| now < until)
    }

    pub(super) fn is_pending(&self) -> bool {
        self.started_at.is_none() && !self.is_stopping()
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(super) id: String,
    pub(super) created_at: Timestamp,
    pub(super) message: String,
}

/// The fewest running tasks ever seen, against the floor of the deployment configuration at that
/// moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Guard {
    /// The floor in force. It is below the configured one while a service starts up, scales out, or
    /// has lost tasks that failed by themselves.
    pub(super) floor: usize,
    pub(super) lowest: Option<Lowest>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Lowest {
    pub(super) running: usize,
    pub(super) floor: usize,
}

impl EcsService {
    /// The fewest healthy tasks that a deployment may leave: `minimumHealthyPercent`, rounded up.
    pub(super) fn floor(&self) -> usize {
        (self.desired * self.minimum_percent).div_ceil(100)
    }

    /// The most tasks, running or pending, that a deployment may have: `maximumPercent`, rounded
    /// down.
    pub(super) fn ceiling(&self) -> usize {
        self.desired * self.maximum_percent / 100
    }

    pub(super) fn running(&self) -> usize {
        self.tasks.iter().filter(|task| task.is_running()).count()
    }

    pub(super) fn pending(&self) -> usize {
        self.tasks.iter().filter(|task| task.is_pending()).count()
    }

    pub(super) fn healthy(&self) -> usize {
        self.tasks
            .iter()
            .filter(|task| task.is_running() && task.healthy)
            .count()
    }

    /// Healthy tasks of the primary deployment.
    pub(super) fn healthy_of_primary(&self) -> usize {
        let primary = self.primary_revision();
        self.tasks
            .iter()
            .filter(|task| task.is_running() && task.healthy && Some(&*task.revision) == primary)
            .count()
    }

    pub(super) fn task_mut(&mut self, id: &str) -> Option<&mut Task> {
        self.tasks.iter_mut().find(|task| task.id == id)
    }

    pub(super) fn primary_revision(&self) -> Option<&str> {
        self.deployments
            .first()
            .map(|deployment| deployment.revision.as_str())
    }

    pub(super) fn remember_stopped(&mut self, task: Task) {
        self.stopped.push_back(task);
        if self.stopped.len() > STOPPED_TASKS_KEPT {
            self.stopped.pop_front();
        }
    }

    /// Adds an event as the console and `DescribeServices` show it.
    pub(super) fn add_event(&mut self, clock: &mut Clockwork, text: &str) {
        let message = format!("(service {}) {text}", self.name);
        self.events.push_front(Event {
            id: clock.uuid(),
            created_at: clock.now,
            message,
        });
        self.events.truncate(EVENTS_KEPT);
    }

    /// Compares the running tasks with the floor; called after every change of either.
    pub(super) fn observe_floor(&mut self) {
        let seen = Lowest {
            running: self.running(),
            floor: self.guard.floor,
        };
        let margin =
            |lowest: &Lowest| (lowest.running.saturating_sub(lowest.floor), lowest.running);
        let short = |lowest: &Lowest| lowest.floor.saturating_sub(lowest.running);
        let worse = self.guard.lowest.is_none_or(|lowest| {
            short(&seen) > short(&lowest)
                || (short(&seen) == short(&lowest) && margin(&seen) < margin(&lowest))
        });
        if worse {
            self.guard.lowest = Some(seen);
        }
    }

    /// Lowers the floor: tasks that fail by themselves, and tasks that have yet to come, break no
    /// promise.
    pub(super) fn excuse_missing(&mut self) {
        self.guard.floor = self.guard.floor.min(self.running()).min(self.floor());
    }

    /// Raises the floor to the configured one: the service is steady.
    pub(super) fn owe_floor(&mut self) {
        self.guard.floor = self.floor();
    }

    /// Adds a deployment of `revision` to the history.
    pub(super) fn note_deployment(
        &mut self,
        clock: &mut Clockwork,
        revision: &str,
        task_definition: &str,
    ) {
        let source_revisions = self
            .deployments
            .iter()
            .map(|deployment| deployment.revision.clone())
            .collect();
        self.history.push(ServiceDeployment {
            id: clock.token(21),
            target_revision: revision.to_owned(),
            source_revisions,
            task_definition: task_definition.to_owned(),
            created_at: clock.now,
            started_at: None,
            finished_at: None,
            updated_at: clock.now,
            status: HistoryStatus::Pending,
            reason: String::new(),
            rollback: None,
            stage: None,
            hooks: Vec::new(),
            triggered: Vec::new(),
            baking_since: None,
            ended_by: None,
            failures: Vec::new(),
        });
    }

    /// Remembers that a task of `revision` failed to start.
    pub(super) fn note_failure(&mut self, revision: &str, failure: TaskFailure) {
        let mut history = self.history.iter_mut().rev();
        if let Some(of_it) = history.find(|past| past.target_revision == revision) {
            of_it.failures.push(failure);
        }
    }

    /// The service deployment under way, which is always the newest.
    pub(super) fn current_history(&mut self) -> Option<&mut ServiceDeployment> {
        self.history
            .last_mut()
            .filter(|deployment| !deployment.status.is_over())
    }
}
