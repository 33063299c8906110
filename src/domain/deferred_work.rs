//! A message of our own.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::arn::ServiceId;
use super::backoff::Attempt;
use super::change::Change;
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
}
