//! The numbers for the limits, counted over all services.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::judged::Judged;
use super::planned::{Plan, Planned, Reasons};
use super::reach::Reach;
use super::rule::Rule;
use crate::domain::change::Change;
use crate::domain::key::Key;
use crate::domain::policy::Policy;
use crate::domain::reason::Reason;
use crate::domain::tags::Mode;
use crate::domain::watch::Match;

/// Counts the services that each change would restart, now or later, in its scope or not.
///
/// Services whose task definitions could not be read may be among them, and count. Services that
/// are off, or only notify, do not.
pub(super) fn reach(judged: &[Judged<'_>], changes: &BTreeMap<Key, Change>) -> Reach {
    let mut reach = Reach::default();
    let mut alike: BTreeMap<usize, (&Reasons, usize)> = BTreeMap::new();
    let automatic = judged
        .iter()
        .filter(|judged| judged.service.tags.mode == Mode::Auto);
    for Judged {
        service, reasons, ..
    } in automatic
    {
        let alike = alike.entry(Arc::as_ptr(reasons).addr());
        alike.or_insert((reasons, 0)).1 += 1;
        let unknown = changes
            .keys()
            .filter(|_| service.may_need_its_task_definition());
        for key in unknown.filter(|key| service.match_of(key) == Match::NeedsTaskDefinition) {
            reach.add(key, 1);
        }
    }
    for (reasons, services) in alike.into_values() {
        let limited = reasons
            .iter()
            .filter(|(_, reason)| **reason > Reason::BlastRadius);
        for (key, _) in limited {
            reach.add(key, services);
        }
    }
    reach
}

/// The origin of a rollout.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Origin {
    Change(Key),
    Request,
}

/// The number of rollouts that run for each change, in its scope or not, and for the request.
#[derive(Debug, Default)]
pub(super) struct InFlight(BTreeMap<Origin, usize>);

impl InFlight {
    pub(super) fn of(judged: &[Judged<'_>]) -> Self {
        let mut running = BTreeMap::new();
        let rolling = judged.iter().filter(|judged| judged.service.is_rolling());
        for Judged {
            reasons, request, ..
        } in rolling
        {
            let changes = reasons
                .iter()
                .filter(|(_, reason)| reason.is_covered())
                .map(|(key, _)| Origin::Change(key.clone()));
            let request = request
                .iter()
                .filter(|judgement| judgement.reason.is_covered())
                .map(|_| Origin::Request);
            for origin in changes.chain(request) {
                *running.entry(origin).or_default() += 1;
            }
        }
        Self(running)
    }

    /// Holds the restarts of changes that have too many rollouts, counting those that start now.
    pub(super) fn limit(mut self, plan: &mut Plan, policy: &Policy) {
        let restarts = plan
            .services
            .values_mut()
            .filter(|planned| planned.is_restart());
        for planned in restarts {
            let origins: Vec<_> = origins(planned).collect();
            if origins.iter().any(|origin| self.is_full(origin, policy)) {
                let most = policy.max_in_flight;
                let detail = format!("{most} rollouts of this change run at once");
                *planned = planned.clone().held(Reason::InFlightLimit, detail);
            } else {
                for origin in origins {
                    *self.0.entry(origin).or_default() += 1;
                }
            }
        }
    }

    fn is_full(&self, origin: &Origin, policy: &Policy) -> bool {
        let running = self.0.get(origin).copied();
        match Reason::InFlightLimit.rule() {
            Rule::InFlight(rule) => running.is_some_and(|running| rule(running, policy)),
            _ => false,
        }
    }
}

/// The changes that a restart is for, and the request.
fn origins(planned: &Planned) -> impl Iterator<Item = Origin> {
    let changes = planned
        .asked_by
        .iter()
        .filter(|(_, reason)| **reason == Reason::Stale)
        .map(|(key, _)| Origin::Change(key.clone()));
    changes.chain(planned.requested.then_some(Origin::Request))
}
