//! What of ecs-reloader reads text that strangers write: the same files, compiled without the AWS SDKs. These take minutes to build with
//! a sanitizer, and libFuzzer, which looks at every counter of the program after every execution, would be slower by their size.
//!
//! Each of the files in `targets/` says what must hold for any input; a target fails where it does not.

#[path = "../../src/domain/mod.rs"]
#[allow(clippy::all, clippy::pedantic, reason = "held to the lints of the product, where they are at home")]
pub mod domain;
#[path = "../../src/event/mod.rs"]
#[allow(clippy::all, clippy::pedantic, reason = "held to the lints of the product, where they are at home")]
pub mod event;

use domain::arn::Place;

/// Where the services of the fuzz targets live.
#[must_use]
pub fn home() -> Place {
    Place::of_region("123456789012", "eu-west-1")
}
