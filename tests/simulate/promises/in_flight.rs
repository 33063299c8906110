//! Promise 4: never more rollouts of one change at once than `RELOADER_MAX_IN_FLIGHT`, and
//! `in-flight-limit` only if so many run.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use sim::{Call, CallResult, HistoryView};

use super::blast_radius::is_few_enough;
use super::owed::request;
use super::{Breach, Promise};
use crate::function::Ran;
use crate::history::History;
use crate::record::Restart;
use crate::subject::Subject;

/// A rollout that another process started within this time may be unknown.
const UNKNOWN: SignedDuration = SignedDuration::from_mins(2);

/// A message may have been on its way when a rollout began.
const KNOWN_AFTER: SignedDuration = SignedDuration::from_mins(5);

const A_SECOND: SignedDuration = SignedDuration::from_secs(1);

/// An invocation reports its decisions at its end.
const AN_INVOCATION: SignedDuration = SignedDuration::from_mins(3);

pub(crate) struct InFlight;

impl Promise for InFlight {
    fn check(&self, history: &History) -> Vec<Breach> {
        let mut breaches = Vec::new();
        for subject in &history.subjects {
            for restart in history.record().restarts(&subject.name) {
                breaches.extend(too_many(history, subject, restart));
            }
        }
        let lines = &history.record().lines;
        let limited = lines
            .iter()
            .filter(|line| line["reason"] == "in-flight-limit");
        breaches.extend(limited.filter_map(|line| held_for_nothing(history, line)));
        breaches
    }
}

/// A restart for a change of which as many rollouts ran for a while already. The first deployment
/// of a service after a change is its rollout of that change. A restart that a person requested is
/// for no change.
fn too_many(history: &History, subject: &Subject, restart: &Restart) -> Option<Breach> {
    if request(history, restart).is_some_and(|at| is_answer(at, restart.at)) {
        return None;
    }
    let record = history.record();
    let past = record.past(&subject.name);
    let covered = past
        .iter()
        .filter(|past| past.created_at < restart.at && past.deployment != restart.deployment)
        .map(|past| past.created_at)
        .max();
    let (written, thing) = *history.writes.iter().rfind(|(at, thing)| {
        let known_at = *at + history.choices.slowest_event() + KNOWN_AFTER;
        let is_stale = covered.is_none_or(|covered| covered < *at);
        subject.watches(thing) && known_at < restart.at && is_stale
    })?;
    // The restart may be for another key, which only the invocation knows.
    let may_be_for_another = history.asked_changes(restart.at).any(|(at, other)| {
        other != thing
            && covered.is_none_or(|covered| covered < at)
            && may_be_reason(history, subject, other, at, restart)
    });
    if may_be_for_another || !is_known(history, subject, thing, written, restart.at) {
        return None;
    }
    // A rollout of a service without tasks puts nothing at risk, and does not count.
    let runs = |other: &Subject| {
        let first = record
            .past(&other.name)
            .iter()
            .rfind(|past| past.created_at > written + SignedDuration::from_secs(1));
        first.is_some_and(|first| {
            // A deployment that is rolled back is no longer a rollout of the change.
            let ended = first.rolled_back_at.or(first.finished_at);
            !other.was_scaled
                && other.has_always_watched(thing)
                && record.is_ours(&other.name, first)
                && first.created_at < restart.at - UNKNOWN
                && ended.is_none_or(|end| restart.at <= end)
        })
    };
    // A service that could not be read does not count.
    let all_was_read = !record.has_failed_to_find(restart);
    let described = record.described_for(restart);
    let is_counted = |other: &Subject| all_was_read || described.contains(other.name.as_str());
    let run = watchers(history, thing, &subject.name)
        .filter(|other| is_counted(other) && runs(other))
        .count();
    (run >= history.choices.max_in_flight()).then(|| {
        let what = format!(
            "4: {} was restarted at {} for {thing} of {written}, of which {run} rollouts ran",
            subject.name, restart.at
        );
        Breach::about(&restart.deployment, what, None)
    })
}

/// True if a restart may be for a change.
fn may_be_reason(
    history: &History,
    subject: &Subject,
    thing: &str,
    at: Timestamp,
    restart: &Restart,
) -> bool {
    let is_watched =
        subject.watches(thing) && is_few_enough(history, thing, at, restart, &BTreeSet::new());
    (is_watched || subject.watches_decoded(thing))
        && at + history.choices.settle() <= restart.at
        && !history.was_surely_ignored(thing, restart.at)
}

/// A request that is held returns within this time.
fn is_answer(requested_at: Timestamp, started_at: Timestamp) -> bool {
    let waited = started_at.duration_since(requested_at);
    !waited.is_negative() && waited <= SignedDuration::from_hours(1)
}

/// True if the function must know of a change, and of no newer one of the same thing.
fn is_known(
    history: &History,
    subject: &Subject,
    thing: &str,
    written: Timestamp,
    by: Timestamp,
) -> bool {
    let has_changed_since = history
        .asked_changes(by)
        .any(|(at, other)| other == thing && at > written);
    let was_stopped = history
        .troubles
        .iter()
        .any(|stop| written < stop.until && stop.from < by);
    history.choices.lossless()
        && !subject.writes()
        && subject.has_always_watched(thing)
        && !has_changed_since
        && !was_stopped
}

/// The other services that watch a thing.
fn watchers<'a>(
    history: &'a History,
    thing: &'a str,
    except: &'a str,
) -> impl Iterator<Item = &'a Subject> {
    history
        .subjects
        .iter()
        .filter(move |other| other.name != except && other.reads(thing))
}

/// A line that names the limit although fewer rollouts of its changes ran. Only services that watch
/// the same key count.
fn held_for_nothing(history: &History, line: &Value) -> Option<Breach> {
    let service = line["service"].as_str()?;
    let at: Timestamp = line["timestamp"].as_str()?.parse().ok()?;
    let ran = history.record().ran_by(line, at);
    let hold = Hold { history, ran, at };
    let places_of = |change: &Value| {
        // An object is named as it is, or in its decoded form.
        let thing = change["key"].as_str()?.replace("%2B", "+");
        let changed_at: Timestamp = change["changed_at"].as_str()?.parse().ok()?;
        let others = watchers(history, &thing, service);
        let with_place = others.filter(|other| hold.has_place(other, changed_at));
        Some(with_place.count())
    };
    let changes = line["changes"].as_array()?;
    let most = changes.iter().filter_map(places_of).max()?;
    (most < history.choices.max_in_flight()).then(|| {
        Breach::of(format!(
            "4: {service} was held at {at} while {most} rollouts ran"
        ))
    })
}

/// A line that names the limit, and the invocation that wrote it.
struct Hold<'a> {
    history: &'a History,
    ran: Option<&'a Ran>,
    at: Timestamp,
}

impl Hold<'_> {
    /// True if another service had a place in the limit of a change: its rollout ran, or the plan
    /// gave it the place and its restart came to nothing.
    fn has_place(&self, other: &Subject, changed_at: Timestamp) -> bool {
        let past = self.history.record().past(&other.name);
        past.iter().any(|past| self.runs(other, past, changed_at))
            || self.was_planned(other)
            || self.ran_out_of_time(other, changed_at)
    }

    /// True if the invocation read the history of a stale service, as it does before a restart, and
    /// had no time to start it.
    fn ran_out_of_time(&self, other: &Subject, changed_at: Timestamp) -> bool {
        let past = self.history.record().past(&other.name);
        let is_covered =
            |past: &HistoryView| changed_at < past.created_at && past.created_at <= self.at;
        let reads_history = |call: &Call| call.operation == "ListServiceDeployments";
        self.had_no_time(other, changed_at)
            && !past.iter().any(is_covered)
            && self.calls_for(other).any(reads_history)
    }

    fn runs(&self, other: &Subject, past: &HistoryView, changed_at: Timestamp) -> bool {
        let until = if self.had_no_time(other, changed_at) {
            self.at + AN_INVOCATION
        } else {
            self.at
        };
        let is_of_the_change = changed_at < past.created_at && past.created_at <= until;
        (is_of_the_change || self.renews_tasks(other, past, changed_at))
            && past
                .finished_at
                .is_none_or(|end| self.at - AN_INVOCATION <= end)
    }

    /// True if the invocation ended before the changes of a service had settled, which may be known
    /// to the second only, or before the next turn. All changes that the service watches must have
    /// settled.
    fn had_no_time(&self, other: &Subject, changed_at: Timestamp) -> bool {
        let asked = self.history.asked_changes(self.at);
        let newest = asked
            .filter(|(_, thing)| other.watches(thing))
            .map(|(at, _)| at)
            .fold(changed_at, Timestamp::max);
        let settled = newest + self.history.choices.settle() + A_SECOND;
        let next_turn = self.at + self.history.choices.turns(1).max(A_SECOND);
        self.ran
            .is_some_and(|ran| ran.works_until() <= settled.max(next_turn))
    }

    /// True if a rollout stood at a hook when the change came, so that its tasks may be newer than
    /// the change, and the invocation listed the tasks.
    fn renews_tasks(&self, other: &Subject, past: &HistoryView, changed_at: Timestamp) -> bool {
        let stood = past.hooks.iter().any(|hook| {
            hook.began_at <= changed_at && hook.ended_at.is_none_or(|end| changed_at < end)
        });
        stood
            && self
                .calls_for(other)
                .any(|call| call.operation == "ListTasks" && call.result == CallResult::Ok)
    }

    /// True if the invocation planned a restart of a service: only a planned restart describes its
    /// service again, or calls for it. The restart came to nothing if the call failed, or if the
    /// new description decided otherwise.
    fn was_planned(&self, other: &Subject) -> bool {
        let is_described = |call: &&Call| call.operation == "DescribeServices";
        let has_failed = |call: &Call| {
            ["DescribeServices", "UpdateService"].contains(&call.operation.as_str())
                && call.result != CallResult::Ok
        };
        self.calls_for(other).any(has_failed)
            || self.calls_for(other).filter(is_described).count() > 1
    }

    /// The calls of the invocation that name a service.
    fn calls_for<'s>(&'s self, other: &'s Subject) -> impl Iterator<Item = &'s Call> {
        let ran = self.ran.into_iter();
        ran.flat_map(|ran| self.history.record().calls_of(ran, self.at))
            .filter(|call| call.target.split(',').any(|name| name == other.name))
    }
}
