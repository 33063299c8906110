//! How fast calls are made: a burst, then a steady rate, below the bucket that the account has for them.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Hands out turns: `burst` at once, then one each `interval`. It lives as long as the process, so that two invocations in a row do not
/// both burst.
#[derive(Debug)]
pub struct Pace {
    interval: Duration,
    /// How far ahead of the steady rate a turn may be.
    ahead: Duration,
    /// When the next turn would be due at the steady rate.
    due: Mutex<Instant>,
}

impl Pace {
    /// `burst` turns at once, then `rate` a second.
    #[must_use]
    pub fn new(burst: u32, rate: f64) -> Self {
        let interval = Duration::try_from_secs_f64(1.0 / rate).unwrap_or(Duration::MAX);
        Self { interval, ahead: interval.saturating_mul(burst.saturating_sub(1)), due: Mutex::new(Instant::now()) }
    }

    /// Waits for a turn; `false`, at once, where none will come before `until`.
    pub async fn admit(&self, until: Instant) -> bool {
        let Some(turn) = self.take_turn(until) else { return false };
        sleep_until(turn).await;
        true
    }

    fn take_turn(&self, until: Instant) -> Option<Instant> {
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let at = (*due).max(now);
        let turn = at.checked_sub(self.ahead).map_or(now, |turn| turn.max(now));
        if turn > until {
            return None;
        }
        *due = at + self.interval;
        Some(turn)
    }

    /// The account's bucket is empty, whoever emptied it: from now on only the steady rate.
    pub fn throttled(&self) {
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        *due = (*due).max(Instant::now() + self.ahead + self.interval);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn starts(pace: &Pace, number: u32) -> Duration {
        let began = Instant::now();
        for _ in 0..number {
            assert!(pace.admit(began + Duration::from_hours(1)).await);
        }
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_starts_at_once_and_the_rest_at_the_steady_rate() {
        let pace = Pace::new(25, 2.5);

        assert!(starts(&pace, 25).await < Duration::from_millis(5));
        assert!(starts(&pace, 5).await.abs_diff(Duration::from_secs(2)) < Duration::from_millis(10));
    }

    #[tokio::test(start_paused = true)]
    async fn a_throttle_ends_the_burst() {
        let pace = Pace::new(25, 2.5);

        pace.throttled();

        assert!(starts(&pace, 5).await.abs_diff(Duration::from_secs(2)) < Duration::from_millis(10));
    }

    #[tokio::test(start_paused = true)]
    async fn a_start_that_would_come_too_late_is_told_at_once_and_takes_no_turn() {
        let pace = Pace::new(1, 0.5);
        let began = Instant::now();
        assert!(pace.admit(began).await);

        assert!(!pace.admit(began + Duration::from_secs(1)).await);
        assert_eq!(began.elapsed(), Duration::ZERO);
        assert!(pace.admit(began + Duration::from_millis(2100)).await);
    }

    #[tokio::test(start_paused = true)]
    async fn an_unused_pace_gathers_its_burst_again() {
        let pace = Pace::new(5, 1.0);
        starts(&pace, 5).await;

        tokio::time::sleep(Duration::from_mins(1)).await;

        assert!(starts(&pace, 5).await < Duration::from_millis(5));
    }
}
