//! The lines of all services of an invocation, one a service.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::change::ChangeLines;
use super::counts::Counts;
use super::service::ServiceLine;
use crate::domain::arn::ServiceId;
use crate::domain::change::Change;
use crate::domain::key::Key;
use crate::domain::reason::{Decision, Reason};
use crate::domain::request::Request;
use crate::domain::resolution::{FollowUp, Remaining, Resolution};
use crate::domain::rollout::{Outcome, RolloutId};
use crate::domain::start::ResultCode;

/// The most services of one reason with lines of their own, if nothing was done about them. The
/// others are written together: three thousand refusals of one change explain no more than twenty.
pub const MOST_OF_A_REASON: usize = 20;

/// The services of an answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ServiceLines {
    /// Services with lines of their own.
    pub services: Vec<ServiceLine>,
    /// The others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub more_services: Vec<MoreServices>,
}

/// Services about which nothing was done for the same reason, beside those with lines of their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MoreServices {
    /// The decision.
    pub decision: Decision,
    /// The reason for it.
    pub reason: Reason,
    /// The reason that would have decided without the mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub would_be: Option<Reason>,
    /// The number of services.
    pub services: usize,
    /// The first of them, as `cluster/name`.
    #[serde(serialize_with = "as_names")]
    pub first: Vec<ServiceId>,
    /// True if the same was reported before.
    #[serde(skip)]
    pub repeated: bool,
}

/// The common members of services that are written together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Common {
    decision: Decision,
    reason: Reason,
    would_be: Option<Reason>,
    repeated: bool,
}

/// Makes the lines of an invocation, one a service, even if several batches resolved it.
#[derive(Debug, Default)]
pub struct Services {
    made: BTreeMap<ServiceId, Made>,
    /// The number of ordinary services by their common members.
    ordinary: BTreeMap<Common, usize>,
    /// The rollouts of this function that ended, each once.
    outcomes: BTreeMap<(ServiceId, RolloutId), Outcome>,
    /// The time of the oldest change that waits for a restart.
    oldest_waiting: Option<Timestamp>,
}

/// The line of a service, and the progress of the resolution from which it was made.
#[derive(Debug)]
struct Made {
    progress: Progress,
    line: ServiceLine,
    /// True if it is written together with others, so that only its numbers count.
    together: bool,
    /// True if only a redelivery of its messages continues it.
    left_to_redelivery: bool,
}

/// Of two resolutions of one service the greater one is reported:
///
/// 1. a restart that was started,
/// 2. one that was not started,
/// 3. a hold that is abandoned: a person must act,
/// 4. of two decisions the last in the table,
/// 5. a service that could not be described.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Progress {
    /// True if the start succeeded; `None` if none was due.
    is_started: Option<bool>,
    is_abandoned: bool,
    reason: Option<Reason>,
}

impl Services {
    /// Adds the resolutions of one batch. `limit` is the function's own `RELOADER_MAX_SERVICES`, if
    /// the request names a higher one, which a queued message may not.
    pub fn add(
        &mut self,
        changes: &BTreeMap<Key, Change>,
        request: Option<&Request>,
        limit: Option<usize>,
        resolutions: impl IntoIterator<Item = Resolution>,
    ) {
        let mut lines = ChangeLines::new(changes);
        for resolution in resolutions {
            self.count(&resolution, changes);
            let made = Made {
                line: ServiceLine::of(&resolution, &mut lines, request, limit),
                progress: Progress::of(&resolution),
                together: false,
                left_to_redelivery: resolution.is_left_to_redelivery(),
            };
            self.insert(resolution.service, made);
        }
    }

    fn count(&mut self, resolution: &Resolution, changes: &BTreeMap<Key, Change>) {
        for ended in resolution.ended.iter().filter(|ended| ended.rollout.own) {
            let rollout = (resolution.service.clone(), ended.rollout.id.clone());
            self.outcomes.insert(rollout, ended.outcome);
        }
        let waiting = resolution.waiting().filter_map(|key| changes.get(key));
        let oldest = waiting.map(|change| change.at);
        self.oldest_waiting = self.oldest_waiting.into_iter().chain(oldest).min();
    }

    /// The services that have a line already.
    pub fn ids(&self) -> impl Iterator<Item = &ServiceId> {
        self.made.keys()
    }

    /// Takes note that Lambda does not retry this invocation: work that was left to a redelivery
    /// has failed.
    pub fn nothing_is_redelivered(&mut self) {
        let left = self
            .made
            .values_mut()
            .filter(|made| made.left_to_redelivery);
        left.for_each(|made| made.line.is_not_retried());
    }

    fn insert(&mut self, id: ServiceId, made: Made) {
        let made = match self.made.remove(&id) {
            None if self.is_one_more(&made.line) => Made {
                line: made.line.without_texts(),
                together: true,
                ..made
            },
            None => made,
            Some(known) if known.progress >= made.progress => known.with(made),
            Some(known) => made.with(known),
        };
        self.made.insert(id, made);
    }

    /// True if enough other lines say the same.
    fn is_one_more(&mut self, line: &ServiceLine) -> bool {
        let Some(common) = Common::of(line).filter(|_| line.is_ordinary()) else {
            return false;
        };
        let number = self.ordinary.entry(common).or_default();
        *number += 1;
        *number > MOST_OF_A_REASON
    }

    /// The lines, and the numbers of all of them.
    #[must_use]
    pub fn finish(self) -> (ServiceLines, Counts) {
        let mut counts = Counts::default();
        let mut notes = BTreeSet::new();
        let (mut lines, mut together) = (ServiceLines::default(), BTreeMap::new());
        for (id, made) in self.made {
            counts.add(&made.line);
            let with_note = made
                .line
                .changes
                .iter()
                .filter(|change| change.note.is_some());
            notes.extend(with_note.map(|change| change.key.clone()));
            match Common::of(&made.line).filter(|_| made.together) {
                Some(common) => MoreServices::add(&mut together, common, id),
                None => lines.services.push(made.line),
            }
        }
        counts.lookups_failed = notes.len();
        counts.oldest_waiting = self.oldest_waiting;
        for outcome in self.outcomes.into_values() {
            *counts.outcomes.entry(outcome).or_default() += 1;
        }
        lines.more_services = together.into_values().collect();
        (lines, counts)
    }
}

impl Made {
    fn with(self, other: Self) -> Self {
        Self {
            line: self.line.with(other.line),
            together: false,
            ..self
        }
    }
}

impl MoreServices {
    fn add(known: &mut BTreeMap<Common, Self>, common: Common, id: ServiceId) {
        let none = || Self {
            decision: common.decision,
            reason: common.reason,
            would_be: common.would_be,
            services: 0,
            first: Vec::new(),
            repeated: common.repeated,
        };
        let more = known.entry(common).or_insert_with(none);
        more.services += 1;
        if more.first.len() < MOST_OF_A_REASON {
            more.first.push(id);
        }
    }
}

impl Common {
    fn of(line: &ServiceLine) -> Option<Self> {
        Some(Self {
            decision: line.decision?,
            reason: line.reason?,
            would_be: line.would_be,
            repeated: line.attempts > 0,
        })
    }
}

impl Progress {
    fn of(resolution: &Resolution) -> Self {
        let planned = resolution.planned.as_ref().ok();
        let start = resolution.start.as_ref();
        Self {
            is_started: start.map(|start| start.result() == ResultCode::Started),
            is_abandoned: matches!(resolution.follow_up, FollowUp::Abandoned { .. })
                && matches!(resolution.remaining(), Some(Remaining::Restart(_))),
            reason: planned.map(|planned| planned.reason),
        }
    }
}

fn as_names<S: Serializer>(ids: &[ServiceId], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(ids.iter().map(ToString::to_string))
}
