//! The clock of an account that is served on loopback: the real one, because the contestants read it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// The time of day.
#[expect(
    clippy::disallowed_methods,
    reason = "the programs on the other side read the real clock"
)]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// Waits until the second of `time` has ended.
pub(crate) async fn end_of_second(time: Timestamp) {
    let end = Timestamp::from_second(time.as_second() + 1).unwrap_or(time);
    let left = end.duration_since(now()) + SignedDuration::from_millis(20);
    tokio::time::sleep(Duration::try_from(left).unwrap_or_default()).await;
}
