//! The judgements about one service, each made once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::planned::Reasons;
use super::rule::{Affected, Applies, Because, Case, Rule, Trigger};
use crate::domain::change::Change;
use crate::domain::key::Key;
use crate::domain::policy::Policy;
use crate::domain::reason::Reason;
use crate::domain::service::Service;
use crate::domain::shared::Shared;

/// The answer of the table about one service and one trigger.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Judgement {
    pub(super) reason: Reason,
    /// Its end, if that is known.
    pub(super) until: Option<Timestamp>,
    /// The fact that it rests on, if a person needs to know it.
    pub(super) because: Option<Box<Because>>,
}

/// The judgements about the changes of one service, by the instants of the changes: each holds from
/// its instant until the next one. Hundreds of changes have few different ones.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Judgements(Vec<(Timestamp, Judgement)>);

/// Values that are shared by services which are affected alike.
#[derive(Debug, Default)]
pub(super) struct SharedJudgements {
    pub(super) reasons: Shared<Reasons>,
    judgements: Shared<Judgements>,
}

/// The judgements about one service, before the limits are applied.
#[derive(Debug)]
pub(super) struct Judged<'a> {
    pub(super) service: &'a Service,
    /// By each change that affects it, in the scope of the change or not.
    pub(super) reasons: Arc<Reasons>,
    /// About the request, if one names it.
    pub(super) request: Option<Judgement>,
    judgements: Arc<Judgements>,
}

impl<'a> Judged<'a> {
    pub(super) fn of(
        service: &'a Service,
        changes: &BTreeMap<Key, Change>,
        policy: &Policy,
        now: Timestamp,
        shared: &mut SharedJudgements,
    ) -> Self {
        let judge = |trigger| {
            judge(&Case {
                service,
                trigger,
                policy,
                now,
            })
        };
        let by_key: Vec<(&Change, Option<Reason>)> = changes
            .values()
            .filter_map(|change| {
                let affected = Affected::of(service, change)?;
                Some((change, judge_key(&affected)))
            })
            .collect();
        let instants: BTreeSet<Timestamp> = by_key
            .iter()
            .filter(|(_, reason)| reason.is_none())
            .map(|(change, _)| change.at)
            .collect();
        let mut judgements = Judgements(Vec::new());
        for at in instants {
            judgements.add(at, judge(Trigger::Change(at)));
        }
        let reasons = by_key.into_iter().filter_map(|(change, reason)| {
            let at_instant = || judgements.at(change.at).map(|judgement| judgement.reason);
            Some((change.key.clone(), reason.or_else(at_instant)?))
        });
        let requested_at = policy.requested_at;
        Self {
            service,
            reasons: shared.reasons.share(reasons.collect()),
            request: policy
                .named
                .contains(&service.id)
                .then(|| judge(Trigger::Request { requested_at })),
            judgements: shared.judgements.share(judgements),
        }
    }

    /// The judgement about the changes of an instant, if it has this reason. A reason about keys
    /// has no judgement.
    pub(super) fn about(&self, at: Timestamp, reason: Reason) -> Option<&Judgement> {
        self.judgements
            .at(at)
            .filter(|judgement| judgement.reason == reason)
    }
}

impl Judgements {
    /// The changes come in the order of their instants.
    fn add(&mut self, at: Timestamp, judgement: Judgement) {
        if self.0.last().is_none_or(|(_, last)| *last != judgement) {
            self.0.push((at, judgement));
        }
    }

    /// The judgement about an instant that was judged.
    fn at(&self, at: Timestamp) -> Option<&Judgement> {
        let later = self.0.partition_point(|(since, _)| *since <= at);
        let (_, judgement) = self.0.get(later.checked_sub(1)?)?;
        Some(judgement)
    }
}

/// The first row whose rule is about keys and applies. All of them stand before the others.
fn judge_key(affected: &Affected<'_>) -> Option<Reason> {
    let applies = |reason: &Reason| match reason.rule() {
        Rule::Key(rule) => rule(affected),
        Rule::Mode(_)
        | Rule::Service(_)
        | Rule::Order(_)
        | Rule::Reach(_)
        | Rule::InFlight(_)
        | Rule::Otherwise => false,
    };
    Reason::ALL.iter().copied().find(applies)
}

/// The first row that applies of those whose rules are about a service, else the last row.
fn judge(case: &Case<'_>) -> Judgement {
    let applies = |reason: &Reason| match reason.rule() {
        Rule::Service(rule) => {
            let Applies { until, because } = rule(case)?;
            Some(Judgement {
                reason: *reason,
                until,
                because,
            })
        }
        Rule::Key(_)
        | Rule::Mode(_)
        | Rule::Order(_)
        | Rule::Reach(_)
        | Rule::InFlight(_)
        | Rule::Otherwise => None,
    };
    let judged = Reason::ALL.iter().find_map(applies);
    judged.unwrap_or(Judgement {
        reason: Reason::Stale,
        until: None,
        because: None,
    })
}

/// The first row whose rule is about a mode and applies.
pub(super) fn mode(service: &Service, policy: &Policy) -> Option<Reason> {
    let applies = |reason: &Reason| match reason.rule() {
        Rule::Mode(rule) => rule(service, policy),
        Rule::Key(_)
        | Rule::Service(_)
        | Rule::Order(_)
        | Rule::Reach(_)
        | Rule::InFlight(_)
        | Rule::Otherwise => false,
    };
    Reason::ALL.iter().copied().find(applies)
}
