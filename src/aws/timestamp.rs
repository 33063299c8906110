//! Times of the SDK become ours.

use aws_sdk_ecs::primitives::DateTime;
use jiff::{Timestamp, Unit};

/// Rounds to milliseconds: these APIs send seconds as a floating-point number, which is not exact.
pub(super) fn timestamp(time: &DateTime) -> Option<Timestamp> {
    Timestamp::new(time.secs(), i32::try_from(time.subsec_nanos()).ok()?)
        .ok()?
        .round(Unit::Millisecond)
        .ok()
}
