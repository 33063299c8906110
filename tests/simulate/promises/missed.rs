//! Promise 1, if every event arrives: no sweep is needed.

use super::{Breach, Promise};
use crate::history::History;
use crate::stale;

pub(crate) struct Missed;

impl Promise for Missed {
    fn check(&self, history: &History) -> Vec<Breach> {
        if !history.choices.lossless() {
            return Vec::new();
        }
        let stale = history.stale_by_then.iter().filter(|task| {
            let since = history.last_write(&task.thing, history.delivered_at);
            let subject = history.subject(&task.service);
            // Events do not help with a key that was written before the service watched it, or
            // while it was ignored.
            let is_watched = subject.is_some_and(|subject| {
                subject.has_always_watched(&task.thing) || since >= Some(subject.widened_at)
            });
            let is_ignored = since
                .is_some_and(|since| history.was_ignored(&task.thing, since, history.delivered_at));
            is_watched && !is_ignored && stale::is_owed(history, task)
        });
        stale
            .map(|task| {
                Breach::about(
                    &format!("what is owed to {}", task.service),
                    format!("1: missed without a sweep: {task:?}"),
                    stale::excuse(history, task, history.delivered_at),
                )
            })
            .collect()
    }
}
