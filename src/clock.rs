//! Time, handed down: tests stop it.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// The wall clock of one invocation. It is read once, at the start, since Lambda freezes the process
/// between invocations. Tokio's clock measures the time since then.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    wall: Timestamp,
    read: Instant,
}

/// The end of an invocation.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    /// The time at which work stops.
    pub until: Instant,
    /// The time by which deferred work must have been sent.
    pub send_by: Instant,
}

impl Deadline {
    /// The end of the first of `shares` equal parts of the time that is left: a call that hangs
    /// leaves time for the others.
    #[must_use]
    pub fn share(&self, shares: u32) -> Instant {
        let now = Instant::now();
        now + self.until.saturating_duration_since(now) / shares
    }

    /// True once work must stop.
    #[must_use]
    pub fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }
}

impl Clock {
    /// A clock whose time is `wall` now.
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

    /// The instant of tokio's clock at which the time of day is `at`; the start of the invocation,
    /// if that was before it.
    #[must_use]
    pub fn instant(&self, at: Timestamp) -> Instant {
        self.read + Duration::try_from(at.duration_since(self.wall)).unwrap_or_default()
    }

    /// The time of day at an instant of tokio's clock; that of the start of the invocation, if the
    /// instant was before it.
    #[must_use]
    pub fn time_of(&self, instant: Instant) -> Timestamp {
        let since = instant.saturating_duration_since(self.read);
        self.wall.saturating_add(since).unwrap_or(self.wall)
    }

    /// The time since the invocation began.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.read.elapsed()
    }
}
