//! Promise 5: every message ended, and none but a malformed one as a dead letter.

use super::{Breach, Promise};
use crate::configuration::MALFORMED;
use crate::history::{History, QUEUE};

pub(crate) struct Queue;

impl Promise for Queue {
    fn check(&self, history: &History) -> Vec<Breach> {
        let dead = history.account.messages(&format!("{QUEUE}-dead-letters"));
        let left = history.account.messages(QUEUE);
        let storm = history
            .stormy
            .then(|| "4: a storm of calls that does not end".to_owned());
        let malformed = |body: &&String| !MALFORMED.contains(&body.as_str());
        dead.iter()
            .filter(malformed)
            .map(|body| format!("5: a dead letter: {body}"))
            .chain(
                left.iter()
                    .map(|body| format!("5: left in the queue: {body}")),
            )
            .chain(storm)
            .map(Breach::of)
            .collect()
    }
}
