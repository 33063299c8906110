//! The ways in which a command ends.

/// The end of a command that could run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// All checks held.
    Well,
    /// The function answered with an error, or a check failed; it has been printed.
    Failed,
}

/// The reason why a command could not run.
pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;
