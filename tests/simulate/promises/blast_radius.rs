//! Promise 4: a change that reaches more services than `RELOADER_MAX_SERVICES`, or than the person
//! who reports it allows, restarts none.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use sim::{CallResult, HistoryView};

use super::owed::{newest_cover, request};
use super::{Breach, Promise};
use crate::excuse::Kind;
use crate::history::History;
use crate::record::Restart;
use crate::subject::Subject;

pub(crate) struct BlastRadius;

impl Promise for BlastRadius {
    fn check(&self, history: &History) -> Vec<Breach> {
        let asked = history.claims.iter().filter_map(|claim| claim.max_services);
        let fewest = asked.chain([history.choices.max_services()]).min();
        if fewest >= Some(history.subjects.len()) {
            return Vec::new();
        }
        let mut breaches = Vec::new();
        for subject in &history.subjects {
            for restart in history.record().restarts(&subject.name) {
                if is_allowed(history, subject, restart, &BTreeSet::new()) {
                    continue;
                }
                let what = format!(
                    "4: {} was restarted at {} for a change that reaches too many",
                    subject.name, restart.at
                );
                let uncounted = uncounted(history, restart);
                let excuse = is_allowed(history, subject, restart, &uncounted).then(|| {
                    let proof = format!("no DescribeTaskDefinition of {uncounted:?} by then");
                    Kind::Uncounted.by(proof)
                });
                breaches.push(Breach::about(&restart.deployment, what, excuse));
            }
        }
        breaches
    }
}

/// The services that say `auto`, do not roll, and whose task definitions the process had not read
/// before a restart: they do not count where a change returns for others.
fn uncounted<'a>(history: &'a History, restart: &Restart) -> BTreeSet<&'a str> {
    let record = history.record();
    let is_read = |subject: &Subject| {
        let (_, name) = subject.name.split_once('/').unwrap();
        let family = format!("task-definition/{name}:");
        record.calls.iter().any(|call| {
            call.operation == "DescribeTaskDefinition"
                && call.principal == restart.by
                && call.result == CallResult::Ok
                && call.time <= restart.at
                && call.target.contains(&family)
        })
    };
    let rolls = |subject: &Subject| {
        let mut past = record.past(&subject.name).iter();
        past.any(|past| {
            past.created_at <= restart.at && past.finished_at.is_none_or(|end| restart.at <= end)
        })
    };
    let automatic = history
        .subjects
        .iter()
        .filter(|subject| subject.terms.contains(&"auto"));
    automatic
        .filter(|subject| !rolls(subject) && !is_read(subject))
        .map(|subject| subject.name.as_str())
        .collect()
}

/// True if a restart is for a request, or for a change that reaches few enough services, some of
/// which do not count.
fn is_allowed(
    history: &History,
    subject: &Subject,
    restart: &Restart,
    uncounted: &BTreeSet<&str>,
) -> bool {
    let covered = newest_cover(history, restart, restart.history_unread.is_some());
    let is_newer = |at: Timestamp| {
        restart.raced.is_some()
            || covered.is_none_or(|covered| covered <= at + SignedDuration::from_secs(1))
    };
    request(history, restart).is_some()
        || restart.raced.is_some()
        || subject.writes()
        || history.asked_changes(restart.at).any(|(at, thing)| {
            let is_decoded = subject.watches_decoded(thing);
            is_newer(at)
                && (is_decoded
                    || (subject.reads(thing)
                        && is_few_enough(history, thing, at, restart, uncounted)))
        })
}

/// True if a change may restart all services that it still reaches, some of which do not count.
pub(super) fn is_few_enough(
    history: &History,
    thing: &str,
    at: Timestamp,
    restart: &Restart,
    uncounted: &BTreeSet<&str>,
) -> bool {
    stale(history, thing, at, restart, uncounted) < limit(history, thing, at, restart.at)
}

/// The most services that a change of this instant may restart. A person may lower the limit for
/// one change. A raised limit counts for every change of the same key, because they may be decided
/// together.
fn limit(history: &History, thing: &str, at: Timestamp, by: Timestamp) -> usize {
    let most = history.choices.max_services();
    let claims = history.claims.iter();
    let claims = claims.filter(|claim| claim.thing == thing && claim.requested_at <= by);
    let own = claims.clone().find(|claim| claim.at == at);
    let asked = own.and_then(|claim| claim.max_services);
    let raised = claims.filter_map(|claim| claim.max_services);
    asked
        .filter(|asked| *asked < most)
        .or_else(|| raised.chain([most]).max())
        .unwrap_or(most)
}

/// The number of other services that a change still reached after a restart.
fn stale(
    history: &History,
    thing: &str,
    written: Timestamp,
    restart: &Restart,
    uncounted: &BTreeSet<&str>,
) -> usize {
    let others = history.subjects.iter().filter(|other| {
        other.name != restart.service
            && !(uncounted.contains(other.name.as_str()) && other.reads_by_auto_alone(thing))
            && other.mode.is_none()
            && !other.was_scaled
            && !other.late
            && other.watches(thing)
            && other.has_always_watched(thing)
    });
    others
        .filter(|other| {
            let past = history.record().past(&other.name);
            // The tasks of a hooked deployment, of a rollback, or of a deployment whose first tasks
            // failed, may start after the change.
            let may_start_later = |past: &HistoryView| {
                let is_slow = !other.hooks.is_empty() || !past.failures.is_empty();
                (is_slow || past.rolled_back_at.is_some())
                    && past.finished_at.is_none_or(|end| end >= written)
            };
            let since = |past: &HistoryView| {
                (past.created_at >= written || may_start_later(past))
                    && past.created_at <= restart.at
            };
            !past.iter().any(since)
        })
        .count()
}
