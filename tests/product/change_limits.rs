//! The limits of one change: the services that it may restart, and the rollouts that run at once.

use std::time::Duration;

use serde_json::{Value, json};
use sim::{Fault, Service, service, task_definition};

use crate::support::{
    A_MINUTE, AN_HOUR, QUEUE, Scenario, auto, line, many, names_of_many, number_about, reasons,
    text,
};

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
        text(&line(&too_far, "web/both")["detail"])
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

/// The most services that rolled at once within half an hour.
async fn most_at_once(scenario: &Scenario) -> usize {
    let mut most = 0;
    for _ in 0..(30 * 60) {
        scenario.account.run_for(Duration::from_secs(1)).await;
        let rolling = scenario
            .account
            .services()
            .iter()
            .filter(|service| service.deployments.len() > 1)
            .count();
        most = most.max(rolling);
    }
    most
}

#[tokio::test(start_paused = true)]
async fn only_so_many_rollouts_of_one_change_run_at_once() {
    let scenario = Scenario::set_to([("RELOADER_MAX_IN_FLIGHT", "2")], many(7, "ssm:/app/"))
        .await
        .with_queue();

    scenario.account.put_parameter("/app/db");

    assert_eq!(
        (most_at_once(&scenario).await, scenario.restarted()),
        (2, names_of_many(7))
    );
    assert!(scenario.is_all_fresh().await);
}

#[tokio::test(start_paused = true)]
async fn only_so_many_rollouts_that_a_person_asks_for_run_at_once() {
    let scenario = Scenario::set_to([("RELOADER_MAX_IN_FLIGHT", "2")], many(7, "ssm:/app/"))
        .await
        .with_queue();

    scenario
        .reload(json!({ "services": names_of_many(7) }))
        .await;

    assert_eq!(
        (most_at_once(&scenario).await, scenario.restarted()),
        (2, names_of_many(7))
    );
}

#[tokio::test(start_paused = true)]
async fn only_so_many_rollouts_run_at_once_where_holds_end_one_after_another() {
    let scenario = Scenario::set_to([("RELOADER_MAX_IN_FLIGHT", "1")], many(4, "ssm:/app/"))
        .await
        .with_queue();
    for service in names_of_many(4) {
        scenario.owner.forces(&service).await;
        scenario.account.run_for(Duration::from_secs(20)).await;
    }
    let before = scenario.restarted().len();

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(A_MINUTE).await;

    assert_eq!(
        (
            most_at_once(&scenario).await,
            scenario.restarted().len() - before
        ),
        (1, 4)
    );
    assert!(scenario.is_all_fresh().await);
}

#[tokio::test(start_paused = true)]
async fn a_lowered_limit_still_holds_when_the_services_could_not_be_described_at_first() {
    let scenario = Scenario::with(many(3, "ssm:/app/")).await.with_queue();
    let end = scenario.account.now() + A_MINUTE * 5;
    let fault = Fault::server_error("ecs:DescribeServices", 500);
    scenario.account.inject(fault.until(end));

    let request = json!({ "changed": ["ssm:/app/db"], "max_services": 2 });
    let message = json!({ "reload": request }).to_string();
    scenario.account.send(QUEUE, &message);
    scenario.account.run_for(AN_HOUR).await;

    let lines = scenario.lines("service");
    let limited = |line: &&Value| line["reason"] == "blast-radius";
    let refused = lines.iter().filter(limited).count();
    assert!(refused == 3 && lines.len() > 3, "{lines:#?}");
    assert!(scenario.restarted().is_empty());
}

/// It may be restarted from noon on, two hours after the beginning.
fn paused_until_noon() -> Service {
    service("web/s001")
        .watching("ssm:/app/")
        .tag("reloader:pause", "2026-01-31T12:00:00Z")
}

#[tokio::test(start_paused = true)]
async fn a_message_for_one_service_counts_the_rollouts_of_all_that_watch_the_key() {
    let definition = task_definition().secret("DB", "/app/db");
    for early in [
        service("web/s000").watching("ssm:/app/"),
        auto("web/s000", definition),
    ] {
        let early = early.task_seconds(480.0, 10.0, 10.0);
        let limit = [("RELOADER_MAX_IN_FLIGHT", "1")];
        let scenario = Scenario::set_to(limit, [early, paused_until_noon()])
            .await
            .with_queue();

        scenario.account.put_parameter("/app/db");
        while scenario.account.now().to_string().as_str() < "2026-01-31T11:59" {
            scenario.account.run_for(A_MINUTE).await;
        }
        scenario.owner.forces("web/s000").await;

        assert_eq!(most_at_once(&scenario).await, 1);
        let held = scenario.service_lines("reason", "in-flight-limit");
        assert!(held.len() > 1 && held.iter().all(|line| line["service"] == "web/s001"));
        assert!(scenario.is_all_fresh().await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_rollout_that_was_stopped_takes_no_place_of_the_limit() {
    let stopped = service("web/s000")
        .watching("ssm:/app/")
        .reading(["ssm:/app/db"])
        .failing_when_reading("ssm:/app/db", 2)
        .blue_green(A_MINUTE)
        .circuit_breaker(false);
    let limit = [("RELOADER_MAX_IN_FLIGHT", "1")];
    let scenario = Scenario::set_to(limit, [stopped, paused_until_noon()])
        .await
        .with_queue();

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(AN_HOUR * 3).await;

    assert_eq!(scenario.restarted(), names_of_many(2));
}

#[tokio::test(start_paused = true)]
async fn a_message_for_one_service_counts_all_that_the_change_would_restart() {
    let late = service("web/s000").watching("ssm:/other/");
    let scenario = Scenario::set_to(
        [("RELOADER_MAX_SERVICES", "1")],
        [late, paused_until_noon()],
    )
    .await
    .with_queue();

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(AN_HOUR).await;
    scenario
        .account
        .tag_service("web/s000", "reloader:watch", Some("ssm:/app/"));
    scenario.account.run_for(AN_HOUR * 2).await;

    let refused = scenario.first_line("reason", "blast-radius");
    assert_eq!(refused["service"], "web/s001");
    assert!(scenario.restarted().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_service_in_the_same_message_for_another_change_does_not_count_for_this_one() {
    let paused = |service: Service| service.tag("reloader:pause", "2026-01-31T12:00:00Z");
    let auto = auto("web/s001", task_definition()).watching("auto ssm:/app/b");
    let scenario = Scenario::set_to(
        [("RELOADER_MAX_SERVICES", "1")],
        [
            paused(service("web/s000").watching("ssm:/app/a")),
            paused(auto),
        ],
    )
    .await
    .with_queue();

    for name in ["/app/a", "/app/b"] {
        scenario.account.put_parameter(name);
    }
    scenario.account.run_for(AN_HOUR * 3).await;

    assert_eq!(scenario.restarted(), names_of_many(2));
}

#[tokio::test(start_paused = true)]
async fn rollouts_of_other_messages_are_read_only_where_more_services_watch_than_may_roll() {
    for (most, described) in [("1", 1), ("2", 0)] {
        let limit = [("RELOADER_MAX_IN_FLIGHT", most)];
        let services = [
            service("web/s000").watching("ssm:/app/"),
            paused_until_noon(),
        ];
        let scenario = Scenario::set_to(limit, services).await.with_queue();
        let number = || number_about(&scenario, "ecs:DescribeServices", "web/s000");

        scenario.account.put_parameter("/app/db");
        scenario.account.run_for(AN_HOUR).await;
        let before = number();
        scenario.account.run_for(AN_HOUR * 2).await;

        assert_eq!(scenario.restarted(), names_of_many(2));
        assert_eq!(number() - before, described, "{most}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_that_the_budget_holds_says_so_and_takes_no_place_of_the_limit() {
    let limits = [
        ("RELOADER_MAX_IN_FLIGHT", "1"),
        ("RELOADER_MAX_RESTARTS_PER_HOUR", "1"),
    ];
    for (busy, idle) in [("web/s000", "web/s001"), ("web/s001", "web/s000")] {
        let scenario = Scenario::set_to(limits, many(2, "ssm:/app/")).await;
        scenario.owner.forces(busy).await;
        scenario.account.run_for(A_MINUTE * 10).await;

        let answer = scenario.changed("ssm:/app/db").await;

        let budget = line(&answer, busy);
        assert_eq!(
            (
                text(&budget["reason"]),
                text(&line(&answer, idle)["result"])
            ),
            ("restart-budget", "started"),
            "{answer:#}"
        );
    }
}
