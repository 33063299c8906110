//! Simulated time, the agenda of jobs, and the one source of chance.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::job::Job;

/// The present time of the world, and the jobs that are due later, in order.
pub(crate) struct Clockwork {
    /// The present time of the world.
    pub(crate) now: Timestamp,
    /// Seeded: the same seed and the same calls make the same history.
    pub(crate) random: fastrand::Rng,
    agenda: BTreeMap<(Timestamp, u64), Job>,
    scheduled: u64,
}

impl Clockwork {
    pub(crate) fn new(epoch: Timestamp, seed: u64) -> Self {
        Self {
            now: epoch,
            random: fastrand::Rng::with_seed(seed),
            agenda: BTreeMap::new(),
            scheduled: 0,
        }
    }

    pub(crate) fn after(&mut self, delay: Duration, job: Job) {
        self.at(self.now + delay, job);
    }

    /// Jobs of the same instant happen in the order in which they were scheduled.
    pub(crate) fn at(&mut self, when: Timestamp, job: Job) {
        self.scheduled += 1;
        self.agenda.insert((when, self.scheduled), job);
    }

    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.agenda.first_key_value().map(|((when, _), _)| *when)
    }

    /// The next job due by `limit`; `now` becomes its time.
    pub(crate) fn pop_due(&mut self, limit: Timestamp) -> Option<Job> {
        let entry = self.agenda.first_entry()?;
        let (when, _) = *entry.key();
        if when > limit {
            return None;
        }
        self.now = self.now.max(when);
        Some(entry.remove())
    }

    /// `length` lowercase hexadecimal digits: the shape of task ids, request ids and `ETags`.
    pub(crate) fn hex(&mut self, length: usize) -> String {
        self.text(length, b"0123456789abcdef")
    }

    /// A number of 19 digits: the shape of service revision ids, which deployments share.
    pub(crate) fn revision_id(&mut self) -> String {
        self.random
            .u64(1_000_000_000_000_000_000..10_000_000_000_000_000_000)
            .to_string()
    }

    /// Letters and digits: the shape of service deployment ids, page tokens, S3 version ids and
    /// receipt handles.
    pub(crate) fn token(&mut self, length: usize) -> String {
        self.text(
            length,
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
        )
    }

    /// A version 4 UUID.
    pub(crate) fn uuid(&mut self) -> String {
        let variant = self.text(1, b"89ab");
        format!(
            "{}-{}-4{}-{variant}{}-{}",
            self.hex(8),
            self.hex(4),
            self.hex(3),
            self.hex(3),
            self.hex(12)
        )
    }

    /// An instant within `span`, never in its first or its last tenth.
    pub(crate) fn within(&mut self, span: Duration) -> Duration {
        span.mul_f64(0.1 + 0.8 * self.random.f64())
    }

    /// True, with this probability.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.random.f64() < probability
    }

    fn text(&mut self, length: usize, alphabet: &[u8]) -> String {
        (0..length)
            .filter_map(|_| self.random.choice(alphabet))
            .map(|byte| char::from(*byte))
            .collect()
    }
}
