//! Carries a plan out. The pace, the check shortly before the call, and the search after a lost
//! answer are the same for every strategy. A strategy is one call, in a file of its own.
//!
//! Nothing here fails as a whole: each service has a result of its own.

mod deploy;
mod recheck;
mod started;

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::aws::{DescribedAt, Ecs, Error};
use crate::clock::Clock;
use crate::domain::arn::ServiceId;
use crate::domain::change::Change;
use crate::domain::history::Needed;
use crate::domain::key::Key;
use crate::domain::plan::{Action, Plan, Planned};
use crate::domain::policy::Policy;
use crate::domain::reason::Reason;
use crate::domain::rollout::Rollout;
use crate::domain::service::Service;
use crate::domain::start::{ErrorKind, Executed, StartResult};
use crate::pace::Pace;

use recheck::{GROUP_SIZE, Group, Reads};
use started::Started;

/// The most calls for one service whose answers are lost or broken.
const MAX_FAILED_CALLS: u32 = 5;

/// A turn is valid for this long. Otherwise all services that waited for the same description would
/// start at once.
const TURN_LASTS: Duration = Duration::from_secs(1);

/// The most calls under way at once. Each has a connection to itself, and a new connection costs
/// more than a call. At five calls a second, eight are enough while a call takes 1.6 seconds.
const CALLS_IN_FLIGHT: usize = 8;

/// The time by which the clock of Amazon ECS may be behind ours.
const SKEW: SignedDuration = SignedDuration::from_secs(1);

/// The pause between a failed call and the next description, which may show the effect of the call
/// late. It doubles with each failed call.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Everything that is needed to carry a plan out, and to decide anew about one service.
#[derive(Clone, Copy, Debug)]
pub struct Executor<'a> {
    /// Amazon ECS.
    pub ecs: &'a Ecs,
    /// The plan, which decides anew about services that had to wait.
    pub plan: &'a Plan,
    /// The changes of the plan.
    pub changes: &'a BTreeMap<Key, Change>,
    /// The limits of the plan.
    pub policy: &'a Policy,
    /// The part of the tag keys before the colon.
    pub tag_prefix: &'a str,
    /// The pace of starts.
    pub pace: &'a Pace,
    /// The time of day.
    pub clock: &'a Clock,
    /// The evidence that is read of services before they are restarted.
    pub needed: &'a BTreeMap<ServiceId, Needed>,
    /// The instants at which the services were described.
    pub described_at: &'a DescribedAt,
    /// The instant at which work stops, shortly before the end of the invocation.
    pub until: Instant,
}

impl Executor<'_> {
    /// Starts these planned restarts, each as soon as its changes have settled and the pace allows.
    /// A service that had to wait is described again, ten in a call, and decided anew.
    pub async fn execute(&self, mut restarts: Vec<Executed>) -> Vec<Executed> {
        restarts.sort_by(|one, other| one.seen.id.cmp(&other.seen.id));
        let groups: Vec<_> = restarts
            .chunks(GROUP_SIZE)
            .map(|some| Group::of(some.iter().map(|planned| &planned.seen.id)))
            .collect();
        let group_of_each = groups
            .iter()
            .flat_map(|group| std::iter::repeat_n(group, GROUP_SIZE));
        let places = &Semaphore::new(CALLS_IN_FLIGHT);
        let running: FuturesUnordered<_> = restarts
            .into_iter()
            .zip(group_of_each)
            .map(|(planned, group)| async move {
                let executed = Start::of(self, group, places, planned).run().await;
                group.leave(&executed.seen.id).await;
                executed
            })
            .collect();
        running.collect().await
    }

    /// The only place that knows the strategies.
    async fn start(&self, action: Action, service: &ServiceId) -> Result<Started, Error> {
        match action {
            Action::Deploy => deploy::start(self.ecs, service).await,
        }
    }

    fn reads(&self) -> Reads<'_> {
        Reads {
            ecs: self.ecs,
            tag_prefix: self.tag_prefix,
            needed: self.needed,
            until: self.until,
        }
    }

    /// Decides about one service, as if for the first time.
    fn decide(&self, service: &Service) -> Option<Planned> {
        let now = self.clock.now();
        self.plan.replan(self.changes, service, self.policy, now)
    }
}

/// The next step in the start of one service.
enum Step {
    /// Waits until its changes have settled.
    Settle,
    /// Waits for its turn at the pace.
    AwaitTurn,
    /// Checks that the service is still to be restarted.
    Recheck,
    /// Calls AWS.
    Call(Action),
    /// Finds the effect of a call that failed.
    FindOut(FailedCall),
}

/// A call that did not return a rollout.
struct FailedCall {
    at: Timestamp,
    error: Error,
}

/// The start of one service.
struct Start<'a> {
    executor: &'a Executor<'a>,
    group: &'a Group,
    places: &'a Semaphore,
    /// The place among the calls under way. It is taken before the turn: turns that waited for a
    /// place would come all at once.
    place: Option<SemaphorePermit<'a>>,
    executed: Executed,
    /// `None` if it is not known.
    described_at: Option<Instant>,
    was_throttled: bool,
    /// The time of the first call whose answer was lost. That call, and each later one, may have
    /// taken effect.
    lost_at: Option<Timestamp>,
    failed_calls: u32,
}

impl<'a> Start<'a> {
    fn of(
        executor: &'a Executor<'a>,
        group: &'a Group,
        places: &'a Semaphore,
        executed: Executed,
    ) -> Self {
        Self {
            executor,
            group,
            places,
            place: None,
            described_at: executor.described_at.get(&executed.seen.id).copied(),
            executed,
            was_throttled: false,
            lost_at: None,
            failed_calls: 0,
        }
    }

    /// The steps that call AWS lie on the heap: a thousand services wait in the others.
    async fn run(mut self) -> Executed {
        let mut step = Some(Step::Settle);
        while let Some(at) = step {
            step = match at {
                Step::Settle => self.settle().await,
                Step::AwaitTurn => self.await_turn().await,
                Step::Recheck => Box::pin(self.recheck()).await,
                Step::Call(action) => Box::pin(self.call(action)).await,
                Step::FindOut(failed) => Box::pin(self.find_out(failed)).await,
            };
        }
        self.executed
    }

    async fn settle(&mut self) -> Option<Step> {
        let settled = self
            .executor
            .clock
            .instant(self.executed.planned.not_before);
        if settled > self.executor.until {
            return self.end(StartResult::OutOfTime);
        }
        sleep_until(settled).await;
        Some(Step::AwaitTurn)
    }

    async fn await_turn(&mut self) -> Option<Step> {
        let until = self.executor.until;
        if self.place.is_none() {
            let place = timeout_at(until, self.places.acquire()).await;
            self.place = place.ok().and_then(Result::ok);
        }
        if self.place.is_some() && self.executor.pace.admit(until).await {
            Some(Step::Recheck)
        } else if self.was_throttled {
            self.end(StartResult::Throttled)
        } else {
            self.end(StartResult::OutOfTime)
        }
    }

    async fn recheck(&mut self) -> Option<Step> {
        let turn = Instant::now();
        let reads = self.executor.reads();
        let rechecked = self
            .group
            .recheck(&reads, &self.executed.seen, self.described_at);
        match rechecked.await {
            Err(error) => return self.fail(error.to_string(), error.kind.passes()),
            Ok(None) => {}
            Ok(Some(seen)) => {
                let seen = self.with_new_history(&reads, seen).await;
                self.decide_anew(seen);
            }
        }
        let action = self.due()?;
        if turn.elapsed() > TURN_LASTS {
            Some(Step::AwaitTurn)
        } else {
            Some(Step::Call(action))
        }
    }

    /// A service that shows an event or a deployment which its former description did not may have
    /// been deployed since, and rolled back: only the history shows that.
    async fn with_new_history(&self, reads: &Reads<'_>, seen: Service) -> Service {
        if !seen.shows_more_than(&self.executed.seen) {
            return seen;
        }
        let described_at = self.described_at.map(|at| self.executor.clock.time_of(at));
        let from = described_at.and_then(|at| at.saturating_sub(SKEW).ok());
        let from = from.unwrap_or(Timestamp::MIN);
        Box::pin(reads.with_history_since(from, seen)).await
    }

    /// A throttled call had no effect and is repeated. A call without an answer at the end of the
    /// time may have taken effect: the retry finds its deployment.
    async fn call(&mut self, action: Action) -> Option<Step> {
        let now = self.executor.clock.now();
        let at = now.saturating_sub(SKEW).unwrap_or(Timestamp::MIN);
        let start = self.executor.start(action, &self.executed.seen.id);
        let error = match timeout_at(self.executor.until, start).await {
            Err(_) => return self.end(StartResult::OutOfTime),
            Ok(Ok(started)) => return self.started(started),
            Ok(Err(error)) => error,
        };
        match error.kind {
            ErrorKind::Throttled => {
                self.was_throttled = true;
                self.executor.pace.throttled();
                Some(Step::AwaitTurn)
            }
            ErrorKind::TooManyDeployments => self.hold(Reason::TooManyDeployments, error.message),
            ErrorKind::Denied => self.end(StartResult::Denied {
                message: error.message,
            }),
            ErrorKind::Unavailable => {
                self.lost_at = self.lost_at.or(Some(at));
                Some(Step::FindOut(FailedCall { at, error }))
            }
            ErrorKind::NotFound | ErrorKind::Rejected => {
                Some(Step::FindOut(FailedCall { at, error }))
            }
        }
    }

    async fn find_out(&mut self, FailedCall { at, error }: FailedCall) -> Option<Step> {
        self.place = None;
        let pause = FIRST_PAUSE * 2_u32.pow(self.failed_calls);
        self.failed_calls += 1;
        let passes = error.kind.passes();
        let described_at = Instant::now() + pause;
        if described_at > self.executor.until {
            return self.fail(error.message, passes);
        }
        sleep_until(described_at).await;
        let reads = self.executor.reads();
        let called_at = self.lost_at.unwrap_or(at);
        match reads.after_call(&self.executed.seen, called_at).await {
            Err(error) => return self.fail(error.to_string(), error.kind.passes()),
            Ok(seen) => self.decide_anew(seen),
        }
        self.described_at = Some(Instant::now());
        self.due()?;
        if !passes || self.failed_calls == MAX_FAILED_CALLS {
            return self.fail(error.message, passes);
        }
        Some(Step::AwaitTurn)
    }

    /// Decides as if for the first time. But if the answer to a call was lost, a deployment that is
    /// new since then is the one that the call started. It is reported even if no restart would be
    /// due now, because no other record of it exists.
    fn decide_anew(&mut self, seen: Service) {
        let decided = self.executor.decide(&seen);
        let found = self
            .lost_at
            .and_then(|at| seen.newer_deployment(at, &self.executed.seen));
        self.executed.seen = seen;
        match (found, decided) {
            (Some(found), Some(decided)) if has_failed(&found, &decided) => {
                self.executed.seen.followed_rollout = Some(found);
                self.executed.planned = decided;
            }
            (Some(rollout), _) => {
                self.executed.start = Some(StartResult::Started {
                    rollout,
                    found: true,
                });
            }
            (None, Some(decided)) => self.executed.planned = decided,
            (None, None) => {
                let message =
                    "the service no longer watched the key when it was described again".to_owned();
                self.fail(message, false);
            }
        }
    }

    /// The action, while the service is to be restarted and has no result.
    fn due(&self) -> Option<Action> {
        let action = self.executed.planned.action.clone();
        action.filter(|_| self.executed.start.is_none())
    }

    fn started(&mut self, Started { rollout, events }: Started) -> Option<Step> {
        if !events.is_empty() {
            self.executed.seen.events = events;
        }
        self.end(StartResult::Started {
            rollout,
            found: false,
        })
    }

    /// The call had no effect: AWS answered that the restart has to wait.
    fn hold(&mut self, reason: Reason, detail: String) -> Option<Step> {
        self.executed.planned = self.executed.planned.clone().held(reason, detail);
        None
    }

    fn fail(&mut self, message: String, passes: bool) -> Option<Step> {
        self.end(StartResult::Failed { message, passes })
    }

    /// The last step.
    fn end(&mut self, result: StartResult) -> Option<Step> {
        self.executed.start = Some(result);
        None
    }
}

/// True if a rollout that was found has failed already: then its failure is the decision.
fn has_failed(found: &Rollout, decided: &Planned) -> bool {
    decided.reason == Reason::FailedAlready && decided.ended.iter().any(|ended| found.is(ended))
}
