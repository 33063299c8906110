//! Many restarts against the account's own buckets.

use std::time::Duration;

use ecs_reloader::aws::QUOTAS;
use ecs_reloader::pace::Limit;
use ecs_reloader::report::Level;
use sim::{AccountConfig, CallResult, EventSourceMapping, RateLimits, Service};

use crate::support::{DEAD_LETTERS, QUEUE, Scenario, many, names_of_many};

const UPDATE: &str = "ecs:UpdateService";

/// So many services, at AWS's documented rates.
async fn at_documented_rates(number: usize) -> Scenario {
    at_documented_rates_with(many(number, "ssm:/app/")).await
}

async fn at_documented_rates_with(services: impl IntoIterator<Item = Service>) -> Scenario {
    let config = AccountConfig {
        rate_limits: RateLimits::Documented,
        ..AccountConfig::default()
    };
    Scenario::build(
        config,
        [
            ("RELOADER_MAX_SERVICES", "10000"),
            ("RELOADER_MAX_IN_FLIGHT", "10000"),
            ("RELOADER_MIN_INTERVAL", "0s"),
        ],
        Level::Info,
        services,
    )
    .await
}

/// The same, where nothing but the part of the account's own bucket that a process of so many has
/// holds restarts back.
async fn at_full_pace(number: usize, concurrency: &str) -> Scenario {
    let scenario = at_documented_rates(number)
        .await
        .setting("RELOADER_CONCURRENCY", concurrency);
    scenario
        .setting("RELOADER_RESTART_BURST", "50")
        .setting("RELOADER_RESTART_RATE", "5")
        .setting("RELOADER_SETTLE", "0s")
}

/// The least time that so many restarts take with a part of the bucket of `UpdateService`: the
/// listing, what the part refills, and a round trip.
fn bound(number: usize, parts: u32) -> Duration {
    let round_trip = AccountConfig::default().latency;
    let pages = u32::try_from(number.div_ceil(100)).unwrap();
    let refill = u32::try_from(number).unwrap().saturating_sub(50 / parts);
    round_trip * pages + Duration::from_millis(200) * refill * parts + round_trip
}

/// The calls of these actions, of all processes together, stay within a limit over every span of
/// time. The turn of a call was taken up to `before` it.
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

/// From the first call of the function to its last restart.
fn took(scenario: &Scenario) -> Duration {
    let ours: Vec<_> = scenario
        .account
        .calls()
        .into_iter()
        .filter(|call| call.principal == "AKIASIMULATED")
        .collect();
    let first = ours.first().unwrap().time;
    let last = ours
        .iter()
        .rfind(|call| call.action() == UPDATE)
        .unwrap()
        .time;
    Duration::try_from(last.duration_since(first)).unwrap() + AccountConfig::default().latency
}

/// How many calls of this action were throttled.
fn throttled(scenario: &Scenario, action: &str) -> usize {
    let throttles =
        |result: &CallResult| matches!(result, CallResult::Error(code) if code.contains("Throttl"));
    scenario
        .account
        .calls()
        .iter()
        .filter(|call| call.action() == action && throttles(&call.result))
        .count()
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
            throttled(&scenario, UPDATE) <= number / 100,
            "{} of {number}",
            throttled(&scenario, UPDATE)
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
    // A restart looks at its service between its turn and its call.
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
        assert_eq!(throttled(&scenario, action), 0, "{action}");
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
async fn what_the_deadline_leaves_goes_on_through_the_queue_and_nothing_is_done_twice() {
    let scenario = at_documented_rates(700).await.with_queue();

    scenario.account.put_parameter("/app/db");

    assert!(scenario.is_all_fresh().await);
    assert_eq!(scenario.restarted(), names_of_many(700));
    assert!(
        throttled(&scenario, UPDATE) <= 7,
        "{}",
        throttled(&scenario, UPDATE)
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
            throttled(&scenario, action) <= 3,
            "{action}: {}",
            throttled(&scenario, action)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn two_invocations_in_a_row_do_not_both_burst() {
    let config = AccountConfig {
        rate_limits: RateLimits::Documented,
        ..AccountConfig::default()
    };
    let services = (0..120).map(|place| {
        sim::service(&format!("web/s{place:03}")).watching(&format!("ssm:/{}/", place % 3))
    });
    let scenario = Scenario::build(config, [], Level::Info, services).await;

    scenario.changed("ssm:/0/x").await;
    scenario.changed("ssm:/1/x").await;
    scenario.changed("ssm:/2/x").await;

    assert_eq!(
        (throttled(&scenario, UPDATE), scenario.restarted().len()),
        (0, 120)
    );
}

#[tokio::test(start_paused = true)]
async fn fifty_restarts_take_three_round_trips() {
    let scenario = at_full_pace(50, "1").await;
    let event = scenario.write("ssm:/app/db");
    scenario.account.run_for(Duration::from_secs(10)).await;

    scenario.invoke(&event).await.unwrap();

    assert_eq!(scenario.restarted(), names_of_many(50));
    assert_eq!(took(&scenario), AccountConfig::default().latency * 3);
}

#[tokio::test(start_paused = true)]
async fn many_restarts_take_hardly_longer_than_the_accounts_bucket_allows() {
    // Alone it may take the whole bucket; one of two processes has half of it, and others take the
    // rest.
    for (number, concurrency, parts) in
        [(200, "1", 1), (1000, "1", 1), (200, "2", 2), (1000, "2", 2)]
    {
        let scenario = at_full_pace(number, concurrency).await.with_queue();
        scenario
            .account
            .share_rate_limits(1.0 - 1.0 / f64::from(parts));

        scenario.account.put_parameter("/app/db");

        assert!(scenario.is_all_fresh().await);
        assert_eq!(scenario.restarted(), names_of_many(number));
        let (took, bound) = (took(&scenario), bound(number, parts));
        let ratio = took.as_secs_f64() / bound.as_secs_f64();
        println!(
            "{number} restarts, concurrency {concurrency}: {took:?}, bound {bound:?}, ratio \
             {ratio:.4}, {} throttled",
            throttled(&scenario, UPDATE)
        );
        assert!(
            ratio <= 1.02,
            "{number}, {concurrency}: {took:?} of {bound:?}"
        );
        assert!(
            throttled(&scenario, UPDATE) * 100 <= number,
            "{}",
            throttled(&scenario, UPDATE)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_competitor_that_takes_half_the_bucket_costs_time_and_no_restart() {
    for number in [50, 200, 1000] {
        for scenario in [
            at_documented_rates(number).await,
            at_full_pace(number, "1").await,
        ] {
            let scenario = scenario.with_queue();
            scenario.account.share_rate_limits(0.5);

            scenario.account.put_parameter("/app/db");

            assert!(scenario.is_all_fresh().await);
            assert_eq!(scenario.restarted(), names_of_many(number));
            assert!(scenario.account.messages(DEAD_LETTERS).is_empty());
            println!(
                "{number} restarts with half the bucket: {:?}, {} throttled",
                took(&scenario),
                throttled(&scenario, UPDATE)
            );
        }
    }
}

/// The queue feeds four invocations at once, each a process of its own.
fn fourfold(scenario: Scenario) -> Scenario {
    let scenario = scenario.setting("RELOADER_CONCURRENCY", "4");
    let mapping = EventSourceMapping {
        pollers: 8,
        maximum_concurrency: 4,
        ..EventSourceMapping::new(QUEUE)
    };
    scenario.with_processes(mapping, 4)
}

#[tokio::test(start_paused = true)]
async fn four_invocations_at_once_on_disjoint_changes_restart_everything_once() {
    for number in [50, 200, 1000] {
        let services = (0..number).map(|place| {
            sim::service(&format!("web/s{place:03}")).watching(&format!("ssm:/{}/", place % 4))
        });
        let scenario = fourfold(at_documented_rates_with(services).await);

        for part in 0..4 {
            scenario.account.put_parameter(&format!("/{part}/x"));
        }

        assert!(scenario.is_all_fresh().await);
        assert_eq!(scenario.restarted(), names_of_many(number));
        assert!(scenario.account.messages(DEAD_LETTERS).is_empty());
        println!(
            "{number} restarts by four at once, disjoint: {:?}, {} throttled",
            took(&scenario),
            throttled(&scenario, UPDATE)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn four_invocations_at_once_on_one_change_restart_a_service_at_most_once_each() {
    for number in [50, 200, 1000] {
        let scenario = fourfold(at_documented_rates(number).await);

        // One event a poller.
        for _ in 0..8 {
            scenario.account.put_parameter("/app/db");
        }

        assert!(scenario.is_all_fresh().await);
        let restarted = scenario.restarted();
        let most = names_of_many(number)
            .iter()
            .map(|name| {
                restarted
                    .iter()
                    .filter(|restarted| *restarted == name)
                    .count()
            })
            .max();
        assert!(most <= Some(4), "{most:?}");
        assert!(scenario.account.messages(DEAD_LETTERS).is_empty());
        println!(
            "{number} services by four at once, one change: {} restarts, {most:?} of one at most, \
             {:?}, {} throttled",
            restarted.len(),
            took(&scenario),
            throttled(&scenario, UPDATE)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn five_thousand_restarts_end_over_several_invocations_with_none_lost_and_none_twice() {
    let scenario = at_full_pace(5000, "1").await.with_queue();

    scenario.account.put_parameter("/app/db");

    assert!(scenario.is_all_fresh().await);
    let mut names: Vec<_> = (0..5000).map(|place| format!("web/s{place:03}")).collect();
    names.sort();
    assert_eq!(scenario.restarted(), names);
    println!(
        "5000 restarts: {:?}, bound {:?}, {} throttled",
        took(&scenario),
        bound(5000, 1),
        throttled(&scenario, UPDATE)
    );
    assert!(scenario.account.messages(DEAD_LETTERS).is_empty());
}
