//! The record of one service in one invocation.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::arn::ServiceId;
use super::backoff::{Attempt, Requeue};
use super::batch::MessageIndex;
use super::judge::judge;
use super::key::Key;
use super::plan::Planned;
use super::reason::{Decision, Reason};
use super::rollout::{Outcome, Rollout};
use super::service::Service;
use super::start::{ErrorKind, Executed, StartResult};

/// One service in one invocation, from its plan to its follow-up: the only record between plan and
/// report.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolution {
    /// Its cluster and name.
    pub service: ServiceId,
    /// The plan as it was carried out, or why the service could not be described.
    pub planned: Result<Planned, Unreadable>,
    /// The start of a restart, if one was due.
    pub start: Option<StartResult>,
    /// The end of the rollout that was followed, if it has ended.
    pub ended: Option<EndedRollout>,
    /// The rollout that is followed from now on.
    pub rollout: Option<Rollout>,
    /// The changes that are decided again, because a task definition could not be read: its own, or
    /// one that counts for `blast-radius`.
    pub undecided: Arc<BTreeSet<Key>>,
    /// The attempts before this one.
    pub attempt: Attempt,
    /// The last description of it.
    pub seen: Option<Service>,
    /// Notes for a person, beyond the reason and its detail.
    pub notes: Vec<String>,
    /// The next step.
    pub follow_up: FollowUp,
}

/// A service that could not be described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// The kind of error.
    pub kind: ErrorKind,
    /// The error in words.
    pub message: String,
}

/// The end of a rollout that was followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedRollout {
    /// The rollout.
    pub rollout: Rollout,
    /// Its end.
    pub outcome: Outcome,
    /// The time from its start until its end was seen.
    pub duration: SignedDuration,
    /// `statusReason`: the words of Amazon ECS about it. They are shown, and decide nothing.
    pub status_reason: Option<String>,
}

impl EndedRollout {
    /// The end of a rollout, seen at `now`.
    fn of(rollout: Rollout, outcome: Outcome, seen: &Service, now: Timestamp) -> Self {
        Self {
            duration: now.duration_since(rollout.started_at),
            status_reason: rollout.status_reason(seen),
            rollout,
            outcome,
        }
    }

    /// True if this function had started it, and it failed, was rolled back or timed out.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        self.rollout.own && self.outcome.is_failure()
    }
}

/// The next step for a service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum FollowUp {
    /// Nothing: all is done, or a person must act.
    #[default]
    Done,
    /// It is planned again.
    Retry {
        /// The time.
        at: Timestamp,
        /// The attempts so far, this one included.
        attempt: Attempt,
    },
    /// Its rollout is followed until it has an outcome.
    Follow {
        /// The rollout.
        rollout: Rollout,
        /// The time of the next description.
        at: Timestamp,
    },
    /// It has waited for as long as the function allows, and nothing is done any more.
    Abandoned {
        /// `RELOADER_HOLD_LIMIT`.
        after: SignedDuration,
    },
    /// No message waits for it: the next sweep finds it. So it is without a queue, and for
    /// everything that a sweep leaves, except closed windows.
    LeftToSweep,
    /// It could not be sent: SQS redelivers these messages.
    Redeliver(BTreeSet<MessageIndex>),
}

/// The work that is left for a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remaining {
    /// A restart is owed, and is planned again then.
    Restart(Requeue),
    /// Only the end of its rollout is awaited.
    Rollout(Requeue),
}

impl Resolution {
    /// The record of a service that was planned, and perhaps restarted, at `now`. The rollout of the
    /// attempts before is judged.
    #[must_use]
    pub fn of(
        executed: Executed,
        attempt: Attempt,
        deadline: SignedDuration,
        now: Timestamp,
    ) -> Self {
        let Executed {
            planned,
            start,
            seen,
        } = executed;
        let mut resolution = Self {
            service: seen.id.clone(),
            start,
            ended: None,
            rollout: None,
            undecided: Arc::default(),
            attempt,
            notes: Vec::new(),
            follow_up: FollowUp::Done,
            planned: Ok(planned),
            seen: None,
        };
        resolution.follow(&seen, deadline, now);
        resolution.seen = Some(seen);
        resolution
    }

    /// The record of a service that could not be described.
    #[must_use]
    pub fn unreadable(
        service: ServiceId,
        error: Unreadable,
        undecided: Arc<BTreeSet<Key>>,
    ) -> Self {
        Self {
            service,
            planned: Err(error),
            start: None,
            ended: None,
            rollout: None,
            undecided,
            attempt: Attempt::default(),
            seen: None,
            notes: Vec::new(),
            follow_up: FollowUp::Done,
        }
    }

    /// Judges the rollout that was followed until now, and chooses the one to follow from now on:
    ///
    /// * the one that was just started;
    /// * else the same as before, if it may still end in another way;
    /// * else one of others that covers a change.
    fn follow(&mut self, seen: &Service, deadline: SignedDuration, now: Timestamp) {
        let started = self.started_rollout();
        let before = self.rollout_before(seen, now);
        let end = before.as_ref().and_then(|rollout| {
            let superseded = started.is_some().then_some(Outcome::Superseded);
            judge(rollout, seen, deadline, now).or(superseded)
        });
        let continued = before.clone().and_then(|rollout| rollout.after(end));
        self.ended = before
            .zip(end)
            .map(|(rollout, outcome)| EndedRollout::of(rollout, outcome, seen, now));
        self.rollout = started
            .or(continued)
            .or_else(|| self.covering_rollout(seen, now));
    }

    /// The rollout that was just started, if one was.
    fn started_rollout(&self) -> Option<Rollout> {
        match &self.start {
            Some(StartResult::Started { rollout, .. }) => Some(rollout.clone()),
            _ => None,
        }
    }

    /// The rollout that was followed until now, with the progress that was seen. The one that a
    /// restart found is newer than the one in the message.
    fn rollout_before(&self, seen: &Service, now: Timestamp) -> Option<Rollout> {
        let found = seen.followed_rollout.as_ref();
        let rollout = found.or(self.attempt.rollout.as_ref())?;
        Some(rollout.clone().observed(seen, now))
    }

    /// The deployment of others that covers a change and still runs: fresh is not finished.
    fn covering_rollout(&self, seen: &Service, now: Timestamp) -> Option<Rollout> {
        let planned = self.planned.as_ref().ok()?;
        let reasons = planned.asked_by.values().copied();
        let covers = reasons.chain([planned.reason]).any(Reason::is_covered);
        let primary = seen.primary().filter(|_| covers && seen.is_rolling())?;
        Some(Rollout::of_others(primary).observed(seen, now))
    }

    /// The work that is left for it; `None` if it is done.
    #[must_use]
    pub fn remaining(&self) -> Option<Remaining> {
        let planned = match &self.planned {
            Ok(planned) => planned,
            Err(error) => {
                let later = Remaining::Restart(Requeue::LATER);
                return error.kind.passes().then_some(later);
            }
        };
        let owed = match &self.start {
            Some(StartResult::Throttled | StartResult::Failed { passes: true, .. }) => {
                Some(Requeue::LATER)
            }
            Some(StartResult::OutOfTime) => Some(Requeue::Now),
            Some(
                StartResult::Started { .. }
                | StartResult::Denied { .. }
                | StartResult::Failed { passes: false, .. },
            ) => None,
            None => held(planned),
        };
        let undecided = (!self.undecided.is_empty()).then_some(Requeue::LATER);
        let covered = || {
            let wait = end_of_wait(planned);
            match &self.rollout {
                Some(_) => Some(Remaining::Rollout(wait)),
                None if planned.reason == Reason::AwaitingApproval => {
                    Some(Remaining::Restart(wait))
                }
                None => None,
            }
        };
        owed.or(undecided).map(Remaining::Restart).or_else(covered)
    }

    /// True if only a redelivery of its messages continues it.
    #[must_use]
    pub fn is_left_to_redelivery(&self) -> bool {
        matches!(self.follow_up, FollowUp::Redeliver(_))
    }

    /// The number of attempts before this one that gave the same reason.
    #[must_use]
    pub fn repeats(&self) -> u32 {
        let reason = self.planned.as_ref().ok().map(|planned| planned.reason);
        if reason.is_some() && reason == self.attempt.last_reason {
            self.attempt.count.max(1)
        } else {
            0
        }
    }

    /// True if it is tried again by itself.
    #[must_use]
    pub fn will_retry(&self) -> bool {
        match self.follow_up {
            FollowUp::Retry { .. } | FollowUp::Redeliver(_) => true,
            FollowUp::LeftToSweep => self.start.as_ref().is_some_and(StartResult::is_unfinished),
            FollowUp::Done | FollowUp::Follow { .. } | FollowUp::Abandoned { .. } => false,
        }
    }
}

/// The end of a hold; `None` if nothing is held.
fn held(planned: &Planned) -> Option<Requeue> {
    let later = |by| Requeue::Backoff { by, ages: true };
    match (planned.reason, planned.until) {
        // A rollout covers the change: it is followed.
        (Reason::AwaitingApproval, _) => None,
        (Reason::DeploymentInProgress, by) => Some(later(by)),
        (Reason::Paused, None) => Some(Requeue::Backoff {
            by: None,
            ages: false,
        }),
        (reason, until) if reason.decision() == Decision::Hold => {
            Some(until.map_or(Requeue::LATER, Requeue::At))
        }
        _ => None,
    }
}

/// The wait for the end of a rollout. Amazon ECS ends an approval at its expiry, so such a wait
/// does not age until then.
fn end_of_wait(planned: &Planned) -> Requeue {
    match planned.reason {
        Reason::AwaitingApproval => Requeue::Backoff {
            by: planned.until,
            ages: planned.until.is_none(),
        },
        _ => Requeue::LATER,
    }
}

/// The records of one invocation, one a service.
pub type Resolutions = BTreeMap<ServiceId, Resolution>;
