//! The clock of an account that is served on loopback: the real one, because the function's is.

use std::time::Duration;

use jiff::Timestamp;
use sim::Account;

/// The time by which the account is driven at once.
const STRETCH: Duration = Duration::from_hours(1);

/// The time of day.
#[expect(
    clippy::disallowed_methods,
    reason = "the binary on the other side reads the real clock"
)]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// Drives the account for ever: services roll, and the function is invoked.
pub(crate) async fn pass(account: &Account) {
    loop {
        account.run_for(STRETCH).await;
    }
}
