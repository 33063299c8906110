//! Promise 5: every message ended. Malformed ones became dead letters, where a person sees them; no
//! others did.

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
        let mut missing = history.malformed.clone();
        for body in &dead {
            if let Some(place) = missing.iter().position(|sent| sent == body) {
                missing.swap_remove(place);
            }
        }
        let malformed = |body: &&String| !MALFORMED.contains(&body.as_str());
        dead.iter()
            .filter(malformed)
            .map(|body| format!("5: a dead letter: {body}"))
            .chain(
                left.iter()
                    .map(|body| format!("5: left in the queue: {body}")),
            )
            .chain(storm)
            .chain(
                missing
                    .iter()
                    .map(|body| format!("5: no dead letter: {body}")),
            )
            .map(Breach::of)
            .collect()
    }
}
