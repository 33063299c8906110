//! Deployments that run when a change comes: waited for, superseded, or too many.

use std::time::Duration;

use serde_json::json;
use sim::{Fault, Hook, Stage};

use crate::support::{A_MINUTE, AN_HOUR, Scenario, UPDATE, api, reason, rolling_back_slowly, text};

#[tokio::test(start_paused = true)]
async fn a_rollback_under_way_is_never_disturbed_however_young_the_change_is() {
    let bad = rolling_back_slowly();
    for age in [
        Duration::ZERO,
        Duration::from_secs(10),
        Duration::from_secs(40),
    ] {
        let scenario = Scenario::with([bad.clone()]).await;
        scenario.owner.deploys("web/api").await;
        scenario.until_rolling_back().await;
        scenario.account.run_for(age).await;

        let answer = scenario.changed("ssm:/app/db").await;

        assert_eq!(
            (reason(&answer).as_str(), &answer["held"]),
            ("deployment-in-progress", &1.into()),
            "{age:?} into it: {answer:#}"
        );
        assert_eq!(
            scenario.service("web/api").history[0].status,
            "ROLLBACK_IN_PROGRESS"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_rolling_deployment_older_than_the_change_is_superseded_ten_minutes_after_the_change() {
    let slow = api().task_seconds(20.0, 10.0, 3600.0);
    let scenario = Scenario::set_to([("RELOADER_MIN_INTERVAL", "0s")], [slow]).await;
    scenario.owner.deploys("web/api").await;
    scenario.account.run_for(Duration::from_secs(10)).await;

    let event = scenario.write("ssm:/app/db");
    let held = scenario.invoke(&event).await.unwrap();
    scenario
        .account
        .run_for(Duration::from_mins(10) + Duration::from_secs(1))
        .await;
    let superseded = scenario.invoke(&event).await.unwrap();

    assert_eq!(
        (reason(&held), reason(&superseded)),
        ("deployment-in-progress".to_owned(), "stale".to_owned())
    );
    assert_eq!(scenario.restarted(), ["web/api"]);
}

#[tokio::test(start_paused = true)]
async fn a_sixth_active_deployment_is_not_started() {
    let slow = api().task_seconds(20.0, 10.0, 3600.0);
    let scenario = Scenario::set_to([("RELOADER_MIN_INTERVAL", "0s")], [slow]).await;
    scenario.fill_deployments().await;
    assert_eq!(scenario.service("web/api").deployments.len(), 5);

    let event = scenario.write("ssm:/app/db");
    scenario.account.run_for(Duration::from_mins(11)).await;
    let answer = scenario.invoke(&event).await.unwrap();

    assert_eq!(
        (
            reason(&answer).as_str(),
            &answer["held"],
            scenario.number_of(UPDATE)
        ),
        ("too-many-deployments", &1.into(), 0)
    );
}

#[tokio::test(start_paused = true)]
async fn a_pipelines_deployment_is_waited_for() {
    let scenario = Scenario::set_to([("RELOADER_MIN_INTERVAL", "0s")], [api()])
        .await
        .with_queue();
    scenario.owner.deploys("web/api").await;
    scenario.account.run_for(Duration::from_secs(2)).await;

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(Duration::from_secs(20)).await;
    let held = scenario.levels_of("deployment-in-progress");

    assert!(scenario.is_all_fresh().await);
    assert_eq!(
        (held, scenario.restarted()),
        (vec![json!("WARN")], vec!["web/api".to_owned()])
    );
    let deployments = scenario.statuses();
    assert_eq!(deployments, ["SUCCESSFUL"; 3], "nothing was superseded");
}

#[tokio::test(start_paused = true)]
async fn a_rolling_deployment_that_never_ends_is_superseded_after_ten_minutes() {
    let slow = api().task_seconds(1200.0, 10.0, 10.0);
    let scenario = Scenario::set_to([("RELOADER_MIN_INTERVAL", "0s")], [slow])
        .await
        .with_queue();
    scenario.owner.deploys("web/api").await;

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(A_MINUTE * 12).await;

    let starts = scenario.starts();
    assert!(
        starts.len() == 1
            && *starts[0] >= *"2026-01-31T10:11:01"
            && *starts[0] <= *"2026-01-31T10:11:30",
        "{starts:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_rollback_is_waited_for_and_its_service_then_restarted() {
    let bad = rolling_back_slowly();
    let scenario = Scenario::with([bad]).await.with_queue();
    scenario.owner.deploys("web/api").await;
    scenario.until_rolling_back().await;

    scenario.account.put_parameter("/app/db");

    assert!(scenario.is_all_fresh().await);
    let history = scenario.statuses();
    assert!(history.contains(&"ROLLBACK_SUCCESSFUL"), "{history:?}");
    assert_eq!(scenario.restarted(), ["web/api"]);
}

#[tokio::test(start_paused = true)]
async fn five_active_deployments_that_only_the_answer_reports_are_waited_for() {
    const FULL: &str = "5 active deployments exist, unable to create new deployment.";
    let scenario = Scenario::with([api()]).await.with_queue();
    scenario
        .account
        .inject(Fault::error("ecs:UpdateService", "InvalidParameterException", FULL, 400).times(3));

    scenario.account.put_parameter("/app/db");

    assert!(scenario.is_all_fresh().await);
    assert_eq!(
        scenario.levels_of("too-many-deployments"),
        ["WARN", "INFO", "INFO"]
    );
    let held = scenario.first_line("reason", "too-many-deployments");
    assert!(
        text(&held["detail"]).contains(FULL) && held.get("result").is_none(),
        "{held:#}"
    );
    assert_eq!(
        (
            scenario.restarted(),
            scenario.metric("RestartsFailed").contains(&json!(1))
        ),
        (vec!["web/api".to_owned()], false)
    );
}

#[tokio::test(start_paused = true)]
async fn a_deployment_that_was_stopped_without_a_rollback_holds_no_newer_change() {
    // Amazon ECS shows no state of a blue/green deployment: only its history says that it ended.
    let hook = Hook::lambda(Stage::PreScaleUp, Duration::from_secs(1), true);
    let blue_green = api().blue_green(A_MINUTE);
    for service in [blue_green.clone(), blue_green.hook(hook)] {
        let scenario = Scenario::with([]).await.with_queue();
        scenario.account.put_parameter("/app/db");
        scenario.account.run_for(AN_HOUR).await;
        scenario.account.add(
            service
                .reading(["ssm:/app/db"])
                .failing_while_reading("ssm:/app/db", 2..3)
                .circuit_breaker(false),
        );
        scenario.account.run_for(AN_HOUR).await;

        scenario.account.put_parameter("/app/db");
        scenario.account.run_for(AN_HOUR).await;
        let bad = scenario.restarted().len();
        let ended = scenario.first_line("reason", "failed-already");
        scenario.account.put_parameter("/app/db");
        scenario.account.run_for(AN_HOUR).await;

        assert_eq!(
            (bad, text(&ended["outcome"]), scenario.restarted().len()),
            (1, "failed", 2),
            "the value was corrected: {:?}",
            scenario.statuses()
        );
        assert!(scenario.is_all_fresh().await);
    }
}
