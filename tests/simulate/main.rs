//! Random histories from seeds, and the promises of the design after each.
//!
//! `simulate [--first N] [--seeds N]` runs many, `simulate --seed N` replays one and prints its
//! timeline.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test that cannot continue fails, and says so to a person"
)]

mod bystanders;
mod choices;
mod configuration;
mod coverage;
mod dated;
mod excuse;
mod function;
mod happening;
mod history;
mod holds;
mod many;
mod persons;
mod promises;
mod record;
mod rolls;
mod stale;
mod story;
mod subject;
mod timeline;
mod troubles;
mod verdict;
mod window;

use std::process::ExitCode;

/// The number under `cargo test`.
const FEW: u64 = 60;

struct Arguments {
    first: u64,
    seeds: u64,
    one: Option<u64>,
    /// Stops at the first history that breaks a promise.
    stops: bool,
}

fn arguments() -> Arguments {
    let all: Vec<String> = std::env::args().collect();
    let value = |name: &str| {
        all.iter()
            .position(|argument| argument == name)
            .and_then(|at| all.get(at + 1)?.parse().ok())
    };
    Arguments {
        first: value("--first").unwrap_or(0),
        seeds: value("--seeds").unwrap_or(FEW),
        one: value("--seed"),
        stops: all.iter().any(|argument| argument == "--stop"),
    }
}

fn main() -> ExitCode {
    let arguments = arguments();
    let held = match arguments.one {
        Some(seed) => verdict::print(seed),
        None => many::run(&arguments),
    };
    if held {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
