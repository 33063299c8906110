//! The members of a service's description that are kept.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::domain::arn::ServiceId;

/// The members of a description that are kept.
#[derive(Clone, Copy, Debug)]
pub struct Detail<'a> {
    /// The part before the colon of the tags that are kept.
    pub prefix: &'a str,
    /// The instants from which on the events of services are kept: the starts of the rollouts that
    /// are followed.
    pub events_since: Option<&'a BTreeMap<ServiceId, Timestamp>>,
}

impl<'a> Detail<'a> {
    /// The newest events only.
    #[must_use]
    pub fn of(prefix: &'a str) -> Self {
        Self {
            prefix,
            events_since: None,
        }
    }
}
