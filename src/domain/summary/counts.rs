//! The numbers of a summary.

use std::collections::BTreeSet;

use serde::Serialize;

use super::ServiceLine;
use crate::domain::reason::Decision;
use crate::domain::start::ResultCode;

/// How many of everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Queue messages, or 1.
    pub messages: usize,
    /// Those of them that the function sent itself.
    pub deferred_received: usize,
    /// Keys that changed.
    pub changes: usize,
    /// Events ignored for a reason.
    pub ignored: usize,
    /// Events that could not be read.
    pub malformed: usize,
    /// Services that have opted in.
    pub watching: usize,
    /// Task definitions read for services that say `auto`.
    pub task_definitions: usize,
    /// Services that a change concerns.
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
    /// Changes that restart nobody, since they would restart more services than the limit.
    pub refused_changes: usize,
    /// Restarts that AWS throttled until the time was up.
    pub throttled: usize,
    /// Restarts that the invocation had no time for.
    pub out_of_time: usize,
    /// Restarts that the role may not make.
    pub denied: usize,
    /// Restarts that failed, those among them whose deployment was started and did not stay.
    pub failed: usize,
    /// Services given up after they were held for as long as the function allows.
    pub abandoned: usize,
    /// Tags, terms of them, and references of task definitions, that do not parse.
    pub mistakes: usize,
    /// Changes of which something could not be enriched.
    pub lookups_failed: usize,
    /// Listings that were read in part alone.
    pub incomplete_listings: usize,
    /// Messages given back to the queue.
    pub redelivered: usize,
    /// Messages sent for what is left to do.
    pub deferred_sent: usize,
    /// Sweeps that ran to their end: 1 where there was one.
    pub sweeps_completed: usize,
    /// Keys that a sweep compared.
    pub keys_swept: usize,
    /// Things that a sweep could not compare.
    pub not_compared: usize,
    /// Services of which a sweep found a task that is older than a change which it reads.
    pub stale: usize,
    /// Those of them that should have been restarted, and could not be.
    pub still_stale: usize,
    /// How long it took.
    pub elapsed_ms: u64,
}

impl Counts {
    /// Counts what became of the services.
    #[must_use]
    pub fn with_services(mut self, services: &[ServiceLine]) -> Self {
        self.affected = services.len();
        let noted = services
            .iter()
            .flat_map(|line| line.changes.iter())
            .filter(|change| change.note.is_some());
        self.lookups_failed = noted
            .map(|change| change.key.as_str())
            .collect::<BTreeSet<_>>()
            .len();
        for line in services {
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
                Some(ResultCode::Failed | ResultCode::RolloutFailed) => self.failed += 1,
                Some(ResultCode::Abandoned) => self.abandoned += 1,
                None => {}
            }
        }
        self
    }
}
