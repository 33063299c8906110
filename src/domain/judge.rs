//! Decides how a rollout ended.

use jiff::{SignedDuration, Timestamp};

use super::deployment::{Deployment, DeploymentStrategy, RolloutState};
use super::history::{EndedBy, PastDeployment, ServiceDeploymentStatus};
use super::rollout::{Outcome, Progress, Rollout};
use super::service::{Service, ServiceStatus};

/// Decides how a rollout ended, from what one invocation read of its service. `None` while it may
/// still change. The rollout must have been [`Rollout::observed`] before: the deadline counts from
/// its last progress.
///
/// A deployment that is gone, and whose history could not be read, has no outcome until the
/// deadline, and then [`Outcome::Unknown`]. It is never taken for completed or failed.
#[must_use]
pub fn judge(
    rollout: &Rollout,
    seen: &Service,
    deadline: SignedDuration,
    now: Timestamp,
) -> Option<Outcome> {
    end_of(rollout, seen).or_else(|| {
        let is_late = now.duration_since(rollout.progress.at) >= deadline;
        let is_known = rollout.shown_in(seen).is_some() || rollout.past_in(seen).is_some();
        (is_late && !rollout.timed_out).then_some(if is_known {
            Outcome::TimedOut
        } else {
            Outcome::Unknown
        })
    })
}

/// The outcome by the history, which knows best; else by `DescribeServices`, which shows the
/// deployments that still run.
fn end_of(rollout: &Rollout, seen: &Service) -> Option<Outcome> {
    if seen.status != ServiceStatus::Active {
        // The service was deleted.
        return Some(Outcome::Superseded);
    }
    let in_history = rollout
        .past_in(seen)
        .and_then(|past| in_history(past, seen));
    in_history.or_else(|| in_description(rollout.shown_in(seen)?, seen))
}

fn in_history(past: &PastDeployment, seen: &Service) -> Option<Outcome> {
    let unless_decided = |outcome| match past.ended_by {
        EndedBy::Decision => Outcome::Rejected,
        EndedBy::FailureDetection | EndedBy::NotAsked | EndedBy::Unreadable(_) => outcome,
    };
    match past.status {
        ServiceDeploymentStatus::Running => None,
        ServiceDeploymentStatus::Succeeded => Some(Outcome::Completed),
        ServiceDeploymentStatus::RollingBack | ServiceDeploymentStatus::RolledBack => {
            Some(unless_decided(Outcome::RolledBack))
        }
        ServiceDeploymentStatus::Stopped if seen.was_superseded(past) => Some(Outcome::Superseded),
        ServiceDeploymentStatus::Stopped => Some(unless_decided(Outcome::Failed)),
    }
}

fn in_description(shown: &Deployment, seen: &Service) -> Option<Outcome> {
    match shown.state {
        RolloutState::Completed => Some(Outcome::Completed),
        RolloutState::Failed if shown.primary => Some(Outcome::Failed),
        RolloutState::Failed => Some(Outcome::RolledBack),
        RolloutState::InProgress | RolloutState::Unknown if !shown.primary => {
            Some(Outcome::Superseded)
        }
        RolloutState::InProgress => None,
        // Behind a Classic Load Balancer only the tasks show the progress.
        RolloutState::Unknown => {
            (shown.is_whole && seen.deployments.len() == 1).then_some(Outcome::Completed)
        }
    }
}

impl Rollout {
    /// The rollout with the progress that a description of its service shows.
    #[must_use]
    pub fn observed(self, seen: &Service, now: Timestamp) -> Self {
        let running = self
            .shown_in(seen)
            .map_or(self.progress.running, |shown| shown.running);
        let past = self.past_in(seen);
        let stage = past
            .and_then(|past| past.stage.clone())
            .or_else(|| self.progress.stage.clone());
        let moved = running != self.progress.running || stage != self.progress.stage;
        let waits = self.waits_by_design(seen);
        Self {
            progress: Progress {
                at: if moved || waits {
                    now
                } else {
                    self.progress.at
                },
                running,
                stage,
            },
            ..self
        }
    }

    /// `statusReason` of the deployment, if the history has it.
    #[must_use]
    pub fn status_reason(&self, seen: &Service) -> Option<String> {
        self.past_in(seen)?.status_reason.clone()
    }

    /// True while Amazon ECS waits on purpose: a bake, a step of traffic, a hook, the end of the
    /// old tasks. None of these counts for the deadline.
    fn waits_by_design(&self, seen: &Service) -> bool {
        let at_hook = self.past_in(seen).is_some_and(|past| past.at_hook);
        let bakes = seen.bakes || seen.deployment_strategy == DeploymentStrategy::Shifting;
        at_hook || (bakes && self.shown_in(seen).is_some_and(|shown| shown.is_whole))
    }

    fn shown_in<'s>(&self, seen: &'s Service) -> Option<&'s Deployment> {
        seen.deployments
            .iter()
            .find(|shown| self.is_deployment(&shown.id))
    }

    fn past_in<'s>(&self, seen: &'s Service) -> Option<&'s PastDeployment> {
        seen.past().iter().find(|past| self.is_of(past))
    }
}

#[cfg(test)]
mod tests;
