//! Limits and modes where two of them meet.

use serde_json::json;
use sim::service;

use crate::support::{Scenario, line};

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
