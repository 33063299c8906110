//! Everything that a person needs to know beyond the reason, in words.

use super::order::{Awaited, Failed, Failure};
use super::planned::Planned;
use super::reach::Reach;
use super::rule::Because;
use super::strategy::obstacle;
use crate::domain::history::{Approval, Ended, EndedBy, OldestTask, ServiceDeploymentStatus};
use crate::domain::policy::Policy;
use crate::domain::reason::Reason;
use crate::domain::service::Service;
use crate::domain::text::bounded;

/// The text for one reason; `None` if the reason needs no text.
pub(super) fn of(
    service: &Service,
    planned: &Planned,
    because: Option<&Because>,
    reach: &Reach,
    policy: &Policy,
) -> Option<String> {
    let until = || planned.until.map(|end| format!("until {end}"));
    match planned.reason {
        Reason::NoSuchService => {
            Some("Amazon ECS knows no service of this name in a cluster of this name".to_owned())
        }
        Reason::NotOptedIn => {
            Some("it has no watch tag, without which the function restarts no service".to_owned())
        }
        Reason::InvalidTag => Some(invalid_tags(service)),
        Reason::UnsupportedController => Some(format!(
            "its deployment controller is {}",
            service.controller
        )),
        Reason::NotSupportedYet => {
            obstacle(service).map(|feature| format!("this version does not support {feature}"))
        }
        Reason::BlastRadius => too_many_services(planned, reach, policy),
        Reason::Paused => until().or_else(|| Some("until the pause tag is removed".to_owned())),
        Reason::RestartBudget => until().map(|until| {
            let most = policy.restarts_per_hour;
            format!("it was restarted {most} times within an hour; held {until}")
        }),
        Reason::DeploymentInProgress if because.is_none() => until().map(|until| {
            format!("a rolling deployment is superseded if it still runs; held {until}")
        }),
        Reason::OutsideWindow | Reason::MinInterval | Reason::Settling => until(),
        Reason::Fresh if is_requested_alone(planned) => {
            Some("its newest deployment is younger than a minute".to_owned())
        }
        Reason::Stale => restart(service, planned),
        _ => because.map(|fact| fact_in_words(service, fact)),
    }
}

/// True if no change affects the service, but a request names it.
fn is_requested_alone(planned: &Planned) -> bool {
    planned.requested && planned.asked_by.is_empty()
}

fn joined<const N: usize>(parts: [Option<String>; N]) -> String {
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn invalid_tags(service: &Service) -> String {
    let invalid = service.tags.invalid.iter().map(ToString::to_string);
    invalid.collect::<Vec<_>>().join("; ")
}

fn too_many_services(planned: &Planned, reach: &Reach, policy: &Policy) -> Option<String> {
    let mut asked_by = planned.asked_by.iter();
    let (key, _) = asked_by.find(|(_, reason)| **reason == Reason::BlastRadius)?;
    let ignored = policy.ignored_max_services.map(|asked| {
        format!("max_services={asked} applies to a direct invocation, not to a message")
    });
    let (services, most) = (reach.of_key(key), policy.max_services);
    let limit = format!("{key} would restart {services} services; at most {most} may be");
    Some(joined([Some(limit), ignored]))
}

fn fact_in_words(service: &Service, fact: &Because) -> String {
    match fact {
        Because::Ended(ended) => joined([Some(end(ended)), unreadable_history(service)]),
        Because::Awaits(approval) => awaits(approval),
        Because::EveryTaskIsNewer => {
            "no deployment is newer than the change, but every task is".to_owned()
        }
        Because::HaltedBy(failed) => halted_by(failed),
        Because::WaitsFor(awaited) => waits_for(awaited),
        Because::NeverSuperseded(why) => joined([
            Some((*why).to_owned()),
            unreadable_history(service),
            rollback_reason(service),
        ]),
    }
}

fn halted_by(failed: &Failed) -> String {
    let Failed {
        service,
        order,
        failure,
    } = failed;
    let failure = match failure {
        Failure::Ended(ended) => end(ended),
        Failure::TimedOut {
            deployment,
            created_at,
            after,
        } => format!(
            "the deployment {} of {created_at} has made no progress for {after:#}",
            bounded(deployment)
        ),
    };
    format!("{service}, of order {order}, goes before it: {failure}")
}

fn waits_for(awaited: &Awaited) -> String {
    let Awaited {
        first,
        state,
        number,
        wait,
    } = awaited;
    let others = number.saturating_sub(1);
    let others = (others > 0).then(|| format!("and {others} more"));
    let until = wait.until.map(|end| format!("held until {end}"));
    let first = match first {
        Some(service) => format!("{service} goes before it: {state}"),
        None => format!("a service that may go before it: {state}"),
    };
    joined([Some(first), others, until])
}

fn awaits(approval: &Approval) -> String {
    let end = approval.expires_at.map_or_else(
        || "which has no known end".to_owned(),
        |end| format!("which expires at {end}"),
    );
    format!(
        "the deployment {} stands at the PAUSE hook {}, {end}",
        bounded(&approval.deployment),
        bounded(&approval.hook)
    )
}

fn end(ended: &Ended) -> String {
    let deployment = ended.deployment.as_ref().map_or_else(
        || "the deployment".to_owned(),
        |id| format!("the deployment {}", bounded(id)),
    );
    let how = match &ended.by {
        EndedBy::NotAsked => "failed".to_owned(),
        EndedBy::FailureDetection => {
            "failed: its circuit breaker or an alarm was triggered".to_owned()
        }
        EndedBy::Decision => {
            "was ended by a person, a lifecycle hook or the time-out of one".to_owned()
        }
        EndedBy::Unreadable(why) => format!(
            "was rolled back or stopped, and the cause could not be read: {}",
            bounded(why)
        ),
    };
    joined([
        Some(format!("{deployment} of {} {how}", ended.created_at)),
        ended.status_reason.as_deref().map(quoted),
    ])
}

/// The `statusReason` of a deployment.
fn quoted(status_reason: &str) -> String {
    format!("Amazon ECS says: {}", bounded(status_reason))
}

fn rollback_reason(service: &Service) -> Option<String> {
    let mut past = service.past().iter();
    let rollback = past.find(|past| past.status == ServiceDeploymentStatus::RollingBack)?;
    rollback.status_reason.as_deref().map(quoted)
}

/// The facts that could not be read before a restart, and the changes that are restarted with it.
fn restart(service: &Service, planned: &Planned) -> Option<String> {
    let request =
        is_requested_alone(planned).then(|| "a request asked for it, not a change".to_owned());
    let history = unreadable_history(service).or_else(|| unexplained_failure(service));
    let detail = joined([request, history, unreadable_tasks(service), freed(planned)]);
    (!detail.is_empty()).then_some(detail)
}

fn unreadable_history(service: &Service) -> Option<String> {
    let cause = service.history.lacks()?;
    Some(format!("its deployment history could not be read: {cause}"))
}

/// A deployment that failed, perhaps because of this change.
fn unexplained_failure(service: &Service) -> Option<String> {
    let past = service.past().iter().find(|past| {
        matches!(
            past.status,
            ServiceDeploymentStatus::RollingBack | ServiceDeploymentStatus::RolledBack
        ) && past.task_definition.is_none()
    })?;
    let failed = format!(
        "its deployment history could not be read: the deployment of {} failed, perhaps for this \
         change",
        past.created_at
    );
    Some(joined([
        Some(failed),
        past.status_reason.as_deref().map(quoted),
    ]))
}

fn unreadable_tasks(service: &Service) -> Option<String> {
    match &service.oldest_task {
        OldestTask::Unreadable(cause) => Some(format!(
            "its tasks, which may all be newer than the change, could not be read: {}",
            bounded(cause)
        )),
        OldestTask::NotAsked | OldestTask::CreatedAt(_) => None,
    }
}

/// The changes that failed or were rejected before: a restart for a newer change of another key
/// reads them again.
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
            "it is restarted for a newer change, in spite of: {}",
            ended.join(", ")
        ))
    })
}
