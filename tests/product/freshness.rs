//! Deployments that cover a change, and those that failed, in the history of a service.

use std::time::Duration;

use sim::Fault;

use crate::support::{A_MINUTE, AN_HOUR, Scenario, api, failing_at_first, line, reason, text};

const HISTORY: &str = "ecs:ListServiceDeployments";

#[tokio::test(start_paused = true)]
async fn a_pipelines_deployment_after_the_change_is_fresh_while_it_rolls_and_when_it_is_done() {
    let scenario = Scenario::with([api()]).await;
    let event = scenario.write("ssm:/app/db");
    scenario.account.run_for(Duration::from_secs(2)).await;
    scenario.owner.deploys("web/api").await;

    let rolling = scenario.invoke(&event).await.unwrap();
    scenario.account.settle().await;
    let done = scenario.invoke(&event).await.unwrap();

    assert_eq!([reason(&rolling), reason(&done)], ["fresh", "fresh"]);
    assert!(scenario.restarted().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_value_that_made_a_deployment_fail_is_not_tried_again() {
    for rollback in [true, false] {
        let bad = api()
            .reading(["ssm:/app/db"])
            .failing_when_reading("ssm:/app/db", 2);
        let scenario = Scenario::with([bad.circuit_breaker(rollback)]).await;
        let event = scenario.write("ssm:/app/db");
        scenario.invoke(&event).await.unwrap();
        scenario.account.settle().await;

        let again = scenario.invoke(&event).await.unwrap();

        assert_eq!(
            (reason(&again).as_str(), &again["refused"]),
            ("failed-already", &1.into()),
            "rollback {rollback}: {again:#}"
        );
        assert_eq!(scenario.restarted(), ["web/api"], "rollback {rollback}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_newer_value_is_tried_after_one_that_failed() {
    let bad = failing_at_first();
    let scenario = Scenario::with([bad]).await;
    scenario.changed("ssm:/app/db").await;
    scenario.account.settle().await;

    scenario.changed("ssm:/app/db").await;

    assert_eq!(scenario.restarted(), ["web/api", "web/api"]);
    assert!(scenario.is_all_fresh().await);
}

#[tokio::test(start_paused = true)]
async fn a_bad_image_that_was_rolled_back_says_nothing_about_the_value() {
    let scenario = Scenario::with([failing_at_first()]).await;
    let event = scenario.write("ssm:/app/db");
    scenario.account.run_for(Duration::from_secs(2)).await;
    scenario.owner.deploys("web/api").await;
    scenario.account.settle().await;
    assert_eq!(
        scenario.service("web/api").history[0].status,
        "ROLLBACK_SUCCESSFUL"
    );

    let answer = scenario.invoke(&event).await.unwrap();

    assert_eq!(
        (reason(&answer).as_str(), scenario.restarted()),
        ("stale", vec!["web/api".to_owned()]),
        "{answer:#}"
    );
    assert_eq!(
        (
            scenario.number_of(HISTORY),
            scenario.number_of("ecs:DescribeServiceRevisions")
        ),
        (1, 1)
    );
    assert!(scenario.is_all_fresh().await);
}

#[tokio::test(start_paused = true)]
async fn the_history_is_read_for_changes_older_than_a_minute_only() {
    let young = Scenario::with([api()]).await;
    let old = Scenario::with([api()]).await;

    young.changed("ssm:/app/db").await;
    old.changed_a_while_ago("ssm:/app/db").await;

    assert_eq!((young.number_of(HISTORY), old.number_of(HISTORY)), (0, 1));
    assert_eq!(
        (young.restarted(), old.restarted()),
        (vec!["web/api".to_owned()], vec!["web/api".to_owned()])
    );
}

#[tokio::test(start_paused = true)]
async fn a_history_that_cannot_be_read_never_blocks_and_is_reported() {
    for fault in [
        Fault::denied(HISTORY),
        Fault::server_error(HISTORY, 500),
        Fault::throttled(HISTORY),
        Fault::hang(HISTORY),
    ] {
        let scenario = Scenario::with([api()]).await;
        scenario.account.inject(fault.clone());

        let answer = scenario.changed_a_while_ago("ssm:/app/db").await;

        assert_eq!(scenario.restarted(), ["web/api"], "{fault:?}");
        assert!(
            line(&answer, "web/api")["detail"]
                .as_str()
                .is_some_and(|detail| detail.contains("history")),
            "{fault:?}: {answer:#}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_revision_of_a_failed_deployment_never_blocks() {
    let scenario = Scenario::with([failing_at_first()]).await;
    let event = scenario.write("ssm:/app/db");
    scenario.invoke(&event).await.unwrap();
    scenario.account.settle().await;
    scenario
        .account
        .inject(Fault::denied("ecs:DescribeServiceRevisions"));

    scenario.invoke(&event).await.unwrap();

    assert_eq!(scenario.restarted(), ["web/api", "web/api"]);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_was_scaled_to_zero_and_up_again_is_not_restarted() {
    let paused = api().tag("reloader:pause", "2026-01-31T11:00:00Z");
    let scenario = Scenario::with([paused]).await.with_queue();

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(A_MINUTE).await;
    scenario.owner.scales("web/api", 0).await;
    scenario.account.run_for(A_MINUTE * 5).await;
    scenario.owner.scales("web/api", 2).await;
    scenario.account.run_for(AN_HOUR * 2).await;

    assert!(scenario.restarted().is_empty() && scenario.is_all_fresh().await);
    let fresh = scenario.first_line("reason", "fresh");
    assert!(
        text(&fresh["detail"]).contains("every task is"),
        "{fresh:#}"
    );
}

#[tokio::test(start_paused = true)]
async fn tasks_that_cannot_be_read_lose_no_change() {
    for fault in [
        Fault::denied("ecs:ListTasks"),
        Fault::hang("ecs:DescribeTasks"),
    ] {
        let scenario = Scenario::with([api().tag("reloader:pause", "2026-01-31T11:00:00Z")])
            .await
            .with_queue();
        scenario.account.inject(fault.clone());

        scenario.account.put_parameter("/app/db");

        assert!(scenario.is_all_fresh().await, "{fault:?}");
        let started = scenario.first_line("result", "started");
        assert!(
            text(&started["detail"]).contains("its tasks"),
            "{fault:?}: {started:#}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_details_of_deployments_are_read_only_if_they_decide() {
    const DETAILS: &str = "ecs:DescribeServiceDeployments";
    let plain = Scenario::with([api()]).await;
    let superseded = Scenario::set_to([("RELOADER_MIN_INTERVAL", "0s")], [api()]).await;

    plain.changed_a_while_ago("ssm:/app/db").await;
    superseded.owner.forces("web/api").await;
    superseded.owner.forces("web/api").await;
    superseded.account.settle().await;
    superseded.changed_a_while_ago("ssm:/app/db").await;

    assert_eq!(superseded.service("web/api").history[2].status, "STOPPED");
    assert_eq!(
        (plain.number_of(DETAILS), superseded.number_of(DETAILS)),
        (0, 0)
    );
}
