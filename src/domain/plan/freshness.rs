//! Rules about deployments, and tasks, that are newer than the change or the request.

use super::rule::{Applies, Because, Case};
use crate::domain::history::{Ended, EndedBy};

/// An end that has passed cannot be the time to plan again.
pub(in crate::domain) fn awaiting_approval(case: &Case<'_>) -> Option<Applies> {
    let approval = case
        .service
        .approval_since(case.trigger.covered_after())?
        .clone();
    Some(Applies {
        until: approval.expires_at.filter(|end| *end > case.now),
        because: Some(Box::new(Because::Awaits(approval))),
    })
}

/// New tasks do not prove freshness if a newer deployment was rolled back or stopped: the tasks of
/// a rollback are new too. A request is satisfied by a deployment only.
pub(in crate::domain) fn fresh(case: &Case<'_>) -> Option<Applies> {
    let t = case.trigger.covered_after();
    if case.service.is_fresh(t) {
        return Some(Applies::default());
    }
    let is_renewed =
        !case.trigger.is_request() && case.service.is_renewed_since(t) && ended(case).is_none();
    is_renewed.then(|| Applies::because(Because::EveryTaskIsNewer))
}

/// `failed-already` is also the reason if the cause of the end cannot be read.
pub(in crate::domain) fn failed_already(case: &Case<'_>) -> Option<Applies> {
    ended(case)
        .filter(|ended| ended.by != EndedBy::Decision)
        .map(|ended| Applies::because(Because::Ended(ended)))
}

pub(in crate::domain) fn rejected(case: &Case<'_>) -> Option<Applies> {
    ended(case)
        .filter(|ended| ended.by == EndedBy::Decision)
        .map(|ended| Applies::because(Because::Ended(ended)))
}

fn ended(case: &Case<'_>) -> Option<Ended> {
    case.service.ended_since(case.trigger.not_repeated_after())
}
