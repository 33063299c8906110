//! The limits that a plan keeps to.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::arn::ServiceId;
use super::key::Key;

/// The limits that come from the function's settings and from the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Decide and report, restart nothing (`RELOADER_MODE`).
    pub notify_only: bool,
    /// The same, requested for this invocation alone.
    pub dry_run: bool,
    /// Most services that one change may restart.
    pub max_services: usize,
    /// A higher limit that a queued message requested. It has no effect, because a message may not
    /// raise the function's own limit.
    pub ignored_max_services: Option<usize>,
    /// A restart starts no sooner after a change, so that every replica of the store has it.
    pub settle: SignedDuration,
    /// The longest time that the invocation itself waits for a change to settle. A change that
    /// settles later is held.
    pub max_settle_wait: SignedDuration,
    /// Least time between two deployments of a service, if its tag gives no other.
    pub min_interval: SignedDuration,
    /// Most restarts of a service within an hour.
    pub restarts_per_hour: usize,
    /// Most rollouts of one change at once.
    pub max_in_flight: usize,
    /// A completed rollout must stay well for this long before the services after it follow.
    pub quiet: SignedDuration,
    /// True if the first service of each order goes alone.
    pub canary: bool,
    /// The time without progress after which a rollout has timed out.
    pub outcome_deadline: SignedDuration,
    /// The lowest order of the services that could not be read, of each key that they may watch.
    pub unread: BTreeMap<Key, u8>,
    /// Services that a request names: they are restarted whether they are fresh or not.
    pub named: BTreeSet<ServiceId>,
    /// The time of the request.
    pub requested_at: Timestamp,
}
