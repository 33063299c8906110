//! Requests of a person: keys that changed, or services by name.

use std::time::Duration;

use serde_json::json;
use sim::service;

use crate::support::{
    QUEUE, Scenario, api, failing_at_first, line, reason, rolling_back_slowly, worker,
};

#[tokio::test(start_paused = true)]
async fn changed_keys_are_changes_now() {
    let scenario = Scenario::with([api(), service("web/s3").watching("s3:config/app/")]).await;

    scenario
        .reload(json!({ "changed": ["ssm:/app/db", "s3:config/app/prod.yaml"] }))
        .await;

    assert_eq!(scenario.restarted(), ["web/api", "web/s3"]);
}

#[tokio::test(start_paused = true)]
async fn changes_at_an_instant_leave_alone_what_was_deployed_since() {
    let old = service("web/old")
        .watching("ssm:/app/")
        .deployed_ago(Duration::from_hours(48));
    let scenario = Scenario::with([service("web/young").watching("ssm:/app/"), old]).await;

    let answer = scenario
        .reload(json!({ "changed": ["ssm:/app/db"], "at": "2026-01-30T10:00:00Z" }))
        .await;

    assert_eq!(
        (
            line(&answer, "web/young")["reason"].as_str(),
            scenario.restarted()
        ),
        (Some("fresh"), vec!["web/old".to_owned()])
    );
}

#[tokio::test(start_paused = true)]
async fn bare_keys_mean_the_account_and_region_of_the_services() {
    let here = service("web/here").watching("arn:aws:ssm:eu-west-1:123456789012:parameter/app/db");
    let elsewhere =
        service("web/elsewhere").watching("arn:aws:ssm:us-east-1:123456789012:parameter/app/db");
    let scenario = Scenario::with([here, elsewhere]).await;

    scenario.reload(json!({ "changed": ["ssm:/app/db"] })).await;

    assert_eq!(scenario.restarted(), ["web/here"]);
}

#[tokio::test(start_paused = true)]
async fn named_services_are_restarted_although_nothing_changed_and_nobody_else_is() {
    let scenario = Scenario::with([api(), service("web/other").watching("ssm:/app/")]).await;

    scenario.reload(json!({ "services": ["web/api"] })).await;

    assert_eq!(scenario.restarted(), ["web/api"]);
    assert_eq!(
        scenario.actions(),
        ["ecs:DescribeServices", "ecs:UpdateService"],
        "a service that is named needs no listing"
    );
}

#[tokio::test(start_paused = true)]
async fn a_service_may_be_named_by_its_arn() {
    let scenario = Scenario::with([api()]).await;

    scenario
        .reload(json!({ "services": ["arn:aws:ecs:eu-west-1:123456789012:service/web/api"] }))
        .await;

    assert_eq!(scenario.restarted(), ["web/api"]);
}

#[tokio::test(start_paused = true)]
async fn a_repeated_call_does_not_restart_twice_and_one_a_minute_later_does() {
    let scenario = Scenario::with([api()]).await;
    let request = json!({ "services": ["web/api"] });

    scenario.reload(request.clone()).await;
    let repeated = scenario.reload(request.clone()).await;
    let once = scenario.restarted();
    scenario.account.run_for(Duration::from_secs(61)).await;
    scenario.reload(request).await;

    assert_eq!(
        (
            reason(&repeated).as_str(),
            once.len(),
            scenario.restarted().len()
        ),
        ("fresh", 1, 2)
    );
}

#[tokio::test(start_paused = true)]
async fn a_named_service_whose_last_value_failed_is_tried_again() {
    let bad = failing_at_first();
    let scenario = Scenario::with([bad]).await;
    scenario.changed("ssm:/app/db").await;
    scenario.account.settle().await;

    scenario.reload(json!({ "services": ["web/api"] })).await;

    assert_eq!(scenario.restarted().len(), 2);
    assert!(scenario.is_all_fresh().await);
}

#[tokio::test(start_paused = true)]
async fn a_request_does_not_override_the_owners_tags() {
    for (tag, value, expected) in [
        ("mode", "off", "off"),
        ("mode", "notify", "notify"),
        ("pause", "true", "paused"),
    ] {
        let scenario = Scenario::with([api().tag(&format!("reloader:{tag}"), value)]).await;

        let answer = scenario.reload(json!({ "services": ["web/api"] })).await;

        assert_eq!(
            (reason(&answer).as_str(), scenario.restarted()),
            (expected, Vec::new())
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_does_not_disturb_a_rollback_either() {
    let bad = rolling_back_slowly();
    let scenario = Scenario::with([bad]).await;
    scenario.owner.deploys("web/api").await;
    scenario.until_rolling_back().await;

    let answer = scenario.reload(json!({ "services": ["web/api"] })).await;

    assert_eq!(
        (reason(&answer).as_str(), scenario.restarted()),
        ("deployment-in-progress", Vec::new()),
        "{answer:#}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_of_named_services_restarts_none() {
    let scenario = Scenario::with([api()]).await;

    let answer = scenario
        .reload(json!({ "services": ["web/api"], "dry_run": true }))
        .await;

    assert_eq!(
        (reason(&answer).as_str(), scenario.restarted()),
        ("dry-run", Vec::new())
    );
}

#[tokio::test(start_paused = true)]
async fn a_queued_request_for_keys_that_returns_restarts_nothing_twice() {
    let scenario = Scenario::with([api(), worker()]).await.with_queue();
    scenario.throttle_restarts_of("web/api");

    scenario.account.send(
        QUEUE,
        &json!({ "reload": { "changed": ["ssm:/app/db"] } }).to_string(),
    );
    scenario.account.settle().await;

    assert_eq!(
        scenario.account.restarted(),
        ["web/worker", "web/api"],
        "without a time, the changes are as old as the message"
    );
}

#[tokio::test(start_paused = true)]
async fn a_queued_request_for_services_that_returns_restarts_only_those_that_are_left() {
    let watching = |name| service(name).watching("ssm:/app/");
    let scenario = Scenario::with([watching("web/api"), watching("web/worker")])
        .await
        .with_queue();
    scenario.throttle_restarts_of("web/worker");

    scenario.account.send(
        QUEUE,
        r#"{"reload": {"services": ["web/api", "web/worker"]}}"#,
    );
    scenario.account.settle().await;

    assert_eq!(scenario.restarted(), ["web/api", "web/worker"]);
}
