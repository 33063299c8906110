//! Decides how a rollout ended.

use jiff::{SignedDuration, Timestamp};

use super::deployment::{Deployment, DeploymentStrategy, RolloutState};
use super::history::{EndedBy, History, PastDeployment, ServiceDeploymentStatus, just_before};
use super::rollout::{Outcome, Progress, Rollout};
use super::rollout_tasks::RolloutTasks;
use super::service::{Service, ServiceStatus};

/// The times after which a rollout is no longer waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `RELOADER_OUTCOME_DEADLINE`: without progress.
    pub deadline: SignedDuration,
    /// `RELOADER_HOLD_LIMIT`: after Amazon ECS completed it, for older tasks that still run. Task
    /// protection lasts for hours, and a deferred cleanup for days; neither is a lack of progress.
    pub older_tasks: SignedDuration,
}

/// Decides how a rollout ended, from what one invocation read of its service. `None` while it may
/// still change. The rollout must have been [`Rollout::observed`] before: the deadline counts from
/// its last progress.
///
/// * A deployment that is gone, and whose history could not be read, has no outcome until the
///   deadline, and then [`Outcome::Unknown`]. It is never taken for completed or failed.
/// * One that Amazon ECS calls complete is completed when no task is left that is older than the
///   change. While such tasks run, the deadline does not count; after the limit for older tasks it
///   is [`Outcome::TimedOut`]. If the tasks could not be read until the deadline, it is
///   [`Outcome::Unknown`].
#[must_use]
pub fn judge(
    rollout: &Rollout,
    seen: &Service,
    limits: &Limits,
    now: Timestamp,
) -> Option<Outcome> {
    match end_of(rollout, seen) {
        Some(Outcome::Completed) => completed(rollout, seen, limits, now),
        Some(outcome) => Some(outcome),
        None if is_late(rollout, limits, now) => {
            let is_known = rollout.shown_in(seen).is_some() || rollout.past_in(seen).is_some();
            Some(if is_known {
                Outcome::TimedOut
            } else {
                Outcome::Unknown
            })
        }
        None => None,
    }
}

/// The outcome of a rollout whose service could not be described: none until the deadline.
#[must_use]
pub fn judge_unread(rollout: &Rollout, limits: &Limits, now: Timestamp) -> Option<Outcome> {
    is_late(rollout, limits, now).then_some(Outcome::Unknown)
}

/// The instant from which on the history must be read for the ends of rollouts, if it must:
///
/// * a rollout is no longer shown, or as failed, and the history was not read that far;
/// * it runs, and may stand at a lifecycle hook.
#[must_use]
pub fn history_needed(rollouts: &[Rollout], seen: &Service) -> Option<Timestamp> {
    let is_needed = |rollout: &&Rollout| {
        let may_stand_at_a_hook = seen.has_lifecycle_hooks && seen.history == History::NotAsked;
        let is_unread = rollout.past_in(seen).is_none() && seen.history.lacks().is_none();
        match rollout.shown_in(seen).map(|shown| shown.state) {
            None | Some(RolloutState::Failed) => is_unread,
            Some(RolloutState::InProgress | RolloutState::Unknown) => may_stand_at_a_hook,
            Some(RolloutState::Completed) => false,
        }
    };
    let needed = rollouts.iter().filter(is_needed);
    let since = needed.filter_map(|rollout| just_before(rollout.started_at));
    let known = seen.past().iter().map(|past| past.created_at);
    let since = since.min()?;
    // What is read replaces what is known.
    known.filter_map(just_before).chain([since]).min()
}

/// True if the tasks must be read for the end of a rollout: it is complete, as Amazon ECS says, or
/// has failed, or has made no progress for too long. They are read at no other time: two listings,
/// and one description of a hundred tasks each.
#[must_use]
pub fn needs_tasks(rollout: &Rollout, seen: &Service, limits: &Limits, now: Timestamp) -> bool {
    if *seen.tasks_of(&rollout.id) != RolloutTasks::NotAsked {
        return false;
    }
    match end_of(rollout, seen) {
        Some(Outcome::Completed | Outcome::Failed | Outcome::RolledBack) => true,
        Some(Outcome::Rejected | Outcome::Superseded | Outcome::TimedOut | Outcome::Unknown) => {
            false
        }
        None => is_late(rollout, limits, now),
    }
}

fn is_late(rollout: &Rollout, limits: &Limits, now: Timestamp) -> bool {
    !rollout.timed_out && now.duration_since(rollout.progress.at) >= limits.deadline
}

/// The outcome of a rollout that Amazon ECS calls complete.
fn completed(
    rollout: &Rollout,
    seen: &Service,
    limits: &Limits,
    now: Timestamp,
) -> Option<Outcome> {
    let since = rollout.complete_since.unwrap_or(now);
    let has_lasted = |limit| !rollout.timed_out && now.duration_since(since) >= limit;
    match seen.tasks_of(&rollout.id) {
        RolloutTasks::Read(tasks) if tasks.older == 0 => Some(Outcome::Completed),
        RolloutTasks::Read(_) => has_lasted(limits.older_tasks).then_some(Outcome::TimedOut),
        RolloutTasks::Unreadable(_) => has_lasted(limits.deadline).then_some(Outcome::Unknown),
        RolloutTasks::NotAsked => None,
    }
}

/// The end by the history, which knows best; else by `DescribeServices`, which shows the
/// deployments that still run. The tasks are not considered.
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
        let running = self.shown_in(seen).map_or(0, |shown| shown.running);
        let running = running.max(self.progress.running);
        let past = self.past_in(seen);
        let stage = past
            .and_then(|past| past.stage.clone())
            .or_else(|| self.progress.stage.clone());
        let moved = running != self.progress.running || stage != self.progress.stage;
        let is_complete = end_of(&self, seen) == Some(Outcome::Completed);
        let waits = is_complete || self.waits_by_design(seen);
        let complete_since = self.complete_since.or(is_complete.then_some(now));
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
            complete_since,
            ..self
        }
    }

    /// The tasks of its service that keep it from being completed, as far as they are known: those
    /// that are older than the change, or else the running ones of other deployments.
    #[must_use]
    pub fn tasks_left(&self, seen: &Service) -> Option<usize> {
        let others = || {
            let shown = seen.deployments.iter();
            let others = shown.filter(|shown| !self.is_deployment(&shown.id));
            usize::try_from(others.map(|shown| shown.running).sum::<i32>()).ok()
        };
        let is_primary = self.shown_in(seen).is_some_and(|shown| shown.primary);
        let counted = seen.tasks_of(&self.id).read().map(|tasks| tasks.older);
        counted
            .or_else(|| is_primary.then(others).flatten())
            .filter(|left| *left > 0)
    }

    /// True while Amazon ECS waits on purpose: a bake, a step of traffic or a hook. None of these
    /// counts for the deadline.
    fn waits_by_design(&self, seen: &Service) -> bool {
        let at_hook = self.past_in(seen).is_some_and(|past| past.at_hook);
        let bakes = seen.bakes || seen.deployment_strategy == DeploymentStrategy::Shifting;
        at_hook || (bakes && self.shown_in(seen).is_some_and(|shown| shown.is_whole))
    }

    /// The deployment as its service shows it, if it still does.
    #[must_use]
    pub fn shown_in<'s>(&self, seen: &'s Service) -> Option<&'s Deployment> {
        seen.deployments
            .iter()
            .find(|shown| self.is_deployment(&shown.id))
    }

    /// The deployment as the history shows it, if that was read.
    #[must_use]
    pub fn past_in<'s>(&self, seen: &'s Service) -> Option<&'s PastDeployment> {
        seen.past().iter().find(|past| self.is_of(past))
    }
}

#[cfg(test)]
mod tests;
