//! Promise 4: a service is restarted as often within an hour as the budget allows. A restart that
//! raced may be one more, at most one a process; one whose history could not be read needs a failed
//! call of its own.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::owed::request;
use super::{Breach, Promise};
use crate::excuse::Kind;
use crate::history::History;
use crate::record::Restart;

pub(crate) struct Budget;

impl Promise for Budget {
    fn check(&self, history: &History) -> Vec<Breach> {
        let mut breaches = Vec::new();
        for subject in &history.subjects {
            let restarts = history.record().restarts(&subject.name);
            for (place, first) in restarts.iter().enumerate() {
                let hour = restarts[place..].iter().take_while(|restart| {
                    restart.at.duration_since(first.at) < SignedDuration::from_hours(1)
                });
                breaches.extend(too_many(history, hour.collect()));
            }
        }
        breaches
    }
}

/// The restarts of an hour beyond the budget. Those that could not count the others are excused
/// first.
fn too_many(history: &History, hour: Vec<&Restart>) -> Vec<Breach> {
    let mut raced = BTreeSet::new();
    let counted: Vec<_> = hour
        .into_iter()
        .filter(|restart| {
            let is_extra = restart.raced.is_some() && raced.insert(&restart.by);
            !is_extra && request(history, restart).is_none()
        })
        .collect();
    let beyond = counted
        .len()
        .saturating_sub(history.choices.restarts_per_hour());
    let (unread, read): (Vec<_>, Vec<_>) = counted
        .into_iter()
        .partition(|restart| restart.history_unread.is_some());
    unread
        .into_iter()
        .rev()
        .chain(read.into_iter().rev())
        .take(beyond)
        .map(|restart| {
            let what = format!(
                "4: {} was restarted at {}, beyond its budget",
                restart.service, restart.at
            );
            let call = restart.history_unread.clone();
            let excuse = call.map(|call| Kind::HistoryUnread.by(call));
            Breach::about(&restart.deployment, what, excuse)
        })
        .collect()
}
