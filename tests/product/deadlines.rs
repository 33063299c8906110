//! Calls that hang: the invocation ends before its deadline, and the other services are restarted.

use std::time::Duration;

use sim::{Fault, service};

use crate::support::{Scenario, TIMEOUT, UPDATE, api, line, many, names_of_many, worker};

#[tokio::test(start_paused = true)]
async fn a_restart_that_hangs_for_ever_is_answered_before_the_deadline() {
    for left in [20, 60, 120].map(Duration::from_secs) {
        let scenario = Scenario::with([api()]).await;
        scenario.account.inject(Fault::hang(UPDATE));
        let (event, began) = (scenario.write("ssm:/app/db"), scenario.account.now());

        let error = scenario.invoke_within(left, &event).await.unwrap_err();

        let took = Duration::try_from(scenario.account.now().duration_since(began)).unwrap();
        assert!(took < left, "{took:?} of {left:?}");
        assert_eq!(error.kind(), "NothingStarted");
        assert_eq!(scenario.lines("service")[0]["will_retry"], true, "{left:?}");
        assert!(scenario.restarted().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_that_the_deadline_cuts_off_is_out_of_time() {
    let scenario = Scenario::with([api()]).await;
    scenario.account.inject(Fault::hang(UPDATE));

    let event = scenario.write("ssm:/app/db");
    scenario
        .invoke_within(Duration::from_secs(20), &event)
        .await
        .unwrap_err();

    let reported = &scenario.lines("service")[0];
    assert_eq!(
        (&reported["reason"], &reported["result"]),
        (&"stale".into(), &"out-of-time".into()),
        "{reported:#}"
    );
    assert_eq!(scenario.lines("summary")[0]["out_of_time"], 1);
}

#[tokio::test(start_paused = true)]
async fn an_account_that_answers_nothing_is_reported_before_the_deadline() {
    for action in ["*", "tag:GetResources", "ecs:DescribeServices"] {
        let scenario = Scenario::with([api()]).await;
        scenario.account.inject(Fault::hang(action));
        let (event, began) = (scenario.write("ssm:/app/db"), scenario.account.now());

        let error = scenario.invoke(&event).await.unwrap_err();

        assert!(
            Duration::try_from(scenario.account.now().duration_since(began)).unwrap() < TIMEOUT,
            "{action}"
        );
        assert_eq!(
            error.kind(),
            if action == "ecs:DescribeServices" {
                "NothingStarted"
            } else {
                "ListingFailed"
            }
        );
        assert_eq!(scenario.lines("summary").len(), 1, "{action}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_error_counts_the_services_that_could_not_be_started_or_described() {
    let scenario = Scenario::with([api(), worker()]).await;
    scenario.account.inject(Fault::hang("ecs:DescribeServices"));
    let event = scenario.write("ssm:/app/db");

    let error = scenario.invoke(&event).await.unwrap_err();

    assert!(error.to_string().starts_with("none of 2 "), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_cluster_whose_description_hangs_does_not_stop_another() {
    for left in [20, 60, 120].map(Duration::from_secs) {
        let scenario = Scenario::with([api(), service("ops/cron").watching("ssm:/app/")]).await;
        scenario
            .account
            .inject(Fault::hang("ecs:DescribeServices").target("ops/cron"));
        let event = scenario.write("ssm:/app/db");

        let answer = scenario.invoke_within(left, &event).await;

        assert_eq!(scenario.restarted(), ["web/api"], "{left:?}: {answer:?}");
        assert_eq!(line(&answer.unwrap(), "ops/cron")["result"], "failed");
    }
}

#[tokio::test(start_paused = true)]
async fn histories_that_hang_never_block_restarts() {
    for number in [1, 12] {
        let scenario = Scenario::with(many(number, "ssm:/app/")).await;
        scenario
            .account
            .inject(Fault::hang("ecs:ListServiceDeployments"));
        let event = scenario.write("ssm:/app/db");
        scenario.account.run_for(Duration::from_mins(2)).await;

        let answer = scenario.invoke(&event).await;

        assert_eq!(scenario.restarted(), names_of_many(number), "{answer:?}");
    }
}
