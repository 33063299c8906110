//! The services that a change is planned for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::domain::arn::ServiceId;

/// The services that a change is planned for, of those that watch the key. Changes with the same
/// services share one list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// All of them: the change is new.
    #[default]
    All,
    /// All except those that were planned before.
    AllExcept(Arc<BTreeSet<ServiceId>>),
    /// Only those that have work left.
    Only(Arc<BTreeSet<ServiceId>>),
}

impl Scope {
    /// These services alone.
    #[must_use]
    pub fn only(these: BTreeSet<ServiceId>) -> Self {
        Self::Only(Arc::new(these))
    }

    /// All services but these.
    #[must_use]
    pub fn all_except(others: BTreeSet<ServiceId>) -> Self {
        Self::AllExcept(Arc::new(others))
    }

    /// True if a service is one of them.
    #[must_use]
    pub fn includes(&self, id: &ServiceId) -> bool {
        match self {
            Self::All => true,
            Self::AllExcept(others) => !others.contains(id),
            Self::Only(these) => these.contains(id),
        }
    }

    /// True if a service is one of them by name.
    #[must_use]
    pub fn names(&self, id: &ServiceId) -> bool {
        matches!(self, Self::Only(these) if these.contains(id))
    }

    /// The services that either includes.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::All, _) | (_, Self::All) => Self::All,
            (Self::AllExcept(one), Self::AllExcept(other)) => Self::all_except(&**one & &**other),
            (Self::Only(one), Self::Only(other)) => Self::only(&**one | &**other),
            (Self::AllExcept(others), Self::Only(these))
            | (Self::Only(these), Self::AllExcept(others)) => {
                Self::all_except(&**others - &**these)
            }
        }
    }

    /// The identity of its list: its address in memory. Changes that share one list have the same,
    /// which is much faster to compare than the list.
    #[must_use]
    pub fn list_id(&self) -> usize {
        match self {
            Self::All => 0,
            Self::AllExcept(services) | Self::Only(services) => Arc::as_ptr(services).addr(),
        }
    }
}

/// Unions of scopes, each pair computed once: a thousand changes that two messages have in common
/// share one list afterwards, as they did before.
#[derive(Default)]
pub(super) struct Unions {
    /// By the lists of the pair. The pair is kept, so that no other list gets one of its addresses.
    known: BTreeMap<(usize, usize), Union>,
}

struct Union {
    _pair: [Scope; 2],
    both: Scope,
}

impl Unions {
    /// The services that either scope includes.
    pub(super) fn of(&mut self, one: Scope, other: Scope) -> Scope {
        if one == other {
            return one;
        }
        let lists = (one.list_id(), other.list_id());
        let union = self.known.entry(lists).or_insert_with(|| Union {
            both: one.or(&other),
            _pair: [one, other],
        });
        union.both.clone()
    }
}
