//! The times at which deferred work returns.

use jiff::{SignedDuration, Timestamp};

use super::reason::Reason;
use super::rollout::Rollout;

/// The pause before the next attempt at work without a known end. It doubles with each attempt.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(30);

/// The longest time between two attempts.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_mins(5);

/// A rollout is described after each of [`FIRST_PAUSE`] for this long after its start, and then
/// after each of [`LONGEST_PAUSE`].
const FOLLOWED_CLOSELY: SignedDuration = SignedDuration::from_mins(10);

/// Work with a known end returns on the next multiple of this.
const STEP: SignedDuration = SignedDuration::from_secs(10);

/// The services are listed a second time after this: one that was tagged a moment before the change
/// may be missing from the tag index.
const TAG_LAG: SignedDuration = SignedDuration::from_mins(5);

/// The longest delay of a message. "Amazon SQS message timers", Amazon SQS Developer Guide.
const LONGEST_DELAY: SignedDuration = SignedDuration::from_mins(15);

/// The attempts at one service so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attempt {
    /// The reason that was reported last.
    pub last_reason: Option<Reason>,
    /// The time that it has waited for something without a known end. It is the sum of the pauses:
    /// time in a queue that was stopped does not count.
    pub waited: SignedDuration,
    /// The number of attempts in a row.
    pub count: u32,
    /// The rollouts that are followed, the newest last: one at most, unless a newer one began before
    /// the end of the other was seen.
    pub rollouts: Vec<Rollout>,
    /// True if a restart is owed. False if only the ends of rollouts are awaited.
    pub owes_restart: bool,
}

/// The time of the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requeue {
    /// As soon as possible: the invocation had no time left.
    Now,
    /// At the known end of its wait.
    At(Timestamp),
    /// After a pause that grows, or at `by` if that comes first.
    Backoff {
        /// The latest time.
        by: Option<Timestamp>,
        /// True if it is abandoned after `RELOADER_HOLD_LIMIT`. False if its owner, or Amazon ECS
        /// itself, ends the wait.
        ages: bool,
    },
    /// At the next description of a rollout that began at `since`, or at `by` if that comes first.
    Follow {
        /// The start of the rollout.
        since: Timestamp,
        /// The latest time.
        by: Option<Timestamp>,
        /// True if it is followed for `RELOADER_HOLD_LIMIT` at most.
        ages: bool,
    },
}

impl Requeue {
    /// After a pause that grows, until it is abandoned.
    pub const LATER: Self = Self::Backoff {
        by: None,
        ages: true,
    };
}

impl Attempt {
    /// The same attempt without age, for a newer change or for another restart.
    #[must_use]
    pub fn anew(self) -> Self {
        Self {
            waited: SignedDuration::ZERO,
            ..self
        }
    }

    /// The same attempt, with a wait that is shorter by `by`.
    #[must_use]
    pub fn sooner(self, by: SignedDuration) -> Self {
        Self {
            waited: self.waited.saturating_sub(by).max(SignedDuration::ZERO),
            ..self
        }
    }

    /// The time of the next attempt, and the attempt with its new age and count. Work that is
    /// requeued at once has waited for the time that the invocation has `spent`. A wait that ages
    /// has its last attempt when it has lasted for the `limit`; after that it is longer. Times lie on a
    /// grid, so that messages about the same service return together and become one.
    #[must_use]
    pub fn requeued(
        self,
        when: Requeue,
        limit: SignedDuration,
        spent: SignedDuration,
        now: Timestamp,
    ) -> (Timestamp, Self) {
        match when {
            Requeue::Now => {
                let waited = self.waited.saturating_add(spent);
                (now, Self { waited, ..self })
            }
            Requeue::At(end) => (on_the_grid(end, STEP), Self { count: 0, ..self }),
            Requeue::Backoff { by, ages } => {
                let left = limit.saturating_sub(self.waited);
                let is_within = ages && left.is_positive();
                let end = now.saturating_add(left).ok().filter(|_| is_within);
                let first = by.into_iter().chain(end).min();
                let at = after_pause(backoff(self.count), first, now);
                let attempt = self.waiting_until(at, ages, now);
                let waited = if is_within {
                    attempt.waited.min(limit)
                } else {
                    attempt.waited
                };
                (at, Self { waited, ..attempt })
            }
            Requeue::Follow { since, by, ages } => {
                let is_young = now.duration_since(since) < FOLLOWED_CLOSELY;
                let pause = if is_young { FIRST_PAUSE } else { LONGEST_PAUSE };
                let at = after_pause(pause, by, now);
                (at, self.waiting_until(at, ages, now))
            }
        }
    }

    /// The next attempt. It is older by the time until then, if it ages.
    fn waiting_until(self, at: Timestamp, ages: bool, now: Timestamp) -> Self {
        let waited = self.waited.saturating_add(at.duration_since(now));
        Self {
            waited: if ages { waited } else { self.waited },
            count: self.count.saturating_add(1),
            ..self
        }
    }

    /// One attempt of two that two messages carry for a service. The younger wait counts, because
    /// it belongs to the newer change. All their rollouts are followed, each once.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let mut rollouts: Vec<Rollout> = Vec::new();
        for rollout in self.rollouts.into_iter().chain(other.rollouts) {
            match rollouts.iter_mut().find(|known| known.id == rollout.id) {
                Some(known) => *known = known.clone().and(rollout),
                None => rollouts.push(rollout),
            }
        }
        rollouts.sort_by_key(|rollout| rollout.started_at);
        Self {
            last_reason: self.last_reason.or(other.last_reason),
            waited: self.waited.min(other.waited),
            count: self.count.max(other.count),
            rollouts,
            owes_restart: self.owes_restart || other.owes_restart,
        }
    }
}

/// The time of the next try after listing the services has failed `failures` times in a row before
/// now; `None` once that has lasted `limit`.
#[must_use]
pub fn retry_listing_at(failures: u32, limit: SignedDuration, now: Timestamp) -> Option<Timestamp> {
    let lasted = LONGEST_PAUSE.saturating_mul(i32::try_from(failures).unwrap_or(i32::MAX));
    (lasted <= limit).then(|| after_pause(backoff(failures), None, now))
}

/// The pause before the next attempt, after this number of them.
fn backoff(count: u32) -> SignedDuration {
    FIRST_PAUSE
        .saturating_mul(1 << count.min(4))
        .min(LONGEST_PAUSE)
}

/// A time on the grid of `pause`, between half a pause and one and a half from now; `by`, if that
/// comes first.
fn after_pause(pause: SignedDuration, by: Option<Timestamp>, now: Timestamp) -> Timestamp {
    let earliest = now.saturating_add(pause / 2).unwrap_or(Timestamp::MAX);
    let at = on_the_grid(earliest, pause);
    by.map_or(at, |by| at.min(on_the_grid(by, STEP)))
}

/// The time of the second listing for the changes of a batch.
#[must_use]
pub fn second_listing_at(now: Timestamp) -> Timestamp {
    now.saturating_add(TAG_LAG).unwrap_or(Timestamp::MAX)
}

/// The delay, in seconds, of a message that is due at `not_before`: at most 15 minutes. A longer
/// time takes several messages, one after the other.
#[must_use]
pub fn delay(not_before: Timestamp, now: Timestamp) -> i32 {
    let furthest = now.saturating_add(LONGEST_DELAY).unwrap_or(Timestamp::MAX);
    let arrives = if not_before > furthest {
        floor(furthest, LONGEST_PAUSE)
    } else {
        not_before
    };
    let seconds = arrives
        .duration_since(now)
        .max(SignedDuration::ZERO)
        .as_millis()
        .saturating_add(999)
        / 1000;
    i32::try_from(seconds.min(LONGEST_DELAY.as_millis() / 1000)).unwrap_or_default()
}

/// The first multiple of `step` that is not before `at`.
fn on_the_grid(at: Timestamp, step: SignedDuration) -> Timestamp {
    let floor = floor(at, step);
    if floor == at {
        at
    } else {
        floor.saturating_add(step).unwrap_or(Timestamp::MAX)
    }
}

fn floor(at: Timestamp, step: SignedDuration) -> Timestamp {
    let step = step.as_secs().max(1);
    Timestamp::from_second(at.as_second().div_euclid(step) * step).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPENT: SignedDuration = SignedDuration::from_secs(6);
    const LIMIT: SignedDuration = SignedDuration::from_hours(24);

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn what_only_lacked_time_is_as_old_as_the_invocations_that_it_waited_for() {
        let now = at("2026-01-31T10:00:03Z");

        let (again, attempt) = (0..8).fold((now, Attempt::default()), |(_, attempt), _| {
            attempt.requeued(Requeue::Now, LIMIT, SPENT, now)
        });

        assert_eq!(again, now);
        assert_eq!(attempt.waited, SPENT * 8);
    }

    #[test]
    fn attempts_come_after_half_a_minute_and_then_ever_later_up_to_five_minutes() {
        let mut now = at("2026-01-31T10:00:03Z");
        let mut attempt = Attempt::default();
        let mut times = Vec::new();

        for _ in 0..6 {
            (now, attempt) = attempt.requeued(Requeue::LATER, LIMIT, SPENT, now);
            times.push(now.to_string()[11..19].to_owned());
        }

        let expected = [
            "10:00:30", "10:01:00", "10:02:00", "10:04:00", "10:10:00", "10:15:00",
        ];
        assert_eq!(times, expected);
        assert_eq!(attempt.waited, SignedDuration::from_secs(14 * 60 + 57));
    }

    #[test]
    fn a_rollout_is_described_every_half_minute_for_ten_minutes_and_then_every_five_minutes() {
        let since = at("2026-01-31T10:00:03Z");
        let follow = |ages| Requeue::Follow {
            since,
            by: None,
            ages,
        };
        let (mut now, mut attempt) = (since, Attempt::default());
        let mut times = Vec::new();
        for _ in 0..24 {
            (now, attempt) = attempt.requeued(follow(false), LIMIT, SPENT, now);
            times.push(now.to_string()[11..19].to_owned());
        }

        assert_eq!(times[..3], ["10:00:30", "10:01:00", "10:01:30"]);
        assert_eq!(
            times[19..],
            ["10:10:00", "10:10:30", "10:15:00", "10:20:00", "10:25:00"]
        );
        assert_eq!(attempt.waited, SignedDuration::ZERO);
        let (then, aged) = attempt.requeued(follow(true), LIMIT, SPENT, now);
        assert_eq!(aged.waited, then.duration_since(now));
    }

    #[test]
    fn two_messages_about_one_service_carry_both_rollouts_each_once() {
        let rollout = |id: &str, own| Rollout {
            own,
            ..Rollout::started(id.to_owned(), at("2026-01-31T10:00:00Z"))
        };
        let with = |rollouts: Vec<Rollout>| Attempt {
            rollouts,
            ..Attempt::default()
        };

        let both =
            with(vec![rollout("1", true)]).and(with(vec![rollout("1", false), rollout("2", true)]));

        assert_eq!(both.rollouts, [rollout("1", true), rollout("2", true)]);
    }

    #[test]
    fn the_last_attempt_comes_when_the_wait_has_lasted_for_the_limit() {
        let now = at("2026-01-31T10:00:00Z");
        let attempt = Attempt {
            waited: LIMIT - SignedDuration::from_mins(1),
            count: 9,
            ..Attempt::default()
        };

        let (last, attempt) = attempt.requeued(Requeue::LATER, LIMIT, SPENT, now);
        let (_, too_old) = attempt.clone().requeued(Requeue::LATER, LIMIT, SPENT, last);

        assert_eq!(last, at("2026-01-31T10:01:00Z"));
        assert_eq!(attempt.waited, LIMIT);
        assert!(too_old.waited > LIMIT);
    }

    #[test]
    fn two_messages_about_one_service_meet() {
        let late = Attempt {
            count: 9,
            ..Attempt::default()
        };

        let [one, other] = ["2026-01-31T10:00:03Z", "2026-01-31T10:02:11Z"].map(|now| {
            late.clone()
                .requeued(Requeue::LATER, LIMIT, SPENT, at(now))
                .0
        });

        assert_eq!(one, other);
    }

    #[test]
    fn a_wait_that_its_owner_wants_and_a_known_end_leave_the_age_as_it_is() {
        let attempt = Attempt {
            waited: SignedDuration::from_hours(1),
            count: 20,
            ..Attempt::default()
        };
        let paused = Requeue::Backoff {
            by: None,
            ages: false,
        };
        let window = Requeue::At(at("2026-01-31T12:00:01Z"));
        let now = at("2026-01-31T10:00:00Z");

        let (_, kept) = attempt.clone().requeued(paused, LIMIT, SPENT, now);
        let (end, until_then) = attempt.clone().requeued(window, LIMIT, SPENT, now);

        assert_eq!(kept.waited, attempt.waited);
        assert_eq!((until_then.waited, until_then.count), (attempt.waited, 0));
        assert_eq!(end, at("2026-01-31T12:00:10Z"));
    }

    #[test]
    fn a_long_way_is_gone_in_steps_of_at_most_fifteen_minutes_that_end_together() {
        let due = at("2026-02-02T10:00:00Z");

        assert_eq!(delay(due, at("2026-01-31T10:01:00Z")), 14 * 60);
        assert_eq!(delay(due, at("2026-01-31T10:04:59Z")), 10 * 60 + 1);
        assert_eq!(delay(due, at("2026-02-02T09:59:58.5Z")), 2);
        assert_eq!(delay(due, at("2026-02-02T10:00:00.5Z")), 0);
    }

    #[test]
    fn a_listing_that_fails_for_longer_than_the_limit_is_given_up() {
        let (limit, now) = (SignedDuration::from_mins(15), at("2026-01-31T10:00:03Z"));

        let tries = [0, 3, 4].map(|failures| retry_listing_at(failures, limit, now));

        let expected = [
            Some("2026-01-31T10:00:30Z"),
            Some("2026-01-31T10:04:00Z"),
            None,
        ];
        assert_eq!(tries, expected.map(|time| time.map(at)));
    }
}
