//! Promise 4: a service that has used up its restarts of an hour is held for that, and not for the
//! limit of its change, which comes later in the table.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::reported::written_at;
use super::{Breach, Promise};
use crate::history::History;
use crate::record::{is_unread, reads_history};

/// A restart that another process made within this time may be unknown.
const UNKNOWN: SignedDuration = SignedDuration::from_mins(2);

/// An invocation reports its decisions at its end.
const AN_INVOCATION: SignedDuration = SignedDuration::from_mins(3);

pub(crate) struct BudgetFirst;

impl Promise for BudgetFirst {
    fn check(&self, history: &History) -> Vec<Breach> {
        let lines = history.record().lines.iter();
        lines
            .filter(|line| line["reason"] == "in-flight-limit")
            .filter_map(|line| not_held_by_its_budget(history, line))
            .collect()
    }
}

fn not_held_by_its_budget(history: &History, line: &Value) -> Option<Breach> {
    let (service, at) = (line["service"].as_str()?, written_at(line)?);
    let spent = restarts_before(history, service, at) >= history.choices.restarts_per_hour();
    (spent && !was_unread(history, line, service, at)).then(|| {
        Breach::of(format!(
            "4: {service} was held at {at} for the limit of its change, and not for its budget"
        ))
    })
}

/// The restarts of the last hour that the invocation must know.
fn restarts_before(history: &History, service: &str, at: Timestamp) -> usize {
    let from = at - SignedDuration::from_hours(1) + AN_INVOCATION;
    let restarts = history.record().restarts(service).iter();
    restarts
        .filter(|restart| from <= restart.at && restart.at <= at - UNKNOWN)
        .count()
}

/// True if the invocation that wrote the line may have no deployment history of the service.
fn was_unread(history: &History, line: &Value, service: &str, at: Timestamp) -> bool {
    let record = history.record();
    let Some(ran) = record.ran_by(line, at) else {
        return false;
    };
    record.calls_of(ran, at).any(|call| {
        reads_history(call, service)
            && (is_unread(call) || record.may_be_cut_off(call, &history.choices))
    })
}
