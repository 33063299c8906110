//! The strategy `deploy`: a forced deployment of Amazon ECS.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::Executor;
use super::recheck::{Group, recheck};
use crate::aws::{Error, Restarted};
use crate::domain::plan::{Planned, plan};
use crate::domain::reason::{Decision, Reason};
use crate::domain::rollout::Rollout;
use crate::domain::service::Service;
use crate::domain::start::{ErrorKind, Executed, StartResult};

/// How often a restart is asked for whose answers are lost or broken.
const ATTEMPTS: u32 = 5;

/// A turn that a look outlasts is over: else all that waited for the same look would start at once.
const TURN_LASTS: Duration = Duration::from_secs(1);

/// The clock of Amazon ECS may be behind ours by so much.
const SKEW: SignedDuration = SignedDuration::from_secs(1);

/// Before the look that follows each, doubling.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Restarts one service. A throttled call did nothing and is repeated; after any other error the
/// service is looked at and decided about anew, because the call may have taken effect.
pub(super) async fn deploy(
    executor: &Executor<'_>,
    group: &Group,
    planned: Planned,
    seen: Service,
) -> Executed {
    let settled = executor.clock.instant(planned.not_before);
    let mut executed = Executed {
        planned,
        start: None,
        seen,
    };
    if settled > executor.until {
        return executed.with(StartResult::OutOfTime);
    }
    sleep_until(settled).await;
    let mut seen_at = executor.looked_at;
    let mut throttled = false;
    let mut lost_at = None;
    let mut attempt = 0;
    loop {
        if !executor.pace.admit(executor.until).await {
            return executed.with(if throttled {
                StartResult::Throttled
            } else {
                StartResult::OutOfTime
            });
        }
        let turn = Instant::now();
        let looked = match group.look(executor, &executed.seen, seen_at).await {
            Err(unread) => return executed.unseen(&unread),
            Ok(looked) => looked,
        };
        if let Some(seen) = looked {
            executed = executed.decided_anew(executor, seen, lost_at);
            if executed.start.is_some() || executed.planned.reason.decision() != Decision::Restart {
                return executed;
            }
        }
        if turn.elapsed() > TURN_LASTS {
            continue;
        }
        // A call that is still under way when the time is up may have taken effect; the retry will
        // find out.
        let called_at = executor
            .clock
            .now()
            .saturating_sub(SKEW)
            .unwrap_or(Timestamp::MIN);
        let Ok(answer) = timeout_at(executor.until, executor.ecs.restart(&executed.seen.id)).await
        else {
            return executed.with(StartResult::OutOfTime);
        };
        let error = match answer {
            Ok(restarted) => return executed.started(restarted),
            Err(error) => error,
        };
        match error.kind {
            ErrorKind::Throttled => {
                throttled = true;
                executor.pace.throttled();
                continue;
            }
            ErrorKind::TooManyDeployments => {
                return executed.held(Reason::TooManyDeployments, error.message);
            }
            ErrorKind::Denied => {
                return executed.with(StartResult::Denied {
                    cause: error.message,
                });
            }
            // Of several, the first may have taken effect as well as the last.
            ErrorKind::Unavailable => lost_at = lost_at.or(Some(called_at)),
            ErrorKind::NotFound | ErrorKind::Rejected => {}
        }
        // A look right after the call need not see what the call did.
        let pause = Instant::now() + FIRST_PAUSE * 2_u32.pow(attempt);
        if pause > executor.until {
            return executed.failed(error);
        }
        sleep_until(pause).await;
        match recheck(executor, &executed.seen, lost_at.unwrap_or(called_at)).await {
            Err(unread) => return executed.unseen(&unread),
            Ok(seen) => {
                (executed, seen_at) = (
                    executed.decided_anew(executor, seen, lost_at),
                    Instant::now(),
                );
            }
        }
        attempt += 1;
        if executed.start.is_some() || executed.planned.reason.decision() != Decision::Restart {
            return executed;
        }
        if !error.kind.passes() || attempt == ATTEMPTS {
            return executed.failed(error);
        }
    }
}

impl Executed {
    fn with(mut self, start: StartResult) -> Self {
        self.start = Some(start);
        self
    }

    fn failed(self, error: Error) -> Self {
        let passes = error.kind.passes();
        self.with(StartResult::Failed {
            cause: error.message,
            passes,
        })
    }

    /// AWS's answer says that it cannot be now, and did nothing.
    fn held(self, reason: Reason, detail: String) -> Self {
        Self {
            planned: Planned {
                reason,
                detail: Some(detail),
                until: None,
                ..self.planned
            },
            start: None,
            ..self
        }
    }

    /// It could not be looked at.
    fn unseen(self, error: &Error) -> Self {
        self.with(StartResult::Failed {
            cause: error.to_string(),
            passes: error.kind.passes(),
        })
    }

    fn started(mut self, Restarted { deployment, events }: Restarted) -> Self {
        if !events.is_empty() {
            self.seen.events = events;
        }
        self.with(StartResult::Started {
            rollout: Rollout::from(&deployment),
            found: false,
        })
    }

    /// Decides as if for the first time. Where the answer to a call at `lost_at` was lost, a
    /// deployment that is new since then is what the call started, whatever would be decided
    /// now: nothing else tells of it.
    fn decided_anew(
        mut self,
        executor: &Executor<'_>,
        seen: Service,
        lost_at: Option<Timestamp>,
    ) -> Self {
        let now = executor.clock.now();
        let decided = plan(
            executor.changes,
            std::slice::from_ref(&seen),
            executor.policy,
            now,
        )
        .services
        .remove(&seen.id);
        let found = lost_at.and_then(|at| seen.newer_deployment(at, &self.seen));
        self.seen = seen;
        match (found, decided) {
            // It has failed already, and that is told of it.
            (Some(found), Some(decided))
                if decided.reason == Reason::FailedAlready
                    && decided.ended.iter().any(|ended| found.is(ended)) =>
            {
                self.seen.followed = Some(found);
                self.planned = decided;
                self
            }
            (Some(rollout), _) => self.with(StartResult::Started {
                rollout,
                found: true,
            }),
            (None, Some(decided)) => {
                self.planned = decided;
                self
            }
            (None, None) => self.with(StartResult::Failed {
                cause: "the service stopped watching while it was being restarted".to_owned(),
                passes: false,
            }),
        }
    }
}
