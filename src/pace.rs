//! The pace of calls: a burst, then a steady rate, below the bucket that the account has for them.
//!
//! Such buckets belong to the account and Region, not to a process ("Request throttling for the
//! Amazon ECS API", Amazon ECS API Reference). So a limit is for the whole function, and each of
//! its processes keeps to its share.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// A limit of the whole function, however many processes Lambda runs of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit {
    /// Calls at once.
    pub burst: u32,
    /// Calls a second after that.
    pub rate: f64,
}

impl Limit {
    /// The pace of one process of a function that runs at most `concurrency` processes at once. The
    /// burst is rounded down, and is at least one. If the function has more processes than the
    /// burst has calls, the rate alone keeps the limit.
    #[must_use]
    pub fn share(self, concurrency: u32) -> Pace {
        let processes = concurrency.max(1);
        Pace::new(
            (self.burst / processes).max(1),
            self.rate / f64::from(processes),
        )
    }
}

/// Hands out turns: `burst` at once, then one each `interval`. It lives as long as the process, so
/// that two invocations in a row do not both burst.
#[derive(Debug)]
pub struct Pace {
    interval: Duration,
    /// The time by which a turn may be ahead of the steady rate.
    ahead: Duration,
    /// The time of the next turn at the steady rate.
    due: Mutex<Instant>,
}

impl Pace {
    /// `burst` turns at once, then `rate` a second.
    fn new(burst: u32, rate: f64) -> Self {
        let interval = Duration::try_from_secs_f64(1.0 / rate).unwrap_or(Duration::MAX);
        Self {
            interval,
            ahead: interval.saturating_mul(burst.saturating_sub(1)),
            due: Mutex::new(Instant::now()),
        }
    }

    /// Waits for a turn. Answers `false` at once if none comes before `until`.
    pub async fn admit(&self, until: Instant) -> bool {
        let Some(turn) = self.take_turn(until) else {
            return false;
        };
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

    /// Ends the burst, after a throttle: the account's bucket is empty.
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
        assert!(
            starts(&pace, 5).await.abs_diff(Duration::from_secs(2)) < Duration::from_millis(10)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn two_processes_share_a_limit() {
        let limit = Limit {
            burst: 41,
            rate: 5.0,
        };
        let (one, other) = (limit.share(2), limit.share(2));

        assert!(starts(&one, 20).await < Duration::from_millis(5));
        assert!(starts(&other, 20).await < Duration::from_millis(5));
        assert!(starts(&one, 5).await.abs_diff(Duration::from_secs(2)) < Duration::from_millis(10));
    }

    #[tokio::test(start_paused = true)]
    async fn more_processes_than_a_burst_has_calls_get_one_each() {
        let pace = Limit {
            burst: 2,
            rate: 10.0,
        }
        .share(10);

        assert!(starts(&pace, 1).await < Duration::from_millis(5));
        assert!(
            starts(&pace, 2).await.abs_diff(Duration::from_secs(2)) < Duration::from_millis(10)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_throttle_ends_the_burst() {
        let pace = Pace::new(25, 2.5);

        pace.throttled();

        assert!(
            starts(&pace, 5).await.abs_diff(Duration::from_secs(2)) < Duration::from_millis(10)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_start_that_would_come_too_late_is_refused_at_once_and_takes_no_turn() {
        let pace = Pace::new(1, 0.5);
        let began = Instant::now();
        assert!(pace.admit(began).await);

        assert!(!pace.admit(began + Duration::from_secs(1)).await);
        assert_eq!(began.elapsed(), Duration::ZERO);
        assert!(pace.admit(began + Duration::from_millis(2100)).await);
    }

    #[tokio::test(start_paused = true)]
    async fn an_unused_pace_has_its_burst_again() {
        let pace = Pace::new(5, 1.0);
        starts(&pace, 5).await;

        tokio::time::sleep(Duration::from_mins(1)).await;

        assert!(starts(&pace, 5).await < Duration::from_millis(5));
    }
}
