//! What a person needs to know beyond the reason, in words.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Planned, Policy, just_before, unsupported_yet};
use crate::domain::change::Change;
use crate::domain::history::{
    Approval, Ended, EndedBy, OldestTask, PastDeployment, ServiceDeploymentStatus,
};
use crate::domain::key::Key;
use crate::domain::reason::Reason;
use crate::domain::service::{Controller, Service};
use crate::domain::text::bounded;

pub(super) fn of(
    service: &Service,
    planned: &Planned,
    changes: &BTreeMap<Key, Change>,
    reached: &BTreeMap<Key, usize>,
    policy: &Policy,
) -> Option<String> {
    let until = planned.until.map(|end| format!("until {end}"));
    match planned.reason {
        Reason::NoSuchService => {
            Some("Amazon ECS knows no service of this name in a cluster of this name".to_owned())
        }
        Reason::NotOptedIn => {
            Some("it has no watch tag, without which the function restarts no service".to_owned())
        }
        Reason::InvalidTag => Some(
            service
                .tags
                .invalid
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("; "),
        ),
        Reason::UnsupportedController => Some(format!(
            "its deployment controller is {}",
            service.controller
        )),
        Reason::NotSupportedYet => {
            let what = match (service.controller, service.tags.strategy) {
                (Controller::External, _) => "the strategy stop-tasks",
                _ => unsupported_yet(service).unwrap_or("what its tags ask for"),
            };
            Some(format!("this version does not support {what}"))
        }
        Reason::BlastRadius => planned
            .asked_by
            .iter()
            .find(|(_, reason)| **reason == Reason::BlastRadius)
            .map(|(key, _)| {
                let services = reached.get(key).copied().unwrap_or_default();
                let in_vain = |asked| {
                    format!(
                        "; max_services={asked} holds where the function is invoked directly, not \
                         in a message"
                    )
                };
                let in_vain = policy.asked_in_vain.map(in_vain).unwrap_or_default();
                format!(
                    "{key} would restart {services} services; at most {} may be{in_vain}",
                    policy.max_services
                )
            }),
        Reason::Paused => until.or_else(|| Some("until the pause tag is removed".to_owned())),
        Reason::RestartBudget => {
            let most = policy.restarts_per_hour;
            until.map(|until| format!("it was restarted {most} times within an hour; held {until}"))
        }
        Reason::DeploymentInProgress => match service.must_not_be_superseded() {
            Some(why) => Some(joined([
                Some(why.to_owned()),
                unreadable(service),
                words_of_rollback(service),
            ])),
            None => until.map(|until| {
                format!("a rolling deployment is superseded if it still runs; held {until}")
            }),
        },
        Reason::AwaitingApproval => {
            let t = oldest(planned, changes, Reason::AwaitingApproval)
                .unwrap_or_else(|| just_before(policy.asked_at));
            service.approval_since(t).map(awaiting)
        }
        Reason::Fresh if is_request_alone(planned) => {
            Some("its newest deployment is younger than a minute".to_owned())
        }
        Reason::Fresh => oldest(planned, changes, Reason::Fresh)
            .filter(|t| !service.is_fresh(*t))
            .map(|_| "no deployment is newer than the change, but every task is".to_owned()),
        Reason::FailedAlready | Reason::Rejected => planned
            .ended
            .as_ref()
            .map(|ended| joined([Some(how(ended)), unreadable(service)])),
        Reason::OutsideWindow | Reason::MinInterval | Reason::Settling => until,
        Reason::Excluded
        | Reason::Pinned
        | Reason::IgnoredKey
        | Reason::LabelOnly
        | Reason::Deleted
        | Reason::Inactive
        | Reason::Off
        | Reason::Notify
        | Reason::DryRun
        | Reason::NoTasks
        | Reason::TooManyDeployments
        | Reason::InFlightLimit => None,
        Reason::Stale => {
            let asked = is_request_alone(planned)
                .then(|| "a request asked for it, not a change".to_owned());
            let history = unreadable(service).or_else(|| unknown_failure(service));
            Some(joined([
                asked,
                history,
                untold_tasks(service),
                freed(planned),
            ]))
            .filter(|detail| !detail.is_empty())
        }
    }
}

/// Whether no change concerns the service, but a request names it.
fn is_request_alone(planned: &Planned) -> bool {
    planned.requested && planned.asked_by.is_empty()
}

fn joined<const N: usize>(parts: [Option<String>; N]) -> String {
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// The oldest change that alone would give this reason.
fn oldest(planned: &Planned, changes: &BTreeMap<Key, Change>, reason: Reason) -> Option<Timestamp> {
    let asking = planned
        .asked_by
        .iter()
        .filter(|(_, asked)| **asked == reason);
    asking
        .filter_map(|(key, _)| Some(changes.get(key)?.at))
        .min()
}

fn awaiting(
    Approval {
        hook,
        deployment,
        expires_at,
    }: &Approval,
) -> String {
    let end = expires_at.map_or_else(
        || "which tells no end".to_owned(),
        |end| format!("which expires at {end}"),
    );
    format!(
        "the deployment {} stands at the PAUSE hook {}, {end}",
        bounded(deployment),
        bounded(hook)
    )
}

fn how(
    Ended {
        deployment,
        created_at,
        by,
        status_reason,
    }: &Ended,
) -> String {
    let which = deployment.as_ref().map_or_else(
        || "the deployment".to_owned(),
        |id| format!("the deployment {}", bounded(id)),
    );
    let how = match by {
        EndedBy::NotAsked => "failed".to_owned(),
        EndedBy::FailureDetection => {
            "failed: its circuit breaker or an alarm was triggered".to_owned()
        }
        EndedBy::Decision => {
            "was ended by a person, a lifecycle hook or the time-out of one".to_owned()
        }
        EndedBy::Unreadable(why) => format!(
            "did not stay; who ended it could not be read: {}",
            bounded(why)
        ),
    };
    joined([
        Some(format!("{which} of {created_at} {how}")),
        status_reason.as_deref().map(words),
    ])
}

/// Amazon ECS's own words, as a person is shown them.
fn words(status_reason: &str) -> String {
    format!("Amazon ECS says: {}", bounded(status_reason))
}

fn words_of_rollback(service: &Service) -> Option<String> {
    let past = service
        .past()
        .iter()
        .find(|past| past.status == ServiceDeploymentStatus::RollingBack)?;
    past.status_reason.as_deref().map(words)
}

fn unreadable(service: &Service) -> Option<String> {
    service
        .history
        .lacks()
        .map(|cause| format!("its deployment history could not be read: {cause}"))
}

/// A deployment that failed, and may have failed for this very change.
fn unknown_failure(service: &Service) -> Option<String> {
    let is_unknown = |past: &&PastDeployment| {
        matches!(
            past.status,
            ServiceDeploymentStatus::RollingBack | ServiceDeploymentStatus::RolledBack
        ) && past.task_definition.is_none()
    };
    let past = service.past().iter().find(is_unknown)?;
    let failed = format!(
        "its deployment history could not be read: the deployment of {} failed, perhaps for this \
         change",
        past.created_at
    );
    Some(joined([
        Some(failed),
        past.status_reason.as_deref().map(words),
    ]))
}

fn untold_tasks(service: &Service) -> Option<String> {
    match &service.oldest_task {
        OldestTask::Unreadable(cause) => Some(format!(
            "its tasks, which may all be newer than the change, could not be read: {}",
            bounded(cause)
        )),
        OldestTask::NotAsked | OldestTask::CreatedAt(_) => None,
    }
}

/// Names what failed or was rejected before, and is read anew by a restart for a newer change of
/// another key.
fn freed(planned: &Planned) -> Option<String> {
    let ended = planned
        .asked_by
        .iter()
        .filter(|(_, reason)| matches!(reason, Reason::FailedAlready | Reason::Rejected));
    let ended: Vec<_> = ended
        .map(|(key, reason)| format!("{} ({reason})", bounded(&key.to_string())))
        .collect();
    (!ended.is_empty()).then(|| {
        bounded(&format!(
            "a newer change frees what ended before: {}",
            ended.join(", ")
        ))
    })
}
