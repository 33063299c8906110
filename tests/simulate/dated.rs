//! Decides if the function could know the instant of a change, and not only its second.

use jiff::Timestamp;
use sim::{Call, CallResult};

use crate::history::History;
use crate::record::Restart;

/// True if the process that restarted a service had read the parameter's time from Parameter Store
/// long enough after its write, and nothing else happened to the parameter in the same second.
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
        && calls.iter().any(|call| names(call, name, restart, written))
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

/// True if a call read the metadata of a parameter, or of a path above it, late enough.
fn names(call: &Call, name: &str, restart: &Restart, written: Timestamp) -> bool {
    // The end of its second, two seconds for the replicas, and three seconds in which a description
    // may wait for its turn.
    const LONG_AFTER: i64 = 7;
    let is_late =
        written.as_second() + LONG_AFTER < call.time.as_second() && call.time < restart.at;
    let is_ok = call.operation == "DescribeParameters"
        && call.result == CallResult::Ok
        && call.principal == restart.by;
    let input = || call.input.to_string();
    let prefixes = name.match_indices('/').map(|(at, _)| &name[..=at]);
    is_late
        && is_ok
        && prefixes
            .chain([name])
            .any(|name| input().contains(&format!("\"{name}\"")))
}
