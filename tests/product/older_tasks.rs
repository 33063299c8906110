//! A rollout is completed when no task is left that is older than the change: whatever Amazon ECS
//! says, and draining tasks included.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use sim::{Fault, Service};

use crate::support::{A_MINUTE, AN_HOUR, Scenario, api, text};

const HALF_AN_HOUR: Duration = Duration::from_mins(30);

/// Successful as soon as half of its tasks are healthy; the old ones are stopped afterwards.
fn early() -> Service {
    api().desired(4).early_success(50, true)
}

/// The outcomes that were reported so far.
fn outcomes(scenario: &Scenario) -> Vec<String> {
    let lines = scenario.lines("service").into_iter();
    lines
        .filter_map(|line| Some(line["outcome"].as_str()?.to_owned()))
        .collect()
}

/// The newest line of the service.
fn newest_line(scenario: &Scenario) -> Value {
    scenario.lines("service").pop().unwrap()
}

/// The live tasks that were created at this instant or before.
fn older_than(scenario: &Scenario, at: Timestamp) -> usize {
    let tasks = scenario.service("web/api").tasks;
    tasks.iter().filter(|task| task.created_at <= at).count()
}

#[tokio::test(start_paused = true)]
async fn while_old_tasks_drain_a_successful_deployment_is_not_completed() {
    let drains_slowly = early().task_seconds(10.0, 10.0, 600.0);
    let scenario = Scenario::with([drains_slowly]).await.with_queue();
    let changed_at = scenario.account.now();

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(A_MINUTE * 3).await;
    let status = scenario.service("web/api").history[0].status;
    let (line, early) = (newest_line(&scenario), outcomes(&scenario));
    scenario.account.run_for(AN_HOUR).await;

    assert_eq!((status, early), ("SUCCESSFUL", Vec::new()));
    let tasks = scenario.service("web/api").tasks;
    assert!(tasks.iter().all(|task| task.created_at > changed_at));
    assert_eq!(
        (&line["old_tasks"], &line["level"]),
        (&json!(4), &json!("INFO"))
    );
    assert!(line.get("next_check").is_some(), "{line:#}");
    assert_eq!(outcomes(&scenario), ["completed"]);
    let completed = scenario.first_line("outcome", "completed");
    assert!(completed["duration_seconds"].as_i64().unwrap() > 600);
}

#[tokio::test(start_paused = true)]
async fn protected_tasks_of_a_successful_deployment_are_waited_for_beyond_the_deadline() {
    let variables = [("RELOADER_OUTCOME_DEADLINE", "10m")];
    let scenario = Scenario::set_to(variables, [early()]).await.with_queue();
    scenario.account.protect_tasks("web/api", AN_HOUR * 3);
    let changed_at = scenario.account.now();

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(AN_HOUR * 2 + HALF_AN_HOUR).await;
    let (meanwhile, left) = (outcomes(&scenario), older_than(&scenario, changed_at));
    let line = newest_line(&scenario);
    scenario.account.run_for(AN_HOUR).await;

    assert_eq!((meanwhile, left), (Vec::new(), 4));
    assert_eq!(line["old_tasks"], 4);
    assert_eq!(outcomes(&scenario), ["completed"]);
    assert_eq!(older_than(&scenario, changed_at), 0);
}

#[tokio::test(start_paused = true)]
async fn tasks_that_stay_protected_for_longer_than_a_hold_may_last_time_the_rollout_out_once() {
    let variables = [("RELOADER_HOLD_LIMIT", "1h")];
    let scenario = Scenario::set_to(variables, [early()]).await.with_queue();
    scenario.account.protect_tasks("web/api", HALF_AN_HOUR * 3);

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(AN_HOUR * 3).await;

    let ends = outcomes(&scenario);
    assert_eq!(ends, ["timed-out", "completed"]);
    let line = scenario.first_line("outcome", "timed-out");
    assert_eq!(line["level"], "ERROR");
    assert_eq!(line["rollout"]["old_tasks"], 4);
    assert!(
        text(&line["detail"]).contains("older tasks still run"),
        "{line:#}"
    );
    assert!(
        line["rollout"].get("restore").is_none(),
        "the value is good"
    );
}

#[tokio::test(start_paused = true)]
async fn a_deployment_whose_tasks_cannot_be_read_is_unknown_at_the_deadline_and_not_completed() {
    let variables = [("RELOADER_OUTCOME_DEADLINE", "10m")];
    let scenario = Scenario::set_to(variables, [api()]).await.with_queue();
    let until = scenario.account.now() + HALF_AN_HOUR;
    let denied = Fault::denied("ecs:DescribeTasks").until(until);
    scenario.account.inject(denied);

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(AN_HOUR * 2).await;

    assert_eq!(outcomes(&scenario), ["unknown", "completed"]);
    let unknown = scenario.first_line("outcome", "unknown");
    assert_eq!(unknown["level"], "WARN");
    let cause = text(&unknown["rollout"]["tasks_unread"]);
    assert!(cause.contains("DescribeTasks"), "{cause}");
}

#[tokio::test(start_paused = true)]
async fn the_tasks_are_read_once_when_amazon_ecs_says_that_the_rollout_is_complete() {
    let slow = api().task_seconds(200.0, 10.0, 10.0);
    let scenario = Scenario::with([slow]).await.with_queue();

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(AN_HOUR).await;

    assert_eq!(outcomes(&scenario), ["completed"]);
    let calls = ["ecs:ListTasks", "ecs:DescribeTasks"].map(|call| scenario.number_of(call));
    assert_eq!(
        calls,
        [2, 2],
        "those that run, and those that were ordered to stop"
    );
}
