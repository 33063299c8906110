//! The answer of a strategy.

use crate::domain::rollout::Rollout;
use crate::domain::service::ServiceEvent;

/// A restart that AWS has accepted.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) rollout: Rollout,
    /// The service's events as the answer shows them, the newest first; empty if it shows none.
    pub(super) events: Vec<ServiceEvent>,
}
