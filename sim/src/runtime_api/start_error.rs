//! The reasons why a function cannot run at all.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

/// The time that Lambda gives a function to initialize (AWS: "Lambda execution environment
/// lifecycle").
pub(super) const INIT_LIMIT: Duration = Duration::from_secs(10);

/// The reason why a function cannot run at all.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The binary is missing, or the system refuses to run it.
    #[error(
        "cannot start {}: {source}; build it with `cargo build`, or name another with --binary",
        path.display()
    )]
    Binary {
        /// The binary as it was named.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// No port for the Runtime API.
    #[error("cannot listen on a loopback port: {0}")]
    Listen(#[source] io::Error),
    /// The process ended before it asked for its first event.
    #[error("{} ended before it asked for its first event: {status}", path.display())]
    Exited {
        /// The binary as it was named.
        path: PathBuf,
        /// Its exit status.
        status: ExitStatus,
    },
    /// The function reported an initialization error.
    #[error("{} cannot initialize: {error}", path.display())]
    Init {
        /// The binary as it was named.
        path: PathBuf,
        /// The error that it posted to `/init/error`.
        error: String,
    },
    /// The process did not ask for an event within 10 s, which is what Lambda allows.
    #[error(
        "{} did not ask for its first event within {} s",
        path.display(),
        INIT_LIMIT.as_secs()
    )]
    InitTimeout {
        /// The binary as it was named.
        path: PathBuf,
    },
}
