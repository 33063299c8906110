//! The clock of everything that is served on loopback.

use jiff::Timestamp;

/// The time of day: on loopback the account's clock is the real one, because the function's is.
#[expect(
    clippy::disallowed_methods,
    reason = "the binary on the other side reads the real clock"
)]
pub(crate) fn wall_clock() -> Timestamp {
    Timestamp::now()
}
