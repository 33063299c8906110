//! A person's request.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::arn::{AccountRegion, ServiceId};

/// The request of a person, from a manual invocation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Request {
    /// Services to restart, fresh or not; with the account and Region, if an ARN names them.
    pub services: BTreeMap<ServiceId, Option<AccountRegion>>,
    /// The time of the request.
    pub requested_at: Timestamp,
    /// True if only the decisions are requested.
    pub dry_run: bool,
    /// A limit instead of the function's own, `RELOADER_MAX_SERVICES`.
    pub max_services: Option<usize>,
    /// The person's own words about it.
    pub reason: Option<String>,
    /// The sender, if it came through the queue.
    pub sender: Option<String>,
}

impl Request {
    /// The same request without the services that it names.
    #[must_use]
    pub fn without_services(&self) -> Self {
        Self {
            services: BTreeMap::new(),
            ..self.clone()
        }
    }
}
