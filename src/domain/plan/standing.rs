//! The standing of a service for one change, as those see it that come after it in the order.

use jiff::{SignedDuration, Timestamp};

use super::evidence::{MAY_HAVE_BEEN_READ, MAY_HAVE_BEEN_TRIED};
use super::order::{Failure, Wait};
use super::planned::Planned;
use crate::domain::history::{Ended, History, OldestTask};
use crate::domain::judge::{Limits, judge};
use crate::domain::newest::{Newest, NewestState};
use crate::domain::policy::Policy;
use crate::domain::reason::{Decision, Reason};
use crate::domain::rollout::{Outcome, Rollout};
use crate::domain::service::Service;
use crate::domain::tags::Mode;

/// The standing of a service that takes part in a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is well: its newest deployment, whoever made it and whatever it was for, is younger than
    /// the change, complete, and has been quiet for long enough.
    IsWell,
    /// The others wait for it.
    Blocks(Blocks),
    /// It failed, was rejected or timed out: no other service gets the change.
    Halts(Failure),
}

/// The cause for which others wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Blocks {
    pub(super) wait: Wait,
    /// In words.
    pub(super) state: &'static str,
    /// The evidence that may end the wait.
    pub(super) lacks: Option<Lack>,
}

/// Evidence that was not read yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lack {
    /// The history, before others may follow.
    History,
    /// The history, even while there are others to wait for: it says that the service failed, or
    /// that it stands at a hook.
    HistoryAtOnce,
    /// The oldest task.
    OldestTask,
}

/// True if the services after it wait for a service: nothing of its own keeps it from restarts.
pub(super) fn takes_part(service: &Service, reason: Reason) -> bool {
    service.tags.mode == Mode::Auto && reason > Reason::NoTasks
}

/// One service and one change.
#[derive(Clone, Copy, Debug)]
pub(super) struct Observed<'a> {
    pub(super) service: &'a Service,
    /// The reason that the change alone gives.
    pub(super) reason: Reason,
    /// The end of a hold for that reason.
    pub(super) until: Option<Timestamp>,
    /// The decision about it, if this plan makes one.
    pub(super) planned: Option<&'a Planned>,
    /// The instant of the change.
    pub(super) at: Timestamp,
    pub(super) policy: &'a Policy,
    pub(super) now: Timestamp,
}

impl Observed<'_> {
    /// Its standing. A service that failed, and that this plan restarts or holds for another
    /// change, halts nobody: its next deployment decides.
    pub(super) fn standing(&self) -> Standing {
        let by_reason = match self.reason {
            Reason::Fresh => self.fresh(),
            Reason::FailedAlready | Reason::Rejected => {
                let ended = self.service.ended_since(self.at);
                ended.map_or_else(|| blocks("it failed"), |ended| self.ended(ended))
            }
            Reason::Stale => self.stale(),
            reason => held(reason, self.until, true),
        };
        match (by_reason, self.planned) {
            (Standing::Halts(_), Some(planned)) if acts(planned) => of_plan(planned),
            (standing, _) => standing,
        }
    }

    fn is_history_asked(&self) -> bool {
        self.service.history != History::NotAsked
    }

    /// A deployment, or every task, is younger than the change.
    fn fresh(&self) -> Standing {
        let service = self.service;
        let Some(Newest { created_at, state }) = service.newest() else {
            return blocks("it has no deployment");
        };
        match state {
            NewestState::Runs => self.runs(),
            NewestState::Ended(ended) => self.ended(ended),
            NewestState::EndedOtherwise => blocks("its newest deployment failed"),
            NewestState::Completed(_) if !self.is_history_asked() => {
                lacks("its history must be read", Lack::History)
            }
            NewestState::Completed(_) if service.history.lacks().is_some() => {
                blocks("its history could not be read")
            }
            NewestState::Completed(_) if !service.is_whole() => blocks("not all its tasks run"),
            NewestState::Completed(end) if created_at > self.at => {
                self.quiet_since(end.unwrap_or(created_at))
            }
            NewestState::Completed(_) => match service.oldest_task {
                OldestTask::CreatedAt(Some(oldest)) => self.quiet_since(oldest),
                OldestTask::CreatedAt(None) | OldestTask::NotAsked | OldestTask::Unreadable(_) => {
                    blocks("not all its tasks run")
                }
            },
        }
    }

    fn quiet_since(&self, since: Timestamp) -> Standing {
        let end = since.saturating_add(self.policy.quiet);
        let end = end.unwrap_or(Timestamp::MAX);
        if self.now < end {
            Standing::Blocks(Blocks {
                wait: Wait::until(end),
                state: "it was restarted well, and must stay so for a while",
                lacks: None,
            })
        } else {
            Standing::IsWell
        }
    }

    /// Its newest deployment runs. The history says if it stands at a hook, which is no time
    /// without progress.
    fn runs(&self) -> Standing {
        let service = self.service;
        if service.has_lifecycle_hooks && !self.is_history_asked() {
            return lacks("its deployment runs", Lack::HistoryAtOnce);
        }
        let is_readable = service.history.lacks().is_none();
        let timed_out = self.timed_out().filter(|_| is_readable);
        timed_out.map_or_else(|| blocks("its deployment runs"), Standing::Halts)
    }

    /// A rollout that is followed has its last progress with it. Of any other one only the absence
    /// of running tasks shows that it has made none since its start.
    fn timed_out(&self) -> Option<Failure> {
        let Self {
            service,
            now,
            policy,
            ..
        } = *self;
        let primary = service.primary()?;
        let followed = service.followed_rollout.as_ref();
        let followed = followed.filter(|rollout| rollout.is_deployment(&primary.id));
        let rollout = followed.cloned().unwrap_or_else(|| Rollout::from(primary));
        let rollout = Rollout {
            timed_out: false,
            ..rollout.observed(service, now)
        };
        let limits = Limits {
            deadline: policy.outcome_deadline,
            older_tasks: SignedDuration::MAX,
        };
        let outcome = judge(&rollout, service, &limits, now);
        (outcome == Some(Outcome::TimedOut)).then(|| Failure::TimedOut {
            deployment: primary.id.clone(),
            created_at: primary.created_at,
            after: policy.outcome_deadline,
        })
    }

    /// A deployment of the present task definition failed, or was rejected.
    fn ended(&self, ended: Ended) -> Standing {
        if !self.is_history_asked() {
            lacks("its deployment failed", Lack::HistoryAtOnce)
        } else if self.service.history.lacks().is_some() {
            blocks("its deployment failed, and its history could not be read")
        } else {
            Standing::Halts(Failure::Ended(ended))
        }
    }

    /// Nothing is younger than the change, as far as it was read. What this plan restarts needs no
    /// further evidence here: others wait for that restart.
    fn stale(&self) -> Standing {
        if let Some(planned) = self.planned.filter(|planned| acts(planned)) {
            return of_plan(planned);
        }
        let service = self.service;
        let age = self.now.duration_since(self.at);
        let happened = || service.events.iter().any(|event| event.at > self.at);
        let may_have_been_tried = age > MAY_HAVE_BEEN_TRIED || happened();
        if may_have_been_tried && !self.is_history_asked() {
            lacks(IS_STALE, Lack::History)
        } else if age > MAY_HAVE_BEEN_READ && service.oldest_task == OldestTask::NotAsked {
            lacks(IS_STALE, Lack::OldestTask)
        } else {
            blocks(IS_STALE)
        }
    }
}

const IS_STALE: &str = "it has not been restarted yet";

fn blocks(state: &'static str) -> Standing {
    Standing::Blocks(Blocks {
        wait: Wait::OPEN,
        state,
        lacks: None,
    })
}

fn lacks(state: &'static str, lack: Lack) -> Standing {
    Standing::Blocks(Blocks {
        wait: Wait::OPEN,
        state,
        lacks: Some(lack),
    })
}

/// True if a plan restarts a service, now or later.
fn acts(planned: &Planned) -> bool {
    matches!(
        planned.reason.decision(),
        Decision::Hold | Decision::Restart
    )
}

fn of_plan(planned: &Planned) -> Standing {
    match planned.reason.decision() {
        Decision::Hold => held(planned.reason, planned.until, planned.ages),
        Decision::Skip | Decision::Refuse | Decision::Restart => blocks("it is restarted first"),
    }
}

/// A hold of a service is one of those that come after it too: until its known end, and without
/// age if it has none itself.
fn held(reason: Reason, until: Option<Timestamp>, ages: bool) -> Standing {
    let wait = match (reason, until) {
        (Reason::DeploymentInProgress, _) => Wait::OPEN,
        (Reason::AwaitingApproval, end) => Wait {
            until: None,
            ages: end.is_none(),
        },
        (Reason::Paused, None) => Wait {
            until: None,
            ages: false,
        },
        (_, Some(end)) => Wait::until(end),
        (_, None) => Wait { until: None, ages },
    };
    Standing::Blocks(Blocks {
        wait,
        state: state_of(reason),
        lacks: None,
    })
}

fn state_of(reason: Reason) -> &'static str {
    match reason {
        Reason::AwaitingApproval => "its deployment awaits an approval",
        Reason::Paused => "it is paused",
        Reason::OutsideWindow => "its window is closed",
        Reason::WaitingForOrder => "it waits for others itself",
        Reason::DeploymentInProgress => "an older deployment of it runs",
        _ => "it is held",
    }
}
