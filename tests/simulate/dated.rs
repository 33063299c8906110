//! Decides if the function could know the instant of a change, and not only its second.

use jiff::Timestamp;
use sim::{Call, CallResult};

use crate::history::History;
use crate::record::{Restart, is_unread};

/// True if the process that restarted a service had read the parameter's time from Parameter Store
/// long enough after its write, while it existed, and no other event may name the same second.
pub(crate) fn is_dated_exactly(
    history: &History,
    restart: &Restart,
    written: Timestamp,
    thing: &str,
) -> bool {
    let Some(name) = thing.strip_prefix("ssm:") else {
        return false;
    };
    // A source that gives a whole second may not know more.
    let has_fraction = written.subsec_millisecond() != 0;
    let calls = &history.record().calls;
    let failed =
        |call: &Call| call.operation == "DescribeParameters" && call.result != CallResult::Ok;
    has_fraction
        && history.choices.metadata_lag.is_zero()
        && !is_crowded(history, written, thing)
        && !calls.iter().any(failed)
        && !may_date_an_older_one(history, restart, written, thing, name)
        && calls.iter().any(|call| {
            is_read_exactly(call, name, restart, written)
                && !was_deleted(history, thing, written, call.time)
        })
}

/// True if the parameter was deleted between its write and a call: the call then shows no time.
fn was_deleted(history: &History, thing: &str, written: Timestamp, read: Timestamp) -> bool {
    let mut deletions = history.deletions.iter();
    deletions.any(|(at, deleted)| *deleted == thing && written <= *at && *at <= read)
}

/// True if the event of the write before may be dated by this one, and so name its second too: no
/// call described the parameter between the two, and one did for each of them before the restart.
fn may_date_an_older_one(
    history: &History,
    restart: &Restart,
    written: Timestamp,
    thing: &str,
    name: &str,
) -> bool {
    let Some(before) = history.last_write(thing, written) else {
        return false;
    };
    let calls = history.record().calls.iter();
    let described: Vec<_> = calls
        .filter(|call| describes(call, name))
        .map(|call| call.time)
        .filter(|at| (before..restart.at).contains(at))
        .collect();
    described.len() > 1 && described.iter().all(|at| *at >= written)
}

/// True if something else happened to the thing in the same second.
fn is_crowded(history: &History, written: Timestamp, thing: &str) -> bool {
    let is_same =
        |at: Timestamp, other: &str| other == thing && at.as_second() == written.as_second();
    let claims = history.claims.iter().map(|claim| (claim.at, claim.thing));
    let others = history.writes.iter().chain(&history.deletions).copied();
    others
        .chain(claims)
        .filter(|(at, other)| is_same(*at, other))
        .count()
        > 1
}

/// True if a call of the process read the metadata of a parameter late enough, and surely had its
/// answer.
fn is_read_exactly(call: &Call, name: &str, restart: &Restart, written: Timestamp) -> bool {
    // The end of its second, two seconds for the replicas, and three seconds in which a description
    // may wait for its turn.
    const LONG_AFTER: i64 = 7;
    let is_late =
        written.as_second() + LONG_AFTER < call.time.as_second() && call.time < restart.at;
    is_late && !is_unread(call) && call.principal == restart.by && describes(call, name)
}

/// True if a call describes a parameter, or a path above it.
fn describes(call: &Call, name: &str) -> bool {
    let input = || call.input.to_string();
    let prefixes = name.match_indices('/').map(|(at, _)| &name[..=at]);
    call.operation == "DescribeParameters"
        && prefixes
            .chain([name])
            .any(|name| input().contains(&format!("\"{name}\"")))
}
