//! The calls of one event: the listing, each service that it matches once, and its restart.

use std::collections::BTreeMap;
use std::time::Duration;

use ecs_reloader::report::Level;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sim::AccountConfig;

use crate::support::{A_MINUTE, AN_HOUR, Scenario, UPDATE, many};

const DESCRIBE: &str = "ecs:DescribeServices";
const HISTORY: &str = "ecs:ListServiceDeployments";
const REVISIONS: &str = "ecs:DescribeServiceRevisions";

/// Longer than a direct invocation waits for anything here.
const LONG: Duration = Duration::from_mins(14);

/// AWS answers so fast that no description grows old while a thousand services restart, eight at a
/// time.
const FAST: Duration = Duration::from_millis(4);

const USUAL: Duration = Duration::from_millis(20);

/// So many services that watch `ssm:/app/`, half as many that watch something else, and no limit but
/// the pace of reads, for so many invocations at once.
async fn without_limits(number: usize, concurrency: &str, latency: Duration) -> Scenario {
    let others = (0..number / 2).map(|place| {
        let name = format!("other/s{place:03}");
        sim::service(&name).watching("ssm:/other/")
    });
    let services = many(number, "ssm:/app/").into_iter().chain(others);
    let variables = [
        ("RELOADER_MAX_SERVICES", "1000"),
        ("RELOADER_MAX_IN_FLIGHT", "1000"),
        ("RELOADER_MIN_INTERVAL", "0s"),
        ("RELOADER_CONCURRENCY", concurrency),
        ("RELOADER_RESTART_BURST", "1000"),
        ("RELOADER_RESTART_RATE", "1000"),
    ];
    let config = AccountConfig {
        latency,
        ..AccountConfig::default()
    };
    Scenario::build(config, variables, Level::Info, services).await
}

/// The calls of one event, by action.
async fn calls_of(scenario: &Scenario, event: &Value) -> BTreeMap<String, usize> {
    let before = scenario.actions().len();
    scenario.invoke_within(LONG, event).await.unwrap();
    count(scenario.actions().split_off(before))
}

fn count(actions: Vec<String>) -> BTreeMap<String, usize> {
    let mut calls = BTreeMap::new();
    for action in actions {
        *calls.entry(action).or_insert(0) += 1;
    }
    calls
}

/// The least calls of an event that matches so many services, and restarts so many of them. The
/// tag index is read for the services and for the keys to ignore.
fn least(number: usize, restarts: usize) -> BTreeMap<String, usize> {
    let watching = number + number / 2;
    let calls = [
        ("tag:GetResources", watching.div_ceil(100) + 1),
        ("ssm:DescribeParameters", 1),
        (DESCRIBE, number.div_ceil(10)),
        (UPDATE, restarts),
    ];
    let calls = calls.into_iter().filter(|(_, number)| *number > 0);
    calls
        .map(|(action, number)| (action.to_owned(), number))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn each_event_describes_every_service_once_the_first_and_the_next() {
    for number in [1, 10, 100, 1000] {
        let scenario = without_limits(number, "1", FAST).await;
        for _ in 0..2 {
            let event = scenario.write("ssm:/app/db");

            assert_eq!(calls_of(&scenario, &event).await, least(number, number));

            scenario.account.run_for(A_MINUTE * 10).await;
            // SQS has delivered the same event again.
            assert_eq!(calls_of(&scenario, &event).await, least(number, 0));
            // A restart within the hour counts, so the next one would need the history.
            scenario.account.run_for(AN_HOUR * 2).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_within_the_hour_reads_a_history_and_revisions_only_once_the_budget_is_used_up() {
    let scenario = without_limits(10, "1", USUAL)
        .await
        .setting("RELOADER_MAX_RESTARTS_PER_HOUR", "2");
    // An hour after the services came.
    scenario.account.run_for(AN_HOUR * 2).await;
    for (restarts, expected) in [
        (10, vec![]),
        (10, vec![(HISTORY, 10)]),
        (0, vec![(HISTORY, 10), (REVISIONS, 10)]),
    ] {
        let event = scenario.write("ssm:/app/db");

        let calls = calls_of(&scenario, &event).await;

        let mut least = least(10, restarts);
        least.extend(
            expected
                .into_iter()
                .map(|(action, number)| (action.to_owned(), number)),
        );
        assert_eq!(calls, least);
        scenario.account.run_for(A_MINUTE * 10).await;
    }
}

/// The instants of the calls of this action for each service.
fn calls_about(scenario: &Scenario, action: &str) -> BTreeMap<String, Vec<Timestamp>> {
    let mut instants: BTreeMap<String, Vec<Timestamp>> = BTreeMap::new();
    for call in scenario.account.calls() {
        if call.action() == action {
            for name in call.target.split(',') {
                instants.entry(name.to_owned()).or_default().push(call.time);
            }
        }
    }
    instants
}

#[tokio::test(start_paused = true)]
async fn a_thousand_services_are_described_again_only_where_the_first_description_has_grown_old() {
    let believed = SignedDuration::from_secs(5);
    for (concurrency, most) in [("1", 155), ("2", 185)] {
        let scenario = without_limits(1000, concurrency, USUAL).await;
        // It takes the burst of the reads: the descriptions for the event after it take seconds.
        let dry_run = json!({ "changed": ["ssm:/app/db"], "dry_run": true });
        scenario.reload(dry_run).await;
        let event = scenario.write("ssm:/app/db");
        let began = scenario.account.now();

        let calls = calls_of(&scenario, &event).await;

        assert_eq!(calls[UPDATE], 1000, "{calls:?}");
        assert!((100..=most).contains(&calls[DESCRIBE]), "{calls:?}");
        let (described, restarted) = (
            calls_about(&scenario, DESCRIBE),
            calls_about(&scenario, UPDATE),
        );
        for (name, restarted) in restarted {
            let described = described[&name].iter().filter(|at| **at >= began);
            let described: Vec<_> = described.collect();
            for pair in described.windows(2) {
                assert!(pair[1].duration_since(*pair[0]) > believed, "{name}");
            }
            let age = restarted[0].duration_since(**described.last().unwrap());
            assert!(age <= believed, "{name}: {age:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_of_each_kind_costs_one_call_for_its_metadata() {
    let scenario = Scenario::with(many(10, "ssm:/app/ secret:prod/ s3:config/"))
        .await
        .with_queue();
    scenario.account.put_secret("prod/db");
    scenario.account.run_for(AN_HOUR * 3).await;
    let before = scenario.actions().len();

    for term in ["ssm:/app/db", "secret:prod/db", "s3:config/app.env"] {
        scenario.change(term);
    }
    // The rollouts are described after 30 seconds.
    scenario.account.run_for(A_MINUTE / 3).await;

    let calls = count(scenario.actions().split_off(before));
    let expected = [
        ("tag:GetResources", 2),
        ("ssm:DescribeParameters", 1),
        ("secretsmanager:ListSecretVersionIds", 1),
        ("s3:ListObjectVersions", 1),
        (DESCRIBE, 1),
        (UPDATE, 10),
        // For the rollouts, and for the second listing.
        ("sqs:SendMessage", 2),
    ];
    assert_eq!(
        calls,
        expected
            .map(|(action, number)| (action.to_owned(), number))
            .into()
    );
}
