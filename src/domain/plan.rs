//! Decides about every affected service: one pure function, and the plan that it makes.
//!
//! The table of reasons ([`Reason`]) decides. Each of its rows names its rule, and the rules stand
//! in the modules below:
//!
//! 1. every service is judged by each change that affects it, and by the request that names it:
//!    the first row that applies is the [`judged::Judgement`];
//! 2. the services that each change would restart are counted;
//! 3. service by service, in the order of their turns: `order-halted`, `waiting-for-order` and
//!    `blast-radius` are applied, one of the judgements decides, and a mode may stand before it;
//! 4. the rollouts of each change are counted, and `in-flight-limit` is applied.

pub(super) mod ability;
mod counts;
mod detail;
mod evidence;
pub(super) mod freshness;
pub(super) mod holds;
mod judged;
pub(super) mod keys;
pub(super) mod limits;
pub(super) mod mode;
pub(super) mod order;
mod planned;
mod reach;
pub(super) mod rule;
mod standing;
mod strategy;
mod turns;

use std::collections::BTreeMap;
use std::slice;
use std::sync::Arc;

use jiff::Timestamp;

use super::arn::ServiceId;
use super::change::{Change, distinct};
use super::key::Key;
use super::policy::Policy;
use super::reason::Reason;
use super::service::Service;
use super::shared::Memo;

use counts::InFlight;
use judged::{Judged, Judgement, SharedJudgements};
pub use planned::{Action, Plan, Planned, Reasons};
use reach::Reach;
use rule::Because;
use turns::{Prevented, Turns};

/// Plans. No I/O, no clock, no randomness: the same input gives the same plan.
pub fn plan(
    changes: &BTreeMap<Key, Change>,
    services: &[Service],
    policy: &Policy,
    now: Timestamp,
) -> Plan {
    plan_within(&Reach::default(), changes, services, policy, now)
}

impl Plan {
    /// Plans again for one service of this plan: each change reaches at least as many services as
    /// it did in this plan.
    #[must_use]
    pub fn replan(
        &self,
        changes: &BTreeMap<Key, Change>,
        service: &Service,
        policy: &Policy,
        now: Timestamp,
    ) -> Option<Planned> {
        let services = slice::from_ref(service);
        let mut plan = plan_within(&self.reach, changes, services, policy, now);
        plan.services.remove(&service.id)
    }
}

fn plan_within(
    known: &Reach,
    changes: &BTreeMap<Key, Change>,
    services: &[Service],
    policy: &Policy,
    now: Timestamp,
) -> Plan {
    let mut shared = SharedJudgements::default();
    let judged: Vec<Judged<'_>> = services
        .iter()
        .map(|service| Judged::of(service, changes, policy, now, &mut shared))
        .collect();
    let planning = Planning {
        changes,
        policy,
        now,
        reach: counts::reach(&judged, changes).at_least(known),
    };
    let scopes: Vec<_> = distinct(changes.values()).collect();
    let mut in_scope = Memo::default();
    let mut plan = Plan::default();
    let mut turns = Turns::of(&judged, changes, policy, now);
    for judged in turns.queue(&judged) {
        let id = &judged.service.id;
        let prevented = turns.prevented(judged);
        let asked_by = if prevented.is_empty() {
            let scopes: Vec<bool> = scopes.iter().map(|scope| scope.includes(id)).collect();
            in_scope.get(&judged.reasons, scopes, || {
                let asked_by = planning.in_scope(id, &judged.reasons);
                shared.reasons.share(asked_by)
            })
        } else {
            let reasons = prevented.applied_to(&judged.reasons);
            shared.reasons.share(planning.in_scope(id, &reasons))
        };
        let planned = planning.decide(judged, asked_by, &prevented);
        turns.take(judged, planned.as_ref());
        if let Some(planned) = planned {
            plan.services.insert(id.clone(), planned);
        }
    }
    InFlight::of(&judged).limit(&mut plan, policy);
    Plan {
        reach: planning.reach,
        needed_by_others: turns.needed(),
        ..plan
    }
}

/// Everything that a decision needs beside the service.
struct Planning<'a> {
    changes: &'a BTreeMap<Key, Change>,
    policy: &'a Policy,
    now: Timestamp,
    reach: Reach,
}

impl Planning<'_> {
    /// The reasons of the changes whose scope includes a service; `blast-radius` for those that
    /// reach too many services.
    fn in_scope(&self, id: &ServiceId, judged: &Reasons) -> Reasons {
        let in_scope = judged.iter().filter(|(key, _)| {
            self.changes
                .get(key)
                .is_some_and(|change| change.scope.includes(id))
        });
        let limited = in_scope.map(|(key, reason)| {
            let limited = self.reach.limit(key, *reason, self.policy);
            (key.clone(), limited)
        });
        limited.collect()
    }

    /// `None` if nothing asks for a restart of the service.
    fn decide(
        &self,
        judged: &Judged<'_>,
        asked_by: Arc<Reasons>,
        prevented: &Prevented,
    ) -> Option<Planned> {
        let service = judged.service;
        let request = judged.request.as_ref();
        let asked = asked_by.values().copied();
        let given = asked.chain(request.map(|request| request.reason));
        let reason = deciding(&given)?;
        let by_others = prevented.judgement(reason, &asked_by);
        let judgement = by_others
            .as_ref()
            .or_else(|| self.judgement(reason, judged, &asked_by));
        let because = judgement.and_then(|judgement| judgement.because.as_deref());
        let mode = judged::mode(service, self.policy).filter(|mode| *mode < reason);
        let planned = Planned {
            reason,
            would_be: mode.map(|_| reason),
            action: None,
            detail: None,
            requested: request.is_some(),
            not_before: self.settled(&asked_by),
            until: judgement.and_then(|judgement| judgement.until),
            ages: !matches!(because, Some(Because::WaitsFor(awaited)) if !awaited.wait.ages),
            ended: match because {
                Some(Because::Ended(ended)) => Some(ended.clone()),
                _ => None,
            },
            asked_by,
        };
        let detail = detail::of(service, &planned, because, &self.reach, self.policy);
        let reason = mode.unwrap_or(reason);
        Some(Planned {
            reason,
            detail,
            action: (reason == Reason::Stale)
                .then(|| strategy::action(service).ok())
                .flatten(),
            ..planned
        })
    }

    /// The judgement that decides. Of several with the same reason it is the one about the oldest
    /// change, which ends first; but all changes must have settled, so for `settling` it is the one
    /// about the newest.
    fn judgement<'j>(
        &self,
        reason: Reason,
        judged: &'j Judged<'_>,
        asked_by: &Reasons,
    ) -> Option<&'j Judgement> {
        let instants = self.instants(asked_by, reason);
        let at = if reason == Reason::Settling {
            instants.max()
        } else {
            instants.min()
        };
        match at {
            Some(at) => judged.about(at, reason),
            None => judged.request.as_ref(),
        }
    }

    /// The instant at which the newest change that is to be read has settled.
    fn settled(&self, asked_by: &Reasons) -> Timestamp {
        self.instants(asked_by, Reason::Stale)
            .max()
            .and_then(|at| at.saturating_add(self.policy.settle).ok())
            .unwrap_or(self.now)
    }

    /// The instants of the changes that give a reason.
    fn instants(&self, asked_by: &Reasons, reason: Reason) -> impl Iterator<Item = Timestamp> {
        let giving = asked_by.iter().filter(move |(_, given)| **given == reason);
        giving.filter_map(|(key, _)| Some(self.changes.get(key)?.at))
    }
}

/// The reason that decides, of those that several changes and the request give: the one that stands
/// last in the table, so that a restart for one of them is never lost. But a restart reads every
/// key, so these stand before it:
///
/// * one change that settles, which would be read too early;
/// * one that other services must take first;
/// * one that failed in another service before.
fn deciding(reasons: &(impl Iterator<Item = Reason> + Clone)) -> Option<Reason> {
    const BEFORE_A_RESTART: [Reason; 3] = [
        Reason::Settling,
        Reason::WaitingForOrder,
        Reason::OrderHalted,
    ];
    let last = reasons.clone().max()?;
    let is_given = |reason: &Reason| reasons.clone().any(|given| given == *reason);
    match last {
        Reason::Stale => BEFORE_A_RESTART.into_iter().find(is_given).or(Some(last)),
        _ => Some(last),
    }
}

#[cfg(test)]
mod tests;
