//! The numbers of a summary.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::service::ServiceLine;
use crate::domain::reason::{Decision, Reason};
use crate::domain::rollout::Outcome;
use crate::domain::start::ResultCode;

/// The number of everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Messages of the queue, or 1.
    pub messages: usize,
    /// Those of them that the function itself had sent.
    pub deferred_received: usize,
    /// Keys that changed.
    pub changes: usize,
    /// Events ignored for a reason.
    pub ignored: usize,
    /// Events that could not be read.
    pub malformed: usize,
    /// Services that have opted in.
    pub watching: usize,
    /// Task definitions that were read.
    pub task_definitions: usize,
    /// Services that a change affects, or that a request names.
    pub affected: usize,
    /// Restarts that were planned.
    pub restarts: usize,
    /// Restarts that were started.
    pub started: usize,
    /// Services skipped.
    pub skipped: usize,
    /// Services held.
    pub held: usize,
    /// Services refused.
    pub refused: usize,
    /// Changes that restart no service, since they would restart more than the limit.
    pub refused_changes: usize,
    /// Restarts that AWS throttled until the end of the time.
    pub throttled: usize,
    /// Restarts that the invocation had no time for.
    pub out_of_time: usize,
    /// Restarts for which the role has no permission.
    pub denied: usize,
    /// Restarts that could not be started.
    pub failed: usize,
    /// Services given up after they were held for as long as the function allows.
    pub abandoned: usize,
    /// Rollouts that were followed to their end.
    pub rollouts_ended: usize,
    /// Those of them that this function had started, and that failed, were rolled back or timed
    /// out.
    pub rollouts_failed: usize,
    /// Tags, terms of them, and references of task definitions, that do not parse.
    pub mistakes: usize,
    /// Changes that metadata could not complete.
    pub lookups_failed: usize,
    /// Listings that were read in part.
    pub incomplete_listings: usize,
    /// Messages given back to the queue.
    pub redelivered: usize,
    /// Messages sent to the queue for later.
    pub deferred_sent: usize,
    /// Sweeps that ran to their end: 1 if there was one.
    pub sweeps_completed: usize,
    /// Keys that a sweep compared.
    pub keys_swept: usize,
    /// Keys, services and listings that a sweep could not compare.
    pub not_compared: usize,
    /// Services with a task that is older than a change which it reads, as a sweep found.
    pub stale: usize,
    /// Those of them that should have been restarted, and could not be.
    pub still_stale: usize,
    /// Notices that were sent.
    pub notices_sent: usize,
    /// Notices that the event bus did not take now.
    pub notices_unsent: usize,
    /// Self-tests that arrived, and were decided about.
    pub self_tests: usize,
    /// Milliseconds that the invocation took.
    pub elapsed_ms: u64,
    /// Services that are tried again by themselves.
    #[serde(skip)]
    pub will_retry: usize,
    /// Services whose restart could not be started, or was given up, without a further try.
    #[serde(skip)]
    pub restarts_failed: usize,
    /// Services whose next task will not start, since a key is gone.
    #[serde(skip)]
    pub missing_key: usize,
    /// Services by reason.
    #[serde(skip)]
    pub reasons: BTreeMap<Reason, usize>,
    /// The rollouts of this function that ended, by outcome.
    #[serde(skip)]
    pub outcomes: BTreeMap<Outcome, usize>,
    /// The time of the oldest change that waits for a restart.
    #[serde(skip)]
    pub oldest_waiting: Option<Timestamp>,
}

impl Counts {
    /// Counts the line of one service.
    pub(super) fn add(&mut self, line: &ServiceLine) {
        self.affected += 1;
        self.will_retry += usize::from(line.will_retry);
        self.restarts_failed += usize::from(line.could_not_start());
        self.missing_key += usize::from(line.missing_key);
        if let Some(reason) = line.reason {
            *self.reasons.entry(reason).or_default() += 1;
        }
        match line.decision {
            Some(Decision::Skip) => self.skipped += 1,
            Some(Decision::Refuse) => self.refused += 1,
            Some(Decision::Hold) => self.held += 1,
            Some(Decision::Restart) => self.restarts += 1,
            None => {}
        }
        match line.result {
            Some(ResultCode::Started) => self.started += 1,
            Some(ResultCode::Throttled) => self.throttled += 1,
            Some(ResultCode::OutOfTime) => self.out_of_time += 1,
            Some(ResultCode::Denied) => self.denied += 1,
            Some(ResultCode::Failed) => self.failed += 1,
            Some(ResultCode::Abandoned) => self.abandoned += 1,
            None => {}
        }
        for rollout in line.rollout.iter().chain(&line.more_rollouts) {
            self.rollouts_ended += 1;
            self.rollouts_failed += usize::from(rollout.is_failure());
        }
    }
}
