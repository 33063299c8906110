//! The ends of rollouts, each reported once in the log.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use sim::{Fault, Hook, Service, Stage, service};

use crate::support::{A_MINUTE, AN_HOUR, QUEUE, Scenario};

fn api() -> Service {
    service("web/api")
        .watching("ssm:/app/")
        .task_seconds(10.0, 10.0, 10.0)
}

/// The lines of ended rollouts: the outcome and the level of each.
fn outcomes(scenario: &Scenario) -> Vec<(String, String)> {
    let lines = scenario.lines("service").into_iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    lines
        .filter(|line| !line["outcome"].is_null())
        .map(|line| (text(&line["outcome"]), text(&line["level"])))
        .collect()
}

fn outcome(name: &str, level: &str) -> (String, String) {
    (name.to_owned(), level.to_owned())
}

/// The sums of the metrics that raise alarms, together.
fn failures(scenario: &Scenario) -> u64 {
    let metrics = ["RestartsFailed", "RolloutsFailed", "RolloutsTimedOut"];
    let values = metrics.iter().flat_map(|metric| scenario.metric(metric));
    values.map(|failed| failed.as_u64().unwrap()).sum()
}

#[tokio::test(start_paused = true)]
async fn a_rollout_that_completes_is_reported_once_with_its_duration() {
    let scenario = Scenario::with([api()]).await.with_queue();

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(AN_HOUR).await;

    assert_eq!(outcomes(&scenario), [outcome("completed", "INFO")]);
    let line = scenario.first_line("outcome", "completed");
    let deployment = scenario.service("web/api").deployments[0].id.clone();
    let seconds = line["duration_seconds"].as_i64().unwrap();
    assert_eq!(line["deployment"], deployment);
    assert!((30..300).contains(&seconds), "{line:#}");
    assert_eq!(failures(&scenario), 0);
}

#[tokio::test(start_paused = true)]
async fn a_rollout_that_a_person_stops_is_rejected_and_raises_no_alarm() {
    let scenario = Scenario::with([api()]).await.with_queue();

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(Duration::from_secs(20)).await;
    scenario.account.stop_deployment("web/api");
    scenario.account.run_for(AN_HOUR).await;

    assert_eq!(outcomes(&scenario), [outcome("rejected", "WARN")]);
    assert_eq!(failures(&scenario), 0);
}

#[tokio::test(start_paused = true)]
async fn a_rollout_that_a_pipeline_replaces_is_superseded() {
    let scenario = Scenario::with([api()]).await.with_queue();

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(Duration::from_secs(20)).await;
    scenario.owner.deploys("web/api").await;
    scenario.account.run_for(AN_HOUR).await;

    let ends = [outcome("superseded", "INFO"), outcome("completed", "INFO")];
    assert_eq!(
        outcomes(&scenario),
        ends,
        "ours, and the one that covers the change"
    );
}

#[tokio::test(start_paused = true)]
async fn a_rollout_without_progress_is_timed_out_once_and_its_later_end_follows() {
    let never_healthy = api().failing_next(400);
    let variables = [("RELOADER_OUTCOME_DEADLINE", "10m")];
    let scenario = Scenario::set_to(variables, [never_healthy])
        .await
        .with_queue();

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(AN_HOUR).await;
    let first = outcomes(&scenario);
    scenario.owner.deploys("web/api").await;
    scenario.account.run_for(A_MINUTE * 10).await;

    assert_eq!(first, [outcome("timed-out", "ERROR")]);
    assert_eq!(outcomes(&scenario)[1], outcome("superseded", "INFO"));
    assert_eq!(failures(&scenario), 1);
    assert!(scenario.metric("RolloutsTimedOut").contains(&json!(1)));
}

#[tokio::test(start_paused = true)]
async fn a_rollout_that_waits_for_a_person_is_not_timed_out() {
    let waits = api().hook(Hook::pause(Stage::PreScaleUp));
    let variables = [("RELOADER_OUTCOME_DEADLINE", "10m")];
    let scenario = Scenario::set_to(variables, [waits]).await.with_queue();

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(AN_HOUR * 2).await;
    let waiting = outcomes(&scenario);
    scenario.account.approve("web/api");
    scenario.account.run_for(AN_HOUR).await;

    assert_eq!(waiting, []);
    assert_eq!(outcomes(&scenario), [outcome("completed", "INFO")]);
}

#[tokio::test(start_paused = true)]
async fn a_rollout_that_is_gone_and_whose_history_cannot_be_read_is_unknown() {
    let variables = [("RELOADER_OUTCOME_DEADLINE", "10m")];
    let scenario = Scenario::set_to(variables, [api()]).await.with_queue();
    let unreadable = Fault::denied("ecs:ListServiceDeployments");

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(Duration::from_secs(20)).await;
    scenario.account.stop_deployment("web/api");
    scenario.account.inject(unreadable);
    scenario.account.run_for(AN_HOUR).await;

    assert_eq!(outcomes(&scenario), [outcome("unknown", "WARN")]);
    assert_eq!(scenario.restarted(), ["web/api"], "nobody is fought");
}

#[tokio::test(start_paused = true)]
async fn the_rollout_of_others_that_failed_is_information_and_raises_no_alarm() {
    let bad = api()
        .reading(["ssm:/app/db"])
        .circuit_breaker(true)
        .failing_next(30);
    let scenario = Scenario::with([bad]).await.with_queue();

    scenario.account.enable_mapping(QUEUE, false);
    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(Duration::from_secs(2)).await;
    scenario.owner.forces("web/api").await;
    scenario.account.run_for(Duration::from_secs(2)).await;
    scenario.account.enable_mapping(QUEUE, true);
    scenario.account.run_for(AN_HOUR).await;

    let ends = outcomes(&scenario);
    assert_eq!(ends.len(), 1, "{ends:?}");
    assert_eq!(ends[0].0, "rolled-back");
    assert_eq!(failures(&scenario), 0);
}

#[tokio::test(start_paused = true)]
async fn no_service_gets_two_lines_in_one_invocation() {
    let auto = service("web/api")
        .watching("auto ssm:/app/")
        .reading(["ssm:/app/db"]);
    let term = service("web/term").watching("ssm:/app/");
    let scenario = Scenario::with([auto, term]).await.with_queue();
    scenario
        .account
        .inject(Fault::denied("ecs:DescribeTaskDefinition"));
    scenario.account.enable_mapping(QUEUE, false);

    scenario.account.put_parameter("/app/db");
    scenario.account.put_parameter("/other/key");
    let request = json!({ "reload": { "services": ["web/api", "web/term"] } });
    scenario.account.send(QUEUE, &request.to_string());
    scenario.account.run_for(A_MINUTE).await;
    scenario.account.enable_mapping(QUEUE, true);
    scenario.account.run_for(A_MINUTE).await;

    let mut lines: BTreeMap<(String, String), usize> = BTreeMap::new();
    for line in scenario.lines("service") {
        let name = |field: &str| line[field].as_str().unwrap().to_owned();
        *lines
            .entry((name("request_id"), name("service")))
            .or_default() += 1;
    }
    assert!(
        lines.len() >= 2 && lines.values().all(|number| *number == 1),
        "{lines:?}"
    );
    let answers = scenario.lines("summary");
    assert!(
        answers
            .iter()
            .all(|summary| summary["started"].as_u64() <= Some(2))
    );
}

#[tokio::test(start_paused = true)]
async fn the_one_line_of_a_service_names_the_changes_of_all_its_batches() {
    let scenario = Scenario::with([api()]).await.with_queue();
    scenario.account.enable_mapping(QUEUE, false);

    scenario.account.put_parameter("/app/db");
    let request = json!({ "reload": { "changed": ["ssm:/app/other"] } });
    scenario.account.send(QUEUE, &request.to_string());
    scenario.account.run_for(A_MINUTE).await;
    scenario.account.enable_mapping(QUEUE, true);
    scenario.account.run_for(A_MINUTE).await;

    let lines = scenario.lines("service").into_iter();
    let named = lines.map(|line| line["changes"].as_array().unwrap().len());
    assert_eq!(named.max(), Some(2));
    assert_eq!(scenario.restarted(), ["web/api"]);
}

#[tokio::test(start_paused = true)]
async fn the_rollouts_of_this_function_are_counted_by_outcome_and_those_of_others_are_not() {
    let bad = api()
        .reading(["ssm:/app/db"])
        .circuit_breaker(true)
        .failing_next(30);
    let good = service("web/worker")
        .watching("ssm:/app/")
        .task_seconds(10.0, 10.0, 10.0);
    let scenario = Scenario::with([bad, good]).await.with_queue();

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(AN_HOUR).await;
    scenario.owner.forces("web/worker").await;
    scenario.account.run_for(AN_HOUR).await;

    let counted = scenario.log().into_iter();
    let counted = counted.filter(|line| !line["Rollouts"].is_null());
    let counted: BTreeMap<_, _> = counted
        .map(|line| {
            (
                line["Outcome"].as_str().unwrap().to_owned(),
                line["Rollouts"].clone(),
            )
        })
        .collect();
    let expected = [("completed", json!(1)), ("rolled-back", json!(1))];
    assert_eq!(
        counted,
        expected
            .map(|(name, number)| (name.to_owned(), number))
            .into()
    );
}

#[tokio::test(start_paused = true)]
async fn the_oldest_change_that_waits_is_as_old_as_its_hold_and_is_written_only_while_one_waits() {
    let paused = api().tag("reloader:pause", "2026-01-31T15:00:00Z");
    let scenario = Scenario::with([paused]).await.with_queue();

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(A_MINUTE * 90).await;
    let ages = scenario.metric("OldestWaitingChange");
    let oldest = ages.iter().map(|age| age.as_u64().unwrap()).max().unwrap();
    assert!((4_200..5_500).contains(&oldest), "{oldest}");
    scenario.account.run_for(AN_HOUR * 6).await;
    let while_held = scenario.metric("OldestWaitingChange").len();
    scenario.account.run_for(AN_HOUR).await;

    assert!(scenario.metric("ServicesHeld").contains(&json!(1)));
    assert_eq!(scenario.metric("OldestWaitingChange").len(), while_held);
}
