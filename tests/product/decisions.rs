//! Every reason there is, as the account gives rise to it.

use std::time::Duration;

use serde_json::json;
use sim::{Controller, Fault, Service, service};

use crate::support::{Scenario, line, many, reason, reasons};

const HISTORY: &str = "ecs:ListServiceDeployments";

fn api() -> Service {
    service("web/api").watching("ssm:/app/")
}

/// What one young change gives for one service.
async fn told_of(service: Service) -> serde_json::Value {
    let scenario = Scenario::with([service]).await;
    let answer = scenario.changed("ssm:/app/db").await;
    assert!(scenario.restarted().is_empty(), "{answer:#}");
    line(&answer, answer["services"][0]["service"].as_str().unwrap()).clone()
}

#[tokio::test(start_paused = true)]
async fn what_the_owner_does_not_want_is_told_with_what_would_have_been_done() {
    for (value, decision) in [("off", "off"), ("notify", "notify")] {
        let told = told_of(api().tag("reloader:mode", value)).await;

        assert_eq!(
            (&told["decision"], &told["reason"], &told["would_be"]),
            (&"skip".into(), &decision.into(), &"stale".into())
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_function_in_notify_mode_decides_and_restarts_nobody() {
    let scenario = Scenario::set_to(
        [("RELOADER_MODE", "notify")],
        [api(), service("web/idle").watching("ssm:/app/").desired(0)],
    )
    .await;

    let answer = scenario.changed("ssm:/app/db").await;

    assert!(scenario.restarted().is_empty());
    let otherwise = |name| {
        (
            line(&answer, name)["reason"].clone(),
            line(&answer, name)["would_be"].clone(),
        )
    };
    assert_eq!(otherwise("web/api"), ("notify".into(), "stale".into()));
    assert_eq!(otherwise("web/idle"), ("notify".into(), "no-tasks".into()));
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_decides_and_restarts_nobody() {
    let scenario = Scenario::with([api()]).await;

    let answer = scenario
        .reload(json!({ "changed": ["ssm:/app/db"], "dry_run": true }))
        .await;

    assert!(scenario.restarted().is_empty());
    assert_eq!(
        (reason(&answer).as_str(), &answer["services"][0]["would_be"]),
        ("dry-run", &"stale".into())
    );
}

#[tokio::test(start_paused = true)]
async fn a_guard_that_does_not_parse_refuses_the_service_and_is_never_repeated() {
    for (tag, expected) in [
        ("mode", "auto, notify or off"),
        ("pause", "true or an instant"),
        ("strategy", "deploy, code-deploy, stop-tasks or hot-reload"),
        ("order", "a number from 0 to 99"),
        ("window", "Mon-Fri 02:00-04:00 Europe/Berlin"),
    ] {
        let told = told_of(api().tag(&format!("reloader:{tag}"), "hunter2")).await;

        assert_eq!(
            (&told["decision"], &told["reason"]),
            (&"refuse".into(), &"invalid-tag".into()),
            "{told:#}"
        );
        assert!(
            told["detail"].as_str().unwrap().contains(expected),
            "{told:#}"
        );
        assert!(!told.to_string().contains("hunter2"), "{told:#}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_exclusion_that_does_not_parse_refuses_the_service() {
    let told = told_of(api().tag("reloader:watch", "ssm:/app/ -hunter2")).await;

    assert_eq!(told["reason"], "invalid-tag");
    assert!(
        told["detail"]
            .as_str()
            .unwrap()
            .starts_with("term 2 of the tag reloader:watch does not parse: expected"),
        "{told:#}"
    );
    assert!(!told.to_string().contains("hunter2"));
}

#[tokio::test(start_paused = true)]
async fn a_controller_that_takes_no_forced_deployment_is_never_asked_for_one() {
    for (controller, strategy, expected) in [
        (Controller::External, None, "unsupported-controller"),
        (
            Controller::CodeDeploy,
            Some("deploy"),
            "unsupported-controller",
        ),
        (
            Controller::Ecs,
            Some("code-deploy"),
            "unsupported-controller",
        ),
        (Controller::CodeDeploy, None, "not-supported-yet"),
        (
            Controller::External,
            Some("stop-tasks"),
            "not-supported-yet",
        ),
    ] {
        let service = api().controller(controller);
        let told = told_of(strategy.into_iter().fold(service, |service, strategy| {
            service.tag("reloader:strategy", strategy)
        }))
        .await;

        assert_eq!(
            (&told["decision"], &told["reason"]),
            (&"refuse".into(), &expected.into()),
            "{controller:?} {strategy:?}: {told:#}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_this_version_does_not_do_is_refused_and_named() {
    for (tag, value, named) in [
        ("strategy", "stop-tasks", "stop-tasks"),
        ("strategy", "hot-reload", "hot-reload"),
        ("order", "1", "order"),
    ] {
        let told = told_of(api().tag(&format!("reloader:{tag}"), value)).await;

        assert_eq!(
            (&told["decision"], &told["reason"]),
            (&"refuse".into(), &"not-supported-yet".into()),
            "{tag}={value}: {told:#}"
        );
        assert!(told["detail"].as_str().unwrap().contains(named), "{told:#}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_term_beside_auto_works() {
    let scenario = Scenario::with([service("web/api").watching("auto ssm:/app/")]).await;

    scenario.changed("ssm:/app/db").await;

    assert_eq!(scenario.restarted(), ["web/api"]);
}

#[tokio::test(start_paused = true)]
async fn a_service_without_tasks_is_left_alone() {
    assert_eq!(told_of(api().desired(0)).await["reason"], "no-tasks");
}

#[tokio::test(start_paused = true)]
async fn a_daemon_is_restarted_like_any_other() {
    let scenario = Scenario::with([service("web/agent").watching("ssm:/app/").daemon(3)]).await;

    scenario.changed("ssm:/app/db").await;

    assert_eq!(scenario.restarted(), ["web/agent"]);
    assert!(scenario.is_all_fresh().await);
}

#[tokio::test(start_paused = true)]
async fn what_a_pipeline_deployed_after_the_change_is_fresh_while_it_rolls_and_when_it_is_done() {
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
        let bad = service("web/api")
            .watching("ssm:/app/")
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
    let bad = service("web/api")
        .watching("ssm:/app/")
        .reading(["ssm:/app/db"])
        .failing_next(3)
        .circuit_breaker(true);
    let scenario = Scenario::with([bad]).await;
    scenario.changed("ssm:/app/db").await;
    scenario.account.settle().await;

    scenario.changed("ssm:/app/db").await;

    assert_eq!(scenario.restarted(), ["web/api", "web/api"]);
    assert!(scenario.is_all_fresh().await);
}

#[tokio::test(start_paused = true)]
async fn a_bad_image_that_was_rolled_back_says_nothing_about_the_value() {
    let scenario = Scenario::with([api()
        .reading(["ssm:/app/db"])
        .failing_next(3)
        .circuit_breaker(true)])
    .await;
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
async fn the_history_is_asked_for_changes_older_than_a_minute_only() {
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
async fn a_history_that_cannot_be_read_never_blocks_and_is_told() {
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
async fn what_a_failed_deployment_ran_being_unknown_never_blocks() {
    let scenario = Scenario::with([api()
        .reading(["ssm:/app/db"])
        .failing_next(3)
        .circuit_breaker(true)])
    .await;
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
async fn a_change_that_reaches_too_far_restarts_nobody_and_another_still_does() {
    let both = service("web/both").watching("ssm:/app/ ssm:/web/");
    let scenario = Scenario::set_to(
        [("RELOADER_MAX_SERVICES", "2")],
        many(2, "ssm:/app/").into_iter().chain([both]),
    )
    .await;

    let too_far = scenario.changed("ssm:/app/db").await;
    let nobody = scenario.restarted();
    let within = scenario.changed("ssm:/web/x").await;

    assert!(
        reasons(&too_far)
            .values()
            .all(|reason| reason == "blast-radius"),
        "{too_far:#}"
    );
    assert!(
        line(&too_far, "web/both")["detail"]
            .as_str()
            .unwrap()
            .contains("ssm:/app/db would restart 3 services; at most 2"),
        "{too_far:#}"
    );
    assert_eq!(
        (nobody, scenario.restarted()),
        (Vec::new(), vec!["web/both".to_owned()]),
        "{within:#}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_manual_invocation_may_raise_the_limit_for_itself() {
    let scenario = Scenario::set_to([("RELOADER_MAX_SERVICES", "2")], many(3, "ssm:/app/")).await;

    let refused = scenario.reload(json!({ "changed": ["ssm:/app/db"] })).await;
    let raised = scenario
        .reload(json!({ "changed": ["ssm:/app/db"], "max_services": 3 }))
        .await;

    assert_eq!(
        (&refused["refused"], &raised["started"]),
        (&3.into(), &3.into()),
        "{raised:#}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_pause_holds_until_its_end() {
    let told = told_of(api().tag("reloader:pause", "true")).await;
    assert_eq!(
        (&told["decision"], &told["reason"]),
        (&"hold".into(), &"paused".into())
    );

    let told = told_of(api().tag("reloader:pause", "2026-01-31T12:00:00Z")).await;
    assert_eq!(
        (&told["reason"], &told["detail"]),
        (
            &"paused".into(),
            &"until 2026-01-31T12:00:00Z; there is no queue for held work: only the sweep takes \
              it up"
                .into()
        )
    );

    let over = Scenario::with([api().tag("reloader:pause", "2026-01-31T09:00:00Z")]).await;
    over.changed("ssm:/app/db").await;
    assert_eq!(over.restarted(), ["web/api"]);
}

#[tokio::test(start_paused = true)]
async fn a_rollback_under_way_is_never_disturbed_however_young_the_change_is() {
    let bad = api()
        .reading(["ssm:/app/db"])
        .percent(50, 100)
        .failing_next(3)
        .circuit_breaker(true)
        .task_seconds(5.0, 60.0, 1.0);
    for age in [
        Duration::ZERO,
        Duration::from_secs(10),
        Duration::from_secs(40),
    ] {
        let scenario = Scenario::with([bad.clone()]).await;
        scenario.owner.deploys("web/api").await;
        while scenario.service("web/api").history[0].status != "ROLLBACK_IN_PROGRESS" {
            scenario.account.run_for(Duration::from_secs(1)).await;
        }
        scenario.account.run_for(age).await;

        let answer = scenario.changed("ssm:/app/db").await;

        assert_eq!(
            (reason(&answer).as_str(), &answer["held"]),
            ("deployment-in-progress", &1.into()),
            "{age:?} into it: {answer:#}"
        );
        assert_eq!(
            scenario.service("web/api").history[0].status,
            "ROLLBACK_IN_PROGRESS"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_rolling_deployment_older_than_the_change_is_superseded_ten_minutes_after_the_change() {
    let slow = api().task_seconds(20.0, 10.0, 3600.0);
    let scenario = Scenario::set_to([("RELOADER_MIN_INTERVAL", "0s")], [slow]).await;
    scenario.owner.deploys("web/api").await;
    scenario.account.run_for(Duration::from_secs(10)).await;

    let event = scenario.write("ssm:/app/db");
    let held = scenario.invoke(&event).await.unwrap();
    scenario
        .account
        .run_for(Duration::from_mins(10) + Duration::from_secs(1))
        .await;
    let superseded = scenario.invoke(&event).await.unwrap();

    assert_eq!(
        (reason(&held), reason(&superseded)),
        ("deployment-in-progress".to_owned(), "stale".to_owned())
    );
    assert_eq!(scenario.restarted(), ["web/api"]);
}

#[tokio::test(start_paused = true)]
async fn a_sixth_active_deployment_is_not_asked_for() {
    let slow = api().task_seconds(20.0, 10.0, 3600.0);
    let scenario = Scenario::set_to([("RELOADER_MIN_INTERVAL", "0s")], [slow]).await;
    for _ in 0..4 {
        scenario.owner.deploys("web/api").await;
        scenario.account.run_for(Duration::from_secs(3)).await;
    }
    assert_eq!(scenario.service("web/api").deployments.len(), 5);

    let event = scenario.write("ssm:/app/db");
    scenario.account.run_for(Duration::from_mins(11)).await;
    let answer = scenario.invoke(&event).await.unwrap();

    assert_eq!(
        (
            reason(&answer).as_str(),
            &answer["held"],
            scenario.number_of("ecs:UpdateService")
        ),
        ("too-many-deployments", &1.into(), 0)
    );
}

#[tokio::test(start_paused = true)]
async fn a_deleted_key_restarts_nobody() {
    let scenario = Scenario::with([api()]).await;
    scenario.account.put_parameter("/app/db");
    scenario.account.delete_parameter("/app/db");

    let answer = scenario
        .invoke(&scenario.told("Delete", "/app/db"))
        .await
        .unwrap();

    assert_eq!(reason(&answer), "deleted");
    assert!(scenario.restarted().is_empty());
    assert_eq!(
        (
            &scenario.lines("service")[0]["level"],
            &scenario.metric("ServicesMissingKey")[0]
        ),
        (&"INFO".into(), &0.into())
    );
}

#[tokio::test(start_paused = true)]
async fn a_label_that_moves_restarts_nobody() {
    let scenario = Scenario::with([api()]).await;

    let answer = scenario
        .invoke(&scenario.told("LabelParameterVersion", "/app/db"))
        .await
        .unwrap();

    assert_eq!(
        (reason(&answer).as_str(), scenario.restarted()),
        ("label-only", Vec::new())
    );
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_going_or_gone_is_inactive() {
    let draining = told_of(api().task_seconds(20.0, 10.0, 600.0).draining()).await;
    let gone = told_of(api().inactive()).await;

    assert_eq!(
        (&draining["reason"], &gone["reason"]),
        (&"inactive".into(), &"inactive".into())
    );
}

#[tokio::test(start_paused = true)]
async fn an_excluded_key_is_told_as_excluded() {
    let scenario =
        Scenario::with([service("web/api").watching("ssm:/app/ -ssm:/app/flags/")]).await;

    let excluded = scenario.changed("ssm:/app/flags/a").await;
    let nobody = scenario.restarted();
    scenario.changed("ssm:/app/db").await;

    assert_eq!(
        (reason(&excluded).as_str(), nobody, scenario.restarted()),
        ("excluded", Vec::new(), vec!["web/api".to_owned()])
    );
}
