//! The order of services where something is missing: an answer, a message, a service.

use std::time::Duration;

use sim::{Fault, service};

use crate::support::{
    A_MINUTE, AN_HOUR, Scenario, completed_at, first_of, next_of, starts_of, text,
};

const QUIET: Duration = Duration::from_mins(1);
const HISTORY: &str = "ecs:ListServiceDeployments";

async fn in_order() -> Scenario {
    let services = [first_of("ssm:/app/"), next_of("ssm:/app/")];
    Scenario::with(services).await.with_queue()
}

#[tokio::test(start_paused = true)]
async fn a_lost_message_after_the_lower_one_started_changes_no_turn() {
    let scenario = in_order().await;
    let lost = Fault::reset("sqs:SendMessage").until(scenario.account.now() + A_MINUTE);
    scenario.account.inject(lost);

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(A_MINUTE).await;
    let started = scenario.restarted();

    assert!(scenario.is_all_fresh().await);
    assert_eq!(started, ["web/first"]);
    assert_eq!(scenario.restarted(), ["web/first", "web/next"]);
    let end = completed_at(&scenario, "web/first");
    assert!(starts_of(&scenario, "web/next")[0] >= end + QUIET);
}

#[tokio::test(start_paused = true)]
async fn a_history_that_cannot_be_read_blocks_and_never_halts() {
    let scenario = in_order().await;
    scenario
        .account
        .inject(Fault::denied(HISTORY).target("web/first"));

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(AN_HOUR).await;
    let blocked = scenario.service_lines("reason", "waiting-for-order");
    let started = starts_of(&scenario, "web/next");
    scenario.account.heal();

    assert!(scenario.is_all_fresh().await);
    assert!(started.is_empty() && starts_of(&scenario, "web/next").len() == 1);
    assert!(scenario.service_lines("reason", "order-halted").is_empty());
    let detail = text(&blocked.last().unwrap()["detail"]);
    assert!(detail.contains("its history could not be read"), "{detail}");
}

#[tokio::test(start_paused = true)]
async fn a_lower_service_that_cannot_be_described_blocks() {
    let scenario = in_order().await;
    let unavailable = Fault::server_error("ecs:DescribeServices", 500).target("web/first");

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(Duration::from_secs(20)).await;
    scenario.account.inject(unavailable);
    scenario.account.run_for(AN_HOUR).await;
    let started = starts_of(&scenario, "web/next");
    scenario.account.heal();

    assert!(scenario.is_all_fresh().await);
    assert!(started.is_empty(), "{started:?}");
    assert_eq!(scenario.restarted(), ["web/first", "web/next"]);
}

#[tokio::test(start_paused = true)]
async fn services_that_cannot_be_listed_block_those_with_an_order() {
    let next = next_of("ssm:/app/").tag("reloader:min-interval", "10m");
    let scenario = Scenario::with([first_of("ssm:/app/"), next])
        .await
        .with_queue();
    scenario.owner.forces("web/next").await;
    scenario.account.run_for(A_MINUTE).await;

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(A_MINUTE).await;
    scenario
        .account
        .inject(Fault::server_error("tag:GetResources", 500));
    scenario.account.run_for(AN_HOUR).await;
    let unknown = starts_of(&scenario, "web/next");
    scenario.account.heal();

    assert!(scenario.is_all_fresh().await);
    assert!(unknown.is_empty(), "nobody knows what goes before it");
    assert_eq!(starts_of(&scenario, "web/next").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_service_of_a_lower_order_that_is_added_in_the_middle_goes_first() {
    let scenario = in_order().await;

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(Duration::from_secs(30)).await;
    // Its tasks are an hour old.
    scenario.account.add(
        service("web/early")
            .watching("ssm:/app/")
            .reading(["ssm:/app/db"]),
    );

    assert!(scenario.is_all_fresh().await);
    let end = completed_at(&scenario, "web/early");
    assert!(starts_of(&scenario, "web/next")[0] >= end + QUIET);
    assert_eq!(scenario.restarted(), ["web/early", "web/first", "web/next"]);
}
