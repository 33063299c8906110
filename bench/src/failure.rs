//! What stops a measurement.

/// An error with its text: nothing here reacts to its kind.
pub(crate) type Failure = Box<dyn std::error::Error>;
