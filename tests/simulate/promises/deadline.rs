//! Promise 5: an invocation answers before its deadline, even if calls hang.

use super::{Breach, Promise};
use crate::function::End;
use crate::history::History;

pub(crate) struct Deadline;

impl Promise for Deadline {
    fn check(&self, history: &History) -> Vec<Breach> {
        let late = history.record().ran.iter().filter(|ran| {
            ran.end == End::TimedOut || (ran.end == End::Answered && ran.until > ran.deadline)
        });
        late.map(|ran| {
            Breach::of(format!(
                "5: the invocation of {} by {} did not answer by {}",
                ran.from, ran.process, ran.deadline
            ))
        })
        .collect()
    }
}
