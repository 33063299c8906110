//! The ways in which a command ends.

/// How a command ended that could run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Everything held.
    Well,
    /// The function answered with an error, or a check failed; it has been printed.
    Failed,
}

/// Why a command could not run.
pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;
