//! Rules about the numbers that a plan counts over all services.

use crate::domain::policy::Policy;

pub(in crate::domain) fn blast_radius(services: usize, policy: &Policy) -> bool {
    services > policy.max_services
}

pub(in crate::domain) fn in_flight_limit(rollouts: usize, policy: &Policy) -> bool {
    rollouts >= policy.max_in_flight
}
