//! Limits and modes where two of them meet.

use serde_json::json;
use sim::service;

use crate::support::{AN_HOUR, Scenario, line};

#[tokio::test(start_paused = true)]
async fn a_sweep_of_a_function_in_notify_mode_decides_and_restarts_nobody() {
    let scenario = Scenario::set_to([("RELOADER_MODE", "notify")], []).await;
    scenario.account.put_parameter("/app/db");
    let hour = std::time::Duration::from_hours(1);
    scenario.account.run_for(hour).await;
    scenario
        .account
        .add(service("web/api").watching("ssm:/app/db"));
    scenario.account.run_for(hour).await;
    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(hour).await;

    let answer = scenario.sweep().await;

    assert_eq!(line(&answer, "web/api")["reason"], "notify");
    assert_eq!(line(&answer, "web/api")["would_be"], "stale");
    assert!(scenario.restarted().is_empty());
}

#[tokio::test(start_paused = true)]
async fn rollouts_of_one_change_do_not_count_for_the_limit_of_another() {
    let scenario = Scenario::set_to(
        [("RELOADER_MAX_IN_FLIGHT", "1")],
        [
            service("web/api").watching("ssm:/app/a"),
            service("web/shop").watching("ssm:/app/b"),
        ],
    )
    .await;

    let changed = json!({ "changed": ["ssm:/app/a", "ssm:/app/b"] });
    let answer = scenario.reload(changed).await;

    for name in ["web/api", "web/shop"] {
        assert_eq!(line(&answer, name)["result"], "started", "{answer:#}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_that_reaches_too_many_services_frees_none_that_failed() {
    let failed = service("web/failed")
        .watching("ssm:/app/x ssm:/app/y")
        .reading(["ssm:/app/x"])
        .failing_when_reading("ssm:/app/x", 2)
        .circuit_breaker(true);
    let services = ["web/a", "web/b"].map(|name| service(name).watching("ssm:/app/y"));
    let scenario = Scenario::set_to(
        [("RELOADER_MAX_SERVICES", "2")],
        services.into_iter().chain([failed]),
    )
    .await;
    scenario.changed("ssm:/app/x").await;
    scenario.account.settle().await;
    scenario.account.put_parameter("/app/y");
    scenario.account.run_for(AN_HOUR).await;

    let answer = scenario.sweep().await;

    let failed = line(&answer, "web/failed");
    assert_eq!(
        (&failed["decision"], &failed["reason"]),
        (&json!("refuse"), &json!("blast-radius")),
        "{answer:#}"
    );
    assert_eq!(scenario.restarted(), ["web/failed"]);
}
