//! Kinds of services that are easily confused with others: Express Mode, and ECS Anywhere.

use sim::{service, task_definition};

use crate::support::{A_MINUTE, Scenario, text};

fn reasons_reported(scenario: &Scenario) -> Vec<String> {
    let lines = scenario.lines("service");
    lines
        .iter()
        .map(|line| text(&line["reason"]).to_owned())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn an_express_service_is_restarted_for_its_references_and_waited_for_while_traffic_shifts() {
    // Five minutes until its tasks are there, six more until all traffic has gone over: a rolling
    // deployment would be superseded by then.
    let express = service("web/api")
        .express()
        .watching("auto")
        .referring(task_definition().secret("DB", "/app/db"));
    let services = [express.task_seconds(300.0, 10.0, 10.0)];
    let scenario = Scenario::set_to([("RELOADER_MIN_INTERVAL", "0s")], services)
        .await
        .with_queue();

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(A_MINUTE).await;
    assert_eq!(scenario.restarted(), ["web/api"]);
    scenario.account.put_parameter("/app/db");

    assert!(scenario.is_all_fresh().await);
    let history = scenario.service("web/api").history;
    let statuses: Vec<_> = history.iter().map(|past| past.status).collect();
    assert_eq!(statuses, ["SUCCESSFUL", "SUCCESSFUL", "SUCCESSFUL"]);
    assert!(
        reasons_reported(&scenario).contains(&"deployment-in-progress".to_owned()),
        "{:?}",
        reasons_reported(&scenario)
    );
    let shifted = history[1].finished_at.unwrap();
    assert!(
        history[0].created_at > shifted
            && history[0].created_at.duration_since(shifted).as_mins() < 6
    );
}

#[tokio::test(start_paused = true)]
async fn the_launch_type_external_is_not_the_controller_external() {
    let scenario = Scenario::with([service("web/api").anywhere().watching("ssm:/app/db")])
        .await
        .with_queue();

    scenario.account.put_parameter("/app/db");

    assert!(scenario.is_all_fresh().await);
    assert_eq!(scenario.restarted(), ["web/api"]);
    assert!(
        reasons_reported(&scenario)
            .iter()
            .all(|reason| reason == "stale" || reason == "fresh"),
        "{:?}",
        reasons_reported(&scenario)
    );
}
