//! A rule of the table of reasons: its question, and its answer.

use jiff::{SignedDuration, Timestamp};

use super::order::{Awaited, Failed, InTheWay};
use crate::domain::change::{Change, ChangeKind};
use crate::domain::history::{Approval, Ended};
use crate::domain::policy::Policy;
use crate::domain::service::{Service, ServiceStatus};
use crate::domain::watch::Match;

/// A requested service counts as fresh if its last deployment was created this long before the
/// request, or later. So neither a repeated request nor a redelivered message restarts it twice.
const JUST_RESTARTED: SignedDuration = SignedDuration::from_secs(60);

/// The rule of one row of the table.
#[derive(Clone, Copy, Debug)]
pub(in crate::domain) enum Rule {
    /// About a service and the key that changed. A request has no key, so that the rule does not
    /// apply to it.
    Key(fn(&Affected<'_>) -> bool),
    /// About the mode of the service or the function, for changes and requests alike. The reason
    /// that it replaces is reported as `would_be`.
    Mode(fn(&Service, &Policy) -> bool),
    /// About a service and the instant of the change or the request.
    Service(fn(&Case<'_>) -> Option<Applies>),
    /// About the services that go before this one in the order of the change. A request passes it.
    Order(fn(&InTheWay) -> bool),
    /// About the number of services that the change would restart. They are counted first, by the
    /// reasons that stand after this one in the table. It does not apply to a request.
    Reach(fn(usize, &Policy) -> bool),
    /// About the number of rollouts of the change, or of the request. They are counted last,
    /// because the restarts that were planned before belong to them.
    InFlight(fn(usize, &Policy) -> bool),
    /// Applies if no other rule does.
    Otherwise,
}

/// The cause of a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::domain) enum Trigger {
    /// A key changed at this instant.
    Change(Timestamp),
    /// A person named the service.
    Request {
        /// The time of the request.
        requested_at: Timestamp,
    },
}

/// One service and one trigger.
#[derive(Clone, Copy, Debug)]
pub(in crate::domain) struct Case<'a> {
    pub(super) service: &'a Service,
    pub(super) trigger: Trigger,
    pub(super) policy: &'a Policy,
    pub(super) now: Timestamp,
}

/// A change that affects a service.
#[derive(Clone, Copy, Debug)]
pub(in crate::domain) struct Affected<'a> {
    pub(super) change: &'a Change,
    pub(super) relation: Match,
    /// True if the service refers to a key that was deleted.
    pub(super) is_lost: bool,
}

/// The answer of a rule that applies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::domain) struct Applies {
    /// Its end, if that is known.
    pub(super) until: Option<Timestamp>,
    /// The fact that it rests on, if a person needs to know it.
    pub(super) because: Option<Box<Because>>,
}

/// A fact that a rule found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::domain) enum Because {
    /// A deployment ended before it was successful.
    Ended(Ended),
    /// A deployment stands at a PAUSE hook.
    Awaits(Approval),
    /// No deployment is newer than the change, but every task is.
    EveryTaskIsNewer,
    /// A deployment runs that is never superseded, and why.
    NeverSuperseded(&'static str),
    /// A service that goes before this one failed.
    HaltedBy(Failed),
    /// Services that go before this one are not well yet.
    WaitsFor(Awaited),
}

impl Trigger {
    /// A deployment that was created after this instant makes a restart unnecessary.
    pub(super) fn covered_after(self) -> Timestamp {
        match self {
            Self::Change(at) => at,
            Self::Request { requested_at } => requested_at
                .saturating_sub(JUST_RESTARTED)
                .unwrap_or(requested_at),
        }
    }

    /// A deployment that was created after this instant, and failed or was rejected, is not
    /// repeated.
    pub(super) fn not_repeated_after(self) -> Timestamp {
        match self {
            Self::Change(at) | Self::Request { requested_at: at } => at,
        }
    }

    /// The instant of the change. A request has none: a rule that needs one does not apply to it.
    pub(super) fn changed_at(self) -> Option<Timestamp> {
        match self {
            Self::Change(at) => Some(at),
            Self::Request { .. } => None,
        }
    }

    pub(super) fn is_request(self) -> bool {
        self.changed_at().is_none()
    }
}

impl<'a> Affected<'a> {
    /// `None` if the change does not affect the service. Also `None` if only its task definition
    /// decides that, and could not be read: the caller reports this.
    pub(super) fn of(service: &Service, change: &'a Change) -> Option<Self> {
        let relation = service.match_of(&change.key);
        let is_lost =
            change.kind == ChangeKind::Deleted && !change.ignored && service.refers_to(&change.key);
        // A service may be gone since its work was deferred. Its end is still reported.
        let is_gone = || {
            matches!(
                service.status,
                ServiceStatus::Inactive | ServiceStatus::Missing
            ) && change.scope.names(&service.id)
        };
        let affects = match relation {
            Match::Watched | Match::Excluded | Match::Pinned => true,
            Match::NeedsTaskDefinition => is_lost,
            Match::None => is_lost || is_gone(),
        };
        affects.then_some(Self {
            change,
            relation,
            is_lost,
        })
    }
}

impl Applies {
    /// The rule applies, without an end or a fact.
    pub(super) fn when(applies: bool) -> Option<Self> {
        applies.then(Self::default)
    }

    pub(super) fn until(end: Timestamp) -> Self {
        Self {
            until: Some(end),
            because: None,
        }
    }

    pub(super) fn because(fact: Because) -> Self {
        Self {
            until: None,
            because: Some(Box::new(fact)),
        }
    }
}
