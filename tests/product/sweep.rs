//! Stale services without an event are found by comparing everything; fresh ones are not restarted.

use std::time::Duration;

use serde_json::json;
use sim::{Fault, service, task_definition};

use crate::support::{
    AN_HOUR, BUCKET, QUEUE, Scenario, api, change_all, line, long_deployed, text,
};

#[tokio::test(start_paused = true)]
async fn a_fleet_deployed_long_ago_is_left_alone() {
    let scenario = long_deployed().await;

    let answer = scenario.sweep().await;

    assert_eq!(
        (
            &answer["stale"],
            &answer["keys_swept"],
            &answer["not_compared"]
        ),
        (&0.into(), &4.into(), &0.into()),
        "{answer:#}"
    );
    assert!(answer["services"].as_array().unwrap().is_empty() && scenario.restarted().is_empty());
    assert_eq!(
        scenario.number_of("ecs:ListTasks"),
        0,
        "nothing seemed stale"
    );
}

#[tokio::test(start_paused = true)]
async fn only_a_sweep_that_ran_to_its_end_is_a_heartbeat() {
    let scenario = Scenario::with([]).await;
    scenario.sweep().await;
    assert_eq!(
        scenario.metric("SweepsCompleted"),
        [1],
        "nobody watches anything, and all of it was compared"
    );

    scenario.changed("ssm:/app/db").await;
    assert_eq!(
        scenario.metric("SweepsCompleted"),
        [1, 0],
        "a change is no sweep"
    );

    scenario.account.inject(Fault::denied("tag:GetResources"));
    assert!(scenario.invoke(&json!({ "sweep": {} })).await.is_err());
    assert_eq!(
        scenario.metric("SweepsCompleted"),
        [1, 0, 0],
        "the watching services could not be listed"
    );
}

#[tokio::test(start_paused = true)]
async fn changes_without_an_event_are_found_and_repaired() {
    let scenario = long_deployed().await;

    change_all(&scenario.account);
    scenario.account.run_for(Duration::from_mins(30)).await;
    let answer = scenario.sweep().await;

    assert_eq!(
        (&answer["stale"], &answer["started"]),
        (&4.into(), &4.into()),
        "{answer:#}"
    );
    assert!(scenario.is_all_fresh().await);
    assert_eq!(scenario.metric("ServicesStale"), [4]);
    assert_eq!(scenario.sweep().await["stale"], 0);
    assert_eq!(scenario.restarted().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn metadata_ahead_of_the_clock_is_repaired_at_once() {
    let scenario = long_deployed().await;
    change_all(&scenario.account);
    scenario.account.run_for(Duration::from_mins(30)).await;
    scenario
        .account
        .set_metadata_clock_ahead(Duration::from_hours(6));

    let answer = scenario.sweep().await;

    assert_eq!(
        (&answer["stale"], &answer["started"]),
        (&4.into(), &4.into()),
        "{answer:#}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_object_that_is_older_than_a_deployment_that_failed_is_compared() {
    let scenario = Scenario::with([]).await;
    scenario.account.put_object(BUCKET, "app/prod.env");
    scenario.account.put_parameter("/app/db");
    let files = service("web/files").watching("s3:config/app/ ssm:/app/db");
    scenario.account.add(
        files
            .circuit_breaker(false)
            .failing_when_reading("ssm:/app/db", 2),
    );
    scenario.account.run_for(AN_HOUR).await;
    scenario.account.put_object(BUCKET, "app/prod.env");
    scenario.account.run_for(AN_HOUR).await;
    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(Duration::from_secs(2)).await;
    scenario.account.force("web/files");
    scenario.account.run_for(AN_HOUR).await;

    let answer = scenario.sweep().await;

    let reported = line(&answer, "web/files");
    let keys: Vec<_> = reported["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| text(&change["key"]))
        .collect();
    assert_eq!(
        (reported["reason"].as_str(), keys),
        (
            Some("failed-already"),
            vec!["ssm:/app/db", "s3:config/app/prod.env"]
        ),
        "{answer:#}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_secret_whose_description_alone_changed_is_reported_and_left_alone() {
    let scenario = long_deployed().await;

    scenario
        .owner
        .describes_secret("prod/db", "for the shop")
        .await;
    scenario.account.run_for(Duration::from_mins(5)).await;
    let answer = scenario.sweep().await;

    assert_eq!(
        (
            &answer["started"],
            line(&answer, "web/shop")["reason"].as_str()
        ),
        (&0.into(), Some("notify")),
        "{answer:#}"
    );
    assert!(
        text(&line(&answer, "web/shop")["detail"]).contains("its current version was not"),
        "{answer:#}"
    );
    scenario.account.rotate_secret("prod/db");
    scenario.account.run_for(Duration::from_mins(5)).await;
    assert_eq!(scenario.sweep().await["started"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_service_all_of_whose_tasks_are_younger_than_the_change_is_fresh() {
    let scenario = Scenario::with([service("web/api").watching("ssm:/app/db")]).await;
    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(Duration::from_mins(1)).await;
    for task in scenario.service("web/api").tasks {
        scenario.owner.stops_task("web", &task.id).await;
    }
    scenario.account.run_for(Duration::from_mins(3)).await;

    let answer = scenario.sweep().await;

    assert_eq!(
        (&answer["stale"], scenario.restarted().len()),
        (&0.into(), 0),
        "{answer:#}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_key_that_its_owner_tagged_as_ignored_is_left_out_of_the_sweep() {
    let scenario = long_deployed().await;
    scenario
        .account
        .tag_parameter("/app/db", "reloader:ignore", "true");

    change_all(&scenario.account);
    scenario.account.run_for(Duration::from_mins(30)).await;
    let answer = scenario.sweep().await;

    assert_eq!(
        (&answer["stale"], &answer["started"]),
        (&3.into(), &3.into()),
        "{answer:#}"
    );
    assert!(!scenario.restarted().contains(&"web/api".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_rotation_moves_a_version_that_is_older_than_the_deployment() {
    let scenario = long_deployed().await;
    scenario.account.rotate_secret("prod/db");
    scenario.account.run_for(Duration::from_secs(3)).await;
    scenario.owner.forces("web/shop").await;
    scenario.account.run_for(Duration::from_mins(20)).await;

    let answer = scenario.sweep().await;

    assert_eq!(
        (&answer["stale"], &answer["started"]),
        (&1.into(), &1.into()),
        "{answer:#}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_a_parameters_name_hands_out_is_swept_as_that_secret() {
    let scenario = long_deployed().await;
    let by_name = task_definition().secret("DB", "/aws/reference/secretsmanager/prod/db");
    scenario
        .account
        .add(service("web/by-name").watching("auto").referring(by_name));
    let previous =
        task_definition().secret("DB", "/aws/reference/secretsmanager/prod/db:AWSPREVIOUS");
    scenario
        .account
        .add(service("web/previous").watching("auto").referring(previous));
    scenario
        .account
        .add(service("web/prefix").watching("ssm:/aws/reference/secretsmanager/prod/"));
    let proxied = service("web/proxied")
        .watching("auto")
        .service_connect_log_secret("token", "/aws/reference/secretsmanager/prod/db");
    scenario.account.add(proxied);
    scenario.account.run_for(AN_HOUR).await;

    scenario.account.put_secret("prod/db");
    scenario.account.run_for(Duration::from_mins(30)).await;
    let answer = scenario.sweep().await;

    assert_eq!(
        (&answer["stale"], &answer["not_compared"]),
        (&5.into(), &0.into()),
        "{answer:#}"
    );
    assert!(scenario.is_all_fresh().await);
    assert_eq!(
        scenario.restarted(),
        [
            "web/by-name",
            "web/prefix",
            "web/previous",
            "web/proxied",
            "web/shop"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_stale_service_is_restarted_in_a_window_that_no_sweep_meets() {
    let window = "Mon-Sun 13:20-13:23 UTC";
    let guarded = service("web/api")
        .watching("ssm:/app/db")
        .tag("reloader:window", window);
    let scenario = Scenario::with([guarded]).await.with_rules([]);
    scenario.account.run_for(AN_HOUR).await;
    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(AN_HOUR).await;

    let answer = scenario.sweep().await;
    scenario.account.run_for(AN_HOUR).await;
    scenario.sweep().await;
    scenario.account.settle().await;

    let held = line(&answer, "web/api");
    assert_eq!(
        (text(&held["reason"]), &held["will_retry"]),
        ("outside-window", &json!(true))
    );
    assert_eq!(
        scenario.restarted(),
        ["web/api"],
        "once, by whatever number of messages"
    );
    let restarted = scenario.service("web/api").history[0]
        .created_at
        .to_string();
    assert!(restarted.starts_with("2026-01-31T13:2"), "{restarted}");
    assert!(scenario.is_all_fresh().await);
}

#[tokio::test(start_paused = true)]
async fn what_else_holds_a_stale_service_is_left_to_the_next_sweep() {
    let paused = service("web/api")
        .watching("ssm:/app/db")
        .tag("reloader:pause", "true");
    let scenario = Scenario::with([paused]).await.with_rules([]);
    scenario.account.run_for(AN_HOUR).await;
    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(AN_HOUR).await;

    let answer = scenario.sweep().await;

    let detail = text(&line(&answer, "web/api")["detail"]);
    assert!(detail.contains("no message waits for it"), "{detail}");
    assert_eq!(scenario.number_of("sqs:SendMessage"), 0);
}

#[tokio::test(start_paused = true)]
async fn people_are_notified_of_a_change_that_is_too_old_for_the_sweep_to_repair() {
    let variables = [("RELOADER_SWEEP_SINCE", "1h")];
    let scenario = Scenario::set_to_with_bus(variables, [api()]).await;
    scenario.account.enable_mapping(QUEUE, false);
    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(AN_HOUR * 2).await;

    scenario.sweep().await;

    assert_eq!(scenario.news(), ["stale ssm:/app/db web/api"]);
    assert!(scenario.restarted().is_empty());
}
