//! The end of a rollout in the line of its service: the deployment event summary.

use jiff::Timestamp;
use serde::Serialize;

use super::event::EventLine;
use crate::domain::arn::AccountRegion;
use crate::domain::change::Change;
use crate::domain::default::is_default;
use crate::domain::ended::{EndedRollout, RolloutTrigger};
use crate::domain::history::Approval;
use crate::domain::key::Key;
use crate::domain::restore::Restore;
use crate::domain::rollout::Outcome;
use crate::domain::rollout_tasks::StoppedTask;
use crate::domain::text::bounded;

/// A rollout that has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RolloutLine {
    /// The deployment, `ecs-svc/…`.
    pub deployment: String,
    /// Its end.
    pub outcome: Outcome,
    /// The time at which Amazon ECS created it.
    pub deployed_at: Timestamp,
    /// Seconds from its start until its end was seen.
    pub duration_seconds: i64,
    /// The way in which it replaced the tasks: a value of `reloader:strategy`.
    pub strategy: &'static str,
    /// The one who asked for it.
    pub trigger: RolloutTrigger,
    /// The person's own words, if a request asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_reason: Option<String>,
    /// The sender of that request, if it came through the queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender_id: Option<String>,
    /// The changes that it covers.
    pub changes: Vec<RolledChange>,
    /// The number of further ones.
    #[serde(skip_serializing_if = "is_default")]
    pub more_changes: usize,
    /// The most of its tasks that were seen running at once.
    pub tasks_replaced: i32,
    /// The number of tasks that are older than the changes, if some are left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_tasks: Option<usize>,
    /// The number of its tasks that failed within the last hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_tasks: Option<usize>,
    /// Up to five of its stopped tasks, those that failed before the others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stopped_tasks: Vec<StoppedTaskLine>,
    /// The cause, if its tasks could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tasks_unread: Option<String>,
    /// `statusReason`: the words of Amazon ECS about its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_reason: Option<String>,
    /// True if Amazon ECS brought back the deployment before it, or tries to.
    pub rolled_back: bool,
    /// The deployment that replaced it, if it was superseded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<String>,
    /// True if that one reads the changes, and has not failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub covered: Option<bool>,
    /// The events of the service since its start, the oldest first.
    pub ecs_events: Vec<EventLine>,
    /// The way back from each change, if it failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub restore: Vec<RestoreLine>,
}

/// A change that a rollout covers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RolledChange {
    /// A watch term of the service; an ARN if the key is elsewhere.
    pub key: String,
    /// The instant of the change.
    pub changed_at: Timestamp,
    /// Its version, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The version before it, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
    /// The person or role that changed it, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed_by: Option<String>,
    /// The id of the event.
    pub event_id: String,
}

/// A task that has stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoppedTaskLine {
    /// Its id.
    pub task: String,
    /// The time at which it stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// `stopCode`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub stop_code: String,
    /// `stoppedReason`, with the exit codes of the containers.
    pub stopped_reason: String,
}

/// The way back from a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RestoreLine {
    /// A watch term of the service; an ARN if the key is elsewhere.
    pub key: String,
    /// The version before the change, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
    /// The command that brings it back, for a person to run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The reason why there is no command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_command: Option<&'static str>,
}

/// The PAUSE hook at which a deployment of the service waits for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ApprovalLine {
    /// The ARN of the service deployment.
    pub service_deployment: String,
    /// The id of the hook, which `ContinueServiceDeployment` asks for.
    pub hook_id: String,
    /// The time at which Amazon ECS waits no longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

impl RolloutLine {
    /// True if this function had started it, and it failed, was rolled back or timed out.
    pub(super) fn is_failure(&self) -> bool {
        self.trigger != RolloutTrigger::Others && self.outcome.is_failure()
    }

    /// The line of a rollout, whose service is of this account and Region, as far as that is known.
    pub(super) fn of(ended: &EndedRollout, home: Option<&AccountRegion>) -> Self {
        let shown = |text: &String| bounded(text);
        let request = ended.request.as_ref();
        let tasks = ended.counted_tasks();
        let successor = ended.successor.as_ref();
        Self {
            deployment: ended.rollout.id.to_string(),
            outcome: ended.outcome,
            deployed_at: ended.rollout.started_at,
            duration_seconds: ended.duration.as_secs(),
            strategy: ended.rollout.id.strategy(),
            trigger: ended.trigger,
            request_reason: request
                .and_then(|request| request.reason.as_ref())
                .map(shown),
            sender_id: request
                .and_then(|request| request.sender.as_ref())
                .map(shown),
            changes: ended
                .changes
                .iter()
                .map(|change| RolledChange::of(change, home))
                .collect(),
            more_changes: ended.more_changes,
            tasks_replaced: ended.rollout.progress.running,
            old_tasks: tasks.map(|tasks| tasks.older).filter(|older| *older > 0),
            failed_tasks: tasks.map(|tasks| tasks.failed),
            stopped_tasks: tasks
                .filter(|tasks| tasks.failed > 0 || ended.outcome.is_failure())
                .map(|tasks| tasks.stopped.iter().map(StoppedTaskLine::from).collect())
                .unwrap_or_default(),
            tasks_unread: ended.tasks.lacks().map(bounded),
            status_reason: ended.status_reason.as_deref().map(bounded),
            rolled_back: ended.rolled_back,
            superseded_by: successor.map(|newer| newer.deployment.clone()),
            covered: successor.map(|newer| newer.covers),
            ecs_events: ended.events.iter().map(EventLine::from).collect(),
            restore: ended
                .restores()
                .iter()
                .map(|restore| RestoreLine::of(restore, home))
                .collect(),
        }
    }
}

impl RolledChange {
    fn of(change: &Change, home: Option<&AccountRegion>) -> Self {
        let shown = |text: &Option<String>| text.as_deref().map(bounded);
        Self {
            key: shown_key(&change.key, home),
            changed_at: change.at,
            version: shown(&change.version),
            previous: shown(&change.previous),
            changed_by: shown(&change.by),
            event_id: bounded(&change.event),
        }
    }
}

impl From<&StoppedTask> for StoppedTaskLine {
    fn from(task: &StoppedTask) -> Self {
        Self {
            task: bounded(&task.id),
            at: task.at,
            stop_code: bounded(&task.code),
            stopped_reason: bounded(&task.reason),
        }
    }
}

impl RestoreLine {
    fn of(restore: &Restore, home: Option<&AccountRegion>) -> Self {
        Self {
            key: shown_key(&restore.key, home),
            previous: restore.previous.as_deref().map(bounded),
            // A command that is cut would be another one. A key with a character that must not be
            // shown has none.
            command: restore.command.clone().ok(),
            no_command: restore.command.as_ref().err().map(|reason| reason.text()),
        }
    }
}

impl From<&Approval> for ApprovalLine {
    fn from(approval: &Approval) -> Self {
        Self {
            service_deployment: bounded(&approval.deployment),
            hook_id: bounded(&approval.hook),
            expires_at: approval.expires_at,
        }
    }
}

fn shown_key(key: &Key, home: Option<&AccountRegion>) -> String {
    bounded(&key.seen_from(home.unwrap_or(key.home())))
}
