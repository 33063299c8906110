//! Rollouts that failed, or that a person, a hook or an alarm ended: reported, and not repeated.

use std::time::Duration;

use serde_json::json;
use sim::{Account, Fault, Hook, Service, Stage};

use crate::support::{A_MINUTE, AN_HOUR, QUEUE, Scenario, api, text};

/// The end of a rollout.
type End = fn(&Account);

#[tokio::test(start_paused = true)]
async fn a_rollout_that_a_person_a_hook_or_its_time_out_ended_is_never_started_again_by_itself() {
    let pause = || Hook::pause(Stage::PreScaleUp);
    let failing = Hook::lambda(Stage::PostScaleUp, A_MINUTE, false);
    let ends: [(&str, Service, End); 4] = [
        ("stopped", api().circuit_breaker(true), |account| {
            account.stop_deployment("web/api");
        }),
        ("rejected at its hook", api().hook(pause()), |account| {
            account.reject("web/api");
        }),
        (
            "the hook timed out",
            api().hook(pause().expiring_after(A_MINUTE * 10)),
            |_| {},
        ),
        (
            "its hook failed",
            api().circuit_breaker(true).hook(failing),
            |_| {},
        ),
    ];
    for (name, service, end) in ends {
        let scenario = Scenario::with([service.task_seconds(10.0, 10.0, 10.0)])
            .await
            .with_queue();

        scenario.account.put_parameter("/app/db");
        scenario.account.run_for(Duration::from_secs(20)).await;
        end(&scenario.account);
        for _ in 0..30 {
            scenario.account.run_for(AN_HOUR).await;
            scenario.account.send(QUEUE, r#"{"sweep": {}}"#);
        }

        assert_eq!(scenario.restarted(), ["web/api"], "{name}");
        let levels = scenario.levels_of("rejected");
        assert!(
            !levels.is_empty() && levels.iter().all(|level| level == "WARN"),
            "{name}: {levels:?}"
        );
        let words = scenario.service("web/api").history[0].status_reason.clone();
        let detail = text(&scenario.first_line("reason", "rejected")["detail"]).to_owned();
        assert!(
            !words.is_empty() && detail.contains(&words),
            "{name}: {detail}"
        );
        let raised = |metric| scenario.metric(metric).iter().any(|count| *count != 0);
        assert!(
            !raised("RestartsFailed") && !raised("RolloutsFailed") && !raised("ServicesStillStale"),
            "{name}: it was ended on purpose"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_newer_change_and_a_request_free_a_rejected_service() {
    let scenario = Scenario::with([api().task_seconds(10.0, 10.0, 10.0)])
        .await
        .with_queue();
    let rejected = async || {
        scenario.account.run_for(Duration::from_secs(20)).await;
        scenario.account.stop_deployment("web/api");
        scenario.account.run_for(AN_HOUR).await;
        scenario.restarted().len()
    };

    scenario.account.put_parameter("/app/db");
    let first = rejected().await;
    scenario.account.put_parameter("/app/other");
    let second = rejected().await;
    scenario.reload(json!({ "services": ["web/api"] })).await;

    assert!(scenario.is_all_fresh().await);
    assert_eq!((first, second, scenario.restarted().len()), (1, 2, 3));
}

#[tokio::test(start_paused = true)]
async fn a_rollout_that_an_alarm_ended_has_failed() {
    let watched = api()
        .task_seconds(10.0, 10.0, 10.0)
        .alarm("web-5xx", A_MINUTE * 10);
    let scenario = Scenario::with([watched]).await.with_queue();

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(A_MINUTE * 2).await;
    scenario.account.trigger_alarm("web/api");
    scenario.account.run_for(AN_HOUR * 2).await;

    assert_eq!(
        (
            scenario.levels_of("failed-already"),
            scenario.restarted().len()
        ),
        (vec![json!("ERROR")], 1)
    );
    let words = scenario.service("web/api").history[0].status_reason.clone();
    assert_eq!(
        scenario.first_line("reason", "failed-already")["error"],
        words
    );
}

#[tokio::test(start_paused = true)]
async fn a_rollout_whose_end_cannot_be_read_is_reported_and_not_started_again() {
    let scenario = Scenario::with([api().task_seconds(10.0, 10.0, 10.0)])
        .await
        .with_queue();
    scenario
        .account
        .inject(Fault::denied("ecs:DescribeServiceDeployments"));

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(Duration::from_secs(20)).await;
    scenario.account.stop_deployment("web/api");
    scenario.account.run_for(AN_HOUR).await;

    assert_eq!(scenario.restarted(), ["web/api"]);
    let reported = scenario.first_line("reason", "failed-already");
    assert!(
        text(&reported["detail"]).contains("the cause could not be read"),
        "{reported:#}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_rollout_that_is_gone_while_its_history_cannot_be_read_is_not_started_again() {
    let scenario = Scenario::with([api().task_seconds(10.0, 10.0, 10.0)])
        .await
        .with_queue();

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(Duration::from_secs(20)).await;
    scenario.account.stop_deployment("web/api");
    let end = scenario.account.now() + jiff::SignedDuration::from_hours(2);
    scenario
        .account
        .inject(Fault::denied("ecs:ListServiceDeployments").until(end));
    scenario.account.run_for(AN_HOUR * 2).await;
    let held = scenario.restarted();
    scenario.account.run_for(AN_HOUR).await;

    assert_eq!((held.len(), scenario.restarted().len()), (1, 1));
    assert!(
        text(&scenario.first_line("reason", "deployment-in-progress")["detail"])
            .contains("could not be read")
    );
    assert_eq!(scenario.levels_of("rejected"), ["WARN"]);
}

#[tokio::test(start_paused = true)]
async fn a_deployment_that_failed_for_this_change_is_reported_and_not_tried_again() {
    let bad = api()
        .reading(["ssm:/app/db"])
        .circuit_breaker(true)
        .task_seconds(2.0, 2.0, 2.0);
    let scenario = Scenario::with([bad.failing_next(30)]).await.with_queue();

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(AN_HOUR * 2).await;

    assert_eq!(scenario.restarted(), ["web/api"]);
    assert_eq!(scenario.levels_of("failed-already"), ["ERROR"]);
    let failed = scenario
        .lines("service")
        .into_iter()
        .find(|line| line["reason"] == "failed-already")
        .unwrap();
    let started = scenario
        .lines("service")
        .into_iter()
        .find(|line| line["result"] == "started")
        .unwrap();
    assert_eq!(
        (&failed["outcome"], &failed["deployment"]),
        (&json!("rolled-back"), &started["deployment"]),
        "{failed:#}"
    );
    assert_eq!(
        scenario
            .metric("RolloutsFailed")
            .iter()
            .filter(|failed| **failed == 1)
            .count(),
        1
    );
}

#[tokio::test(start_paused = true)]
async fn a_failed_deployment_of_others_and_one_that_is_seen_later_raise_no_alarm() {
    let bad = || {
        api()
            .reading(["ssm:/app/db"])
            .circuit_breaker(true)
            .task_seconds(2.0, 2.0, 2.0)
            .failing_next(30)
    };
    let others = Scenario::with([bad()]).await.with_queue();
    let later = Scenario::with([bad()]).await.with_queue();

    others.account.enable_mapping(QUEUE, false);
    others.account.put_parameter("/app/db");
    others.account.run_for(Duration::from_secs(2)).await;
    others.owner.forces("web/api").await;
    others.account.run_for(AN_HOUR).await;
    others.account.enable_mapping(QUEUE, true);
    others.account.run_for(AN_HOUR).await;
    later.account.put_parameter("/app/db");
    later.account.run_for(AN_HOUR).await;
    later.account.send(QUEUE, r#"{"sweep": {}}"#);
    later.account.run_for(A_MINUTE).await;

    assert_eq!(others.levels_of("failed-already"), ["WARN"]);
    assert!(
        others
            .metric("RolloutsFailed")
            .iter()
            .all(|failed| *failed == 0)
    );
    assert_eq!(
        later.levels_of("failed-already"),
        ["ERROR", "WARN"],
        "the message that follows it, and the sweep"
    );
    assert_eq!(
        later
            .metric("RolloutsFailed")
            .iter()
            .filter(|failed| **failed == 1)
            .count(),
        1
    );
}

#[tokio::test(start_paused = true)]
async fn a_restart_is_followed_however_long_it_had_to_wait() {
    let watched = api()
        .task_seconds(5.0, 5.0, 5.0)
        .alarm("web-5xx", A_MINUTE * 13);
    let variables = [
        ("RELOADER_HOLD_LIMIT", "15m"),
        ("RELOADER_MIN_INTERVAL", "0s"),
    ];
    let scenario = Scenario::set_to(variables, [watched]).await.with_queue();

    scenario.owner.deploys("web/api").await;
    scenario.account.run_for(Duration::from_secs(10)).await;
    scenario.account.put_parameter("/app/db");
    while scenario.restarted().is_empty() {
        scenario.account.run_for(A_MINUTE).await;
    }
    scenario.account.run_for(A_MINUTE * 8).await;
    scenario.account.trigger_alarm("web/api");
    scenario.account.run_for(AN_HOUR).await;

    assert_eq!(
        scenario.first_line("outcome", "rolled-back")["level"],
        "ERROR"
    );
    assert_eq!(scenario.restarted(), ["web/api"]);
}
