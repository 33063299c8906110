//! Requests that are refused, as a whole or for one service.

use serde_json::json;
use sim::service;

use crate::support::{Scenario, api, line, reason, text};

#[tokio::test(start_paused = true)]
async fn a_service_that_has_not_opted_in_is_refused() {
    let scenario = Scenario::with([service("web/api")]).await;

    let answer = scenario.reload(json!({ "services": ["web/api"] })).await;

    let reported = line(&answer, "web/api");
    assert_eq!(
        (&reported["decision"], &reported["reason"]),
        (&"refuse".into(), &"not-opted-in".into())
    );
    assert_eq!(
        reported["detail"],
        "it has no watch tag, without which the function restarts no service"
    );
    assert!(scenario.restarted().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_mode_and_a_dry_run_come_before_not_opted_in_and_no_such_service() {
    let off = service("web/off").tag("reloader:mode", "off");
    let scenario = Scenario::with([off, service("web/api")]).await;

    let answer = scenario
        .reload(json!({ "services": ["web/off", "web/api", "web/nobody"], "dry_run": true }))
        .await;

    let decided = |name| {
        (
            text(&line(&answer, name)["reason"]),
            text(&line(&answer, name)["would_be"]),
        )
    };
    assert_eq!(decided("web/off"), ("off", "not-opted-in"));
    assert_eq!(decided("web/api"), ("dry-run", "not-opted-in"));
    assert_eq!(decided("web/nobody"), ("dry-run", "no-such-service"));
}

#[tokio::test(start_paused = true)]
async fn not_opted_in_comes_before_a_tag_that_does_not_parse() {
    let wrong = service("web/api").tag("reloader:pause", "perhaps");
    let opted_in = service("web/other")
        .watching("ssm:/app/")
        .tag("reloader:pause", "perhaps");
    let scenario = Scenario::with([wrong, opted_in]).await;

    let answer = scenario
        .reload(json!({ "services": ["web/api", "web/other"] }))
        .await;

    let reason = |name| text(&line(&answer, name)["reason"]);
    assert_eq!(
        (reason("web/api"), reason("web/other")),
        ("not-opted-in", "invalid-tag")
    );
}

#[tokio::test(start_paused = true)]
async fn a_service_in_a_cluster_out_of_reach_fails_with_the_setting_that_says_so() {
    let services = ["web/api", "ops/cron"].map(|id| service(id).watching("ssm:/app/"));
    let scenario = Scenario::set_to([("RELOADER_CLUSTERS", "web")], services).await;

    let answer = scenario
        .reload(json!({ "services": ["web/api", "ops/cron"] }))
        .await;

    assert!(
        text(&line(&answer, "ops/cron")["error"]).contains("RELOADER_CLUSTERS"),
        "{answer:#}"
    );
    assert_eq!(scenario.restarted(), ["web/api"]);
}

#[tokio::test(start_paused = true)]
async fn a_service_or_cluster_that_does_not_exist_is_refused() {
    let scenario = Scenario::with([api()]).await;

    let answer = scenario
        .reload(json!({ "services": ["web/nobody", "nowhere/api", "web/api"] }))
        .await;

    for name in ["web/nobody", "nowhere/api"] {
        let reported = line(&answer, name);
        assert_eq!(
            (&reported["decision"], &reported["reason"]),
            (&"refuse".into(), &"no-such-service".into()),
            "{answer:#}"
        );
        assert_eq!(
            reported["detail"],
            "Amazon ECS knows no service of this name in a cluster of this name"
        );
    }
    assert_eq!(scenario.restarted(), ["web/api"]);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_being_deleted_is_inactive_also_where_it_is_named() {
    let scenario = Scenario::with([api()]).await;
    scenario.owner.deletes("web/api").await;

    let answer = scenario.reload(json!({ "services": ["web/api"] })).await;

    assert_eq!(
        (reason(&answer).as_str(), scenario.restarted()),
        ("inactive", Vec::new())
    );
}

#[tokio::test(start_paused = true)]
async fn an_arn_of_another_region_does_not_restart_the_local_namesake() {
    let scenario = Scenario::with([api()]).await;

    let answer = scenario
        .reload(json!({ "services": ["arn:aws:ecs:us-east-1:123456789012:service/web/api"] }))
        .await;

    assert_eq!(
        line(&answer, "web/api")["error"],
        "the ARN names another account or Region"
    );
    assert!(scenario.restarted().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_change_in_the_future_is_malformed() {
    let scenario = Scenario::with([api()]).await;

    let error = scenario
        .invoke(&json!({ "reload": { "changed": ["ssm:/app/db"], "at": "2027-01-31T10:00:00Z" } }))
        .await
        .unwrap_err();

    assert_eq!(
        error.to_string(),
        "malformed event at reload.at: expected a time that has passed"
    );
}

#[tokio::test(start_paused = true)]
async fn changed_and_services_in_one_request_are_refused_with_what_to_send_instead() {
    let scenario = Scenario::with([api(), service("web/other").watching("ssm:/app/")]).await;

    let error = scenario
        .invoke(&json!({ "reload": { "changed": ["ssm:/app/db"], "services": ["web/api"] } }))
        .await
        .unwrap_err();

    let instead = concat!(
        r#"send two requests, such as {"changed": ["ssm:/app/x"]} "#,
        r#"and then {"services": ["cluster/name"]}"#
    );
    assert_eq!(
        error.to_string(),
        format!("malformed event at reload: expected changed or services, not both: {instead}")
    );
    assert!(scenario.actions().is_empty() && scenario.restarted().is_empty());
}

#[tokio::test(start_paused = true)]
async fn fields_without_meaning_for_named_services_are_refused() {
    let scenario = Scenario::with([api()]).await;

    for (name, value) in [
        ("at", json!("2026-01-31T10:00:00Z")),
        ("max_services", json!(1)),
    ] {
        let error = scenario
            .invoke(&json!({ "reload": { "services": ["web/api"], name: value } }))
            .await
            .unwrap_err();

        let expected = "nothing: at and max_services are for changed; services are restarted now, \
                        as many as are named";
        assert_eq!(
            error.to_string(),
            format!("malformed event at reload.{name}: expected {expected}")
        );
    }
    assert!(scenario.restarted().is_empty());
}
