//! Listings whose page tokens repeat.

use serde_json::Value;

use super::Scenario;

/// The resource type of the listing of services.
pub(crate) const SERVICES: &str = "ecs:service";
/// The resource type of the listing of ignored keys.
pub(crate) const IGNORED: &str = "ssm:parameter";

/// The calls of one listing with repeated tokens: an empty page, the page, an empty page, and the
/// same page with a token that was returned before.
pub(crate) const CALLS: usize = 4;

/// The number of calls of this action with this target.
pub(crate) fn number_about(scenario: &Scenario, action: &str, target: &str) -> usize {
    let is_it = |call: &sim::Call| {
        call.action() == action && call.target.split(',').any(|one| one == target)
    };
    scenario
        .account
        .calls()
        .iter()
        .filter(|call| is_it(call))
        .count()
}

/// True if this text reports a repeated token.
pub(crate) fn repeats_a_token(text: &Value) -> bool {
    text.to_string().contains("page token for the second time")
}
