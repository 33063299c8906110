//! The past deployments of a service, as Amazon ECS remembers them, and the evidence that is read
//! of one service before its decision stands.

use jiff::{SignedDuration, Timestamp};

/// The instant from which on the history is to be listed for a deployment that was created at `at`:
/// the listing starts at a whole second.
#[must_use]
pub fn just_before(at: Timestamp) -> Option<Timestamp> {
    at.saturating_sub(SignedDuration::from_secs(1)).ok()
}

/// The answers of `ListServiceDeployments`, `DescribeServiceRevisions` and
/// `DescribeServiceDeployments`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum History {
    /// Not asked: the decision did not need it.
    #[default]
    NotAsked,
    /// It could not be read, for this cause. That never blocks a restart, except while a deployment
    /// runs, or if the one that is followed is gone.
    Unreadable(String),
    /// The deployments of a listing that ended early, and the cause. The deployments that were read
    /// count. A missing one may be a rollback, so the listing also counts as unreadable.
    Incomplete(Vec<PastDeployment>, String),
    /// The deployments created since the oldest change in question.
    Read(Vec<PastDeployment>),
}

impl History {
    /// The cause, if deployments may be missing.
    #[must_use]
    pub fn lacks(&self) -> Option<&str> {
        match self {
            Self::Unreadable(cause) | Self::Incomplete(_, cause) => Some(cause),
            Self::NotAsked | Self::Read(_) => None,
        }
    }

    /// The deployments of it, as far as they were read.
    #[must_use]
    pub fn read(&self) -> &[PastDeployment] {
        match self {
            Self::NotAsked | Self::Unreadable(_) => &[],
            Self::Incomplete(past, _) | Self::Read(past) => past,
        }
    }
}

/// One entry of the deployment history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastDeployment {
    /// `ecs-svc/…`: the number of the service revision that it deploys (Amazon ECS shows the same
    /// number in both).
    pub id: Option<String>,
    /// The time of its start.
    pub created_at: Timestamp,
    /// The time of its end.
    pub finished_at: Option<Timestamp>,
    /// Its status.
    pub status: ServiceDeploymentStatus,
    /// `statusReason`: Amazon ECS's own words about the status. It is shown, and decides nothing.
    pub status_reason: Option<String>,
    /// The task definition that it ran, or tried to run, if that could be read.
    pub task_definition: Option<String>,
    /// The one who ended it, of one that was rolled back or stopped.
    pub ended_by: EndedBy,
    /// The PAUSE hook that it stands at.
    pub approval: Option<Approval>,
    /// The stage of its lifecycle, such as `SCALE_UP` or `BAKE_TIME`, of one that runs, if it
    /// was read.
    pub stage: Option<String>,
    /// True while it waits for a lifecycle hook.
    pub at_hook: bool,
}

/// `status` of a service deployment, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceDeploymentStatus {
    /// Pending or in progress.
    Running,
    /// `SUCCESSFUL`.
    Succeeded,
    /// A rollback is requested or runs: it must not be disturbed ("Deployment 3 cannot roll back,
    /// or launch tasks", Amazon ECS Developer Guide, "How the Amazon ECS deployment circuit
    /// breaker detects failures").
    RollingBack,
    /// Rolled back, with or without success.
    RolledBack,
    /// Stopped: superseded by a newer deployment, or ended without a rollback.
    Stopped,
}

/// The one who ended a deployment before it was successful.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum EndedBy {
    /// It runs, or succeeded, or was superseded.
    #[default]
    NotAsked,
    /// It could not be read, for this cause.
    Unreadable(String),
    /// Amazon ECS: its circuit breaker or one of its alarms was triggered.
    FailureDetection,
    /// A person, a lifecycle hook or the time-out of one: neither the circuit breaker nor an alarm
    /// was triggered.
    Decision,
}

/// A PAUSE hook at which a deployment waits for a person.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Approval {
    /// `hookId`, which `ContinueServiceDeployment` asks for.
    pub hook: String,
    /// The ARN of the service deployment.
    pub deployment: String,
    /// The time at which Amazon ECS waits no longer.
    pub expires_at: Option<Timestamp>,
}

/// The end of a deployment that was rolled back or stopped.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ended {
    /// `ecs-svc/…`, if known.
    pub deployment: Option<String>,
    /// The time of its start.
    pub created_at: Timestamp,
    /// The one who ended it.
    pub by: EndedBy,
    /// Amazon ECS's own words about it.
    pub status_reason: Option<String>,
}

/// The creation of the oldest task of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum OldestTask {
    /// Not asked: the decision did not need it.
    #[default]
    NotAsked,
    /// It could not be read, for this cause. That never blocks a restart.
    Unreadable(String),
    /// Its creation; `None` if no task runs.
    CreatedAt(Option<Timestamp>),
}

/// The evidence that is to be read of one service before its decision stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needed {
    /// The deployment history, from this instant on.
    pub history_since: Option<Timestamp>,
    /// The number of restarts an hour that the budget allows. With fewer deployments in the history
    /// it is no matter which of them changed the task definition.
    pub restart_budget: usize,
    /// True if a deployment of it that runs may stand at a lifecycle hook.
    pub has_hooks: bool,
    /// The creation of its oldest task.
    pub oldest_task: bool,
}

impl Needed {
    /// Everything that either needs.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let since = [self.history_since, other.history_since];
        Self {
            history_since: since.into_iter().flatten().min(),
            restart_budget: self.restart_budget.max(other.restart_budget),
            has_hooks: self.has_hooks || other.has_hooks,
            oldest_task: self.oldest_task || other.oldest_task,
        }
    }
}

/// The evidence that was read of one service; `None` if it was not needed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The deployment history.
    pub history: Option<History>,
    /// The creation of its oldest task.
    pub oldest_task: Option<OldestTask>,
}

impl PastDeployment {
    /// True if a newer deployment, one of those created at these times, ended it. Such an end does
    /// not show that the value is bad.
    #[must_use]
    pub fn was_superseded(&self, mut created: impl Iterator<Item = Timestamp>) -> bool {
        let end = self.finished_at.unwrap_or(Timestamp::MAX);
        // Only a newer deployment ends one in the millisecond of its own creation.
        let at_once = end == self.created_at;
        self.status == ServiceDeploymentStatus::Stopped
            && (at_once || created.any(|at| at > self.created_at && at <= end))
    }
}
