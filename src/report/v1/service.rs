//! The line of a service.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::change::{ChangeLine, ChangeLines, MOST_CHANGES};
use super::event::EventLine;
use super::rollout::{ApprovalLine, RolloutLine};
use crate::domain::default::is_default;
use crate::domain::ended::EndedRollout;
use crate::domain::reason::{Decision, Reason};
use crate::domain::request::Request;
use crate::domain::resolution::{FollowUp, Remaining, Resolution, Unreadable};
use crate::domain::rollout::Outcome;
use crate::domain::service::Service;
use crate::domain::start::{ErrorKind, ResultCode, StartResult};
use crate::report::telemetry::Level;

/// The newest events of a service that are written.
const MOST_EVENTS: usize = 5;

/// The warning beside a command that brings an old value back.
const NOT_BROUGHT_BACK: &str = "a rollback of Amazon ECS does not bring the old value back: its new \
                                tasks read the new value too";

/// One service.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are members of the JSON"
)]
pub struct ServiceLine {
    /// `cluster/name`.
    pub service: String,
    /// The decision; none if the service could not be described.
    pub decision: Option<Decision>,
    /// The reason for it.
    pub reason: Option<Reason>,
    /// The reason that would have decided without the mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub would_be: Option<Reason>,
    /// The facts for a person, beyond the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// True if a request names it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub requested: bool,
    /// The person's own words, if there was a request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_reason: Option<String>,
    /// The sender of that request, if it came through the queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender_id: Option<String>,
    /// The result of the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<ResultCode>,
    /// The deployment that was started, or else the one that has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment: Option<String>,
    /// The time at which it was created.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployed_at: Option<Timestamp>,
    /// The end of the rollout that was followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// The deployment that `outcome` is of, if `deployment` is a newer one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome_of: Option<String>,
    /// Seconds from the start of that rollout until its end was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<i64>,
    /// The summary of that rollout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollout: Option<RolloutLine>,
    /// Further rollouts of the service that ended: a newer one began before the end of another was
    /// seen.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub more_rollouts: Vec<RolloutLine>,
    /// The number of older tasks that still run, while a rollout is followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_tasks: Option<usize>,
    /// The PAUSE hook at which a deployment waits for a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalLine>,
    /// The time at which it is described again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_check: Option<Timestamp>,
    /// The attempts before this one that gave the same reason.
    #[serde(skip_serializing_if = "is_default")]
    pub attempts: u32,
    /// The error, in AWS's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// True if it is tried again by itself.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub will_retry: bool,
    /// The first [`MOST_CHANGES`] of the changes that affect it. Services that the same changes
    /// affect alike share the lines.
    #[serde(serialize_with = "as_list")]
    pub changes: Arc<[ChangeLine]>,
    /// The number of the others.
    #[serde(skip_serializing_if = "is_default")]
    pub more_changes: usize,
    /// True if a key that its task definition refers to is gone: its next task will not start.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub missing_key: bool,
    /// Tags, and references of its task definition, that do not parse.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mistakes: Vec<String>,
    /// The newest events of the service, as `DescribeServices` shows them.
    pub ecs_events: Vec<EventLine>,
    /// The level of its log line.
    #[serde(skip)]
    pub level: Level,
    /// True if a restart or its rollout failed, and is not tried again.
    #[serde(skip)]
    pub has_failed: bool,
    /// True if this function had started the rollout that ended, and it failed.
    #[serde(skip)]
    pub rollout_failed: bool,
}

impl ServiceLine {
    /// The line of a service. `limit` is the function's own `RELOADER_MAX_SERVICES`, if the request
    /// names a higher one, which a queued message may not.
    pub(super) fn of(
        resolution: &Resolution,
        changes: &mut ChangeLines<'_>,
        request: Option<&Request>,
        limit: Option<usize>,
    ) -> Self {
        let mut line = Self {
            service: resolution.service.to_string(),
            attempts: resolution.repeats(),
            will_retry: resolution.will_retry(),
            ..Self::default()
        };
        line.add_plan(resolution, changes);
        line.add_request(resolution, request);
        line.add_ends(resolution);
        line.add_start(resolution.start.as_ref());
        line.add_follow_up(resolution, limit);
        for note in &resolution.notes {
            line.add_detail(note);
        }
        line.has_failed = line.rollout_failed || line.could_not_start();
        line.level = line.level(&resolution.ended);
        line
    }

    fn add_plan(&mut self, resolution: &Resolution, changes: &mut ChangeLines<'_>) {
        let planned = match &resolution.planned {
            Ok(planned) => planned,
            Err(Unreadable { kind, message }) => {
                self.result = Some(match kind {
                    ErrorKind::Denied => ResultCode::Denied,
                    _ => ResultCode::Failed,
                });
                self.error = Some(message.clone());
                return;
            }
        };
        self.decision = Some(planned.reason.decision());
        self.reason = Some(planned.reason);
        self.would_be = planned.would_be;
        self.detail.clone_from(&planned.detail);
        self.requested = planned.requested;
        self.more_changes = planned.asked_by.len().saturating_sub(MOST_CHANGES);
        let Some(seen) = &resolution.seen else { return };
        let deleted = planned
            .asked_by
            .iter()
            .filter(|(_, reason)| **reason == Reason::Deleted);
        self.missing_key = deleted
            .filter_map(|(key, _)| changes.changes.get(key))
            .any(|change| seen.misses(change));
        self.changes = changes.of(planned, seen);
        self.mistakes = seen.mistakes().collect();
        self.ecs_events = seen
            .events
            .iter()
            .take(MOST_EVENTS)
            .map(EventLine::from)
            .collect();
    }

    fn add_request(&mut self, resolution: &Resolution, request: Option<&Request>) {
        let Some(request) = request else { return };
        self.requested |= request.services.contains_key(&resolution.service);
        self.request_reason.clone_from(&request.reason);
        self.sender_id.clone_from(&request.sender);
    }

    /// The rollouts that have ended, those that failed first, and the state of the one that is
    /// followed.
    fn add_ends(&mut self, resolution: &Resolution) {
        self.old_tasks = resolution.old_tasks();
        let past = resolution.seen.iter().flat_map(Service::past);
        let mut approvals = past.filter_map(|past| past.approval.as_ref());
        self.approval = approvals.next().map(ApprovalLine::from);
        let home = resolution.seen.as_ref().map(|seen| &seen.home);
        let mut ended: Vec<_> = resolution.ended.iter().collect();
        ended.sort_by_key(|ended| !ended.is_failure());
        let mut lines = ended.iter().map(|ended| RolloutLine::of(ended, home));
        let Some(first) = lines.next() else { return };
        self.deployment = Some(first.deployment.clone());
        self.deployed_at = Some(first.deployed_at);
        self.outcome = Some(first.outcome);
        self.duration_seconds = Some(first.duration_seconds);
        self.error.clone_from(&first.status_reason);
        self.rollout = Some(first);
        self.more_rollouts = lines.collect();
        self.rollout_failed = ended.iter().any(|ended| ended.is_failure());
        if ended.iter().any(|ended| ended.may_need_a_restore()) {
            self.add_detail(NOT_BROUGHT_BACK);
        }
        if ended.iter().any(|ended| is_kept_by_old_tasks(ended)) {
            self.add_detail("Amazon ECS completed the rollout, but older tasks still run");
        }
    }

    fn add_start(&mut self, start: Option<&StartResult>) {
        let Some(start) = start else { return };
        self.result = Some(start.result());
        match start {
            StartResult::Started { rollout, found } => {
                let before = self.deployment.replace(rollout.id.to_string());
                self.outcome_of = before.filter(|_| self.outcome.is_some());
                self.deployed_at = Some(rollout.started_at);
                if *found {
                    self.add_detail(
                        "the answer to the call was lost; this deployment was found by \
                         describing the service",
                    );
                }
            }
            StartResult::Denied { message } | StartResult::Failed { message, .. } => {
                self.error = Some(message.clone());
            }
            StartResult::Throttled | StartResult::OutOfTime => {}
        }
    }

    fn add_follow_up(&mut self, resolution: &Resolution, limit: Option<usize>) {
        match resolution.follow_up {
            FollowUp::Retry { at, .. } => {
                self.next_check = Some(at);
                if let Some(limit) = limit {
                    self.add_detail(&format!("its retry keeps to RELOADER_MAX_SERVICES={limit}"));
                }
            }
            FollowUp::Follow { at, .. } => self.next_check = Some(at),
            FollowUp::Abandoned { after } => {
                if matches!(resolution.remaining(), Some(Remaining::Rollout(_))) {
                    self.add_detail(&format!("no longer followed after {after:#}"));
                } else {
                    let reason = self.reason.unwrap_or(Reason::Stale);
                    self.result = Some(ResultCode::Abandoned);
                    self.error = Some(format!("abandoned after {after:#}: {reason}"));
                }
            }
            FollowUp::LeftToSweep if self.decision == Some(Decision::Hold) => {
                self.add_detail("no message waits for it: only the sweep finds it again");
            }
            FollowUp::Done | FollowUp::LeftToSweep | FollowUp::Redeliver(_) => {}
        }
    }

    pub(super) fn add_detail(&mut self, text: &str) {
        let detail = self.detail.take();
        self.detail =
            Some(detail.map_or_else(|| text.to_owned(), |detail| format!("{detail}; {text}")));
    }

    pub(super) fn could_not_start(&self) -> bool {
        let result = self
            .result
            .is_some_and(|result| result != ResultCode::Started);
        result && !self.will_retry
    }

    /// An error needs a person. A warning continues by itself, or waits for its owner. A reason is
    /// a warning once, and information when it is repeated.
    fn level(&self, ended: &[EndedRollout]) -> Level {
        let result = match self.result {
            _ if self.has_failed => Level::Error,
            Some(ResultCode::Denied) => Level::Error,
            Some(ResultCode::Started) | None => Level::Info,
            Some(_) => Level::Warn,
        };
        let decision = match self.decision {
            Some(Decision::Refuse | Decision::Hold) if self.attempts == 0 => Level::Warn,
            _ => Level::Info,
        };
        let is_odd = |ended: &EndedRollout| {
            let is_odd = matches!(ended.outcome, Outcome::Rejected | Outcome::Unknown);
            ended.rollout.own && is_odd
        };
        let outcome = if ended.iter().any(is_odd) {
            Level::Warn
        } else {
            Level::Info
        };
        let has_notes = self.changes.iter().any(|change| change.note.is_some());
        let mistakes = if self.missing_key || has_notes || !self.mistakes.is_empty() {
            Level::Warn
        } else {
            Level::Info
        };
        result.max(decision).max(outcome).max(mistakes)
    }

    /// Takes note that it is not tried again.
    pub(super) fn is_not_retried(&mut self) {
        self.will_retry = false;
        if self.could_not_start() {
            (self.has_failed, self.level) = (true, Level::Error);
        }
    }

    /// The same line without its texts, for a service that is written together with others.
    pub(super) fn without_texts(self) -> Self {
        Self {
            detail: None,
            mistakes: Vec::new(),
            ecs_events: Vec::new(),
            ..self
        }
    }

    /// The line, completed by another line of the same service: its changes, and the ends of its
    /// rollouts.
    pub(super) fn with(mut self, other: Self) -> Self {
        if self.outcome.is_none() && other.outcome.is_some() {
            self.outcome = other.outcome;
            self.outcome_of = other.outcome_of.or(other.deployment);
            self.duration_seconds = other.duration_seconds;
            self.rollout = other.rollout;
        } else {
            let known = |rollout: &RolloutLine| {
                let mut known = self.rollout.iter().chain(&self.more_rollouts);
                known.any(|known| known.deployment == rollout.deployment)
            };
            let new = other.rollout.filter(|rollout| !known(rollout));
            self.more_rollouts.extend(new);
        }
        if other.outcome.is_some() {
            self.rollout_failed |= other.rollout_failed;
            self.has_failed |= other.rollout_failed;
            self.level = self.level.max(other.level);
        }
        self.more_rollouts.extend(other.more_rollouts);
        self.requested |= other.requested;
        let is_new =
            |change: &&ChangeLine| self.changes.iter().all(|known| known.key != change.key);
        let new: Vec<_> = other.changes.iter().filter(is_new).cloned().collect();
        if !new.is_empty() {
            let all = self.changes.iter().cloned().chain(new);
            let all: Vec<_> = all.collect();
            self.more_changes += other.more_changes + all.len().saturating_sub(MOST_CHANGES);
            self.changes = all.into_iter().take(MOST_CHANGES).collect();
        }
        self
    }

    /// True if nothing was done about it, and its reason explains everything.
    pub(super) fn is_ordinary(&self) -> bool {
        let is_idle = matches!(
            self.decision,
            Some(Decision::Skip | Decision::Refuse | Decision::Hold)
        );
        let is_noted = self.missing_key || self.requested;
        is_idle
            && self.result.is_none()
            && self.error.is_none()
            && self.outcome.is_none()
            && !is_noted
    }
}

/// True if a rollout timed out although Amazon ECS completed it.
fn is_kept_by_old_tasks(ended: &EndedRollout) -> bool {
    ended.outcome == Outcome::TimedOut && ended.rollout.complete_since.is_some()
}

fn as_list<S: Serializer>(lines: &[ChangeLine], to: S) -> Result<S::Ok, S::Error> {
    lines.serialize(to)
}
