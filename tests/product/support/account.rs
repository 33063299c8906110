//! The times of restarts, as the account knows them.

use jiff::Timestamp;

use super::{Scenario, text};

/// The times at which the function restarted this service, the oldest first.
pub(crate) fn starts_of(scenario: &Scenario, service: &str) -> Vec<Timestamp> {
    let mut lines = scenario.service_lines("result", "started");
    lines.retain(|line| line["service"] == service);
    lines
        .iter()
        .map(|line| text(&line["deployed_at"]).parse().unwrap())
        .collect()
}

/// The time at which the newest deployment of this service was complete.
pub(crate) fn completed_at(scenario: &Scenario, service: &str) -> Timestamp {
    let newest = scenario.service(service).history.remove(0);
    assert_eq!(newest.status, "SUCCESSFUL", "{service}");
    newest.finished_at.unwrap()
}
