//! Times of the SDK become ours.

use aws_sdk_ecs::primitives::DateTime;
use jiff::{Timestamp, Unit};

/// Rounds to milliseconds: these APIs send them as a binary fraction, which misses them by a little.
pub(super) fn timestamp(time: &DateTime) -> Option<Timestamp> {
    Timestamp::new(time.secs(), i32::try_from(time.subsec_nanos()).ok()?)
        .ok()?
        .round(Unit::Millisecond)
        .ok()
}
