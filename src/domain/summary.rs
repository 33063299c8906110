//! What one invocation did: the answer of a direct invocation, and what the log lines and metrics
//! are made of.

mod counts;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::arn::{AccountRegion, ServiceId};
use super::change::Change;
use super::key::Key;
use super::plan::{Planned, Reasons};
use super::reason::{Decision, IgnoredReason, Reason};
use super::received::MalformedEvent;
use super::service::{Service, ServiceEvent};
use super::shared::Found;
use super::start::{Executed, ResultCode, StartResult};
use super::text::bounded;

pub use counts::Counts;

/// The version of the JSON below; it grows when a field goes or changes its meaning.
pub const VERSION: u32 = 1;

/// As many changes of a service as are told: a line of the log has a limit.
pub const CHANGES_TOLD: usize = 20;

/// As many services of one reason have lines of their own, where nothing was done about them; the
/// others are told together.
pub const SERVICES_TOLD: usize = 20;

/// One invocation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// [`VERSION`].
    pub version: u32,
    /// Lambda's id of the invocation.
    pub request_id: String,
    /// How many of everything.
    #[serde(flatten)]
    pub counts: Counts,
    /// Why nothing could be decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The services that a change concerns.
    #[serde(serialize_with = "told_alone")]
    pub services: Vec<ServiceLine>,
    /// Those of them that are told together.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub more_services: Vec<SummedServices>,
    /// Events that nothing was done about.
    pub ignored_events: Vec<IgnoredEvent>,
    /// Events that could not be read.
    pub malformed_events: Vec<MalformedEvent>,
    /// What was read in part alone, and worked with all the same.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub incomplete: Vec<String>,
    /// What a sweep could not compare.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sweep_errors: Vec<String>,
    /// How many more of all these there are than an answer holds.
    #[serde(skip_serializing_if = "is_zero")]
    pub left_out: usize,
}

/// One service.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are members of the JSON"
)]
pub struct ServiceLine {
    /// `cluster/name`.
    pub service: String,
    /// What was decided; nothing where the service could not be read.
    pub decision: Option<Decision>,
    /// Why.
    pub reason: Option<Reason>,
    /// What would have been decided, were the decision wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub would_be: Option<Reason>,
    /// What a person needs to know beyond the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Whether a person's request names it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub requested: bool,
    /// The person's own words, where a request asked for this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_reason: Option<String>,
    /// Who sent that request, where it came through the queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender_id: Option<String>,
    /// What became of a restart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<ResultCode>,
    /// The deployment that was created.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment: Option<String>,
    /// When the deployment that covers the change was created.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployed_at: Option<Timestamp>,
    /// When it is looked at again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_check: Option<Timestamp>,
    /// How often it was told before, for the same reason.
    #[serde(skip_serializing_if = "is_none")]
    pub attempts: u32,
    /// Why it did not succeed, in AWS's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Whether it goes on later with nobody's help.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub will_retry: bool,
    /// What asked for it, the first [`CHANGES_TOLD`] of them. Services that the same changes
    /// concern alike share the lines.
    #[serde(serialize_with = "as_list")]
    pub changes: Arc<[ChangeLine]>,
    /// How many more did.
    #[serde(skip_serializing_if = "is_zero")]
    pub more_changes: usize,
    /// Whether a key that its task definition refers to is gone: its next task will not start.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub missing_key: bool,
    /// Tags, and references of its task definition, that do not parse.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mistakes: Vec<String>,
    /// The newest events of the service, as `DescribeServices` shows them.
    pub ecs_events: Vec<EventLine>,
    /// Whether it is told together with others.
    #[serde(skip)]
    pub summed: bool,
}

/// Services that nothing was done about for the same reason, beside those that have lines of their
/// own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SummedServices {
    /// What was decided.
    pub decision: Decision,
    /// Why.
    pub reason: Reason,
    /// What would have been decided, were the decision wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub would_be: Option<Reason>,
    /// How many they are.
    pub services: usize,
    /// The first of them, as `cluster/name`.
    pub first: Vec<String>,
    /// Whether all that was told before.
    #[serde(skip)]
    pub repeated: bool,
}

/// One change that concerns a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChangeLine {
    /// As a watch term of the service; by ARN where it is elsewhere.
    pub key: String,
    /// A deployment must have been created after this instant.
    pub changed_at: Timestamp,
    /// What this change alone would give.
    pub reason: Reason,
    /// Its version, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The version before it, where known: the one to go back to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
    /// An object's entity tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// Who changed it, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed_by: Option<String>,
    /// What could not be enriched of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The id of the event.
    pub event_id: String,
}

/// One event of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EventLine {
    /// When.
    pub at: Timestamp,
    /// In the words of Amazon ECS.
    pub message: String,
}

/// An event that is not acted on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IgnoredEvent {
    /// The source and the kind, such as `aws.s3 Object Deleted`.
    pub event: String,
    /// Why.
    pub reason: IgnoredReason,
}

impl ServiceLine {
    /// The line of a service that was decided about.
    #[must_use]
    pub fn decided(executed: &Executed, changes: &mut ChangeLines<'_>) -> Self {
        let Executed {
            planned,
            start,
            seen,
        } = executed;
        let mut lost = planned
            .asked_by
            .iter()
            .filter(|(_, reason)| **reason == Reason::Deleted)
            .filter_map(|(key, _)| changes.changes.get(key));
        let missing_key = lost.any(|change| seen.misses(change));
        Self {
            decision: Some(planned.reason.decision()),
            reason: Some(planned.reason),
            would_be: planned.would_be,
            detail: planned.detail.clone(),
            requested: planned.requested,
            changes: changes.of(planned, seen),
            more_changes: planned.asked_by.len().saturating_sub(CHANGES_TOLD),
            missing_key,
            mistakes: seen.mistakes().collect(),
            ecs_events: seen.events.iter().map(EventLine::from).collect(),
            ..Self::blank(&seen.id)
        }
        .with(start.as_ref())
        .with_end(planned, seen)
    }

    /// Where the deployment that this function started has failed, that is a failed restart, told
    /// by the message that follows it.
    fn with_end(self, planned: &Planned, seen: &Service) -> Self {
        let ended = planned
            .ended
            .as_ref()
            .filter(|_| planned.reason == Reason::FailedAlready && self.result.is_none());
        match ended
            .zip(seen.followed.as_ref())
            .filter(|(ended, rollout)| rollout.is(ended))
        {
            Some((ended, rollout)) => Self {
                result: Some(ResultCode::RolloutFailed),
                deployment: Some(rollout.id.to_string()),
                error: ended.status_reason.as_deref().map(bounded),
                ..self
            },
            None => self,
        }
    }

    /// The line of a service that could not be read.
    #[must_use]
    pub fn unread(id: &ServiceId, start: &StartResult) -> Self {
        Self::blank(id).with(Some(start))
    }

    fn blank(id: &ServiceId) -> Self {
        Self {
            service: id.to_string(),
            decision: None,
            reason: None,
            would_be: None,
            detail: None,
            requested: false,
            request_reason: None,
            sender_id: None,
            result: None,
            deployment: None,
            deployed_at: None,
            next_check: None,
            attempts: 0,
            error: None,
            will_retry: false,
            changes: Arc::default(),
            more_changes: 0,
            missing_key: false,
            mistakes: Vec::new(),
            ecs_events: Vec::new(),
            summed: false,
        }
    }

    /// Whether nothing was done about it, and nothing of it is worth a line beside the reason.
    fn is_ordinary(&self) -> bool {
        let is_idle = matches!(
            self.decision,
            Some(Decision::Skip | Decision::Refuse | Decision::Hold)
        );
        is_idle
            && self.result.is_none()
            && self.error.is_none()
            && !self.missing_key
            && !self.requested
    }

    fn sum(&self) -> Option<(Reason, Option<Reason>, bool)> {
        Some((self.reason?, self.would_be, self.attempts > 0))
    }

    fn with(mut self, start: Option<&StartResult>) -> Self {
        self.result = start.map(StartResult::result);
        self.will_retry = start.is_some_and(StartResult::is_unfinished);
        match start {
            Some(StartResult::Started { rollout, found }) => {
                self.deployment = Some(rollout.id.to_string());
                self.deployed_at = Some(rollout.started_at);
                if *found {
                    self.add_detail(
                        "the answer to the call was lost; this deployment was found by looking",
                    );
                }
            }
            Some(StartResult::Denied { cause } | StartResult::Failed { cause, .. }) => {
                self.error = Some(cause.clone());
            }
            Some(StartResult::Throttled | StartResult::OutOfTime) | None => {}
        }
        self
    }

    /// Tells a person one thing more.
    pub fn add_detail(&mut self, text: &str) {
        self.detail = Some(
            self.detail
                .take()
                .map_or_else(|| text.to_owned(), |detail| format!("{detail}; {text}")),
        );
    }

    /// Whether it ended without success, and nobody goes on with it.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        !self.will_retry
            && self
                .result
                .is_some_and(|result| result != ResultCode::Started)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_none(count: &u32) -> bool {
    *count == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// Lets services be told together of which there are many: three thousand refusals of one change
/// say no more than twenty.
#[derive(Debug, Default)]
pub struct Sums(BTreeMap<(Reason, Option<Reason>, bool), usize>);

impl Sums {
    /// The line as it is, or, where enough others say the same, what is left to count of it.
    #[must_use]
    pub fn take(&mut self, line: ServiceLine) -> ServiceLine {
        let Some(sum) = line.sum().filter(|_| line.is_ordinary()) else {
            return line;
        };
        let told = self.0.entry(sum).or_default();
        *told += 1;
        if *told <= SERVICES_TOLD {
            return line;
        }
        ServiceLine {
            detail: None,
            mistakes: Vec::new(),
            ecs_events: Vec::new(),
            summed: true,
            ..line
        }
    }
}

impl SummedServices {
    /// The services among these lines that are told together.
    #[must_use]
    pub fn of(lines: &[ServiceLine]) -> Vec<Self> {
        let mut sums: BTreeMap<_, Self> = BTreeMap::new();
        for line in lines.iter().filter(|line| line.summed) {
            let (Some(sum), Some(decision)) = (line.sum(), line.decision) else {
                continue;
            };
            let (reason, would_be, repeated) = sum;
            let none = || Self {
                decision,
                reason,
                would_be,
                services: 0,
                first: Vec::new(),
                repeated,
            };
            let sum = sums.entry(sum).or_insert_with(none);
            sum.services += 1;
            if sum.first.len() < SERVICES_TOLD {
                sum.first.push(line.service.clone());
            }
        }
        sums.into_values().collect()
    }
}

impl Summary {
    /// The same, no longer than an answer may be: the rest is counted.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        let mut bytes = 0;
        let told = self.services.iter().position(|line| {
            bytes += if line.summed {
                0
            } else {
                serde_json::to_vec(line).map_or(0, |text| text.len())
            };
            bytes > MOST_BYTES
        });
        let services = self.services.split_off(told.unwrap_or(self.services.len()));
        let left_out = services.iter().filter(|line| !line.summed).count();
        self.left_out = left_out
            + cut(&mut self.ignored_events)
            + cut(&mut self.malformed_events)
            + cut(&mut self.sweep_errors);
        self
    }
}

/// Bytes of the services in an answer, and entries of each other list. Lambda takes an answer of 6
/// MB.
const MOST_BYTES: usize = 4_000_000;
const MOST_ENTRIES: usize = 1_000;

fn cut<T>(list: &mut Vec<T>) -> usize {
    let more = list.len().saturating_sub(MOST_ENTRIES);
    list.truncate(MOST_ENTRIES);
    more
}

fn told_alone<S: Serializer>(lines: &[ServiceLine], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(lines.iter().filter(|line| !line.summed))
}

fn as_list<S: Serializer>(lines: &[ChangeLine], to: S) -> Result<S::Ok, S::Error> {
    lines.serialize(to)
}

/// Makes the lines of changes, the same ones once.
#[derive(Debug)]
pub struct ChangeLines<'a> {
    changes: &'a BTreeMap<Key, Change>,
    /// By the home of the service, and by what it means with each key.
    known: Found<Reasons, (AccountRegion, Vec<Key>), Arc<[ChangeLine]>>,
}

impl<'a> ChangeLines<'a> {
    /// Of these changes.
    #[must_use]
    pub fn new(changes: &'a BTreeMap<Key, Change>) -> Self {
        Self {
            changes,
            known: Found::default(),
        }
    }

    fn of(&mut self, planned: &Planned, seen: &Service) -> Arc<[ChangeLine]> {
        let told = || planned.asked_by.iter().take(CHANGES_TOLD);
        let meant = told().map(|(key, _)| seen.meant(key).clone()).collect();
        self.known
            .of(&planned.asked_by, (seen.home.clone(), meant), || {
                told()
                    .filter_map(|(key, reason)| {
                        Some(ChangeLine::new(
                            self.changes.get(key)?.clone(),
                            *reason,
                            seen,
                        ))
                    })
                    .collect()
            })
    }
}

impl ChangeLine {
    fn new(change: Change, reason: Reason, seen: &Service) -> Self {
        let Change {
            key,
            at,
            kind: _,
            version,
            previous,
            etag,
            by,
            ignored: _,
            enriched: _,
            shares_second: _,
            note,
            event,
            source: _,
            scope: _,
        } = change;
        let [version, previous, etag, by] =
            [version, previous, etag, by].map(|text| text.as_deref().map(bounded));
        let key = seen.meant(&key).seen_from(&seen.home);
        Self {
            key: bounded(&key),
            changed_at: at,
            reason,
            version,
            previous,
            etag,
            changed_by: by,
            note,
            event_id: bounded(&event),
        }
    }
}

impl From<&ServiceEvent> for EventLine {
    fn from(event: &ServiceEvent) -> Self {
        let ServiceEvent { at, message } = event;
        Self {
            at: *at,
            message: bounded(message),
        }
    }
}
