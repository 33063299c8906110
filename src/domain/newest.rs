//! The newest deployment of a service, whoever made it and however it ended.

use jiff::Timestamp;

use super::history::Ended;

/// The newest deployment of a service: one that was rolled back or stopped may be it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Newest {
    /// The time of its start.
    pub created_at: Timestamp,
    /// Its state.
    pub state: NewestState,
}

/// The state of the newest deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewestState {
    /// It runs.
    Runs,
    /// It is complete, since this instant if the history has it.
    Completed(Option<Timestamp>),
    /// It ran the task definition that is primary now, and failed, was rolled back or stopped.
    Ended(Ended),
    /// The same, but it ran another task definition, or one that could not be read: its end does
    /// not show that a value is bad.
    EndedOtherwise,
}
