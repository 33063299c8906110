//! Service deployments and service revisions: what `ListServiceDeployments` remembers of each rollout.

use jiff::Timestamp;

use super::model::EcsService;
use crate::clockwork::Clockwork;

/// The statuses of a service deployment that a rolling deployment goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HistoryStatus {
    Pending,
    InProgress,
    Stopped,
    Successful,
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
            Self::RollbackInProgress => "ROLLBACK_IN_PROGRESS",
            Self::RollbackSuccessful => "ROLLBACK_SUCCESSFUL",
            Self::RollbackFailed => "ROLLBACK_FAILED",
        }
    }

    pub(crate) fn is_over(self) -> bool {
        match self {
            Self::Pending | Self::InProgress | Self::RollbackInProgress => false,
            Self::Stopped | Self::Successful | Self::RollbackSuccessful | Self::RollbackFailed => true,
        }
    }
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
    }
}

impl EcsService {
    /// Remembers that a deployment of `revision` was asked for.
    pub(super) fn note_deployment(&mut self, clock: &mut Clockwork, revision: &str, task_definition: &str) {
        let source_revisions = self.deployments.iter().map(|deployment| deployment.revision.clone()).collect();
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
        });
    }

    /// The service deployment under way, which is always the newest.
    pub(super) fn current_history(&mut self) -> Option<&mut ServiceDeployment> {
        self.history.last_mut().filter(|deployment| !deployment.status.is_over())
    }
}
