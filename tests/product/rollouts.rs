//! Rollouts that do not stay, that wait for a person, or that need not start.

use std::time::Duration;

use serde_json::{Value, json};
use sim::{Account, Fault, Hook, Service, Stage, service};

use crate::holds::told;
use crate::support::{QUEUE, Scenario, many};

const A_MINUTE: Duration = Duration::from_mins(1);
const AN_HOUR: Duration = Duration::from_hours(1);

/// The end of a rollout.
type End = fn(&Account);

fn api() -> Service {
    service("web/api").watching("ssm:/app/")
}

/// The first line of a service that says this.
fn first(scenario: &Scenario, field: &str, says: &str) -> Value {
    scenario
        .lines("service")
        .into_iter()
        .find(|line| line[field] == says)
        .unwrap()
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

    assert_eq!(told(&others, "failed-already"), ["WARN"]);
    assert!(
        others
            .metric("RestartsFailed")
            .iter()
            .all(|failed| *failed == 0)
    );
    assert_eq!(
        told(&later, "failed-already"),
        ["ERROR", "WARN"],
        "the message that follows it, and the sweep"
    );
    assert_eq!(
        later
            .metric("RestartsFailed")
            .iter()
            .filter(|failed| **failed == 1)
            .count(),
        1
    );
}

#[tokio::test(start_paused = true)]
async fn five_active_deployments_that_the_answer_alone_tells_of_are_waited_for() {
    const FULL: &str = "5 active deployments exist, unable to create new deployment.";
    let scenario = Scenario::with([api()]).await.with_queue();
    scenario
        .account
        .inject(Fault::error("ecs:UpdateService", "InvalidParameterException", FULL, 400).times(3));

    scenario.account.put_parameter("/app/db");

    assert!(scenario.is_all_fresh().await);
    assert_eq!(
        told(&scenario, "too-many-deployments"),
        ["WARN", "INFO", "INFO"]
    );
    let held = first(&scenario, "reason", "too-many-deployments");
    assert!(
        held["detail"].as_str().unwrap().contains(FULL) && held.get("result").is_none(),
        "{held:#}"
    );
    assert_eq!(
        (
            scenario.restarted(),
            scenario.metric("RestartsFailed").contains(&json!(1))
        ),
        (vec!["web/api".to_owned()], false)
    );
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
    let fresh = first(&scenario, "reason", "fresh");
    assert!(
        fresh["detail"].as_str().unwrap().contains("every task is"),
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
        let started = first(&scenario, "result", "started");
        assert!(
            started["detail"].as_str().unwrap().contains("its tasks"),
            "{fault:?}: {started:#}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_that_is_refused_whole_is_counted_for_an_alarm() {
    let off = service("web/off")
        .watching("ssm:/app/")
        .tag("reloader:mode", "off");
    let services = many(3, "ssm:/app/").into_iter().chain([off]);
    let scenario = Scenario::set_to([("RELOADER_MAX_SERVICES", "2")], services)
        .await
        .with_queue();

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(AN_HOUR).await;

    let refused: Vec<_> = scenario
        .metric("ChangesRefused")
        .into_iter()
        .filter(|refused| *refused != 0)
        .collect();
    assert_eq!((refused, scenario.restarted().len()), (vec![json!(1)], 0));
    let asked = scenario
        .reload(json!({ "changed": ["ssm:/app/db"], "dry_run": true }))
        .await;
    assert_eq!(asked["refused_changes"], 0, "{asked:#}");
}

#[tokio::test(start_paused = true)]
async fn what_a_person_a_hook_or_its_time_out_ended_is_never_started_again_by_itself() {
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
        let levels = told(&scenario, "rejected");
        assert!(
            !levels.is_empty() && levels.iter().all(|level| level == "WARN"),
            "{name}: {levels:?}"
        );
        let words = scenario.service("web/api").history[0].status_reason.clone();
        let detail = first(&scenario, "reason", "rejected")["detail"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(
            !words.is_empty() && detail.contains(&words),
            "{name}: {detail}"
        );
        let raised = |metric| scenario.metric(metric).iter().any(|count| *count != 0);
        assert!(
            !raised("RestartsFailed") && !raised("ServicesStillStale"),
            "{name}: it was ended on purpose"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_newer_change_and_a_request_free_what_was_rejected() {
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
async fn what_an_alarm_ended_has_failed() {
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
            told(&scenario, "failed-already"),
            scenario.restarted().len()
        ),
        (vec![json!("ERROR")], 1)
    );
    let words = scenario.service("web/api").history[0].status_reason.clone();
    assert_eq!(first(&scenario, "reason", "failed-already")["error"], words);
}

#[tokio::test(start_paused = true)]
async fn an_approval_is_waited_for_as_long_as_amazon_ecs_waits() {
    let guarded = api().hook(Hook::pause(Stage::PreScaleUp));
    let scenario = Scenario::set_to([("RELOADER_HOLD_LIMIT", "1h")], [guarded])
        .await
        .with_queue();

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(AN_HOUR * 5).await;
    let hook = scenario.service("web/api").history[0].hooks[0].clone();
    let waiting = first(&scenario, "reason", "awaiting-approval");
    scenario.account.approve("web/api");

    assert!(scenario.is_all_fresh().await);
    let detail = waiting["detail"].as_str().unwrap();
    assert!(
        detail.contains(&hook.id) && detail.contains(&hook.expires_at.to_string()),
        "{detail}"
    );
    let levels = told(&scenario, "awaiting-approval");
    assert!(
        levels[0] == "WARN" && levels[1..].iter().all(|level| level == "INFO"),
        "{levels:?}"
    );
    let abandoned = scenario
        .lines("service")
        .into_iter()
        .any(|line| line["result"] == "abandoned");
    assert_eq!(
        (abandoned, scenario.restarted()),
        (false, vec!["web/api".to_owned()])
    );
}

#[tokio::test(start_paused = true)]
async fn a_restart_whose_answer_is_lost_is_told_although_it_stands_at_a_hook_by_then() {
    let guarded = api().hook(Hook::pause(Stage::PreScaleUp));
    let scenario = Scenario::with([guarded]).await.with_queue();
    scenario
        .account
        .inject(Fault::reset_after_effect("ecs:UpdateService").times(1));

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(A_MINUTE).await;

    let started = first(&scenario, "result", "started");
    let deployment = scenario.service("web/api").deployments[0].id.clone();
    assert_eq!(
        (started["deployment"].as_str(), scenario.restarted().len()),
        (Some(deployment.as_str()), 1)
    );
    assert!(
        told(&scenario, "awaiting-approval")[0] == "WARN",
        "and then it is waited for"
    );
}

#[tokio::test(start_paused = true)]
async fn a_deployment_at_a_hook_and_one_that_bakes_are_not_superseded() {
    let lambda = Hook::lambda(Stage::PostScaleUp, AN_HOUR, true);
    let guarded = [
        (
            "pause",
            api().hook(
                Hook::pause(Stage::PostScaleUp)
                    .expiring_after(AN_HOUR)
                    .continuing(),
            ),
        ),
        ("lambda", api().hook(lambda)),
        ("bake", api().alarm("web-5xx", AN_HOUR)),
    ];
    for (name, service) in guarded {
        let scenario = Scenario::set_to([("RELOADER_MIN_INTERVAL", "0s")], [service])
            .await
            .with_queue();

        scenario.owner.deploys("web/api").await;
        scenario.account.run_for(A_MINUTE * 5).await;
        scenario.account.put_parameter("/app/db");
        scenario.account.run_for(A_MINUTE * 45).await;
        let meanwhile = scenario.restarted();

        assert!(scenario.is_all_fresh().await, "{name}");
        assert_eq!(
            (meanwhile.len(), scenario.restarted().len()),
            (0, 1),
            "{name}"
        );
        let deployments: Vec<_> = scenario
            .service("web/api")
            .history
            .iter()
            .map(|past| past.status)
            .collect();
        assert_eq!(
            deployments, ["SUCCESSFUL"; 3],
            "{name}: nothing was superseded"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn who_ended_a_rollout_being_unknown_starts_nothing_and_is_told() {
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
    let told = first(&scenario, "reason", "failed-already");
    assert!(
        told["detail"]
            .as_str()
            .unwrap()
            .contains("what ended it could not be read"),
        "{told:#}"
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
        first(&scenario, "reason", "deployment-in-progress")["detail"]
            .as_str()
            .unwrap()
            .contains("could not be read")
    );
    assert_eq!(told(&scenario, "rejected"), ["WARN"]);
}

#[tokio::test(start_paused = true)]
async fn the_details_of_deployments_are_asked_for_only_where_they_decide() {
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

#[tokio::test(start_paused = true)]
async fn a_deployment_that_stood_at_a_hook_before_its_first_task_covers_what_changed_meanwhile() {
    let scenario = Scenario::with([api().hook(Hook::pause(Stage::PreScaleUp))])
        .await
        .with_queue();

    scenario.owner.deploys("web/api").await;
    scenario.account.run_for(A_MINUTE * 5).await;
    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(AN_HOUR).await;
    scenario.account.approve("web/api");

    assert!(
        scenario.is_all_fresh().await && scenario.restarted().is_empty(),
        "all its tasks are newer than the change"
    );
}

#[tokio::test(start_paused = true)]
async fn what_was_started_is_followed_however_long_it_had_to_wait() {
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

    assert_eq!(first(&scenario, "outcome", "rolled-back")["level"], "ERROR");
    assert_eq!(scenario.restarted(), ["web/api"]);
}
