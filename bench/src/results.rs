//! Everything that one run measured.

use std::time::Duration;

use crate::cold::Cold;
use crate::race::{Others, Race};
use crate::warm::Warm;

/// One run.
#[derive(Debug, Default)]
pub(crate) struct Results {
    /// The command of the run.
    pub(crate) command: &'static str,
    /// Each line of the head: the machine, the versions, the date.
    pub(crate) head: Vec<String>,
    /// What is missing, and why.
    pub(crate) missing: Vec<String>,
    /// Names and packages of the contestants, in the order of the tables; ours is the first.
    pub(crate) contestants: Vec<Entry>,
    /// Cold starts with 145 native roots, and with Amazon's, of each contestant.
    pub(crate) native: Vec<Colds>,
    pub(crate) amazon: Vec<Colds>,
    /// Cold starts that restart many services, by their number.
    pub(crate) bursts: Vec<(usize, Vec<Colds>)>,
    /// Warm events, by the number of services.
    pub(crate) warm: Vec<(usize, Vec<Warm>)>,
    /// The peak of memory with 10,000 services that watch, of each contestant.
    pub(crate) crowded: Vec<u64>,
    /// The peak of memory of storms, of ours.
    pub(crate) storms: Vec<(&'static str, u64)>,
    /// Races against the buckets.
    pub(crate) races: Vec<RaceOf>,
}

/// A contestant in the tables.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: String,
    /// Its calls for one event.
    pub(crate) calls: &'static str,
    /// Its package when it is zipped, in bytes.
    pub(crate) package: u64,
}

/// Several cold starts of a contestant.
#[derive(Debug, Default)]
pub(crate) struct Colds {
    /// Without valgrind.
    pub(crate) plain: Vec<Cold>,
    /// As callgrind counted, if it did.
    pub(crate) instructions: Option<u64>,
}

impl Colds {
    /// The median of the CPU times.
    pub(crate) fn cpu(&self) -> Duration {
        median(self.plain.iter().map(|cold| cold.usage.cpu))
    }

    /// The median of the page faults.
    pub(crate) fn faults(&self) -> u64 {
        median(self.plain.iter().map(|cold| cold.usage.faults))
    }

    /// The median of the peaks of memory.
    pub(crate) fn peak(&self) -> u64 {
        median(self.plain.iter().map(|cold| cold.usage.peak))
    }

    /// API calls, and connections.
    pub(crate) fn calls(&self) -> (usize, usize) {
        let last = self.plain.last();
        last.map_or((0, 0), |cold| (cold.calls, cold.connections))
    }
}

/// The median, or the lower one of two.
fn median<T: Copy + Default + Ord>(values: impl Iterator<Item = T>) -> T {
    let mut values: Vec<_> = values.collect();
    values.sort_unstable();
    let middle = values.len().saturating_sub(1) / 2;
    values.get(middle).copied().unwrap_or_default()
}

/// A race of a contestant.
#[derive(Debug)]
pub(crate) struct RaceOf {
    pub(crate) contestant: String,
    pub(crate) others: Others,
    pub(crate) race: Race,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_ignores_an_outlier() {
        assert_eq!(median([3, 100, 1].into_iter()), 3);
        assert_eq!(median([1, 2].into_iter()), 1);
        assert_eq!(median(std::iter::empty::<u64>()), 0);
    }
}
