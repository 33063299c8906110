//! Time, handed down: tests stop it.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// The wall clock of one invocation: read once, at its start, since Lambda freezes the process
/// between invocations; tokio's clock tells what has passed since.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    wall: Timestamp,
    read: Instant,
}

impl Clock {
    /// A clock that tells `wall` now.
    #[must_use]
    pub fn starting_at(wall: Timestamp) -> Self {
        Self {
            wall,
            read: Instant::now(),
        }
    }

    /// The time of day.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.wall
            .saturating_add(self.elapsed())
            .unwrap_or(self.wall)
    }

    /// The moment of tokio's clock at which the time of day is `at`; now, where that has passed.
    #[must_use]
    pub fn instant(&self, at: Timestamp) -> Instant {
        self.read + Duration::try_from(at.duration_since(self.wall)).unwrap_or_default()
    }

    /// What has passed since the invocation began.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.read.elapsed()
    }
}
