//! Many restarts against the account's own buckets.

use std::time::Duration;

use ecs_reloader::report::Level;
use sim::{AccountConfig, CallResult, RateLimits};

use crate::support::{DEAD_LETTERS, Scenario, many, names_of_many};

const UPDATE: &str = "ecs:UpdateService";

/// So many services, at AWS's documented rates.
async fn at_documented_rates(number: usize) -> Scenario {
    let config = AccountConfig { rate_limits: RateLimits::Documented, ..AccountConfig::default() };
    Scenario::build(config, [("RELOADER_MAX_SERVICES", "10000")], Level::Info, many(number, "ssm:/app/")).await
}

/// How many calls of this action were throttled.
fn throttled(scenario: &Scenario, action: &str) -> usize {
    let throttles = |result: &CallResult| matches!(result, CallResult::Error(code) if code.contains("Throttl"));
    scenario.account.calls().iter().filter(|call| call.action() == action && throttles(&call.result)).count()
}

#[tokio::test(start_paused = true)]
async fn every_service_is_restarted_once_and_hardly_a_call_is_throttled() {
    for number in [60, 200] {
        let scenario = at_documented_rates(number).await;

        let answer = scenario.changed("ssm:/app/db").await;

        assert_eq!((&answer["started"], scenario.restarted()), (&number.into(), names_of_many(number)));
        assert!(throttled(&scenario, UPDATE) <= number / 100, "{} of {number}", throttled(&scenario, UPDATE));
        assert!(scenario.is_all_fresh().await);
    }
}

#[tokio::test(start_paused = true)]
async fn the_pace_is_a_burst_and_then_half_of_what_the_account_allows() {
    let scenario = at_documented_rates(60).await;

    let answer = scenario.changed("ssm:/app/db").await;

    // Two seconds to settle, 25 at once, 35 at 2.5 a second.
    let took = Duration::from_millis(answer["elapsed_ms"].as_u64().unwrap());
    assert!((Duration::from_secs(15)..Duration::from_secs(18)).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_competitor_for_the_bucket_costs_time_and_no_restart() {
    let scenario = at_documented_rates(60).await;
    scenario.account.inject(sim::Fault::throttled(UPDATE).times(40));

    let answer = scenario.changed("ssm:/app/db").await;

    assert_eq!((&answer["started"], scenario.restarted()), (&60.into(), names_of_many(60)));
    assert_eq!(scenario.number_of(UPDATE), 100);
}

#[tokio::test(start_paused = true)]
async fn what_the_deadline_leaves_goes_on_through_the_queue_and_nothing_is_done_twice() {
    let scenario = at_documented_rates(700).await.with_queue();

    scenario.account.put_parameter("/app/db");

    assert!(scenario.is_all_fresh().await);
    assert_eq!(scenario.restarted(), names_of_many(700));
    assert!(throttled(&scenario, UPDATE) <= 7, "{}", throttled(&scenario, UPDATE));
    assert!(scenario.lines("summary").len() >= 3, "{}", scenario.lines("summary").len());
    assert!(scenario.account.messages(DEAD_LETTERS).is_empty());
}

#[tokio::test(start_paused = true)]
async fn reads_of_many_services_stay_below_their_buckets_too() {
    let scenario = at_documented_rates(300).await;

    scenario.changed_a_while_ago("ssm:/app/db").await;

    for action in ["tag:GetResources", "ecs:DescribeServices", "ecs:ListServiceDeployments"] {
        assert!(throttled(&scenario, action) <= 3, "{action}: {}", throttled(&scenario, action));
    }
}

#[tokio::test(start_paused = true)]
async fn two_invocations_in_a_row_do_not_both_burst() {
    let scenario = at_documented_rates(40).await;

    scenario.changed("ssm:/app/a").await;
    scenario.changed("ssm:/app/b").await;
    scenario.changed("ssm:/app/c").await;

    assert_eq!((throttled(&scenario, UPDATE), scenario.restarted().len()), (0, 120));
}
