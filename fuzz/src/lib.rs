//! What of ecs-reloader reads text that strangers write: the same files, compiled without the AWS
//! SDKs. These take minutes to build with a sanitizer, and libFuzzer, which looks at every counter
//! of the program after every execution, would be slower by their size.
//!
//! Each of the files in `targets/` says what must hold for any input; a target fails where it does
//! not.

#[path = "../../src"]
#[allow(
    clippy::all,
    clippy::pedantic,
    reason = "held to the lints of the product, where they are at home"
)]
mod product {
    pub mod domain;
    pub mod event;
    pub mod json;
    pub mod queue;
}

pub use product::{domain, event, json, queue};

use domain::arn::AccountRegion;
use domain::queue::Queue;
use jiff::Timestamp;

/// Where the services of the fuzz targets live.
#[must_use]
pub fn home() -> AccountRegion {
    AccountRegion::of_region("123456789012", "eu-west-1")
}

/// When the payloads arrive.
#[must_use]
pub fn now() -> Timestamp {
    Timestamp::constant(1_769_860_800, 0) // 2026-01-31T12:00:00Z
}

/// The queue of the files in `events/`.
#[must_use]
pub fn own_queue() -> Queue {
    Queue::from_url("https://sqs.eu-west-1.amazonaws.com/123456789012/ecs-reloader")
        .expect("the URL of a queue")
}
