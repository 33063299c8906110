//! Rollouts that do not stay, that wait for a person, or that need not start.

use std::time::Duration;

use serde_json::{Value, json};
use sim::{Fault, Service, service};

use crate::holds::told;
use crate::support::{QUEUE, Scenario, many};

const A_MINUTE: Duration = Duration::from_mins(1);
const AN_HOUR: Duration = Duration::from_hours(1);

fn api() -> Service {
    service("web/api").watching("ssm:/app/")
}

/// The first line of a service that says this.
fn first(scenario: &Scenario, field: &str, says: &str) -> Value {
    scenario.lines("service").into_iter().find(|line| line[field] == says).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_failed_deployment_of_others_and_one_that_is_seen_later_raise_no_alarm() {
    let bad = || api().reading(["ssm:/app/db"]).circuit_breaker(true).task_seconds(2.0, 2.0, 2.0).failing_next(30);
    let others = Scenario::with([bad()]).await.with_queue();
    let later = Scenario::with([bad()]).await.with_queue();

    others.account.enable_mapping(QUEUE, false);
    others.account.put_parameter("/app/db");
    others.account.run_for(Duration::from_secs(2)).await;
    others.owner.forces("web/api").await;
    others.account.run_for(AN_HOUR).await;
    others.account.enable_mapping(QUEUE, true);
    others.account.run_for(AN_HOUR).await;
    later.account.put_parameter("/app/db");
    later.account.run_for(AN_HOUR).await;
    later.account.send(QUEUE, r#"{"sweep": {}}"#);
    later.account.run_for(A_MINUTE).await;

    assert_eq!(told(&others, "failed-already"), ["WARN"]);
    assert!(others.metric("RestartsFailed").iter().all(|failed| *failed == 0));
    assert_eq!(told(&later, "failed-already"), ["ERROR", "WARN"], "the message that follows it, and the sweep");
    assert_eq!(later.metric("RestartsFailed").iter().filter(|failed| **failed == 1).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn five_active_deployments_that_the_answer_alone_tells_of_are_waited_for() {
    const FULL: &str = "5 active deployments exist, unable to create new deployment.";
    let scenario = Scenario::with([api()]).await.with_queue();
    scenario.account.inject(Fault::error("ecs:UpdateService", "InvalidParameterException", FULL, 400).times(3));

    scenario.account.put_parameter("/app/db");

    assert!(scenario.is_all_fresh().await);
    assert_eq!(told(&scenario, "too-many-deployments"), ["WARN", "INFO", "INFO"]);
    let held = first(&scenario, "reason", "too-many-deployments");
    assert!(held["detail"].as_str().unwrap().contains(FULL) && held.get("result").is_none(), "{held:#}");
    assert_eq!((scenario.restarted(), scenario.metric("RestartsFailed").contains(&json!(1))), (vec!["web/api".to_owned()], false));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_was_scaled_to_zero_and_up_again_is_not_restarted() {
    let paused = api().tag("reloader:pause", "2026-01-31T11:00:00Z");
    let scenario = Scenario::with([paused]).await.with_queue();

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(A_MINUTE).await;
    scenario.owner.scales("web/api", 0).await;
    scenario.account.run_for(A_MINUTE * 5).await;
    scenario.owner.scales("web/api", 2).await;
    scenario.account.run_for(AN_HOUR * 2).await;

    assert!(scenario.restarted().is_empty() && scenario.is_all_fresh().await);
    let fresh = first(&scenario, "reason", "fresh");
    assert!(fresh["detail"].as_str().unwrap().contains("every task is"), "{fresh:#}");
}

#[tokio::test(start_paused = true)]
async fn tasks_that_cannot_be_read_lose_no_change() {
    for fault in [Fault::denied("ecs:ListTasks"), Fault::hang("ecs:DescribeTasks")] {
        let scenario = Scenario::with([api().tag("reloader:pause", "2026-01-31T11:00:00Z")]).await.with_queue();
        scenario.account.inject(fault.clone());

        scenario.account.put_parameter("/app/db");

        assert!(scenario.is_all_fresh().await, "{fault:?}");
        let started = first(&scenario, "result", "started");
        assert!(started["detail"].as_str().unwrap().contains("its tasks"), "{fault:?}: {started:#}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_that_is_refused_whole_is_counted_for_an_alarm() {
    let off = service("web/off").watching("ssm:/app/").tag("reloader:mode", "off");
    let services = many(3, "ssm:/app/").into_iter().chain([off]);
    let scenario = Scenario::set_to([("RELOADER_MAX_SERVICES", "2")], services).await.with_queue();

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(AN_HOUR).await;

    let refused: Vec<_> = scenario.metric("ChangesRefused").into_iter().filter(|refused| *refused != 0).collect();
    assert_eq!((refused, scenario.restarted().len()), (vec![json!(1)], 0));
    let asked = scenario.reload(json!({ "changed": ["ssm:/app/db"], "dry_run": true })).await;
    assert_eq!(asked["refused_changes"], 0, "{asked:#}");
}
