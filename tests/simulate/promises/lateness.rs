//! Promise 1, in time: a service that is stale, and that nothing holds, restarts within the end of
//! its hold and one hop of the queue.

use jiff::{SignedDuration, Timestamp};

use super::{Breach, Promise};
use crate::function::{End, Ran};
use crate::history::{History, SECRET};
use crate::holds::{self, Span};
use crate::record::is_unread;
use crate::stale;
use crate::subject::Subject;

/// A hold with a known end ends on the grid of ten seconds; then come the queue's window, an
/// invocation, and its reads.
const AFTER_A_KNOWN_END: SignedDuration = SignedDuration::from_secs(90);

/// A service that waits without a known end is described again after half to one and a half of five
/// minutes.
const AFTER_AN_UNKNOWN_END: SignedDuration = SignedDuration::from_secs(9 * 60);

/// A message of an invocation that was lost is visible again after that.
const REDELIVERED_AFTER: SignedDuration = SignedDuration::from_mins(14);

/// CloudTrail sends its events after three minutes.
const TRAIL: SignedDuration = SignedDuration::from_mins(4);

pub(crate) struct Lateness;

impl Promise for Lateness {
    fn check(&self, history: &History) -> Vec<Breach> {
        if !history.choices.lossless() || !history.choices.enforces() {
            return Vec::new();
        }
        let troubles = troubles(history);
        history
            .subjects
            .iter()
            .filter(|subject| subject.mode.is_none() && !subject.was_scaled)
            .flat_map(|subject| late(history, subject, &troubles))
            .collect()
    }
}

/// Times in which calls fail, invocations are lost, or the queue is stopped, with the time that the
/// function may need to recover.
fn troubles(history: &History) -> Vec<Span> {
    let record = history.record();
    let failed = record
        .calls
        .iter()
        .filter(|call| is_unread(call))
        .map(|call| {
            // If services cannot be listed, or the next message cannot be sent, SQS redelivers
            // the message.
            let lasts = match call.operation.as_str() {
                "SendMessage" | "GetResources" => REDELIVERED_AFTER,
                _ => SignedDuration::from_mins(2),
            };
            Span::unknown(call.time, call.time + lasts)
        });
    // An invocation of the queue that used all its time may have left some of its messages to a
    // redelivery.
    let used_all_time = |ran: &Ran| ran.request_id != "direct" && ran.works_until() <= ran.until;
    let lost = record
        .ran
        .iter()
        .filter(|ran| ran.end != End::Answered || used_all_time(ran))
        .map(|ran| Span::unknown(ran.from, ran.until + REDELIVERED_AFTER));
    let faults = history.troubles.iter().copied();
    failed.chain(lost).chain(faults).collect()
}

fn late(history: &History, subject: &Subject, troubles: &[Span]) -> Vec<Breach> {
    let past = history.record().past(&subject.name);
    let mut held = holds::all(history, subject);
    held.extend_from_slice(troubles);
    held.sort_by_key(|span| span.from);
    let mut breaches = Vec::new();
    for (written, thing) in owed_changes(history, subject) {
        let covered = past
            .iter()
            .filter(|past| past.created_at > written)
            .map(|past| past.created_at)
            .min()
            .unwrap_or(history.delivered_at);
        // A key that is ignored since then needs no restart any more.
        let ignored_from = history.ignored_after(thing, written);
        let end = history
            .delivered_at
            .min(covered)
            .min(ignored_from.unwrap_or(Timestamp::MAX));
        let is_gone = |(at, gone): &(Timestamp, &str)| {
            *gone == thing && written <= *at + SignedDuration::from_secs(1) && *at < end
        };
        if history.deletions.iter().any(is_gone)
            || held_for_the_limit(history, subject, written, end)
            || may_be_renewed(history, subject, written, end)
            || stale::denied(history, subject, written, end).is_some()
        {
            continue;
        }
        let known_from = written + first_delivery(history, thing);
        if let Some((from, within)) = longest_wait(history, &held, known_from, end) {
            let what = format!(
                "1: {} waited {within:#} from {from} on for {thing}, written {written}, held by \
                 nothing",
                subject.name
            );
            breaches.push(Breach::of(what));
        }
    }
    breaches
}

/// Ten minutes after a change, tasks that an older deployment started since are as good as a
/// restart.
fn may_be_renewed(
    history: &History,
    subject: &Subject,
    written: Timestamp,
    end: Timestamp,
) -> bool {
    let past = history.record().past(&subject.name);
    written + SignedDuration::from_mins(10) < end
        && past.iter().any(|past| {
            past.created_at <= written && past.finished_at.is_none_or(|end| written < end)
        })
}

fn held_for_the_limit(
    history: &History,
    subject: &Subject,
    written: Timestamp,
    end: Timestamp,
) -> bool {
    let held = holds::without_known_end(history, subject, written, end);
    held + holds::SLACK >= history.choices.hold_limit()
}

/// Changes of keys that the service had watched long enough for the tag index, and that were not
/// ignored or refused.
fn owed_changes<'a>(
    history: &'a History,
    subject: &'a Subject,
) -> impl Iterator<Item = (Timestamp, &'static str)> {
    let tag_lag = SignedDuration::from_mins(7);
    let is_owed = move |(at, thing): &(Timestamp, &'static str)| {
        let is_watched = subject.has_always_watched(thing)
            || *at
                >= subject
                    .widened_at
                    .saturating_add(tag_lag)
                    .unwrap_or(Timestamp::MAX);
        subject.watches(thing)
            && is_watched
            && !history.was_ignored(thing, *at, *at)
            && history.reached(thing) <= history.choices.max_services()
            && *at < history.delivered_at
    };
    history.writes.iter().copied().filter(is_owed)
}

/// The instant at which the function can know of a change, and every replica has it.
fn first_delivery(history: &History, thing: &str) -> SignedDuration {
    let trail = if thing == SECRET {
        TRAIL
    } else {
        SignedDuration::ZERO
    };
    history.choices.slowest_event() + history.choices.settle() + trail
}

/// The first wait that was too long, without a hold.
fn longest_wait(
    history: &History,
    held: &[Span],
    from: Timestamp,
    end: Timestamp,
) -> Option<(Timestamp, SignedDuration)> {
    let turns = history.choices.turns(history.subjects.len());
    let mut free_from = from;
    // If others may fill the limit, a restart may return as late as after any unknown end.
    let mut allowed = if history.subjects.len() > history.choices.max_in_flight() {
        AFTER_AN_UNKNOWN_END
    } else {
        AFTER_A_KNOWN_END
    };
    let stop = Span::unknown(end, Timestamp::MAX);
    for span in held.iter().copied().chain([stop]) {
        let free_until = span.from.min(end);
        if free_until.duration_since(free_from) > allowed + turns {
            return Some((free_from, free_until.duration_since(free_from)));
        }
        // A hold that ended a little earlier may have set a later return.
        let is_near = span.until >= from.saturating_sub(AFTER_AN_UNKNOWN_END).unwrap_or(from);
        if !span.known && is_near {
            allowed = AFTER_AN_UNKNOWN_END;
        }
        free_from = free_from.max(span.until);
        if free_from >= end {
            break;
        }
    }
    None
}
