//! Promise 6: each restart is reported by the invocation that made it, unless that was lost or
//! ended by Lambda.

use jiff::Timestamp;
use serde_json::Value;

use super::{Breach, Promise};
use crate::function::End;
use crate::history::History;
use crate::record::{Record, Restart};

pub(crate) struct Reported;

impl Promise for Reported {
    fn check(&self, history: &History) -> Vec<Breach> {
        let record = history.record();
        let restarts = history
            .subjects
            .iter()
            .flat_map(|subject| record.restarts(&subject.name));
        restarts
            .filter(|restart| !is_reported(record, restart))
            .map(|restart| {
                let what = format!(
                    "6: the restart of {} at {} was reported by nobody",
                    restart.service, restart.at
                );
                Breach::about(&restart.deployment, what, None)
            })
            .collect()
    }
}

fn is_reported(record: &Record, restart: &Restart) -> bool {
    let ran = record
        .ran
        .iter()
        .find(|ran| ran.process == restart.by && ran.from <= restart.at && restart.at <= ran.until);
    let Some(ran) = ran else {
        return false;
    };
    let by_then =
        |line: &Value| written_at(line).is_some_and(|at| restart.at <= at && at <= ran.until);
    // Two invocations that lost their answers both find the newer deployment, and one may find that
    // it has failed.
    let is_seen = |line: &Value| was_found(line) || line["reason"] == "failed-already";
    let cut_off = |line: &Value| {
        line["result"] == "out-of-time" || line["result"] == "failed" || is_seen(line)
    };
    ran.end != End::Answered
        || record
            .lines
            .iter()
            .filter(|line| line["service"] == *restart.service && by_then(line))
            .any(|line| line["deployment"] == *restart.deployment || cut_off(line))
}

/// The time at which a line was written.
pub(crate) fn written_at(line: &Value) -> Option<Timestamp> {
    line["timestamp"].as_str()?.parse().ok()
}

/// True if a line names a deployment that was found by describing the service, because the answer
/// was lost.
pub(crate) fn was_found(line: &Value) -> bool {
    line["detail"]
        .as_str()
        .is_some_and(|detail| detail.contains("found by looking") || detail.contains("was found"))
}
