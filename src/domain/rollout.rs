//! A restart that was started, and how it ended.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::deployment::{Deployment, DeploymentStrategy, RolloutState};
use super::history::{Ended, EndedBy, PastDeployment, ServiceDeploymentStatus};
use super::service::{Service, ServiceStatus};

/// Two services of Amazon ECS note the creation of one deployment, each by its own clock.
const SAME_MOMENT: SignedDuration = SignedDuration::from_secs(1);

/// The identity of a rollout, one variant for each kind of record that AWS keeps of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RolloutId {
    /// A deployment of Amazon ECS, `ecs-svc/…`.
    EcsDeployment(String),
}

impl fmt::Display for RolloutId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EcsDeployment(id) => f.write_str(id),
        }
    }
}

/// A rollout that is followed until it has ended: one that this function started, or one of others
/// that covers a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rollout {
    /// Its identity.
    pub id: RolloutId,
    /// The time at which AWS created it.
    pub started_at: Timestamp,
    /// True where this function started it.
    pub own: bool,
    /// Its last progress.
    pub progress: Progress,
    /// True once it was reported as timed out: it is then reported once more, when it ends.
    pub timed_out: bool,
}

/// The progress of a rollout, as it was when it was seen to change last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Running tasks of the new revision.
    pub running: i32,
    /// The lifecycle stage of the service deployment, where it was read.
    pub stage: Option<String>,
    /// The instant from which the deadline counts.
    pub at: Timestamp,
}

/// The end of a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Its tasks run, and Amazon ECS says that it is complete.
    Completed,
    /// The circuit breaker or an alarm was triggered, and no rollback follows.
    Failed,
    /// The circuit breaker or an alarm was triggered, and Amazon ECS brings back the deployment
    /// before it.
    RolledBack,
    /// A person, a lifecycle hook or the time-out of one ended it.
    Rejected,
    /// A newer deployment replaced it before it was complete.
    Superseded,
    /// It made no progress for `RELOADER_OUTCOME_DEADLINE`.
    TimedOut,
    /// It is gone, and its history could not be read until the deadline.
    Unknown,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 7] = [
        Self::Completed,
        Self::Failed,
        Self::RolledBack,
        Self::Rejected,
        Self::Superseded,
        Self::TimedOut,
        Self::Unknown,
    ];

    /// True where the tasks may not run as they should, and somebody must look at the service.
    #[must_use]
    pub fn is_failure(self) -> bool {
        match self {
            Self::Failed | Self::RolledBack | Self::TimedOut => true,
            Self::Completed | Self::Rejected | Self::Superseded | Self::Unknown => false,
        }
    }
}

impl Rollout {
    /// A rollout of this function that has just been started.
    #[must_use]
    pub fn started(deployment: String, started_at: Timestamp) -> Self {
        Self {
            id: RolloutId::EcsDeployment(deployment),
            started_at,
            own: true,
            progress: Progress {
                running: 0,
                stage: None,
                at: started_at,
            },
            timed_out: false,
        }
    }

    /// The primary deployment of a service, whoever started it.
    #[must_use]
    pub fn of_others(primary: &Deployment) -> Self {
        Self {
            own: false,
            ..Self::from(primary)
        }
    }

    /// True where a deployment of the past is this one.
    fn is_of(&self, past: &PastDeployment) -> bool {
        past.id.as_ref().is_some_and(|id| self.is_deployment(id))
            || past.created_at.duration_since(self.started_at).abs() < SAME_MOMENT
    }

    /// True where `id` is the id of this deployment.
    #[must_use]
    pub fn is_deployment(&self, id: &str) -> bool {
        let RolloutId::EcsDeployment(known) = &self.id;
        known == id
    }

    /// True where it is the deployment that ended.
    #[must_use]
    pub fn is(&self, ended: &Ended) -> bool {
        ended
            .deployment
            .as_deref()
            .is_some_and(|id| self.is_deployment(id))
            || ended.created_at.duration_since(self.started_at).abs() < SAME_MOMENT
    }

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

/// Decides how a rollout ended, from what one invocation read of its service. `None` while it may
/// still change. The rollout must have been [`Rollout::observed`] before: the deadline counts from
/// its last progress.
///
/// A deployment that is gone and whose history could not be read is nothing yet, and
/// [`Outcome::Unknown`] after the deadline: it is never taken for completed or failed.
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

/// The history knows best; `DescribeServices` shows what still runs.
fn end_of(rollout: &Rollout, seen: &Service) -> Option<Outcome> {
    if seen.status != ServiceStatus::Active {
        // Whoever deletes a service replaces its rollout by nothing.
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
        // Behind a Classic Load Balancer the tasks alone say how far it is.
        RolloutState::Unknown => {
            (shown.is_whole && seen.deployments.len() == 1).then_some(Outcome::Completed)
        }
    }
}

impl From<&Deployment> for Rollout {
    fn from(shown: &Deployment) -> Self {
        Self::started(shown.id.clone(), shown.created_at)
    }
}

#[cfg(test)]
mod tests;
