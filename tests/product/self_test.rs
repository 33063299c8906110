//! The self-test: a parameter of the stack's own that changes every day.

use serde_json::json;
use sim::{Fault, service};

use crate::support::{A_MINUTE, AN_HOUR, Scenario};

const NAME: &str = "/ecs-reloader/self-test";

async fn scenario() -> Scenario {
    let everything = service("web/api").watching("ssm:/");
    let scenario = Scenario::set_to([("RELOADER_SELF_TEST", NAME)], [everything]).await;
    scenario.with_queue()
}

#[tokio::test(start_paused = true)]
async fn its_arrival_is_counted_once_and_restarts_nothing() {
    let scenario = scenario().await;

    scenario.account.put_parameter(NAME);
    scenario.account.run_for(AN_HOUR).await;

    assert_eq!(scenario.metric("SelfTests"), [json!(1)]);
    assert_eq!(scenario.restarted(), [""; 0]);
    assert_eq!(
        scenario.number_of("sqs:SendMessage"),
        0,
        "no second listing"
    );
}

#[tokio::test(start_paused = true)]
async fn another_parameter_is_none() {
    let scenario = scenario().await;

    scenario.account.put_parameter("/ecs-reloader/self-test/2");
    scenario.account.run_for(AN_HOUR).await;

    assert!(scenario.metric("SelfTests").is_empty());
    assert_eq!(scenario.restarted(), ["web/api"]);
}

#[tokio::test(start_paused = true)]
async fn it_has_not_come_through_while_the_services_cannot_be_listed() {
    let scenario = scenario().await;
    scenario.account.inject(Fault::denied("tag:GetResources"));

    scenario.account.put_parameter(NAME);
    scenario.account.run_for(A_MINUTE * 10).await;

    assert!(scenario.metric("SelfTests").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_sweep_restarts_nothing_for_it_if_it_carries_the_tag_of_the_template() {
    let scenario = scenario().await;
    scenario.account.put_parameter(NAME);
    scenario
        .account
        .tag_parameter(NAME, "reloader:ignore", "true");
    scenario.account.run_for(AN_HOUR).await;

    scenario.sweep().await;

    assert_eq!(scenario.restarted(), [""; 0]);
}
