//! Promise 4: a restart that no person requested comes `min-interval` after the deployment before
//! it.

use jiff::SignedDuration;

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
        Some(Kind::Requested.by(format!("the request of {at} for {}", restart.service)))
    };
    raced.or_else(requested).or_else(unread)
}
