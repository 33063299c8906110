//! The record of one service in one invocation.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::arn::ServiceId;
use super::backoff::{Attempt, Requeue};
use super::batch::MessageIndex;
use super::ended::{Causes, EndedRollout};
use super::judge::{Limits, judge, judge_unread};
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
    /// The rollouts that were followed and have ended: one at most, unless two messages about the
    /// service met.
    pub ended: Vec<EndedRollout>,
    /// The rollouts that are followed from now on, the newest last.
    pub rollouts: Vec<Rollout>,
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

/// Everything that the ends of followed rollouts are judged by, beside their services.
#[derive(Clone, Copy, Debug)]
pub struct Following<'a> {
    /// The changes and the request of the batch.
    pub causes: Causes<'a>,
    /// The times after which a rollout is no longer waited for.
    pub limits: Limits,
    /// The time.
    pub now: Timestamp,
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
    /// The record of a service that was planned, and perhaps restarted. The rollouts of the
    /// attempts before are judged.
    #[must_use]
    pub fn of(executed: Executed, attempt: Attempt, following: &Following<'_>) -> Self {
        let Executed {
            planned,
            start,
            seen,
        } = executed;
        let mut resolution = Self {
            service: seen.id.clone(),
            start,
            ended: Vec::new(),
            rollouts: Vec::new(),
            undecided: Arc::default(),
            attempt,
            notes: Vec::new(),
            follow_up: FollowUp::Done,
            planned: Ok(planned),
            seen: None,
        };
        resolution.follow(&seen, following);
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
            ended: Vec::new(),
            rollouts: Vec::new(),
            undecided,
            attempt: Attempt::default(),
            seen: None,
            notes: Vec::new(),
            follow_up: FollowUp::Done,
        }
    }

    /// Takes the attempts before at a service that could not be described. Its rollouts are
    /// followed until the deadline.
    #[must_use]
    pub fn after(self, attempt: Attempt, following: &Following<'_>) -> Self {
        let mut resolution = Self { attempt, ..self };
        let (limits, now) = (&following.limits, following.now);
        for rollout in resolution.attempt.rollouts.clone() {
            let outcome = judge_unread(&rollout, limits, now);
            resolution.end(rollout, outcome, None, following);
        }
        resolution
    }

    /// Judges the rollouts that were followed until now, and chooses those to follow from now on:
    ///
    /// * the ones before that may still end in another way;
    /// * the one that was just started;
    /// * else one of others that covers a change.
    fn follow(&mut self, seen: &Service, following: &Following<'_>) {
        let (limits, now) = (&following.limits, following.now);
        let started = self.started_rollout();
        let before = rollouts_before(&self.attempt, seen, now);
        let covering = self
            .covering_rollout(seen, now)
            .filter(|covering| started.is_none() && before.iter().all(|one| one.id != covering.id));
        for rollout in before {
            let is_replaced = started.is_some() && rollout.complete_since.is_none();
            let replaced = || is_replaced.then_some(Outcome::Superseded);
            let outcome = judge(&rollout, seen, limits, now).or_else(replaced);
            self.end(rollout, outcome, Some(seen), following);
        }
        self.rollouts.extend(started.or(covering));
    }

    /// Takes the outcome of a rollout, and follows it on if that is not final.
    fn end(
        &mut self,
        rollout: Rollout,
        outcome: Option<Outcome>,
        seen: Option<&Service>,
        following: &Following<'_>,
    ) {
        if let Some(outcome) = outcome {
            let ended = EndedRollout::of(
                rollout.clone(),
                outcome,
                &self.service,
                self.planned.as_ref().ok(),
                seen,
                &following.causes,
                following.now,
            );
            let started = self.started_rollout();
            self.ended.push(ended.replaced_by(started.as_ref()));
        }
        self.rollouts.extend(rollout.after(outcome));
    }

    /// The rollout that was just started, if one was.
    fn started_rollout(&self) -> Option<Rollout> {
        match &self.start {
            Some(StartResult::Started { rollout, .. }) => Some(rollout.clone()),
            _ => None,
        }
    }

    /// The deployment of others that covers a change and still runs: fresh is not finished.
    fn covering_rollout(&self, seen: &Service, now: Timestamp) -> Option<Rollout> {
        let planned = self.planned.as_ref().ok()?;
        let reasons = planned.asked_by.values().copied();
        let covers = reasons.chain([planned.reason]).any(Reason::is_covered);
        let primary = seen.primary().filter(|_| covers && seen.is_rolling())?;
        Some(Rollout::of_others(primary).observed(seen, now))
    }

    /// The number of older tasks that keep the newest followed rollout from being completed, as far
    /// as it is known.
    #[must_use]
    pub fn old_tasks(&self) -> Option<usize> {
        let is_new = matches!(self.start, Some(StartResult::Started { .. }));
        let rollout = self.rollouts.last().filter(|_| !is_new)?;
        rollout.tasks_left(self.seen.as_ref()?)
    }

    /// The time at which the followed rollouts are described again, at `by` if that comes first;
    /// `None` if none is followed. A rollout that was reported as timed out is not followed for
    /// ever.
    #[must_use]
    pub fn next_check(&self, by: Option<Timestamp>) -> Option<Requeue> {
        let newest = self.rollouts.last()?;
        Some(Requeue::Follow {
            since: newest.started_at,
            by,
            ages: self.rollouts.iter().all(|rollout| rollout.timed_out),
        })
    }

    /// The work that is left for it; `None` if it is done.
    #[must_use]
    pub fn remaining(&self) -> Option<Remaining> {
        let planned = match &self.planned {
            Ok(planned) => planned,
            Err(error) => {
                let followed = self.next_check(None).map(Remaining::Rollout);
                let later = Remaining::Restart(Requeue::LATER);
                let later = error.kind.passes().then_some(later);
                return if self.attempt.owes_restart {
                    later.or(followed)
                } else {
                    followed.or(later)
                };
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
        let is_awaited = planned.reason == Reason::AwaitingApproval;
        let expiry = planned.until.filter(|_| is_awaited);
        let followed = || self.next_check(expiry).map(Remaining::Rollout);
        let awaited = || is_awaited.then_some(Remaining::Restart(end_of_approval(planned)));
        owed.or(undecided)
            .map(Remaining::Restart)
            .or_else(followed)
            .or_else(awaited)
    }

    /// True if it waits for services that go before it, until nobody knows when.
    #[must_use]
    pub fn waits_for_others(&self) -> bool {
        self.planned.as_ref().is_ok_and(|planned| {
            planned.reason == Reason::WaitingForOrder && planned.until.is_none()
        })
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

    /// The keys whose changes wait for a restart.
    pub fn waiting(&self) -> impl Iterator<Item = &Key> {
        let planned = self.planned.as_ref().ok();
        let planned = planned
            .filter(|planned| planned.reason.decision() == Decision::Hold || self.will_retry());
        let reasons = planned.into_iter().flat_map(|planned| &*planned.asked_by);
        let waiting = reasons
            .filter(|(_, reason)| matches!(reason.decision(), Decision::Hold | Decision::Restart));
        waiting.map(|(key, _)| key)
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
        (Reason::WaitingForOrder, None) => Some(Requeue::Backoff {
            by: None,
            ages: planned.ages,
        }),
        (reason, until) if reason.decision() == Decision::Hold => {
            Some(until.map_or(Requeue::LATER, Requeue::At))
        }
        _ => None,
    }
}

/// The wait for the end of an approval. Amazon ECS ends it at its expiry, so such a wait does not
/// age until then.
fn end_of_approval(planned: &Planned) -> Requeue {
    Requeue::Backoff {
        by: planned.until,
        ages: planned.until.is_none(),
    }
}

/// The rollouts that were followed until now, with the progress that was seen, the newest last. The
/// one that a restart found is newer than those in the message.
#[must_use]
pub fn rollouts_before(attempt: &Attempt, seen: &Service, now: Timestamp) -> Vec<Rollout> {
    let known = &attempt.rollouts;
    let found = seen
        .followed_rollout
        .iter()
        .filter(|found| known.iter().all(|rollout| rollout.id != found.id));
    let before = known.iter().chain(found);
    before
        .map(|rollout| rollout.clone().observed(seen, now))
        .collect()
}

/// The records of one invocation, one a service.
pub type Resolutions = BTreeMap<ServiceId, Resolution>;
