//! Rollouts are followed to their ends, whatever happens meanwhile.

use std::time::Duration;

use serde_json::{Value, json};
use sim::{Fault, Hook, Service, Stage};

use crate::support::{A_MINUTE, AN_HOUR, QUEUE, Scenario, UPDATE, api, text};

fn slow() -> Service {
    api().task_seconds(60.0, 60.0, 10.0)
}

/// The outcome of each rollout that has ended, by its deployment.
fn ends(scenario: &Scenario) -> Vec<(String, String)> {
    let rollouts = |line: &Value| {
        let more = line["more_rollouts"].as_array().cloned();
        let one = Some(line["rollout"].clone()).filter(|one| !one.is_null());
        one.into_iter().chain(more.into_iter().flatten())
    };
    let lines = scenario.lines("service");
    let rollouts = lines.iter().flat_map(rollouts);
    rollouts
        .map(|one| {
            let [deployment, outcome] = ["deployment", "outcome"].map(|name| text(&one[name]));
            (deployment.to_owned(), outcome.to_owned())
        })
        .collect()
}

fn outcomes(scenario: &Scenario) -> Vec<String> {
    ends(scenario)
        .into_iter()
        .map(|(_, outcome)| outcome)
        .collect()
}

/// The times between the descriptions of the service, in seconds.
fn pauses(scenario: &Scenario) -> Vec<i64> {
    let calls = scenario.account.calls();
    let described = calls
        .iter()
        .filter(|call| call.action() == "ecs:DescribeServices");
    let times: Vec<_> = described.map(|call| call.time).collect();
    let pairs = times.windows(2);
    pairs
        .map(|pair| pair[1].duration_since(pair[0]).as_secs())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_rollout_is_described_every_half_minute_and_after_ten_minutes_every_five() {
    let waits = api().hook(Hook::pause(Stage::PreScaleUp));
    let scenario = Scenario::with([waits]).await.with_queue();

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(A_MINUTE * 40).await;

    let pauses = pauses(&scenario);
    let often = pauses.iter().filter(|pause| (15..=45).contains(*pause));
    let rarely = pauses.iter().filter(|pause| (240..=330).contains(*pause));
    assert!(often.count() >= 15 && rarely.count() >= 5, "{pauses:?}");
}

#[tokio::test(start_paused = true)]
async fn a_rollout_that_stands_at_a_hook_names_it_with_its_expiry_and_is_not_timed_out() {
    // Another change is held for its least interval meanwhile, so the plan reads no history.
    let waits = api().hook(Hook::pause(Stage::PreScaleUp));
    let variables = [
        ("RELOADER_OUTCOME_DEADLINE", "10m"),
        ("RELOADER_MIN_INTERVAL", "2h"),
    ];
    let scenario = Scenario::set_to(variables, [waits]).await.with_queue();

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(A_MINUTE * 5).await;
    let line = scenario.first_line("reason", "awaiting-approval");
    scenario.account.put_parameter("/app/other");
    scenario.account.run_for(AN_HOUR).await;

    let hooks = &scenario.service("web/api").history[0].hooks;
    assert_eq!(text(&line["approval"]["hook_id"]), hooks[0].id);
    let expires_at: jiff::Timestamp = text(&line["approval"]["expires_at"]).parse().unwrap();
    assert!(
        expires_at
            .duration_since(hooks[0].expires_at)
            .abs()
            .as_secs()
            < 1
    );
    assert!(text(&line["approval"]["service_deployment"]).contains(":service-deployment/web/api/"));
    assert_eq!(outcomes(&scenario), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn both_rollouts_of_two_messages_that_meet_have_an_outcome() {
    // The first one is successful, and waits for its protected old tasks, when the second begins.
    let scenario = Scenario::with([api().early_success(50, true)])
        .await
        .with_queue();
    scenario.account.protect_tasks("web/api", AN_HOUR);

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(A_MINUTE * 20).await;
    scenario.account.put_parameter("/app/other");
    scenario.account.run_for(A_MINUTE * 30).await;
    let early = ends(&scenario);
    scenario.account.run_for(AN_HOUR).await;

    assert_eq!((early, scenario.restarted().len()), (Vec::new(), 2));
    let history = scenario.service("web/api").history;
    let mut expected: Vec<_> = history[..2]
        .iter()
        .map(|past| (past.deployment.clone(), "completed".to_owned()))
        .collect();
    let mut ends = ends(&scenario);
    ends.sort();
    expected.sort();
    assert_eq!(ends, expected);
}

#[tokio::test(start_paused = true)]
async fn the_rollout_of_a_service_that_is_no_longer_tagged_has_an_outcome() {
    let scenario = Scenario::with([slow()]).await.with_queue();

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(Duration::from_secs(20)).await;
    scenario.owner.untags("web/api", "reloader:watch").await;
    scenario.account.run_for(AN_HOUR).await;

    assert_eq!(outcomes(&scenario), ["completed"]);
}

#[tokio::test(start_paused = true)]
async fn the_rollout_of_a_deleted_service_is_superseded_by_nothing() {
    let scenario = Scenario::with([slow()]).await.with_queue();

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(Duration::from_secs(20)).await;
    scenario.owner.deletes("web/api").await;
    scenario.account.run_for(AN_HOUR).await;

    let line = scenario.first_line("outcome", "superseded");
    assert!(line["rollout"].get("superseded_by").is_none(), "{line:#}");
}

#[tokio::test(start_paused = true)]
async fn the_rollout_of_a_service_that_cannot_be_described_is_unknown_at_the_deadline() {
    let variables = [("RELOADER_OUTCOME_DEADLINE", "10m")];
    let scenario = Scenario::set_to(variables, [slow()]).await.with_queue();

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(Duration::from_secs(20)).await;
    let until = scenario.account.now() + A_MINUTE * 30;
    let denied = Fault::denied("ecs:DescribeServices").until(until);
    scenario.account.inject(denied);
    scenario.account.run_for(AN_HOUR * 2).await;

    assert_eq!(outcomes(&scenario), ["unknown", "completed"]);
    let unknown = scenario.first_line("outcome", "unknown");
    assert_eq!(unknown["rollout"]["changes"][0]["key"], "ssm:/app/db");
}

#[tokio::test(start_paused = true)]
async fn a_service_that_waits_for_its_window_still_reports_the_end_of_its_rollout() {
    let scenario = Scenario::with([slow()]).await.with_queue();

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(Duration::from_secs(20)).await;
    // The window is closed from now on, and the next change waits for it.
    let closed = "Mon 02:00-04:00 UTC";
    scenario
        .owner
        .tags("web/api", "reloader:window", closed)
        .await;
    // Its event and the message that follows the rollout come together.
    scenario.account.enable_mapping(QUEUE, false);
    scenario.account.put_parameter("/app/other");
    scenario.account.run_for(A_MINUTE).await;
    scenario.account.enable_mapping(QUEUE, true);
    scenario.account.run_for(AN_HOUR).await;

    let held = scenario.service_lines("reason", "outside-window");
    assert!(!held.is_empty());
    assert_eq!(outcomes(&scenario), ["completed"]);
    let completed = scenario.first_line("outcome", "completed");
    let seconds = completed["duration_seconds"].as_i64().unwrap();
    assert!(
        seconds < 240,
        "not when the message for the window returns: {seconds}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_deployment_of_others_is_followed_at_a_lower_level_and_raises_no_alarm() {
    let never = api().failing_next(400).reading(["ssm:/app/db"]);
    let variables = [("RELOADER_OUTCOME_DEADLINE", "10m")];
    let scenario = Scenario::set_to(variables, [never]).await.with_queue();
    scenario.account.enable_mapping(QUEUE, false);
    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(Duration::from_secs(2)).await;
    scenario.owner.forces("web/api").await;
    scenario.account.run_for(Duration::from_secs(2)).await;
    scenario.account.enable_mapping(QUEUE, true);

    scenario.account.run_for(AN_HOUR).await;

    let line = scenario.first_line("outcome", "timed-out");
    assert_eq!(
        (&line["level"], &line["rollout"]["trigger"]),
        (&json!("INFO"), &json!("others"))
    );
    assert_eq!(scenario.number_of(UPDATE), 0);
    let failed = scenario.metric("RestartsFailed");
    assert!(failed.iter().all(|failed| *failed == 0));
}
