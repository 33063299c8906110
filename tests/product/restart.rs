//! Who is restarted, and who is not.

use serde_json::json;
use sim::service;

use crate::support::{Scenario, reason};

#[tokio::test(start_paused = true)]
async fn a_new_parameter_version_restarts_exactly_the_services_that_watch_it() {
    let scenario = Scenario::with([
        service("web/api").watching("ssm:/app/db"),
        service("web/worker").watching("ssm:/app/"),
        service("web/trap").watching("ssm:/app/db-url"),
        service("ops/other").watching("ssm:/ops/"),
        service("ops/untagged"),
    ])
    .await;

    let answer = scenario.changed("ssm:/app/db").await;

    assert_eq!(scenario.account.restarted(), ["web/api", "web/worker"]);
    assert_eq!(answer["started"], 2, "{answer:#}");
    assert!(scenario.is_all_fresh().await);
}

#[tokio::test(start_paused = true)]
async fn an_upload_restarts_exactly_the_services_that_watch_it() {
    let scenario = Scenario::with([
        service("web/api").watching("s3:config/app/prod.yaml"),
        service("web/worker").watching("s3:config/app/"),
        service("web/all").watching("s3:config/"),
        service("web/other").watching("s3:config/app2/ s3:config2/"),
    ])
    .await;

    scenario.changed("s3:config/app/prod.yaml").await;

    assert_eq!(scenario.account.restarted(), ["web/all", "web/api", "web/worker"]);
    assert!(scenario.is_all_fresh().await);
}

#[tokio::test(start_paused = true)]
async fn the_same_event_three_times_makes_one_deployment() {
    let scenario = Scenario::with([service("web/api").watching("ssm:/app/")]).await;
    let event = scenario.write("ssm:/app/db");

    scenario.invoke(&event).await.unwrap();
    let second = scenario.invoke(&event).await.unwrap();
    scenario.account.settle().await;
    let third = scenario.invoke(&event).await.unwrap();

    assert_eq!(scenario.account.restarted(), ["web/api"]);
    assert_eq!((reason(&second), reason(&third)), ("fresh".to_owned(), "fresh".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn an_event_that_concerns_nobody_costs_the_listing_alone() {
    let scenario = Scenario::with([service("web/api").watching("ssm:/app/")]).await;

    scenario.changed("ssm:/other").await;

    assert_eq!(scenario.actions(), ["tag:GetResources"]);
}

#[tokio::test(start_paused = true)]
async fn the_restart_asks_for_nothing_but_a_forced_deployment() {
    let scenario = Scenario::with([service("web/api").watching("ssm:/app/")]).await;

    scenario.changed("ssm:/app/db").await;

    let calls = scenario.account.calls();
    let update = calls.iter().find(|call| call.operation == "UpdateService").unwrap();
    assert_eq!(update.input, json!({"cluster": "web", "service": "api", "forceNewDeployment": true}));
}
