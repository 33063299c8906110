//! Seconds and tasks, as places in a drawing.

use jiff::{SignedDuration, Timestamp};

/// The left end of all areas.
pub(super) const LEFT: f64 = 190.0;
/// The right end of all areas.
pub(super) const RIGHT: f64 = 1030.0;
/// The height of all tasks of a service, at the time when most run.
const HIGHEST: f64 = 40.0;

/// The steps between two numbers of the axis, in seconds.
const STEPS: [u32; 9] = [1, 2, 5, 10, 20, 30, 60, 120, 300];
/// The most numbers of the axis.
const MOST_TICKS: f64 = 10.0;

/// The time of a drawing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Time {
    from: Timestamp,
    seconds: f64,
}

impl Time {
    /// The time from one instant to another, a second at least.
    pub(super) fn between(from: Timestamp, until: Timestamp) -> Self {
        let lasts = until.duration_since(from).max(SignedDuration::from_secs(1));
        Self {
            from,
            seconds: lasts.as_secs_f64(),
        }
    }

    /// The place of an instant.
    pub(super) fn place(&self, at: Timestamp) -> f64 {
        self.place_of(self.seconds_until(at))
    }

    /// The seconds until an instant.
    pub(super) fn seconds_until(&self, at: Timestamp) -> f64 {
        at.duration_since(self.from).as_secs_f64()
    }

    /// The numbers of the axis, in seconds, with their places.
    pub(super) fn ticks(&self) -> impl Iterator<Item = (u32, f64)> {
        let fits = |step: &u32| self.seconds / f64::from(*step) <= MOST_TICKS;
        let step = STEPS.into_iter().find(fits).unwrap_or(600);
        let ticks = (1..).map(move |tick| tick * step);
        ticks
            .take_while(|tick| f64::from(*tick) <= self.seconds)
            .map(|tick| (tick, self.place_of(f64::from(tick))))
    }

    fn place_of(&self, seconds: f64) -> f64 {
        let part = (seconds / self.seconds).clamp(0.0, 1.0);
        LEFT + part * (RIGHT - LEFT)
    }
}

/// The tasks of one service, as a height.
#[derive(Clone, Copy, Debug)]
pub(super) struct Height {
    most: f64,
}

impl Height {
    /// The scale of a service of which this many tasks run at most.
    pub(super) fn of(most: usize) -> Self {
        Self {
            most: number(most.max(1)),
        }
    }

    pub(super) fn of_tasks(self, tasks: usize) -> f64 {
        HIGHEST * number(tasks) / self.most
    }
}

fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
