//! What a person asks for.

use std::time::Duration;

use serde_json::json;
use sim::{Fault, service};

use crate::support::{QUEUE, Scenario, line, reason};

#[tokio::test(start_paused = true)]
async fn changed_keys_are_changes_now() {
    let scenario = Scenario::with([service("web/api").watching("ssm:/app/"), service("web/s3").watching("s3:config/app/")]).await;

    scenario.reload(json!({ "changed": ["ssm:/app/db", "s3:config/app/prod.yaml"] })).await;

    assert_eq!(scenario.restarted(), ["web/api", "web/s3"]);
}

#[tokio::test(start_paused = true)]
async fn changes_at_an_instant_leave_alone_what_was_deployed_since() {
    let old = service("web/old").watching("ssm:/app/").deployed_ago(Duration::from_hours(48));
    let scenario = Scenario::with([service("web/young").watching("ssm:/app/"), old]).await;

    let answer = scenario.reload(json!({ "changed": ["ssm:/app/db"], "at": "2026-01-30T10:00:00Z" })).await;

    assert_eq!((line(&answer, "web/young")["reason"].as_str(), scenario.restarted()), (Some("fresh"), vec!["web/old".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn bare_keys_mean_the_account_and_region_of_the_services() {
    let here = service("web/here").watching("arn:aws:ssm:eu-west-1:123456789012:parameter/app/db");
    let elsewhere = service("web/elsewhere").watching("arn:aws:ssm:us-east-1:123456789012:parameter/app/db");
    let scenario = Scenario::with([here, elsewhere]).await;

    scenario.reload(json!({ "changed": ["ssm:/app/db"] })).await;

    assert_eq!(scenario.restarted(), ["web/here"]);
}

#[tokio::test(start_paused = true)]
async fn named_services_are_restarted_although_nothing_changed_and_nobody_else_is() {
    let scenario = Scenario::with([service("web/api").watching("ssm:/app/"), service("web/other").watching("ssm:/app/")]).await;

    scenario.reload(json!({ "services": ["web/api"] })).await;

    assert_eq!(scenario.restarted(), ["web/api"]);
    assert_eq!(scenario.actions(), ["ecs:DescribeServices", "ecs:UpdateService"], "a service that is named need not be looked up");
}

#[tokio::test(start_paused = true)]
async fn a_service_may_be_named_by_its_arn() {
    let scenario = Scenario::with([service("web/api").watching("ssm:/app/")]).await;

    scenario.reload(json!({ "services": ["arn:aws:ecs:eu-west-1:123456789012:service/web/api"] })).await;

    assert_eq!(scenario.restarted(), ["web/api"]);
}

#[tokio::test(start_paused = true)]
async fn a_repeated_call_does_not_restart_twice_and_one_a_minute_later_does() {
    let scenario = Scenario::with([service("web/api").watching("ssm:/app/")]).await;
    let wish = json!({ "services": ["web/api"] });

    scenario.reload(wish.clone()).await;
    let repeated = scenario.reload(wish.clone()).await;
    let once = scenario.restarted();
    scenario.account.run_for(Duration::from_secs(61)).await;
    scenario.reload(wish).await;

    assert_eq!((reason(&repeated).as_str(), once.len(), scenario.restarted().len()), ("fresh", 1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_named_service_whose_last_value_failed_is_tried_again() {
    let bad = service("web/api").watching("ssm:/app/").reading(["ssm:/app/db"]).failing_next(3).circuit_breaker(true);
    let scenario = Scenario::with([bad]).await;
    scenario.changed("ssm:/app/db").await;
    scenario.account.settle().await;

    scenario.reload(json!({ "services": ["web/api"] })).await;

    assert_eq!(scenario.restarted().len(), 2);
    assert!(scenario.is_all_fresh().await);
}

#[tokio::test(start_paused = true)]
async fn a_persons_wish_does_not_go_against_the_owners() {
    for (tag, value, expected) in [("mode", "off", "off"), ("mode", "notify", "notify"), ("pause", "true", "paused")] {
        let scenario = Scenario::with([service("web/api").watching("ssm:/app/").tag(&format!("reloader:{tag}"), value)]).await;

        let answer = scenario.reload(json!({ "services": ["web/api"] })).await;

        assert_eq!((reason(&answer).as_str(), scenario.restarted()), (expected, Vec::new()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_persons_wish_does_not_disturb_a_rollback_either() {
    let bad = service("web/api").watching("ssm:/app/").percent(50, 100).failing_next(3).circuit_breaker(true).task_seconds(5.0, 60.0, 1.0);
    let scenario = Scenario::with([bad]).await;
    scenario.owner.deploys("web/api").await;
    while scenario.service("web/api").history[0].status != "ROLLBACK_IN_PROGRESS" {
        scenario.account.run_for(Duration::from_secs(1)).await;
    }

    let answer = scenario.reload(json!({ "services": ["web/api"] })).await;

    assert_eq!((reason(&answer).as_str(), scenario.restarted()), ("deployment-in-progress", Vec::new()), "{answer:#}");
}

#[tokio::test(start_paused = true)]
async fn a_service_that_has_not_opted_in_is_refused() {
    let scenario = Scenario::with([service("web/api")]).await;

    let answer = scenario.reload(json!({ "services": ["web/api"] })).await;

    let told = line(&answer, "web/api");
    assert_eq!((&told["decision"], &told["reason"]), (&"refuse".into(), &"invalid-tag".into()));
    assert!(told["detail"].as_str().unwrap().contains("has not opted in"), "{told:#}");
    assert!(scenario.restarted().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_service_in_a_cluster_out_of_reach_fails_with_the_setting_that_says_so() {
    let services = ["web/api", "ops/cron"].map(|id| service(id).watching("ssm:/app/"));
    let scenario = Scenario::set_to([("RELOADER_CLUSTERS", "web")], services).await;

    let answer = scenario.reload(json!({ "services": ["web/api", "ops/cron"] })).await;

    assert!(line(&answer, "ops/cron")["cause"].as_str().unwrap().contains("RELOADER_CLUSTERS"), "{answer:#}");
    assert_eq!(scenario.restarted(), ["web/api"]);
}

#[tokio::test(start_paused = true)]
async fn a_service_or_cluster_that_there_is_not_is_inactive() {
    let scenario = Scenario::with([service("web/api").watching("ssm:/app/")]).await;

    let answer = scenario.reload(json!({ "services": ["web/nobody", "nowhere/api", "web/api"] })).await;

    for name in ["web/nobody", "nowhere/api"] {
        assert_eq!(line(&answer, name)["reason"], "inactive", "{answer:#}");
    }
    assert_eq!(scenario.restarted(), ["web/api"]);
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_of_named_services_restarts_none() {
    let scenario = Scenario::with([service("web/api").watching("ssm:/app/")]).await;

    let answer = scenario.reload(json!({ "services": ["web/api"], "dry_run": true })).await;

    assert_eq!((reason(&answer).as_str(), scenario.restarted()), ("dry-run", Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn a_wish_in_the_queue_that_comes_twice_is_done_once() {
    let scenario =
        Scenario::with([service("web/api").watching("ssm:/app/"), service("web/worker").watching("ssm:/app/")]).await.with_queue();
    let end = scenario.account.now() + Duration::from_mins(5);
    scenario.account.inject(Fault::throttled("ecs:UpdateService").target("web/api").until(end));

    scenario.account.send(QUEUE, &json!({ "reload": { "changed": ["ssm:/app/db"] } }).to_string());
    scenario.account.settle().await;

    assert_eq!(scenario.account.restarted(), ["web/worker", "web/api"], "without a time, the changes are as old as the message");
}

#[tokio::test(start_paused = true)]
async fn a_wish_for_several_services_that_comes_back_restarts_only_those_that_are_left() {
    let watching = |name| service(name).watching("ssm:/app/");
    let scenario = Scenario::with([watching("web/api"), watching("web/worker")]).await.with_queue();
    scenario
        .account
        .inject(Fault::throttled("ecs:UpdateService").target("web/worker").until(scenario.account.now() + Duration::from_mins(5)));

    scenario.account.send(QUEUE, r#"{"reload": {"services": ["web/api", "web/worker"]}}"#);
    scenario.account.settle().await;

    assert_eq!(scenario.restarted(), ["web/api", "web/worker"]);
}

#[tokio::test(start_paused = true)]
async fn an_arn_of_another_region_does_not_restart_the_local_namesake() {
    let scenario = Scenario::with([service("web/api").watching("ssm:/app/")]).await;

    let answer = scenario.reload(json!({ "services": ["arn:aws:ecs:us-east-1:123456789012:service/web/api"] })).await;

    assert_eq!(line(&answer, "web/api")["cause"], "the ARN names another account or Region");
    assert!(scenario.restarted().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_change_in_the_future_is_malformed() {
    let scenario = Scenario::with([service("web/api").watching("ssm:/app/")]).await;

    let error = scenario.invoke(&json!({ "reload": { "changed": ["ssm:/app/db"], "at": "2027-01-31T10:00:00Z" } })).await.unwrap_err();

    assert_eq!(error.to_string(), "malformed event at reload.at: expected a time that has passed");
}
