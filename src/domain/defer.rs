//! What is left to do: it goes back to the queue, and is decided anew when it returns.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::arn::{AccountRegion, ServiceId};
use super::change::Change;
use super::plan::Planned;
use super::reason::{Decision, Reason};
use super::rollout::Rollout;
use super::service::Service;
use super::start::{Executed, StartResult};

/// Before the first further look at what has no known end; doubles with each.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(30);

/// The longest time between two count.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_mins(5);

/// What has a known end is looked at on the next multiple of this.
const STEP: SignedDuration = SignedDuration::from_secs(10);

/// A batch is looked at once more after this: a service that was tagged a moment before the change
/// may be missing from the tag index.
const TAG_LAG: SignedDuration = SignedDuration::from_mins(5);

/// What goes on at once waited for about as long as an invocation takes.
const AN_INVOCATION: SignedDuration = SignedDuration::from_mins(2);

/// The longest delay of a message. "Amazon SQS message timers", Amazon SQS Developer Guide.
const LONGEST_DELAY: SignedDuration = SignedDuration::from_mins(15);

/// What a person asked for, as far as a later look needs to know it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Request {
    /// To be restarted whatever their freshness says; with the account and Region, where an ARN
    /// tells them.
    pub services: BTreeMap<ServiceId, Option<AccountRegion>>,
    /// When it was asked.
    pub asked_at: Timestamp,
    /// Decide and tell only.
    pub dry_run: bool,
    /// Instead of the function's own limit.
    pub max_services: Option<usize>,
    /// The person's own words about it.
    pub reason: Option<String>,
    /// Who sent it, where it came through the queue.
    pub sender: Option<String>,
}

/// How long a service has been waiting for something that has no known end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attempt {
    /// What was told of it last.
    pub last_reason: Option<Reason>,
    /// In all. The sum of the pauses, so that a queue that stands still makes nothing older.
    pub waited: SignedDuration,
    /// How often it was looked at.
    pub count: u32,
    /// The deployment that this function started for it last.
    pub rollout: Option<Rollout>,
}

/// Work for a later invocation.
#[derive(Clone, Debug, PartialEq)]
pub struct DeferredWork {
    /// When it is due. The queue sees to it: a message that comes earlier is decided about all the
    /// same, and held again.
    pub not_before: Timestamp,
    /// How many messages before it told of the same.
    pub hops: u32,
    /// How many of the messages before it, without one between them that got further, told that it
    /// is not known who watches.
    pub failed_listings: u32,
    /// The changes, each with the services that it is to be looked at for.
    pub changes: Vec<Change>,
    /// What is known of those services.
    pub attempts: BTreeMap<ServiceId, Attempt>,
    /// What a person asked for.
    pub request: Option<Request>,
}

/// When something is looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// As soon as possible: only time was lacking.
    AtOnce,
    /// When it is known to end.
    At(Timestamp),
    /// Whenever it ends: after a pause, or at this instant where that comes first. It ages, unless
    /// its owner wants it to wait.
    Later {
        /// At the latest.
        by: Option<Timestamp>,
        /// Whether it is given up some day.
        ages: bool,
    },
}

impl Next {
    /// What is left to do about a service, if anything. What was started, or covers the change and
    /// still runs, is looked at until it has ended: fresh is not finished.
    #[must_use]
    pub fn after(
        Executed {
            planned,
            start,
            seen,
        }: &Executed,
    ) -> Option<Self> {
        let later = |by| Some(Self::Later { by, ages: true });
        match start {
            Some(
                StartResult::Started { .. }
                | StartResult::Throttled
                | StartResult::Failed { passes: true, .. },
            ) => later(None),
            Some(StartResult::OutOfTime) => Some(Self::AtOnce),
            Some(StartResult::Denied { .. } | StartResult::Failed { passes: false, .. }) => None,
            None => match (planned.reason, planned.until) {
                (Reason::Fresh, _) if seen.is_rolling() => later(None),
                (Reason::DeploymentInProgress, by) => later(by),
                // Amazon ECS ends it at that time, so that it does not age.
                (Reason::AwaitingApproval, by) => Some(Self::Later {
                    by,
                    ages: by.is_none(),
                }),
                (reason, _) if reason.decision() == Decision::Refuse && follows(planned, seen) => {
                    later(None)
                }
                (Reason::Paused, None) => Some(Self::Later {
                    by: None,
                    ages: false,
                }),
                (reason, until) if reason.decision() == Decision::Hold => {
                    until.map_or(later(None), |end| Some(Self::At(end)))
                }
                _ => None,
            },
        }
    }
}

/// Whether a change is covered by a rollout that still runs, whatever is decided for another.
fn follows(planned: &Planned, seen: &Service) -> bool {
    seen.is_rolling() && planned.asked_by.values().any(|reason| reason.is_covered())
}

impl Attempt {
    /// What is known where a change asks anew, or where a rollout that was followed is followed by
    /// a restart that is owed: no age.
    #[must_use]
    pub fn anew(self) -> Self {
        Self {
            waited: SignedDuration::ZERO,
            ..self
        }
    }

    /// Where it is looked at again earlier than that.
    #[must_use]
    pub fn sooner(self, by: SignedDuration) -> Self {
        Self {
            waited: self.waited.saturating_sub(by).max(SignedDuration::ZERO),
            ..self
        }
    }

    /// The instant of the next look, and what is then known. Instants lie on a grid, so that
    /// messages about the same thing return together, meet in one batch and go on as one.
    #[must_use]
    pub fn until_next(self, next: Next, last_reason: Reason, now: Timestamp) -> (Timestamp, Self) {
        match next {
            Next::AtOnce => {
                let waited = self.waited.saturating_add(AN_INVOCATION);
                (
                    now,
                    Self {
                        last_reason: Some(last_reason),
                        waited,
                        ..self
                    },
                )
            }
            Next::At(end) => (
                on_the_grid(end, STEP),
                Self {
                    last_reason: Some(last_reason),
                    count: 0,
                    ..self
                },
            ),
            Next::Later { by, ages } => {
                let pause = FIRST_PAUSE
                    .saturating_mul(1 << self.count.min(4))
                    .min(LONGEST_PAUSE);
                // Between half a pause and one and a half.
                let at = on_the_grid(
                    now.saturating_add(pause / 2).unwrap_or(Timestamp::MAX),
                    pause,
                );
                let at = by.map_or(at, |by| at.min(on_the_grid(by, STEP)));
                let waited = if ages {
                    self.waited.saturating_add(at.duration_since(now))
                } else {
                    self.waited
                };
                (
                    at,
                    Self {
                        last_reason: Some(last_reason),
                        waited,
                        count: self.count.saturating_add(1),
                        ..self
                    },
                )
            }
        }
    }

    /// What is known of a service that two messages tell of: the younger wait holds, since a newer
    /// change asks for it.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let rollouts = self.rollout.into_iter().chain(other.rollout);
        Self {
            last_reason: self.last_reason.or(other.last_reason),
            waited: self.waited.min(other.waited),
            count: self.count.max(other.count),
            rollout: rollouts.max_by_key(|rollout| rollout.started_at),
        }
    }
}

/// When work goes on of which it could not be told whom it concerns, after so many messages that
/// told so; nothing where that has lasted for the limit.
#[must_use]
pub fn retry_listing_at(
    failed_listings: u32,
    limit: SignedDuration,
    now: Timestamp,
) -> Option<Timestamp> {
    let may_go_on =
        LONGEST_PAUSE.saturating_mul(i32::try_from(failed_listings).unwrap_or(i32::MAX)) <= limit;
    let attempts = Attempt {
        count: failed_listings,
        ..Attempt::default()
    };
    may_go_on.then(|| {
        attempts
            .until_next(
                Next::Later {
                    by: None,
                    ages: true,
                },
                Reason::Stale,
                now,
            )
            .0
    })
}

/// When a batch that is looked at now is looked at once more.
#[must_use]
pub fn second_listing_at(now: Timestamp) -> Timestamp {
    now.saturating_add(TAG_LAG).unwrap_or(Timestamp::MAX)
}

/// How many seconds a message is delayed that is due at `not_before`: at most 15 minutes, at the
/// end of which the way goes on.
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

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    const LATER: Next = Next::Later {
        by: None,
        ages: true,
    };

    #[test]
    fn looks_come_after_half_a_minute_and_then_ever_later_up_to_five_minutes() {
        let mut now = at("2026-01-31T10:00:03Z");
        let mut attempts = Attempt::default();
        let mut count = Vec::new();

        for _ in 0..6 {
            (now, attempts) = attempts.until_next(LATER, Reason::Paused, now);
            count.push(now.to_string()[11..19].to_owned());
        }

        assert_eq!(
            count,
            [
                "10:00:30", "10:01:00", "10:02:00", "10:04:00", "10:10:00", "10:15:00"
            ]
        );
        assert_eq!(attempts.waited, SignedDuration::from_secs(14 * 60 + 57));
    }

    #[test]
    fn two_messages_about_one_service_meet() {
        let one = Attempt {
            count: 9,
            ..Attempt::default()
        }
        .until_next(LATER, Reason::Paused, at("2026-01-31T10:00:03Z"));
        let other = Attempt {
            count: 9,
            ..Attempt::default()
        }
        .until_next(LATER, Reason::Paused, at("2026-01-31T10:02:11Z"));

        assert_eq!(one.0, other.0);
    }

    #[test]
    fn neither_what_its_owner_wants_to_wait_nor_a_known_end_ages_or_makes_young() {
        let attempts = Attempt {
            waited: SignedDuration::from_hours(1),
            count: 20,
            ..Attempt::default()
        };
        let now = at("2026-01-31T10:00:00Z");

        let (_, kept) = attempts.clone().until_next(
            Next::Later {
                by: None,
                ages: false,
            },
            Reason::Paused,
            now,
        );
        let (end, until_then) = attempts.clone().until_next(
            Next::At(at("2026-01-31T12:00:01Z")),
            Reason::OutsideWindow,
            now,
        );

        assert_eq!(kept.waited, attempts.waited);
        assert_eq!(
            (end, until_then.waited, until_then.count),
            (at("2026-01-31T12:00:10Z"), attempts.waited, 0)
        );
    }

    #[test]
    fn a_long_way_is_gone_in_steps_of_at_most_fifteen_minutes_that_end_together() {
        let due = at("2026-02-02T10:00:00Z");

        assert_eq!(delay(due, at("2026-01-31T10:01:00Z")), 14 * 60);
        assert_eq!(delay(due, at("2026-01-31T10:04:59Z")), 10 * 60 + 1);
        assert_eq!(delay(due, at("2026-02-02T09:59:58.5Z")), 2);
        assert_eq!(delay(due, at("2026-02-02T10:00:00.5Z")), 0);
    }
}
