//! Holds that last: they are abandoned at the limit, or carried out in the end.

use std::time::Duration;

use serde_json::json;
use sim::service;

use crate::support::{A_MINUTE, AN_HOUR, DEAD_LETTERS, QUEUE, Scenario, api};

#[tokio::test(start_paused = true)]
async fn a_hold_that_never_ends_is_abandoned_and_reported_as_an_error() {
    let stuck = api().task_seconds(20.0, 10.0, 50_000.0);
    let variables = [
        ("RELOADER_HOLD_LIMIT", "2h"),
        ("RELOADER_MIN_INTERVAL", "0s"),
    ];
    let scenario = Scenario::set_to(variables, [stuck]).await.with_queue();
    scenario.fill_deployments().await;

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(AN_HOUR * 3).await;

    let given_up: Vec<_> = scenario
        .lines("service")
        .into_iter()
        .filter(|line| line["result"] == "abandoned")
        .collect();
    assert_eq!(given_up.len(), 1);
    assert_eq!(
        (&given_up[0]["level"], &given_up[0]["reason"]),
        (&json!("ERROR"), &json!("too-many-deployments")),
        "{given_up:#?}"
    );
    assert!(scenario.metric("RestartsFailed").contains(&json!(1)));
    assert!(scenario.account.messages(QUEUE).is_empty() && scenario.restarted().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_new_change_is_not_abandoned_with_an_old_one() {
    let stuck = api().task_seconds(20.0, 10.0, 50_000.0);
    let scenario = Scenario::set_to(
        [
            ("RELOADER_HOLD_LIMIT", "2h"),
            ("RELOADER_MIN_INTERVAL", "0s"),
        ],
        [stuck],
    )
    .await
    .with_queue();
    scenario.fill_deployments().await;

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(AN_HOUR + A_MINUTE * 50).await;
    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(AN_HOUR).await;
    let abandoned = |scenario: &Scenario| {
        scenario
            .lines("service")
            .iter()
            .filter(|line| line["result"] == "abandoned")
            .count()
    };
    let early = abandoned(&scenario);
    scenario.account.run_for(AN_HOUR + A_MINUTE * 10).await;

    assert_eq!((early, abandoned(&scenario)), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_day_without_the_function_makes_no_dead_letter_and_ages_nothing() {
    let paused = service("web/paused")
        .watching("ssm:/app/")
        .tag("reloader:pause", "2026-01-31T11:00:00Z");
    let scenario = Scenario::with([api(), paused]).await.with_queue();
    scenario.account.put_parameter("/app/a");
    scenario.account.run_for(A_MINUTE * 3).await;

    scenario.account.enable_mapping(QUEUE, false);
    scenario.account.put_parameter("/app/b");
    for _ in 0..26 {
        scenario.account.run_for(AN_HOUR).await;
        scenario.account.send(QUEUE, r#"{"sweep": {}}"#);
    }
    let meanwhile = scenario.restarted();
    scenario.account.enable_mapping(QUEUE, true);

    assert_eq!(meanwhile, ["web/api"]);
    assert!(scenario.is_all_fresh().await);
    assert_eq!(scenario.restarted(), ["web/api", "web/api", "web/paused"]);
    assert!(scenario.account.messages(DEAD_LETTERS).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_pause_until_its_tag_is_removed_never_ages() {
    let scenario = Scenario::set_to(
        [("RELOADER_HOLD_LIMIT", "1h")],
        [api().tag("reloader:pause", "true")],
    )
    .await
    .with_queue();

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(AN_HOUR * 30).await;
    let before = scenario.restarted().len();
    scenario.owner.untags("web/api", "reloader:pause").await;
    scenario.account.run_for(A_MINUTE * 6).await;

    assert_eq!(
        (before, scenario.restarted()),
        (0, vec!["web/api".to_owned()])
    );
    assert!(scenario.is_all_fresh().await);
}

#[tokio::test(start_paused = true)]
async fn a_hold_is_one_chain_whatever_else_happens() {
    let paused = service("web/api")
        .watching("ssm:/app/db")
        .tag("reloader:pause", "true");
    let scenario = Scenario::with([paused]).await.with_queue();
    scenario.disorder_events(Duration::from_mins(20));

    for _ in 0..10 {
        scenario.account.put_parameter("/app/db");
        scenario.account.run_for(A_MINUTE * 7).await;
    }
    scenario.account.run_for(AN_HOUR).await;
    let before = scenario.lines("summary").len();
    let messages = holding(&scenario);
    scenario.account.run_for(AN_HOUR).await;

    assert_eq!(
        (messages, scenario.lines("summary").len() - before),
        (1, 12),
        "one message, each five minutes"
    );
}

/// The number of messages in the queue that hold a change, second passes apart.
fn holding(scenario: &Scenario) -> usize {
    scenario
        .account
        .messages(QUEUE)
        .iter()
        .filter(|body| !body.contains("except"))
        .count()
}
