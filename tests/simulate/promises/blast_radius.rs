//! Promise 4: a change that reaches more services than `RELOADER_MAX_SERVICES` restarts none, if
//! no person allowed more.

use jiff::{SignedDuration, Timestamp};
use sim::HistoryView;

use super::owed::{newest_cover, request};
use super::{Breach, Promise};
use crate::history::History;
use crate::record::Restart;
use crate::subject::Subject;

pub(crate) struct BlastRadius;

impl Promise for BlastRadius {
    fn check(&self, history: &History) -> Vec<Breach> {
        if history.choices.max_services() >= history.subjects.len() {
            return Vec::new();
        }
        let mut breaches = Vec::new();
        for subject in &history.subjects {
            for restart in history.record().restarts(&subject.name) {
                if !is_allowed(history, subject, restart) {
                    let what = format!(
                        "4: {} was restarted at {} for a change that reaches too many",
                        subject.name, restart.at
                    );
                    breaches.push(Breach::about(&restart.deployment, what, None));
                }
            }
        }
        breaches
    }
}

/// True if a request, or a change that reaches few enough, asked for a restart.
fn is_allowed(history: &History, subject: &Subject, restart: &Restart) -> bool {
    let covered = newest_cover(history, restart, restart.history_unread.is_some());
    let allowed = |thing: &str, at: Timestamp| {
        let raised = history
            .claims
            .iter()
            .filter(|claim| claim.thing == thing && claim.requested_at <= restart.at)
            .filter_map(|claim| claim.max_services);
        raised
            .chain([history.choices.max_services()])
            .any(|most| stale(history, thing, at, restart) < most)
    };
    let is_newer = |at: Timestamp| {
        restart.raced.is_some()
            || covered.is_none_or(|covered| covered <= at + SignedDuration::from_secs(1))
    };
    request(history, restart).is_some()
        || restart.raced.is_some()
        || subject.writes()
        || history.asked_changes(restart.at).any(|(at, thing)| {
            let is_decoded = subject.watches_decoded(thing);
            is_newer(at) && (is_decoded || (subject.reads(thing) && allowed(thing, at)))
        })
}

/// How many other services a change still reached after a restart.
fn stale(history: &History, thing: &str, written: Timestamp, restart: &Restart) -> usize {
    let others = history.subjects.iter().filter(|other| {
        other.name != restart.service
            && other.mode.is_none()
            && !other.was_scaled
            && !other.late
            && other.watches(thing)
            && other.has_always_watched(thing)
    });
    others
        .filter(|other| {
            let past = history.record().past(&other.name);
            // A hook may let the first task of an older deployment start after the change.
            let may_start_later = |past: &HistoryView| {
                !other.hooks.is_empty() && past.finished_at.is_none_or(|end| end >= written)
            };
            let since = |past: &HistoryView| {
                (past.created_at >= written || may_start_later(past))
                    && past.created_at <= restart.at
            };
            !past.iter().any(since)
        })
        .count()
}
