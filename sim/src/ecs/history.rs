//! Service deployments and service revisions: the record of each rollout that
//! `ListServiceDeployments` shows.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::hook::{HookRun, Stage};

/// The statuses of a service deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HistoryStatus {
    Pending,
    InProgress,
    Stopped,
    Successful,
    RollbackRequested,
    RollbackInProgress,
    RollbackSuccessful,
    RollbackFailed,
}

impl HistoryStatus {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::InProgress => "IN_PROGRESS",
            Self::Stopped => "STOPPED",
            Self::Successful => "SUCCESSFUL",
            Self::RollbackRequested => "ROLLBACK_REQUESTED",
            Self::RollbackInProgress => "ROLLBACK_IN_PROGRESS",
            Self::RollbackSuccessful => "ROLLBACK_SUCCESSFUL",
            Self::RollbackFailed => "ROLLBACK_FAILED",
        }
    }

    pub(crate) fn is_over(self) -> bool {
        match self {
            Self::Pending
            | Self::InProgress
            | Self::RollbackRequested
            | Self::RollbackInProgress => false,
            Self::Stopped | Self::Successful | Self::RollbackSuccessful | Self::RollbackFailed => {
                true
            }
        }
    }
}

/// The cause that ended a deployment before it was successful: the simulation's own record, which
/// AWS shows only in part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// Its tasks failed.
    CircuitBreaker,
    /// An alarm triggered.
    Alarm,
    /// A person stopped it: `StopServiceDeployment`.
    Stop,
    /// A person had it rolled back at a PAUSE hook: `ContinueServiceDeployment` with `ROLLBACK`.
    Rejection,
    /// A Lambda hook failed.
    Hook,
    /// Nobody acted on a hook in time.
    HookTimeout,
    /// A newer deployment took its place.
    NewDeployment,
}

impl EndedBy {
    /// Returns true if it was ended on purpose: by a person, a hook or its time-out.
    #[must_use]
    pub fn is_a_decision(self) -> bool {
        match self {
            Self::Stop | Self::Rejection | Self::Hook | Self::HookTimeout => true,
            Self::CircuitBreaker | Self::Alarm | Self::NewDeployment => false,
        }
    }

    /// The text of `statusReason`. AWS documents none, so no client may rely on it.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::CircuitBreaker => {
                "Service deployment rolled back because the circuit breaker threshold was exceeded."
            }
            Self::Alarm => {
                "Service deployment rolled back because a CloudWatch alarm was triggered."
            }
            Self::Stop => "Service deployment rolled back because it was stopped by a user.",
            Self::Rejection => {
                "Service deployment rolled back because a user did not continue it at a lifecycle \
                 hook."
            }
            Self::Hook => "Service deployment rolled back because a lifecycle hook failed.",
            Self::HookTimeout => {
                "Service deployment rolled back because a lifecycle hook timed out."
            }
            Self::NewDeployment => "A new service deployment was started.",
        }
    }
}

/// A task that failed to start: the simulation's own record, longer than that of AWS.
#[derive(Clone, Debug)]
pub struct TaskFailure {
    /// The time at which it failed.
    pub at: Timestamp,
    /// References that it could not read.
    pub missing: Vec<String>,
    /// The things that it read, with their versions.
    pub read: BTreeMap<String, u64>,
}

#[derive(Clone, Debug)]
pub(crate) struct ServiceDeployment {
    /// The last part of its ARN.
    pub(super) id: String,
    pub(super) target_revision: String,
    pub(super) source_revisions: Vec<String>,
    pub(super) task_definition: String,
    pub(super) created_at: Timestamp,
    pub(super) started_at: Option<Timestamp>,
    pub(super) finished_at: Option<Timestamp>,
    pub(super) updated_at: Timestamp,
    pub(super) status: HistoryStatus,
    pub(super) reason: String,
    pub(super) rollback: Option<Rollback>,
    /// Its stage while it goes forward.
    pub(super) stage: Option<Stage>,
    /// Runs of its hooks, oldest first.
    pub(super) hooks: Vec<HookRun>,
    /// Names of the alarms that triggered.
    pub(super) triggered: Vec<String>,
    pub(super) baking_since: Option<Timestamp>,
    pub(super) ended_by: Option<EndedBy>,
    /// Its tasks that failed to start.
    pub(super) failures: Vec<TaskFailure>,
}

#[derive(Clone, Debug)]
pub(crate) struct Rollback {
    pub(super) to_revision: String,
    pub(super) started_at: Timestamp,
    pub(super) reason: String,
}

impl ServiceDeployment {
    pub(super) fn turn(&mut self, status: HistoryStatus, reason: &str, now: Timestamp) {
        self.status = status;
        reason.clone_into(&mut self.reason);
        self.updated_at = now;
        if status == HistoryStatus::InProgress {
            self.started_at = Some(now);
        }
        if status.is_over() {
            self.finished_at = Some(now);
        }
        if status != HistoryStatus::InProgress {
            self.hooks.iter_mut().for_each(|run| run.void(now));
        }
    }
}
