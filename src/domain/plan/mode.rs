//! Rules about services whose owners, or whose callers, want nothing done.

use crate::domain::policy::Policy;
use crate::domain::service::Service;
use crate::domain::tags::Mode;

pub(in crate::domain) fn off(service: &Service, _: &Policy) -> bool {
    service.tags.mode == Mode::Off
}

pub(in crate::domain) fn notify(service: &Service, policy: &Policy) -> bool {
    service.tags.mode == Mode::Notify || policy.notify_only
}

pub(in crate::domain) fn dry_run(_: &Service, policy: &Policy) -> bool {
    policy.dry_run
}
