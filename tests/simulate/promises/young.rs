//! Promise 4: a rolling deployment is superseded only for a change that is ten minutes old.

use jiff::{SignedDuration, Timestamp};
use sim::HistoryView;

use super::owed::request;
use super::{Breach, Promise};
use crate::excuse::{Excuse, Kind};
use crate::history::History;
use crate::record::Restart;
use crate::subject::Subject;

const PATIENCE: SignedDuration = SignedDuration::from_mins(10);

/// A description is believed for a few seconds.
const BELIEVED: SignedDuration = SignedDuration::from_secs(20);

pub(crate) struct Young;

impl Promise for Young {
    fn check(&self, history: &History) -> Vec<Breach> {
        let mut breaches = Vec::new();
        for subject in &history.subjects {
            let past = history.record().past(&subject.name);
            for restart in history.record().restarts(&subject.name) {
                if past
                    .iter()
                    .any(|past| is_early(history, subject, restart, past))
                {
                    let what = format!(
                        "4: {} was restarted at {} in the middle of a young deployment",
                        subject.name, restart.at
                    );
                    breaches.push(Breach::about(
                        &restart.deployment,
                        what,
                        excuse(history, restart),
                    ));
                }
            }
        }
        breaches
    }
}

/// True if a restart superseded a deployment, and no change was old enough for that.
fn is_early(history: &History, subject: &Subject, restart: &Restart, past: &HistoryView) -> bool {
    let runs = past.created_at + BELIEVED < restart.at
        && past.finished_at.is_none_or(|end| restart.at <= end);
    let is_reason = |at: Timestamp| {
        past.created_at <= at + SignedDuration::from_secs(1) && at + PATIENCE <= restart.at
    };
    runs && past.rolled_back_at.is_none()
        && !history.changes_until(subject, restart.at).any(is_reason)
}

fn excuse(history: &History, restart: &Restart) -> Option<Excuse> {
    let raced = restart.raced.clone().map(|proof| Kind::Raced.by(proof));
    let unread = || {
        let proof = restart.history_unread.clone()?;
        Some(Kind::HistoryUnread.by(proof))
    };
    let requested = || {
        let at = request(history, restart)?;
        Some(Kind::Requested.by(format!("the request of {at} for {}", restart.service)))
    };
    raced.or_else(requested).or_else(unread)
}
