//! Accounts whose calls are limited as AWS documents it.

use ecs_reloader::report::Level;
use sim::{AccountConfig, CallResult, RateLimits, Service};

use super::{Scenario, many};

/// An account at AWS's documented rates.
pub(crate) fn documented_rates() -> AccountConfig {
    AccountConfig {
        rate_limits: RateLimits::Documented,
        ..AccountConfig::default()
    }
}

/// So many services, at AWS's documented rates.
pub(crate) async fn at_documented_rates(number: usize) -> Scenario {
    at_documented_rates_with(many(number, "ssm:/app/")).await
}

/// These services, at AWS's documented rates, and no other limit.
pub(crate) async fn at_documented_rates_with(
    services: impl IntoIterator<Item = Service>,
) -> Scenario {
    let variables = [
        ("RELOADER_MAX_SERVICES", "10000"),
        ("RELOADER_MAX_IN_FLIGHT", "10000"),
        ("RELOADER_MIN_INTERVAL", "0s"),
    ];
    Scenario::build(documented_rates(), variables, Level::Info, services).await
}

/// The number of calls of this action, or of all actions, that were throttled.
pub(crate) fn throttled(scenario: &Scenario, action: Option<&str>) -> usize {
    let is_throttled =
        |result: &CallResult| matches!(result, CallResult::Error(code) if code.contains("Throttl"));
    scenario
        .account
        .calls()
        .iter()
        .filter(|call| action.is_none_or(|action| call.action() == action))
        .filter(|call| is_throttled(&call.result))
        .count()
}
