//! Deployments of a service that run, and those that a restart must not supersede.

use super::Service;
use crate::domain::deployment::{Deployment, DeploymentStrategy, RolloutState};
use crate::domain::history::ServiceDeploymentStatus;
use crate::domain::rollout::Rollout;

impl Service {
    /// True if a deployment runs. Amazon ECS may give no state for one that shifts traffic or runs
    /// hooks: such a deployment runs while there is a second one beside it. If the history was
    /// read, it decides: a deployment that was stopped runs no longer, whatever is shown.
    #[must_use]
    pub fn is_rolling(&self) -> bool {
        self.primary().is_some_and(|primary| match primary.state {
            RolloutState::InProgress => !self.was_stopped(primary),
            RolloutState::Unknown => self.may_be_rolling() && !self.has_ended_in_history(primary),
            RolloutState::Completed | RolloutState::Failed => false,
        })
    }

    /// True if the description alone does not say whether a deployment runs.
    #[must_use]
    pub fn is_rolling_only_perhaps(&self) -> bool {
        let is_unknown = |primary: &Deployment| primary.state == RolloutState::Unknown;
        self.primary().is_some_and(is_unknown) && self.may_be_rolling()
    }

    fn may_be_rolling(&self) -> bool {
        self.is_costly_to_supersede() && self.deployments.len() > 1
    }

    /// True if a deployment that is shown has ended, and none is rolled back.
    fn has_ended_in_history(&self, shown: &Deployment) -> bool {
        let has_succeeded = self.past().iter().any(|past| {
            past.id.as_ref() == Some(&shown.id) && past.status == ServiceDeploymentStatus::Succeeded
        });
        (has_succeeded || self.was_stopped(shown))
            && !self.has_past(ServiceDeploymentStatus::RollingBack)
    }

    /// True if a newer deployment throws away hours of bake time, or an approval.
    #[must_use]
    pub fn is_costly_to_supersede(&self) -> bool {
        self.deployment_strategy == DeploymentStrategy::Shifting || self.has_lifecycle_hooks
    }

    /// The reason why a forced deployment now must not supersede the running one: it might remove
    /// the target of a rollback, or throw away a bake or an approval. `None` if it may start.
    #[must_use]
    pub fn must_not_be_superseded(&self) -> Option<&'static str> {
        // During a bake, perhaps only the history shows that it runs.
        let runs = self.is_rolling() || self.has_past(ServiceDeploymentStatus::Running);
        if self.rolls_back() {
            Some("a rollback runs, which is never superseded")
        } else if self.may_roll_back() {
            Some("it may be a rollback, which is never superseded")
        } else if self.has_lost_its_rollout() {
            Some(
                "the deployment that was started for it is gone, and may have been ended on \
                 purpose",
            )
        } else if runs && self.has_lifecycle_hooks {
            Some("a deployment with lifecycle hooks runs, which is never superseded")
        } else if runs && self.deployment_strategy == DeploymentStrategy::Shifting {
            Some("a deployment that shifts traffic runs, which is never superseded")
        } else if self.is_baking() {
            Some(
                "all tasks of a deployment run, and Amazon ECS still watches its alarms: it is \
                 never superseded",
            )
        } else {
            None
        }
    }

    fn has_past(&self, status: ServiceDeploymentStatus) -> bool {
        self.past().iter().any(|past| past.status == status)
    }

    fn rolls_back(&self) -> bool {
        let failed_after = |primary: &Deployment| {
            self.deployments.iter().any(|other| {
                other.state == RolloutState::Failed && other.created_at > primary.created_at
            })
        };
        let is_shown = self.is_rolling() && self.primary().is_some_and(failed_after);
        is_shown || self.has_past(ServiceDeploymentStatus::RollingBack)
    }

    fn is_baking(&self) -> bool {
        let runs_all_tasks =
            |primary: &Deployment| primary.state == RolloutState::InProgress && primary.is_whole;
        self.bakes && self.primary().is_some_and(runs_all_tasks)
    }

    /// True if a deployment that runs, or may run, is perhaps a rollback: the history would show
    /// that, but cannot be read.
    fn may_roll_back(&self) -> bool {
        let is_unknown = self
            .primary()
            .is_some_and(|primary| primary.state == RolloutState::Unknown);
        let may_run = self.is_rolling() || (is_unknown && self.is_costly_to_supersede());
        may_run && self.history.lacks().is_some()
    }

    /// True if the deployment that is followed is no longer shown, and the history does not say how
    /// it ended.
    fn has_lost_its_rollout(&self) -> bool {
        let is_known = |rollout: &Rollout| {
            let mut ids = self.past().iter().filter_map(|past| past.id.as_deref());
            ids.any(|id| rollout.is_deployment(id))
        };
        self.misses_its_rollout()
            && self.history.lacks().is_some()
            && !self.followed_rollout.as_ref().is_some_and(is_known)
    }

    /// True if `DescribeServices` no longer shows the deployment that is followed: it was rolled
    /// back, or superseded.
    #[must_use]
    pub fn misses_its_rollout(&self) -> bool {
        self.followed_rollout.as_ref().is_some_and(|rollout| {
            self.deployments
                .iter()
                .all(|shown| !rollout.is_deployment(&shown.id))
        })
    }
}
