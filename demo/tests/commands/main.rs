//! The commands as a person runs them: the real program, with the function's real binary.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "in tests a panic is the answer, in their helpers as well"
)]

mod documents;
mod invoke;
mod play;

use std::path::{Path, PathBuf};

/// The program under test.
const DEMO: &str = env!("CARGO_BIN_EXE_demo");

/// The function's binary, which `cargo test --workspace` builds beside the program.
fn function() -> PathBuf {
    Path::new(DEMO).with_file_name("ecs-reloader-lambda")
}
