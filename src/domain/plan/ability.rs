//! Rules about services that cannot be restarted, or need not be, for any change.

use super::rule::{Applies, Case};
use super::strategy::{Obstacle, action, obstacle};
use crate::domain::service::ServiceStatus;

/// A request that names a service which Amazon ECS does not know has a reason of its own.
pub(in crate::domain) fn inactive(case: &Case<'_>) -> Option<Applies> {
    Applies::when(match case.service.status {
        ServiceStatus::Active => false,
        ServiceStatus::Draining | ServiceStatus::Inactive => true,
        ServiceStatus::Missing => !case.trigger.is_request(),
    })
}

pub(in crate::domain) fn no_such_service(case: &Case<'_>) -> Option<Applies> {
    let is_missing = case.service.status == ServiceStatus::Missing;
    Applies::when(case.trigger.is_request() && is_missing)
}

pub(in crate::domain) fn not_opted_in(case: &Case<'_>) -> Option<Applies> {
    Applies::when(case.trigger.is_request() && case.service.tags.watch.is_none())
}

pub(in crate::domain) fn invalid_tag(case: &Case<'_>) -> Option<Applies> {
    Applies::when(!case.service.tags.invalid.is_empty())
}

pub(in crate::domain) fn unsupported_controller(case: &Case<'_>) -> Option<Applies> {
    Applies::when(action(case.service) == Err(Obstacle::Controller))
}

pub(in crate::domain) fn not_supported_yet(case: &Case<'_>) -> Option<Applies> {
    Applies::when(obstacle(case.service).is_some())
}

pub(in crate::domain) fn no_tasks(case: &Case<'_>) -> Option<Applies> {
    Applies::when(case.service.desired == 0)
}
