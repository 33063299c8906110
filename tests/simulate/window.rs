//! The windows of the services of a history.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// The time of each day in which restarts may start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Window {
    pub(crate) tag: &'static str,
    /// Seconds after midnight, UTC.
    pub(crate) opens: i32,
    pub(crate) minutes: i32,
}

/// Berlin is an hour ahead of UTC in winter. The short ones open a little after a history begins, at
/// 13:00 UTC, so that changes come just before.
pub(crate) const WINDOWS: [Window; 3] = [
    Window {
        tag: "Mon-Sun 15:00-18:30 Europe/Berlin",
        opens: 14 * 3600,
        minutes: 210,
    },
    Window {
        tag: "Mon-Sun 14:45-14:53 Europe/Berlin",
        opens: 13 * 3600 + 45 * 60,
        minutes: 8,
    },
    Window {
        tag: "Mon-Sun 13:20-13:23 UTC",
        opens: 13 * 3600 + 20 * 60,
        minutes: 3,
    },
];

impl Window {
    pub(crate) fn length(self) -> SignedDuration {
        SignedDuration::from_mins(i64::from(self.minutes))
    }

    /// A restart that was decided just before the closing may start a little after it.
    pub(crate) fn is_surely_closed(self, at: Timestamp) -> bool {
        let time = TimeZone::UTC.to_datetime(at).time();
        let second = i32::from(time.hour()) * 3600 + i32::from(time.minute()) * 60;
        second < self.opens || second > self.opens + (self.minutes + 2) * 60
    }
}
