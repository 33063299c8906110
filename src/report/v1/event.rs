//! The events of a service, as Amazon ECS writes them.

use jiff::Timestamp;
use serde::Serialize;

use crate::domain::service::ServiceEvent;
use crate::domain::text::bounded;

/// One event of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EventLine {
    /// Its time.
    pub at: Timestamp,
    /// The words of Amazon ECS.
    pub message: String,
}

impl From<&ServiceEvent> for EventLine {
    fn from(event: &ServiceEvent) -> Self {
        Self {
            at: event.at,
            message: bounded(&event.message),
        }
    }
}
