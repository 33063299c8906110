//! The reasons of the table, from the states of the account.

use serde_json::{Value, json};
use sim::{Controller, Service, service};

use crate::support::{Scenario, api, line, reason, text};

/// The line of one service after one young change.
async fn line_of(service: Service) -> Value {
    let scenario = Scenario::with([service]).await;
    let answer = scenario.changed("ssm:/app/db").await;
    assert!(scenario.restarted().is_empty(), "{answer:#}");
    line(&answer, text(&answer["services"][0]["service"])).clone()
}

#[tokio::test(start_paused = true)]
async fn a_mode_of_the_owner_is_reported_with_the_decision_that_it_replaces() {
    for (value, decision) in [("off", "off"), ("notify", "notify")] {
        let reported = line_of(api().tag("reloader:mode", value)).await;

        assert_eq!(
            (
                &reported["decision"],
                &reported["reason"],
                &reported["would_be"]
            ),
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
        let reported = line_of(api().tag(&format!("reloader:{tag}"), "hunter2")).await;

        assert_eq!(
            (&reported["decision"], &reported["reason"]),
            (&"refuse".into(), &"invalid-tag".into()),
            "{reported:#}"
        );
        assert!(text(&reported["detail"]).contains(expected), "{reported:#}");
        assert!(!reported.to_string().contains("hunter2"), "{reported:#}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_exclusion_that_does_not_parse_refuses_the_service() {
    let reported = line_of(api().tag("reloader:watch", "ssm:/app/ -hunter2")).await;

    assert_eq!(reported["reason"], "invalid-tag");
    assert!(
        text(&reported["detail"])
            .starts_with("term 2 of the tag reloader:watch does not parse: expected"),
        "{reported:#}"
    );
    assert!(!reported.to_string().contains("hunter2"));
}

#[tokio::test(start_paused = true)]
async fn a_controller_that_takes_no_forced_deployment_never_gets_one() {
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
        let reported = line_of(strategy.into_iter().fold(service, |service, strategy| {
            service.tag("reloader:strategy", strategy)
        }))
        .await;

        assert_eq!(
            (&reported["decision"], &reported["reason"]),
            (&"refuse".into(), &expected.into()),
            "{controller:?} {strategy:?}: {reported:#}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_feature_of_a_later_version_is_refused_and_named() {
    for (tag, value, named) in [
        ("strategy", "stop-tasks", "stop-tasks"),
        ("strategy", "hot-reload", "hot-reload"),
    ] {
        let reported = line_of(api().tag(&format!("reloader:{tag}"), value)).await;

        assert_eq!(
            (&reported["decision"], &reported["reason"]),
            (&"refuse".into(), &"not-supported-yet".into()),
            "{tag}={value}: {reported:#}"
        );
        assert!(text(&reported["detail"]).contains(named), "{reported:#}");
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
    assert_eq!(line_of(api().desired(0)).await["reason"], "no-tasks");
}

#[tokio::test(start_paused = true)]
async fn a_daemon_is_restarted_like_any_other() {
    let scenario = Scenario::with([service("web/agent").watching("ssm:/app/").daemon(3)]).await;

    scenario.changed("ssm:/app/db").await;

    assert_eq!(scenario.restarted(), ["web/agent"]);
    assert!(scenario.is_all_fresh().await);
}

#[tokio::test(start_paused = true)]
async fn a_pause_holds_until_its_end() {
    let reported = line_of(api().tag("reloader:pause", "true")).await;
    assert_eq!(
        (&reported["decision"], &reported["reason"]),
        (&"hold".into(), &"paused".into())
    );

    let reported = line_of(api().tag("reloader:pause", "2026-01-31T12:00:00Z")).await;
    assert_eq!(
        (&reported["reason"], &reported["detail"]),
        (
            &"paused".into(),
            &"until 2026-01-31T12:00:00Z; no message waits for it: only the sweep finds \
              it again"
                .into()
        )
    );

    let over = Scenario::with([api().tag("reloader:pause", "2026-01-31T09:00:00Z")]).await;
    over.changed("ssm:/app/db").await;
    assert_eq!(over.restarted(), ["web/api"]);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_key_restarts_nobody() {
    let scenario = Scenario::with([api()]).await;
    scenario.account.put_parameter("/app/db");
    scenario.account.delete_parameter("/app/db");

    let answer = scenario
        .invoke(&scenario.parameter_event("Delete", "/app/db"))
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
        .invoke(&scenario.parameter_event("LabelParameterVersion", "/app/db"))
        .await
        .unwrap();

    assert_eq!(
        (reason(&answer).as_str(), scenario.restarted()),
        ("label-only", Vec::new())
    );
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_going_or_gone_is_inactive() {
    let draining = line_of(api().task_seconds(20.0, 10.0, 600.0).draining()).await;
    let gone = line_of(api().inactive()).await;

    assert_eq!(
        (&draining["reason"], &gone["reason"]),
        (&"inactive".into(), &"inactive".into())
    );
}

#[tokio::test(start_paused = true)]
async fn an_excluded_key_is_reported_as_excluded() {
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
