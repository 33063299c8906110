//! Rules about the services that go before one: those of a lower order and, if the function works
//! with canaries, the first service of its own order.

use jiff::{SignedDuration, Timestamp};

use crate::domain::arn::ServiceId;
use crate::domain::history::Ended;

/// The services that go before one and stand in the way of its restart for one change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::domain) struct InTheWay {
    /// The first of those that failed, were rejected or timed out.
    pub(super) failed: Option<Failed>,
    /// Those that are not well yet.
    pub(super) unwell: Option<Awaited>,
}

/// A service that failed with the change, was rejected or timed out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::domain) struct Failed {
    pub(super) service: ServiceId,
    pub(super) order: u8,
    pub(super) failure: Failure,
}

/// The failure of a service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::domain) enum Failure {
    /// Its deployment ended before it was successful.
    Ended(Ended),
    /// Its deployment made no progress for so long.
    TimedOut {
        deployment: String,
        created_at: Timestamp,
        after: SignedDuration,
    },
}

/// Services that are not well yet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::domain) struct Awaited {
    /// The first of them; `None` if it could not be read which services there are.
    pub(super) first: Option<ServiceId>,
    /// The state of the first one.
    pub(super) state: &'static str,
    /// The number of all.
    pub(super) number: usize,
    pub(super) wait: Wait,
}

/// The wait for a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::domain) struct Wait {
    /// Its end, if that is known.
    pub(super) until: Option<Timestamp>,
    /// False if its owner, or Amazon ECS itself, ends it.
    pub(super) ages: bool,
}

impl Wait {
    /// Until nobody knows when.
    pub(super) const OPEN: Self = Self {
        until: None,
        ages: true,
    };

    pub(super) fn until(end: Timestamp) -> Self {
        Self {
            until: Some(end),
            ages: false,
        }
    }

    /// The wait for both: it has the later of the known ends, and ages only if both do.
    fn and(self, other: Self) -> Self {
        Self {
            until: self.until.max(other.until),
            ages: self.ages && other.ages,
        }
    }
}

impl Awaited {
    /// Those of both; the first one is that of `self`.
    pub(super) fn and(self, other: &Self) -> Self {
        Self {
            wait: self.wait.and(other.wait),
            number: self.number.saturating_add(other.number),
            ..self
        }
    }
}

impl InTheWay {
    pub(super) fn and(self, other: Self) -> Self {
        let unwell = match (self.unwell, other.unwell) {
            (Some(one), Some(other)) => Some(one.and(&other)),
            (one, other) => one.or(other),
        };
        Self {
            failed: self.failed.or(other.failed),
            unwell,
        }
    }
}

pub(in crate::domain) fn order_halted(in_the_way: &InTheWay) -> bool {
    in_the_way.failed.is_some()
}

pub(in crate::domain) fn waiting_for_order(in_the_way: &InTheWay) -> bool {
    in_the_way.unwell.is_some()
}
