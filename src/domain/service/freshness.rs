//! The deployments and tasks of a service that are newer than an instant.

use jiff::Timestamp;

use super::Service;
use crate::domain::deployment::{Deployment, RolloutState};
use crate::domain::history::{
    Approval, Ended, EndedBy, OldestTask, PastDeployment, ServiceDeploymentStatus,
};
use crate::domain::rollout::Rollout;

impl Service {
    /// True if it shows an event or a deployment that an earlier description did not.
    #[must_use]
    pub fn shows_more_than(&self, before: &Self) -> bool {
        let is_new_event = |event| !before.events.contains(event);
        let is_new = |id: &str| before.deployments.iter().all(|shown| shown.id != id);
        self.events.iter().any(is_new_event)
            || self.deployments.iter().any(|shown| is_new(&shown.id))
    }

    /// A deployment created at `t` or later that an earlier description did not show: the primary
    /// one, else the newest, whether it failed or not.
    #[must_use]
    pub fn newer_deployment(&self, t: Timestamp, before: &Self) -> Option<Rollout> {
        let is_new = |rollout: &Rollout| {
            rollout.started_at >= t
                && before
                    .deployments
                    .iter()
                    .all(|shown| !rollout.is_deployment(&shown.id))
        };
        let primary = self.primary().map(Rollout::from).filter(is_new);
        let past = self
            .past()
            .iter()
            .filter_map(|past| Some(Rollout::started(past.id.clone()?, past.created_at)));
        let others = self
            .deployments
            .iter()
            .map(Rollout::from)
            .chain(past)
            .filter(is_new);
        primary.or_else(|| others.max_by_key(|rollout| rollout.started_at))
    }

    /// True if a deployment that has not failed was created after `t`, whoever made it: its tasks
    /// read the values after `t`. The newest good deployment is always the primary one; a newer one
    /// beside it is being rolled back.
    #[must_use]
    pub fn is_fresh(&self, t: Timestamp) -> bool {
        let is_good = |primary: &Deployment| {
            primary.state != RolloutState::Failed && !self.was_stopped(primary)
        };
        self.primary()
            .is_some_and(|primary| primary.created_at > t && is_good(primary))
            || self.past().iter().any(|past| {
                past.status == ServiceDeploymentStatus::Succeeded && past.created_at > t
            })
    }

    /// True if every task was created after `t`, although no deployment was: for example, if the
    /// service was scaled to zero and up again.
    #[must_use]
    pub fn is_renewed_since(&self, t: Timestamp) -> bool {
        match self.oldest_task {
            OldestTask::CreatedAt(oldest) => oldest.is_none_or(|created_at| created_at > t),
            OldestTask::NotAsked | OldestTask::Unreadable(_) => false,
        }
    }

    /// The PAUSE hook at which a deployment stands that was created after `t`.
    #[must_use]
    pub fn approval_since(&self, t: Timestamp) -> Option<&Approval> {
        let mut running = self
            .past()
            .iter()
            .filter(|past| past.status == ServiceDeploymentStatus::Running && past.created_at > t);
        running.find_map(|past| past.approval.as_ref())
    }

    /// The end of the newest deployment that was created after `t`, ran the task definition that is
    /// primary now, and was rolled back or stopped: another one would read the same value, and
    /// whoever ended it must not be fought.
    #[must_use]
    pub fn ended_since(&self, t: Timestamp) -> Option<Ended> {
        let current = self.primary()?.task_definition.as_str();
        let shown = self
            .deployments
            .iter()
            .filter(|shown| shown.state == RolloutState::Failed && shown.created_at > t);
        let shown = shown
            .filter(|shown| shown.task_definition == current)
            .max_by_key(|shown| shown.created_at);
        let past = self
            .past()
            .iter()
            .filter(|past| past.created_at > t && self.has_ended(past));
        let past = past
            .filter(|past| self.task_definition_of(past) == Some(current))
            .max_by_key(|past| past.created_at);
        match (past, shown) {
            (Some(past), Some(shown))
                if past.id.as_ref() != Some(&shown.id) && shown.created_at > past.created_at =>
            {
                Some(Ended::from(shown))
            }
            (Some(past), _) => Some(Ended::from(past)),
            (None, shown) => shown.map(Ended::from),
        }
    }

    /// True if a deployment of the history was, or is being, rolled back, or was stopped by
    /// something other than a newer deployment.
    pub(super) fn has_ended(&self, past: &PastDeployment) -> bool {
        match past.status {
            ServiceDeploymentStatus::RollingBack | ServiceDeploymentStatus::RolledBack => true,
            ServiceDeploymentStatus::Stopped => !self.was_superseded(past),
            ServiceDeploymentStatus::Running | ServiceDeploymentStatus::Succeeded => false,
        }
    }

    /// True if the history says that a deployment was stopped without a rollback, or that its
    /// rollback found no deployment to bring back. `DescribeServices` may still show it as if it
    /// ran.
    pub(super) fn was_stopped(&self, shown: &Deployment) -> bool {
        self.past().iter().any(|past| {
            let has_ended = match past.status {
                ServiceDeploymentStatus::Stopped => !self.was_superseded(past),
                ServiceDeploymentStatus::RolledBack => true,
                ServiceDeploymentStatus::RollingBack
                | ServiceDeploymentStatus::Running
                | ServiceDeploymentStatus::Succeeded => false,
            };
            has_ended && past.id.as_ref() == Some(&shown.id)
        })
    }

    /// True if a newer deployment of this service ended that one.
    #[must_use]
    pub(in crate::domain) fn was_superseded(&self, past: &PastDeployment) -> bool {
        let others = self.past().iter().map(|other| other.created_at);
        past.was_superseded(others.chain(self.deployments.iter().map(|shown| shown.created_at)))
    }

    pub(super) fn task_definition_of<'a>(&'a self, past: &'a PastDeployment) -> Option<&'a str> {
        let shown = || {
            self.deployments
                .iter()
                .find(|shown| past.id.as_ref() == Some(&shown.id))
        };
        past.task_definition
            .as_deref()
            .or_else(|| shown().map(|shown| shown.task_definition.as_str()))
    }

    /// True if a deployment created after `t` ended well: its tasks started.
    pub(super) fn has_completed_since(&self, t: Timestamp) -> bool {
        let ended_well = |primary: &Deployment| {
            primary.created_at > t && primary.state != RolloutState::Failed && !self.is_rolling()
        };
        let in_history = || {
            self.past().iter().any(|past| {
                past.status == ServiceDeploymentStatus::Succeeded && past.created_at > t
            })
        };
        self.primary().is_some_and(ended_well) || in_history()
    }
}

impl From<&Deployment> for Ended {
    fn from(shown: &Deployment) -> Self {
        Self {
            deployment: Some(shown.id.clone()),
            created_at: shown.created_at,
            by: EndedBy::NotAsked,
            status_reason: None,
        }
    }
}

impl From<&PastDeployment> for Ended {
    fn from(past: &PastDeployment) -> Self {
        let PastDeployment {
            id,
            created_at,
            ended_by,
            status_reason,
            ..
        } = past.clone();
        Self {
            deployment: id,
            created_at,
            by: ended_by,
            status_reason,
        }
    }
}
