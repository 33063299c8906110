//! The result of one history.

use crate::coverage::Coverage;
use crate::excuse::{Kind, Ledger};
use crate::history::History;
use crate::promises::{self, Breach};
use crate::timeline;

pub(crate) struct Verdict {
    /// Promises that were broken, in words.
    pub(crate) broken: Vec<String>,
    /// The excuses that were needed.
    pub(crate) excused: Vec<Kind>,
    /// Every breach, in words, with the excused ones.
    pub(crate) breaches: Vec<String>,
    pub(crate) timeline: String,
    pub(crate) coverage: Coverage,
}

/// Runs the history of a seed, and checks the promises.
pub(crate) fn of(seed: u64) -> Verdict {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let history = History::run(seed).await;
        let breaches: Vec<Breach> = promises::ALL
            .iter()
            .flat_map(|promise| promise.check(&history))
            .collect();
        let mut ledger = Ledger::default();
        Verdict {
            breaches: breaches.iter().map(ToString::to_string).collect(),
            broken: breaches
                .into_iter()
                .filter_map(|breach| ledger.settle(breach))
                .map(|breach| breach.to_string())
                .collect(),
            excused: ledger.kinds().collect(),
            timeline: timeline::of(&history),
            coverage: Coverage::of(&history),
        }
    })
}

/// Prints the timeline of a seed and its breaches; true if the promises held.
pub(crate) fn print(seed: u64) -> bool {
    let verdict = of(seed);
    println!("{}", verdict.timeline);
    for breach in &verdict.breaches {
        println!("seed {seed}: {breach}");
    }
    for broken in &verdict.broken {
        println!("seed {seed} broke: {broken}");
    }
    verdict.broken.is_empty()
}
