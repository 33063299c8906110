//! Restarts that take effect and lose their answer.

use std::time::Duration;

use futures_util::future::join;
use serde_json::json;
use sim::{Fault, Hook, Stage};
use tokio::time::sleep;

use crate::support::{A_MINUTE, Scenario, UPDATE, api, line, reason, text};

#[tokio::test(start_paused = true)]
async fn a_call_that_had_no_effect_is_made_again_after_a_recheck() {
    for fault in [
        Fault::server_error(UPDATE, 500),
        Fault::server_error(UPDATE, 503),
        Fault::reset(UPDATE),
        Fault::hang(UPDATE),
    ] {
        let scenario = Scenario::with([api()]).await;
        scenario.account.inject(fault.clone().times(1));

        let answer = scenario.changed("ssm:/app/db").await;

        assert_eq!(answer["started"], 1, "{fault:?}: {answer:#}");
        assert_eq!(scenario.restarted(), ["web/api"], "{fault:?}");
        let on_ecs: Vec<_> = scenario
            .actions()
            .into_iter()
            .filter(|action| action.starts_with("ecs:"))
            .collect();
        // A started restart may have been rolled back already: only the history shows that.
        let calls = [
            "ecs:DescribeServices",
            UPDATE,
            "ecs:DescribeServices",
            "ecs:ListServiceDeployments",
            UPDATE,
        ];
        assert_eq!(on_ecs, calls, "{fault:?}");
        assert!(scenario.is_all_fresh().await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_whose_answer_was_lost_and_that_was_rolled_back_at_once_is_not_made_again() {
    let quick = api()
        .task_seconds(0.1, 0.1, 0.1)
        .circuit_breaker(true)
        .failing_when_reading("ssm:/app/db", 1);
    let scenario = Scenario::with([quick]).await;
    scenario.account.inject(Fault::silent_after_effect(UPDATE));

    let answer = scenario.changed("ssm:/app/db").await;

    assert_eq!(
        (reason(&answer), scenario.restarted()),
        ("failed-already".to_owned(), vec!["web/api".to_owned()]),
        "{answer:#}"
    );
    let (reported, deployment) = (
        line(&answer, "web/api"),
        scenario.service("web/api").history[0].deployment.clone(),
    );
    assert_eq!(
        (
            reported["outcome"].as_str(),
            reported["deployment"].as_str()
        ),
        (Some("rolled-back"), Some(deployment.as_str())),
        "{answer:#}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_answer_was_lost_is_found_and_not_made_again() {
    for fault in [
        Fault::reset_after_effect(UPDATE),
        Fault::silent_after_effect(UPDATE),
        Fault::garbled(UPDATE),
        Fault::slow(UPDATE, Duration::from_secs(20)).times(1),
    ] {
        let scenario = Scenario::with([api()]).await;
        scenario.account.inject(fault.clone());

        let answer = scenario.changed("ssm:/app/db").await;

        assert_eq!(scenario.restarted(), ["web/api"], "{fault:?}");
        assert_eq!(scenario.number_of(UPDATE), 1, "{fault:?}");
        let reported = line(&answer, "web/api");
        let deployment = scenario.service("web/api").deployments[0].id.clone();
        assert_eq!(
            (&reported["result"], reported["deployment"].as_str()),
            (&"started".into(), Some(deployment.as_str())),
            "{fault:?}: {answer:#}"
        );
        assert!(text(&reported["detail"]).contains("found"), "{answer:#}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_whose_answer_was_lost_is_reported_whatever_its_owner_does_meanwhile() {
    for does in [
        "scales to zero",
        "takes the watch tag",
        "switches it off",
        "breaks a tag",
        "rejects",
    ] {
        let stands = api().hook(Hook::pause(Stage::PreScaleUp));
        let scenario = Scenario::with([if does == "rejects" { stands } else { api() }]).await;
        scenario
            .account
            .inject(Fault::silent_after_effect(UPDATE).times(1));
        let meanwhile = async {
            while scenario.restarted().is_empty() {
                scenario.account.until_called(1).await;
            }
            sleep(Duration::from_millis(100)).await;
            match does {
                "scales to zero" => scenario.owner.scales("web/api", 0).await,
                "takes the watch tag" => scenario.owner.untags("web/api", "reloader:watch").await,
                "switches it off" => scenario.owner.tags("web/api", "reloader:mode", "off").await,
                "breaks a tag" => {
                    scenario
                        .owner
                        .tags("web/api", "reloader:mode", "perhaps")
                        .await;
                }
                _ => scenario.account.reject("web/api"),
            }
            scenario.service("web/api").history[0].deployment.clone()
        };

        let (answer, deployment) = join(scenario.changed("ssm:/app/db"), meanwhile).await;

        let reported = line(&answer, "web/api");
        assert_eq!(
            (reported["result"].as_str(), reported["deployment"].as_str()),
            (Some("started"), Some(deployment.as_str())),
            "{does}: {answer:#}"
        );
        assert!(
            text(&reported["detail"]).contains("found by describing"),
            "{does}: {answer:#}"
        );
        assert_eq!(scenario.restarted(), ["web/api"], "{does}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_named_service_whose_answer_was_lost_is_not_restarted_twice_either() {
    let scenario = Scenario::with([api()]).await;
    scenario.account.inject(Fault::silent_after_effect(UPDATE));

    let answer = scenario.reload(json!({ "services": ["web/api"] })).await;

    assert_eq!(
        (scenario.restarted(), &answer["started"]),
        (vec!["web/api".to_owned()], &1.into()),
        "{answer:#}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_restart_whose_answer_is_lost_is_reported_although_it_stands_at_a_hook_by_then() {
    let guarded = api().hook(Hook::pause(Stage::PreScaleUp));
    let scenario = Scenario::with([guarded]).await.with_queue();
    scenario
        .account
        .inject(Fault::reset_after_effect(UPDATE).times(1));

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(A_MINUTE).await;

    let started = scenario.first_line("result", "started");
    let deployment = scenario.service("web/api").deployments[0].id.clone();
    assert_eq!(
        (started["deployment"].as_str(), scenario.restarted().len()),
        (Some(deployment.as_str()), 1)
    );
    assert!(
        scenario.levels_of("awaiting-approval")[0] == "WARN",
        "the approval is waited for"
    );
}
