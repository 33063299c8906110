//! The times in which a restart has to wait, derived from the account, the tags and the settings,
//! never from the function's log.

use jiff::{SignedDuration, Timestamp};
use sim::{Call, CallResult, HistoryView};

use crate::history::History;
use crate::subject::Subject;

/// The waits of the function are counted in steps, so it may give up a little before the limit.
pub(crate) const SLACK: SignedDuration = SignedDuration::from_mins(8);

/// A service whose restart was refused is tried again within half to one and a half of five minutes.
const REFUSED_FOR: SignedDuration = SignedDuration::from_mins(9);

/// The code with which Amazon ECS refuses a service that has too many active deployments.
const TOO_MANY_DEPLOYMENTS: &str = "InvalidParameterException";

/// A time in which no restart is due.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Span {
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
    /// True if the function knows the end, and returns at it. Without a known end it describes the
    /// service every few minutes.
    pub(crate) known: bool,
}

impl Span {
    pub(crate) fn known(from: Timestamp, until: Timestamp) -> Self {
        Self {
            from,
            until,
            known: true,
        }
    }

    pub(crate) fn unknown(from: Timestamp, until: Timestamp) -> Self {
        Self {
            from,
            until,
            known: false,
        }
    }
}

/// Everything that holds restarts of a service, in the order of time.
pub(crate) fn all(history: &History, subject: &Subject) -> Vec<Span> {
    let mut spans = subject.pauses();
    spans.extend(subject.closed(history.began_at, history.ended_at()));
    spans.extend(after_deployments(history, subject));
    spans.extend(budgets(history, subject));
    spans.extend(rollouts(history, subject));
    spans.extend(others_in_flight(history, subject));
    spans.extend(others_refused(history, subject));
    spans.extend(refused(history, subject));
    spans.sort_by_key(|span| span.from);
    spans
}

/// The time for which a hold without a known end lasted between two instants.
pub(crate) fn without_known_end(
    history: &History,
    subject: &Subject,
    from: Timestamp,
    until: Timestamp,
) -> SignedDuration {
    let until = until.min(history.ended_at());
    let mut end = from;
    let mut held = SignedDuration::ZERO;
    for span in all(history, subject).into_iter().filter(|span| !span.known) {
        let (begin, stop) = (span.from.max(end), span.until.min(until));
        if begin < stop {
            held += stop.duration_since(begin);
            end = stop;
        }
    }
    held
}

/// `min-interval` counts from each deployment, whoever made it.
fn after_deployments(history: &History, subject: &Subject) -> Vec<Span> {
    let past = history.record().past(&subject.name);
    past.iter()
        .map(|past| Span::known(past.created_at, past.created_at + subject.min_interval))
        .collect()
}

/// From the last restart that the budget allows until the first of the hour is an hour old. Every
/// deployment counts here: the function counts some of them.
fn budgets(history: &History, subject: &Subject) -> Vec<Span> {
    let past = history.record().past(&subject.name);
    let mut created: Vec<_> = past.iter().map(|past| past.created_at).collect();
    created.sort_unstable();
    let hour = SignedDuration::from_hours(1);
    created
        .windows(history.choices.restarts_per_hour())
        .filter_map(|window| {
            let (first, last) = (window.first()?, window.last()?);
            (*last < *first + hour).then(|| Span::known(*last, *first + hour))
        })
        .collect()
}

fn end_of(history: &History, past: &HistoryView) -> Timestamp {
    past.finished_at.unwrap_or_else(|| history.ended_at())
}

fn rollouts(history: &History, subject: &Subject) -> Vec<Span> {
    let past = history.record().past(&subject.name);
    past.iter()
        .map(|past| Span::unknown(past.created_at, end_of(history, past)))
        .collect()
}

/// Rollouts of other services may fill the limit of a change.
fn others_in_flight(history: &History, subject: &Subject) -> Vec<Span> {
    if !may_fill_the_limit(history) {
        return Vec::new();
    }
    let others = history
        .subjects
        .iter()
        .filter(|other| other.name != subject.name);
    others.flat_map(|other| rollouts(history, other)).collect()
}

/// The restart of another service may have the last place in the limit of a change, while the
/// account refuses it: from the refusal until the function tries any service again.
fn others_refused(history: &History, subject: &Subject) -> Vec<Span> {
    if !may_fill_the_limit(history) {
        return Vec::new();
    }
    let mut tried = history.record().calls_for_restarts().peekable();
    let mut spans = Vec::new();
    while let Some(call) = tried.next() {
        if call.target != subject.name && is_refused(call) {
            let next = tried.peek().map_or(Timestamp::MAX, |next| next.time);
            let until = next.min(call.time + REFUSED_FOR);
            spans.push(Span::unknown(call.time, until));
        }
    }
    spans
}

/// Amazon ECS refuses a restart while too many deployments are active: from the refusal until the
/// function tries the service again.
fn refused(history: &History, subject: &Subject) -> Vec<Span> {
    let calls = history.record().calls_for_restarts();
    let mut tried = calls.filter(|call| call.target == subject.name).peekable();
    let mut spans = Vec::new();
    while let Some(call) = tried.next() {
        if matches!(&call.result, CallResult::Error(code) if code == TOO_MANY_DEPLOYMENTS) {
            let next = tried.peek().map_or(Timestamp::MAX, |next| next.time);
            let until = next.min(call.time + REFUSED_FOR);
            spans.push(Span::unknown(call.time, until));
        }
    }
    spans
}

fn may_fill_the_limit(history: &History) -> bool {
    history.subjects.len() > history.choices.max_in_flight()
}

/// A call that IAM denied is not tried again, and leaves its place to another restart.
fn is_refused(call: &Call) -> bool {
    matches!(&call.result, CallResult::Error(code) if code != "AccessDeniedException")
}
