//! Many restarts against the account's own buckets.

use std::time::Duration;

use ecs_reloader::aws::QUOTAS;
use ecs_reloader::pace::Limit;
use ecs_reloader::report::Level;
use sim::EventSourceMapping;

use crate::support::{
    DEAD_LETTERS, QUEUE, Scenario, UPDATE, at_documented_rates, at_documented_rates_with,
    documented_rates, names_of_many, throttled,
};

/// Asserts that the calls of these actions, of all processes together, stay within a limit in every
/// span of time. A call gets its turn at most `before` the call itself.
fn assert_within(scenario: &Scenario, actions: &[&str], limit: Limit, before: Duration) {
    let calls = scenario.account.calls();
    let at: Vec<_> = calls
        .iter()
        .filter(|call| actions.contains(&call.action().as_str()))
        .map(|call| call.time)
        .collect();
    for (place, first) in at.iter().enumerate() {
        for (more, last) in (1_u32..).zip(&at[place..]) {
            let span = last.duration_since(*first).as_secs_f64() + before.as_secs_f64();
            let most = limit.rate.mul_add(span, f64::from(limit.burst)) + 1e-6;
            assert!(
                f64::from(more) <= most,
                "{more} of {actions:?} within {span:.3} s from {first}, {most:.1} are the most"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_service_is_restarted_once_and_hardly_a_call_is_throttled() {
    for number in [60, 200] {
        let scenario = at_documented_rates(number).await;

        let answer = scenario.changed("ssm:/app/db").await;

        assert_eq!(
            (&answer["started"], scenario.restarted()),
            (&number.into(), names_of_many(number))
        );
        assert!(
            throttled(&scenario, Some(UPDATE)) <= number / 100,
            "{} of {number}",
            throttled(&scenario, Some(UPDATE))
        );
        assert!(scenario.is_all_fresh().await);
    }
}

#[tokio::test(start_paused = true)]
async fn the_pace_of_one_process_is_its_part_of_what_the_whole_function_may() {
    let scenario = at_documented_rates(60).await;

    let answer = scenario.changed("ssm:/app/db").await;

    // Two seconds to settle, 20 at once, 40 at 2 a second.
    let took = Duration::from_millis(answer["elapsed_ms"].as_u64().unwrap());
    assert!(
        (Duration::from_secs(21)..Duration::from_secs(24)).contains(&took),
        "{took:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn two_processes_at_once_stay_within_the_pace_of_the_whole_function() {
    let services = (0..1000).map(|place| {
        sim::service(&format!("web/s{place:03}")).watching(&format!("ssm:/{}/", place % 2))
    });
    let mapping = EventSourceMapping {
        batch_size: 1,
        pollers: 2,
        maximum_concurrency: 2,
        ..EventSourceMapping::new(QUEUE)
    };
    let scenario = at_documented_rates_with(services)
        .await
        .with_processes(mapping, 2);

    for part in 0..2 {
        scenario.account.put_parameter(&format!("/{part}/x"));
    }

    assert!(scenario.is_all_fresh().await);
    assert_eq!(scenario.restarted(), names_of_many(1000));
    let restarts = Limit {
        burst: 40,
        rate: 4.0,
    };
    // A restart describes its service between its turn and its call.
    assert_within(&scenario, &[UPDATE], restarts, Duration::from_secs(1));
    for quota in QUOTAS {
        assert_within(&scenario, quota.calls, quota.limit, Duration::ZERO);
    }
    let starts: Vec<_> = scenario
        .account
        .calls()
        .into_iter()
        .filter(|call| call.action() == UPDATE)
        .map(|call| call.time)
        .collect();
    assert!(
        starts[38].duration_since(starts[0]) < jiff::SignedDuration::from_secs(5),
        "both processes began at once"
    );
    for action in [
        UPDATE,
        "tag:GetResources",
        "ecs:DescribeServices",
        "ecs:ListServiceDeployments",
    ] {
        assert_eq!(throttled(&scenario, Some(action)), 0, "{action}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_competitor_for_the_bucket_costs_time_and_no_restart() {
    let scenario = at_documented_rates(60).await;
    scenario
        .account
        .inject(sim::Fault::throttled(UPDATE).times(40));

    let answer = scenario.changed("ssm:/app/db").await;

    assert_eq!(
        (&answer["started"], scenario.restarted()),
        (&60.into(), names_of_many(60))
    );
    assert_eq!(scenario.number_of(UPDATE), 100);
}

#[tokio::test(start_paused = true)]
async fn restarts_that_the_deadline_leaves_return_through_the_queue_and_none_is_made_twice() {
    let scenario = at_documented_rates(700).await.with_queue();

    scenario.account.put_parameter("/app/db");

    assert!(scenario.is_all_fresh().await);
    assert_eq!(scenario.restarted(), names_of_many(700));
    assert!(
        throttled(&scenario, Some(UPDATE)) <= 7,
        "{}",
        throttled(&scenario, Some(UPDATE))
    );
    assert!(
        scenario.lines("summary").len() >= 3,
        "{}",
        scenario.lines("summary").len()
    );
    assert!(scenario.account.messages(DEAD_LETTERS).is_empty());
}

#[tokio::test(start_paused = true)]
async fn reads_of_many_services_stay_below_their_buckets_too() {
    let scenario = at_documented_rates(300).await;

    scenario.changed_a_while_ago("ssm:/app/db").await;

    for action in [
        "tag:GetResources",
        "ecs:DescribeServices",
        "ecs:ListServiceDeployments",
    ] {
        assert!(
            throttled(&scenario, Some(action)) <= 3,
            "{action}: {}",
            throttled(&scenario, Some(action))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn two_invocations_in_a_row_do_not_both_burst() {
    let config = documented_rates();
    let services = (0..120).map(|place| {
        sim::service(&format!("web/s{place:03}")).watching(&format!("ssm:/{}/", place % 3))
    });
    let scenario = Scenario::build(config, [], Level::Info, services).await;

    scenario.changed("ssm:/0/x").await;
    scenario.changed("ssm:/1/x").await;
    scenario.changed("ssm:/2/x").await;

    assert_eq!(
        (
            throttled(&scenario, Some(UPDATE)),
            scenario.restarted().len()
        ),
        (0, 120)
    );
}
