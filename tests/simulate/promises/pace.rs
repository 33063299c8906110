//! Promise 4: all processes together call for restarts at the pace of the settings.
//!
//! Each process that called has its part of the burst: those of the queue, one of direct
//! invocations, and those that replaced lost ones. The processes that run at once share the rate.

use std::collections::BTreeSet;

use super::{Breach, Promise};
use crate::history::History;

pub(crate) struct Pace;

impl Promise for Pace {
    fn check(&self, history: &History) -> Vec<Breach> {
        let (concurrency, part) = (history.choices.concurrency(), history.choices.part());
        let asked: Vec<_> = history.record().calls_for_restarts().take(2000).collect();
        for (place, first) in asked.iter().enumerate() {
            let mut processes = BTreeSet::new();
            for (number, last) in (1_u32..).zip(&asked[place..]) {
                processes.insert(&last.principal);
                let parts = u32::try_from(processes.len()).unwrap();
                let seconds = last.time.duration_since(first.time).as_secs_f64();
                // A turn is taken within a second of its time, and a call takes up to half of one.
                let steady = f64::from(parts.min(concurrency + 1)) * part.rate * (seconds + 1.5);
                if f64::from(number) > steady + f64::from(parts * part.burst) {
                    return vec![Breach::of(format!(
                        "4: {parts} processes asked for {number} restarts in the {seconds:.1} s \
                         from {}",
                        first.time
                    ))];
                }
            }
        }
        Vec::new()
    }
}
