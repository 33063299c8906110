//! Promise 4: a restart that no person requested comes `min-interval` after the deployment before
//! it.

use jiff::{SignedDuration, Timestamp};
use sim::HistoryView;

use super::owed::request;
use super::{Breach, Promise};
use crate::excuse::{Excuse, Kind};
use crate::history::History;
use crate::record::Restart;
use crate::subject::Subject;

pub(crate) struct Interval;

impl Promise for Interval {
    fn check(&self, history: &History) -> Vec<Breach> {
        let mut breaches = Vec::new();
        for subject in &history.subjects {
            for restart in history.record().restarts(&subject.name) {
                if is_too_soon(history, subject, restart, false) {
                    let what = format!(
                        "4: {} was restarted at {}, within {:#}",
                        subject.name, restart.at, subject.min_interval
                    );
                    breaches.push(Breach::about(
                        &restart.deployment,
                        what,
                        excuse(history, subject, restart),
                    ));
                }
            }
        }
        breaches
    }
}

/// The interval counts from the newest deployment, whoever made it, that was not rolled back. If
/// the history could not be read, it counts from the newest one in the description.
fn is_too_soon(history: &History, subject: &Subject, restart: &Restart, is_unread: bool) -> bool {
    let newest = history
        .record()
        .past(&subject.name)
        .iter()
        .filter(|past| past.created_at < restart.at && past.deployment != restart.deployment)
        .filter(|past| !past.status.starts_with("ROLLBACK"))
        .filter(|past| !is_unread || past.status != "STOPPED")
        .map(|past| past.created_at)
        .max();
    newest.is_some_and(|newest| {
        restart.at.duration_since(newest) + SignedDuration::from_secs(1) < subject.min_interval
    })
}

fn excuse(history: &History, subject: &Subject, restart: &Restart) -> Option<Excuse> {
    let raced = restart.raced.clone().map(|proof| Kind::Raced.by(proof));
    let unread = || {
        let proof = restart.history_unread.clone()?;
        (!is_too_soon(history, subject, restart, true)).then(|| Kind::HistoryUnread.by(proof))
    };
    let requested = || {
        let at = request(history, restart)?;
        let request = format!("the request of {at} for {}", restart.service);
        let lost = lost_since(history, restart, at);
        Some(Kind::Requested.by(match lost {
            Some(lost) => format!("{request}, whose restart {} was lost", lost.deployment),
            None => request,
        }))
    };
    raced.or_else(requested).or_else(unread)
}

/// The last restart after a request that a failed deployment superseded: the request is still to be
/// met, so it explains one more restart.
fn lost_since<'h>(
    history: &'h History,
    restart: &Restart,
    requested: Timestamp,
) -> Option<&'h HistoryView> {
    let record = history.record();
    let past = record.past(&restart.service);
    let failed_at = |end: Timestamp| {
        let mut next = past.iter().filter(|next| next.created_at == end);
        next.any(|next| next.status.starts_with("ROLLBACK"))
    };
    past.iter()
        .filter(|past| requested <= past.created_at && past.created_at < restart.at)
        .filter(|past| past.status == "STOPPED" && record.is_ours(&restart.service, past))
        .filter(|past| past.finished_at.is_some_and(failed_at))
        .max_by_key(|past| past.created_at)
}
