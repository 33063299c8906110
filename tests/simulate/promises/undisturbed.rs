//! Promise 4: no restart ends a rollback, a deployment that shifts traffic, one with lifecycle
//! hooks, or one that bakes.

use jiff::{SignedDuration, Timestamp};
use sim::HistoryView;

use super::{Breach, Promise};
use crate::history::History;

/// A description is believed for five seconds; its turn and the call take a few more.
const BELIEVED: SignedDuration = SignedDuration::from_secs(10);

pub(crate) struct Undisturbed;

impl Promise for Undisturbed {
    fn check(&self, history: &History) -> Vec<Breach> {
        let record = history.record();
        let mut breaches = Vec::new();
        for subject in &history.subjects {
            let is_waited_for = subject.shifts() || !subject.hooks.is_empty();
            let since = |past: &HistoryView| {
                is_waited_for
                    .then_some(past.created_at)
                    .or(past.baking_since)
                    .or(past.rolled_back_at)
            };
            let disturbs = |at: Timestamp, past: &HistoryView| {
                let ends = past.finished_at.unwrap_or(Timestamp::MAX);
                since(past).is_some_and(|since| since + BELIEVED < at && at <= ends)
            };
            let past = record.past(&subject.name);
            for restart in record.restarts(&subject.name) {
                if past.iter().any(|past| disturbs(restart.at, past)) {
                    let what = format!(
                        "4: {} was restarted at {} in the middle of a deployment that is waited for",
                        subject.name, restart.at
                    );
                    breaches.push(Breach::about(&restart.deployment, what, None));
                }
            }
        }
        breaches
    }
}
