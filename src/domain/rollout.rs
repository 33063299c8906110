//! A restart that was started, and how it ended.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::closed_list::closed_list;
use super::deployment::Deployment;
use super::history::{Ended, PastDeployment};

/// Two services of Amazon ECS note the creation of one deployment, each by its own clock.
const SAME_MOMENT: SignedDuration = SignedDuration::from_secs(1);

/// The identity of a rollout, one variant for each kind of record that AWS keeps of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RolloutId {
    /// A deployment of Amazon ECS, `ecs-svc/…`.
    EcsDeployment(String),
}

impl RolloutId {
    /// The value of `reloader:strategy` that makes such a record.
    #[must_use]
    pub fn strategy(&self) -> &'static str {
        match self {
            Self::EcsDeployment(_) => "deploy",
        }
    }
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
    /// True if this function started it.
    pub own: bool,
    /// Its last progress.
    pub progress: Progress,
    /// The time at which Amazon ECS was first seen to call it complete while older tasks were left.
    pub complete_since: Option<Timestamp>,
    /// True once it was reported as timed out or unknown: its end is then reported once more.
    pub timed_out: bool,
}

/// The last progress that was seen of a rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The most tasks of the new revision that were seen running at once. Tasks that crash and are
    /// replaced for ever are no progress.
    pub running: i32,
    /// The lifecycle stage of the service deployment, if it was read.
    pub stage: Option<String>,
    /// The instant from which the deadline counts.
    pub at: Timestamp,
}

closed_list! {
    /// The end of a rollout.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
    pub enum Outcome {
        /// Its tasks run, Amazon ECS says that it is complete, and no task is left that is older
        /// than the change.
        Completed = "completed", "nothing";

        /// The circuit breaker or an alarm was triggered, and no rollback follows.
        Failed = "failed",
            "run the command in `rollout.restore`, which brings the old value back, or correct the \
             value: that is a new change";

        /// The circuit breaker or an alarm was triggered, and Amazon ECS brings back the deployment
        /// before it, but not the old value.
        RolledBack = "rolled-back",
            "run the command in `rollout.restore`, which brings the old value back, or correct the \
             value: that is a new change";

        /// A person, a lifecycle hook or the time-out of one ended it.
        Rejected = "rejected", "nothing, or request the service by hand";

        /// A newer deployment replaced it before it was complete, or the service was deleted.
        /// `rollout.covered` says if the newer one reads the change.
        Superseded = "superseded", "with `\"covered\":false` request the service by hand";

        /// It made no progress for `OutcomeDeadline`. Or Amazon ECS completed it, and older tasks
        /// still run after `HoldLimit`. A later end may follow once.
        TimedOut = "timed-out",
            "read `rollout.ecs_events` and `rollout.stopped_tasks`: without a circuit breaker Amazon \
             ECS tries for ever. With `old_tasks`, find out what protects them";

        /// Its end could not be read until the deadline. A later end may follow once.
        Unknown = "unknown",
            "list the deployments of the service: `aws ecs list-service-deployments`";
    }
}

impl Outcome {
    /// True if the new tasks may not run, so that a person must check the service.
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
            complete_since: None,
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

    /// The same rollout, if it is still followed after `outcome`. `None` if that is final: only a
    /// rollout that timed out, or is unknown, may get another outcome.
    #[must_use]
    pub fn after(self, outcome: Option<Outcome>) -> Option<Self> {
        match outcome {
            None => Some(self),
            Some(Outcome::TimedOut | Outcome::Unknown) => Some(Self {
                timed_out: true,
                ..self
            }),
            Some(
                Outcome::Completed
                | Outcome::Failed
                | Outcome::RolledBack
                | Outcome::Rejected
                | Outcome::Superseded,
            ) => None,
        }
    }

    /// What two messages know of one rollout: it is our own if either says so, and has made the
    /// progress that either saw.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let (own, timed_out) = (self.own || other.own, self.timed_out || other.timed_out);
        let complete_since = self.complete_since.into_iter().chain(other.complete_since);
        let complete_since = complete_since.min();
        let newer = if other.progress.at > self.progress.at {
            other
        } else {
            self
        };
        Self {
            own,
            complete_since,
            timed_out,
            ..newer
        }
    }

    /// True if a deployment of the past is this one.
    #[must_use]
    pub fn is_of(&self, past: &PastDeployment) -> bool {
        past.id.as_ref().is_some_and(|id| self.is_deployment(id))
            || past.created_at.duration_since(self.started_at).abs() < SAME_MOMENT
    }

    /// True if `id` is the id of this deployment.
    #[must_use]
    pub fn is_deployment(&self, id: &str) -> bool {
        let RolloutId::EcsDeployment(known) = &self.id;
        known == id
    }

    /// True if it is the deployment that ended.
    #[must_use]
    pub fn is(&self, ended: &Ended) -> bool {
        ended
            .deployment
            .as_deref()
            .is_some_and(|id| self.is_deployment(id))
            || ended.created_at.duration_since(self.started_at).abs() < SAME_MOMENT
    }
}

impl From<&Deployment> for Rollout {
    fn from(shown: &Deployment) -> Self {
        Self::started(shown.id.clone(), shown.created_at)
    }
}
