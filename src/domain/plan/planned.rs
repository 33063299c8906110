//! The plan: plain data, with nothing left to choose.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::reach::Reach;
use crate::domain::arn::ServiceId;
use crate::domain::change::Change;
use crate::domain::history::{Ended, Needed};
use crate::domain::key::Key;
use crate::domain::reason::{Decision, Reason};
use crate::domain::service::Service;

/// The decisions about all affected services.
#[must_use = "a plan does nothing until it is carried out"]
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// One entry for each affected service.
    pub services: BTreeMap<ServiceId, Planned>,
    /// The number of services that each change would restart.
    pub(super) reach: Reach,
    /// The evidence to read of services that go before others in the order of a change.
    pub(super) needed_by_others: BTreeMap<ServiceId, Needed>,
}

/// The reason that each of some changes would give alone.
pub type Reasons = BTreeMap<Key, Reason>;

/// The way a service is restarted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// A forced deployment of Amazon ECS.
    Deploy,
}

/// The decision about one service.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// The reason, and with it the decision.
    pub reason: Reason,
    /// The reason that would have decided, if `reason` is a mode in which nothing is done.
    pub would_be: Option<Reason>,
    /// The way to restart it, if the decision is to restart.
    pub action: Option<Action>,
    /// Everything that a person needs to know beyond the reason.
    pub detail: Option<String>,
    /// The changes that affect it, each with the reason that it alone would give. Services that
    /// are affected alike share them.
    pub asked_by: Arc<Reasons>,
    /// True if a request names it, beside or instead of a change.
    pub requested: bool,
    /// A restart may start at this instant.
    pub not_before: Timestamp,
    /// The end of a hold, or the latest instant to plan again, if that is known.
    pub until: Option<Timestamp>,
    /// False if it waits for others whose wait does not age.
    pub ages: bool,
    /// The deployment that failed or was rejected, if that is why nothing is started.
    pub ended: Option<Ended>,
}

impl Plan {
    /// The services that are to be restarted.
    pub fn restarts(&self) -> impl Iterator<Item = (&ServiceId, &Planned)> {
        self.services
            .iter()
            .filter(|(_, planned)| planned.is_restart())
    }
}

impl Planned {
    /// A plan for a service, before any change or request has given it a reason.
    #[must_use]
    pub fn of(reason: Reason, now: Timestamp) -> Self {
        Self {
            reason,
            would_be: None,
            action: None,
            detail: None,
            asked_by: Arc::default(),
            requested: false,
            not_before: now,
            until: None,
            ages: true,
            ended: None,
        }
    }

    /// A plan for a service that no change affects any more, while a rollout of it is followed: its
    /// owner has changed its tags. `None` if no rollout of it is followed.
    #[must_use]
    pub fn unaffected(
        service: &Service,
        changes: &BTreeMap<Key, Change>,
        now: Timestamp,
    ) -> Option<Self> {
        let rollout = service.followed_rollout.as_ref();
        rollout.map(|_| {
            let named = changes
                .values()
                .filter(|change| change.scope.names(&service.id));
            let asked_by = named.map(|change| (change.key.clone(), Reason::Excluded));
            Self {
                asked_by: Arc::new(asked_by.collect()),
                detail: Some("its tags no longer name the key".to_owned()),
                ..Self::of(Reason::Excluded, now)
            }
        })
    }

    /// True if it is to be restarted.
    #[must_use]
    pub fn is_restart(&self) -> bool {
        self.reason.decision() == Decision::Restart
    }

    /// The same service, held for another reason.
    #[must_use]
    pub fn held(self, reason: Reason, detail: String) -> Self {
        Self {
            reason,
            detail: Some(detail),
            action: None,
            until: None,
            ages: true,
            ..self
        }
    }

    /// The changes that restart no service, because they would restart too many. A mode that
    /// forbids restarts has none of them.
    pub fn refused_changes(&self) -> impl Iterator<Item = &Key> {
        let refused = self
            .asked_by
            .iter()
            .filter(|(_, reason)| self.would_be.is_none() && **reason == Reason::BlastRadius);
        refused.map(|(key, _)| key)
    }
}
