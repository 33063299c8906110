//! A message of our own.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::arn::ServiceId;
use super::backoff::Attempt;
use super::change::Change;
use super::notice::Notice;
use super::request::Request;

/// Work for a later invocation: a message of our own.
#[derive(Clone, Debug, PartialEq)]
pub struct DeferredWork {
    /// The time at which it is due. The queue's delay keeps it: a message that comes earlier is
    /// planned all the same, and deferred again.
    pub not_before: Timestamp,
    /// The hops: the number of messages before this one about the same work.
    pub hops: u32,
    /// The listings in a row that have failed for it.
    pub failed_listings: u32,
    /// The changes, each with the services that it is planned for.
    pub changes: Vec<Change>,
    /// The attempts at those services so far.
    pub attempts: BTreeMap<ServiceId, Attempt>,
    /// The request, if a person made one.
    pub request: Option<Request>,
    /// Notices that could not be sent.
    pub notices: Vec<Notice>,
}

impl DeferredWork {
    /// Notices that are sent again at `not_before`, in a message of their own.
    #[must_use]
    pub fn of_notices(notices: Vec<Notice>, not_before: Timestamp, hops: u32) -> Self {
        Self {
            not_before,
            hops,
            failed_listings: 0,
            changes: Vec::new(),
            attempts: BTreeMap::new(),
            request: None,
            notices,
        }
    }

    /// True if it holds changes or a request, and not notices alone.
    #[must_use]
    pub fn is_planned(&self) -> bool {
        !self.changes.is_empty() || self.request.is_some()
    }
}
