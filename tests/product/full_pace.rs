//! Restarts as fast as the account allows, with competitors and several processes.

use std::time::Duration;

use sim::{AccountConfig, EventSourceMapping};

use crate::support::{
    DEAD_LETTERS, QUEUE, Scenario, UPDATE, at_documented_rates, at_documented_rates_with,
    names_of_many, throttled,
};

/// The documented rates, with settings under which restarts wait for one thing only: the process's
/// share of the account's bucket.
async fn at_full_pace(number: usize, concurrency: &str) -> Scenario {
    let scenario = at_documented_rates(number)
        .await
        .setting("RELOADER_CONCURRENCY", concurrency);
    scenario
        .setting("RELOADER_RESTART_BURST", "50")
        .setting("RELOADER_RESTART_RATE", "5")
        .setting("RELOADER_SETTLE", "0s")
}

/// The least time of so many restarts with a part of the bucket of `UpdateService`: the listing,
/// the refill of the part, and a round trip.
fn bound(number: usize, parts: u32) -> Duration {
    let round_trip = AccountConfig::default().latency;
    let pages = u32::try_from(number.div_ceil(100)).unwrap();
    let refill = u32::try_from(number).unwrap().saturating_sub(50 / parts);
    round_trip * pages + Duration::from_millis(200) * refill * parts + round_trip
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

#[tokio::test(start_paused = true)]
async fn fifty_restarts_take_nine_round_trips() {
    let scenario = at_full_pace(50, "1").await;
    let event = scenario.write("ssm:/app/db");
    scenario.account.run_for(Duration::from_secs(10)).await;

    scenario.invoke(&event).await.unwrap();

    assert_eq!(scenario.restarted(), names_of_many(50));
    // Two reads, then eight restarts at a time.
    assert_eq!(took(&scenario), AccountConfig::default().latency * 9);
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
            throttled(&scenario, Some(UPDATE))
        );
        assert!(
            ratio <= 1.02,
            "{number}, {concurrency}: {took:?} of {bound:?}"
        );
        assert!(
            throttled(&scenario, Some(UPDATE)) * 100 <= number,
            "{}",
            throttled(&scenario, Some(UPDATE))
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
                throttled(&scenario, Some(UPDATE))
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
            throttled(&scenario, Some(UPDATE))
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
            throttled(&scenario, Some(UPDATE))
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
        throttled(&scenario, Some(UPDATE))
    );
    assert!(scenario.account.messages(DEAD_LETTERS).is_empty());
}
