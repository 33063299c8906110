//! The order in which the services of a change take it.
//!
//! Services are decided in the order of their tags `reloader:order`. Each waits for those before
//! it: for all of a lower order and, with canaries, for the first one of its own order.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::judged::{Judged, Judgement};
use super::order::{Awaited, Failed, InTheWay, Wait};
use super::planned::{Planned, Reasons};
use super::rule::{Because, Rule};
use super::standing::{Blocks, Lack, Observed, Standing, takes_part};
use crate::domain::arn::ServiceId;
use crate::domain::change::Change;
use crate::domain::history::Needed;
use crate::domain::key::Key;
use crate::domain::policy::Policy;
use crate::domain::reason::Reason;
use crate::domain::tags::Mode;

/// The services that have had their turn, by each change.
#[derive(Debug)]
pub(super) struct Turns<'a> {
    changes: &'a BTreeMap<Key, Change>,
    policy: &'a Policy,
    now: Timestamp,
    /// False if no service has an order, and there are no canaries: then nothing is in the way.
    in_play: bool,
    /// The order whose services have their turn.
    order: u8,
    lines: BTreeMap<&'a Key, Line>,
    /// The evidence that the next services need of those before them.
    needed: BTreeMap<ServiceId, Needed>,
}

/// The services of one change.
#[derive(Debug, Default)]
struct Line {
    /// Of the lower orders, with the canary of this order.
    before: Before,
    /// The others of this order.
    beside: Before,
    has_canary: bool,
}

/// Services that others wait for.
#[derive(Debug, Default)]
struct Before {
    in_the_way: InTheWay,
    /// The evidence that they lack, until it is asked for.
    lacking: Vec<(ServiceId, Lack, Needed)>,
    /// The number of those that lack some.
    number_lacking: usize,
}

/// The judgements about the services before one, by the changes whose restart they prevent.
#[derive(Debug, Default)]
pub(super) struct Prevented(BTreeMap<Key, Judgement>);

impl<'a> Turns<'a> {
    pub(super) fn of(
        judged: &[Judged<'_>],
        changes: &'a BTreeMap<Key, Change>,
        policy: &'a Policy,
        now: Timestamp,
    ) -> Self {
        let has_order = |judged: &Judged<'_>| judged.service.tags.order > 0;
        Self {
            in_play: policy.canary || judged.iter().any(has_order),
            changes,
            policy,
            now,
            order: 0,
            lines: BTreeMap::new(),
            needed: BTreeMap::new(),
        }
    }

    /// The services in the order of their turns.
    pub(super) fn queue<'j, 's>(&self, judged: &'j [Judged<'s>]) -> Vec<&'j Judged<'s>> {
        let mut queue: Vec<_> = judged.iter().collect();
        if self.in_play {
            let turn = |judged: &Judged<'s>| (judged.service.tags.order, &judged.service.id);
            queue.sort_by(|one, other| turn(one).cmp(&turn(other)));
        }
        queue
    }

    /// What prevents the restart of the service whose turn it is. A request passes it.
    pub(super) fn prevented(&mut self, judged: &Judged<'_>) -> Prevented {
        if !self.in_play || judged.request.is_some() {
            return Prevented::default();
        }
        self.begin(judged.service.tags.order);
        let mut prevented = Prevented::default();
        for (key, reason) in judged
            .reasons
            .iter()
            .filter(|(_, reason)| is_preventable(**reason))
        {
            let unread = self.unread(key, judged.service.tags.order);
            let line = self.lines.get_mut(key);
            let known = line.as_ref().map(|line| line.before.in_the_way.clone());
            let in_the_way = known.unwrap_or_default().and(unread);
            let Some(judgement) = judgement(&in_the_way) else {
                continue;
            };
            let change = self.changes.get(key);
            let is_asked = *reason == Reason::Stale
                && judged.service.tags.mode != Mode::Off
                && change.is_some_and(|change| change.scope.includes(&judged.service.id));
            if let Some(line) = line.filter(|_| is_asked) {
                line.before.ask(&mut self.needed);
            }
            prevented.0.insert(key.clone(), judgement);
        }
        prevented
    }

    /// The service has had its turn: others come after it.
    pub(super) fn take(&mut self, judged: &Judged<'_>, planned: Option<&Planned>) {
        if !self.in_play {
            return;
        }
        let service = judged.service;
        self.begin(service.tags.order);
        let needed = self.needed_of(judged);
        let taking_part = judged.reasons.iter();
        for (key, reason) in taking_part.filter(|(_, reason)| takes_part(service, **reason)) {
            let Some((key, change)) = self.changes.get_key_value(key) else {
                continue;
            };
            let observed = Observed {
                service,
                reason: *reason,
                until: judged
                    .about(change.at, *reason)
                    .and_then(|judgement| judgement.until),
                planned,
                at: change.at,
                policy: self.policy,
                now: self.now,
            };
            let standing = observed.standing();
            let line = self.lines.entry(key).or_default();
            let is_canary = self.policy.canary && !line.has_canary;
            line.has_canary |= is_canary;
            let before = if is_canary {
                &mut line.before
            } else {
                &mut line.beside
            };
            before.add(judged, standing, needed);
        }
    }

    /// The evidence that is needed of services before others.
    pub(super) fn needed(self) -> BTreeMap<ServiceId, Needed> {
        self.needed
    }

    /// The next order begins when the first service of it has its turn.
    fn begin(&mut self, order: u8) {
        if order == self.order {
            return;
        }
        self.order = order;
        for line in self.lines.values_mut() {
            let beside = std::mem::take(&mut line.beside);
            line.before.join(beside);
            line.has_canary = false;
        }
    }

    /// The services before one that could not be read.
    fn unread(&self, key: &Key, order: u8) -> InTheWay {
        let lowest = self.policy.unread.get(key);
        let is_before =
            |lowest: &&u8| **lowest < order || (self.policy.canary && **lowest == order);
        let awaited = lowest.filter(is_before).map(|_| Awaited {
            first: None,
            state: "it could not be read",
            number: 1,
            wait: Wait::OPEN,
        });
        InTheWay {
            failed: None,
            unwell: awaited,
        }
    }

    /// The history of a service since the oldest change that affects it.
    fn needed_of(&self, judged: &Judged<'_>) -> Needed {
        let changes = judged
            .reasons
            .keys()
            .filter_map(|key| self.changes.get(key));
        Needed {
            history_since: changes.map(|change| change.at).min(),
            restart_budget: self.policy.restarts_per_hour,
            has_hooks: judged.service.has_lifecycle_hooks,
            oldest_task: false,
        }
    }
}

impl Before {
    fn add(&mut self, judged: &Judged<'_>, standing: Standing, needed: Needed) {
        let service = &judged.service.id;
        let in_the_way = match standing {
            Standing::IsWell => return,
            Standing::Halts(failure) => InTheWay {
                failed: Some(Failed {
                    service: service.clone(),
                    order: judged.service.tags.order,
                    failure,
                }),
                unwell: None,
            },
            Standing::Blocks(Blocks { wait, state, lacks }) => {
                if let Some(lack) = lacks {
                    self.lacking.push((service.clone(), lack, needed));
                    self.number_lacking += 1;
                }
                let awaited = Awaited {
                    first: Some(service.clone()),
                    state,
                    number: 1,
                    wait,
                };
                InTheWay {
                    failed: None,
                    unwell: Some(awaited),
                }
            }
        };
        self.in_the_way = std::mem::take(&mut self.in_the_way).and(in_the_way);
    }

    fn join(&mut self, beside: Self) {
        self.in_the_way = std::mem::take(&mut self.in_the_way).and(beside.in_the_way);
        self.lacking.extend(beside.lacking);
        self.number_lacking += beside.number_lacking;
    }

    /// Asks for the evidence that may end the wait: of all, if nothing else is in the way, and
    /// otherwise only of those that may have failed or stand at a hook.
    fn ask(&mut self, asked: &mut BTreeMap<ServiceId, Needed>) {
        let number = self
            .in_the_way
            .unwell
            .as_ref()
            .map(|awaited| awaited.number);
        let is_all = number == Some(self.number_lacking) && self.in_the_way.failed.is_none();
        let lacking = std::mem::take(&mut self.lacking).into_iter();
        let (now, later): (Vec<_>, Vec<_>) =
            lacking.partition(|(_, lack, _)| is_all || *lack == Lack::HistoryAtOnce);
        self.lacking = later;
        for (service, lack, needed) in now {
            let known = asked.entry(service).or_default();
            *known = known.and(match lack {
                Lack::History | Lack::HistoryAtOnce => needed,
                Lack::OldestTask => Needed {
                    history_since: None,
                    oldest_task: true,
                    ..needed
                },
            });
        }
    }
}

impl Prevented {
    /// The reasons, with those that the order gives where they stand before the others in the table.
    pub(super) fn applied_to(&self, reasons: &Reasons) -> Reasons {
        let applied = reasons.iter().map(|(key, reason)| {
            let given = self.0.get(key).map(|judgement| judgement.reason);
            (
                key.clone(),
                given.map_or(*reason, |given| given.min(*reason)),
            )
        });
        applied.collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The judgement of a reason that the order gives, about all changes with this reason.
    pub(super) fn judgement(&self, reason: Reason, asked_by: &Reasons) -> Option<Judgement> {
        let giving = self.0.iter().filter(|(key, judgement)| {
            judgement.reason == reason && asked_by.get(key) == Some(&reason)
        });
        let mut giving = giving.map(|(_, judgement)| judgement);
        let first = giving.next()?.clone();
        Some(giving.fold(first, joined))
    }
}

/// The judgement about two changes: a hold for both has the later of the known ends.
fn joined(one: Judgement, other: &Judgement) -> Judgement {
    match (one.because.as_deref(), other.because.as_deref()) {
        (Some(Because::WaitsFor(awaited)), Some(Because::WaitsFor(also))) => {
            let number = awaited.number.max(also.number);
            let both = awaited.clone().and(also);
            judgement(&InTheWay {
                failed: None,
                unwell: Some(Awaited { number, ..both }),
            })
            .unwrap_or(one)
        }
        _ => one,
    }
}

/// The first row of the table whose rule is about the order and applies.
fn judgement(in_the_way: &InTheWay) -> Option<Judgement> {
    let applies = |reason: &&Reason| match reason.rule() {
        Rule::Order(rule) => rule(in_the_way),
        _ => false,
    };
    let reason = *Reason::ALL.iter().find(applies)?;
    let InTheWay { failed, unwell } = in_the_way.clone();
    Some(match (failed, unwell) {
        (Some(failed), _) => Judgement {
            reason,
            until: None,
            because: Some(Box::new(Because::HaltedBy(failed))),
        },
        (None, unwell) => Judgement {
            reason,
            until: unwell.as_ref().and_then(|awaited| awaited.wait.until),
            because: unwell.map(|awaited| Box::new(Because::WaitsFor(awaited))),
        },
    })
}

/// True if a rule about the order may stand before this reason.
fn is_preventable(reason: Reason) -> bool {
    reason > Reason::OrderHalted
}
