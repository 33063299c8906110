//! The part of ecs-reloader that reads text of strangers: the same files, compiled without the AWS
//! SDKs. These take minutes to build with a sanitizer, and libFuzzer, which reads every counter of
//! the program after every execution, would be slower by their size.
//!
//! Each of the files in `targets/` says what must be true for any input, and fails where it is not.

// Links to the modules of the product, which are held to its lints at home.
#[allow(clippy::all, clippy::pedantic, reason = "checked with the product")]
pub mod domain;
#[allow(clippy::all, clippy::pedantic, reason = "checked with the product")]
pub mod event;
#[allow(clippy::all, clippy::pedantic, reason = "checked with the product")]
pub mod json;
#[allow(clippy::all, clippy::pedantic, reason = "checked with the product")]
pub mod queue;

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
