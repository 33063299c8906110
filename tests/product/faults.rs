//! Calls that fail: they are repeated if that may help, and do not hinder other services.

use std::time::Duration;

use futures_util::future::join;
use sim::{Fault, service};

use crate::support::{Scenario, UPDATE, api, line, many, names_of_many, reason, text, worker};

#[tokio::test(start_paused = true)]
async fn a_throttle_that_ends_in_time_is_survived() {
    let scenario = Scenario::with([api(), worker()]).await;
    scenario
        .account
        .inject(Fault::throttled(UPDATE).until(scenario.account.now() + Duration::from_secs(30)));

    let answer = scenario.changed("ssm:/app/db").await;

    assert_eq!(
        (&answer["started"], scenario.restarted()),
        (
            &2.into(),
            vec!["web/api".to_owned(), "web/worker".to_owned()]
        ),
        "{answer:#}"
    );
    assert!(
        scenario.number_of("ecs:DescribeServices") <= 7,
        "a throttled call did nothing: a recheck holds for five seconds"
    );
}

#[tokio::test(start_paused = true)]
async fn every_read_is_repeated_when_it_fails() {
    for action in [
        "tag:GetResources",
        "ecs:DescribeServices",
        "ecs:ListServiceDeployments",
    ] {
        for fault in [
            Fault::throttled(action),
            Fault::server_error(action, 500),
            Fault::server_error(action, 503),
            Fault::reset(action),
        ] {
            let scenario = Scenario::with([api()]).await;
            scenario.account.inject(fault.clone().times(2));

            let answer = scenario.changed_a_while_ago("ssm:/app/db").await;

            // The tags are read twice: for services, and for keys to ignore.
            let calls = if action == "tag:GetResources" { 4 } else { 3 };
            assert_eq!(
                (&answer["started"], scenario.number_of(action)),
                (&1.into(), calls),
                "{fault:?}: {answer:#}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_leaves_the_invocations_after_it_their_retries() {
    let scenario = Scenario::with(many(10, "ssm:/app/")).await;
    scenario.account.inject(Fault::server_error("*", 500));
    for _ in 0..60 {
        scenario
            .invoke(&scenario.parameter_event("Update", "/app/db"))
            .await
            .unwrap_err();
    }
    scenario.account.heal();

    for action in ["tag:GetResources", "ecs:DescribeServices"] {
        scenario.account.inject(Fault::throttled(action).times(2));
    }
    let answer = scenario.invoke(&scenario.write("ssm:/app/db")).await;

    assert_eq!(scenario.restarted(), names_of_many(10), "{answer:?}");
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_may_not_be_described_does_not_stop_another() {
    let scenario = Scenario::with([api(), service("ops/cron").watching("ssm:/app/")]).await;
    scenario
        .account
        .inject(Fault::denied("ecs:DescribeServices").target("ops/cron"));

    let answer = scenario.changed("ssm:/app/db").await;

    assert_eq!(scenario.restarted(), ["web/api"]);
    let reported = line(&answer, "ops/cron");
    assert_eq!(reported["result"], "denied", "{answer:#}");
    assert!(
        text(&reported["error"]).contains("not authorized to perform: ecs:DescribeServices"),
        "{answer:#}"
    );
    assert_eq!(
        reported.get("will_retry"),
        None,
        "asking again will not help"
    );
}

#[tokio::test(start_paused = true)]
async fn a_service_that_cannot_be_rechecked_is_not_restarted_on_an_old_description() {
    let variables = [
        ("RELOADER_RESTART_BURST", "1"),
        ("RELOADER_RESTART_RATE", "0.1"),
        ("RELOADER_CONCURRENCY", "1"),
    ];
    let scenario = Scenario::set_to(variables, many(3, "ssm:/app/")).await;
    let breaks = async {
        scenario.account.run_for(Duration::from_secs(5)).await;
        scenario
            .account
            .inject(Fault::server_error("ecs:DescribeServices", 500));
    };

    let (answer, ()) = join(scenario.changed("ssm:/app/db"), breaks).await;

    assert_eq!(
        (
            line(&answer, "web/s000")["result"].as_str(),
            scenario.number_of(UPDATE)
        ),
        (Some("started"), 1)
    );
    for late in ["web/s001", "web/s002"] {
        let reported = line(&answer, late);
        assert_eq!(reported["result"], "failed", "{answer:#}");
        assert!(
            text(&reported["error"]).starts_with("DescribeServices"),
            "{answer:#}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_deployed_and_rejected_while_a_restart_waited_is_not_started_again() {
    let variables = [
        ("RELOADER_RESTART_BURST", "1"),
        ("RELOADER_RESTART_RATE", "0.1"),
        ("RELOADER_CONCURRENCY", "1"),
    ];
    let services = ["web/first", "web/second"].map(|name| {
        let service = service(name).watching("ssm:/app/");
        service.circuit_breaker(true).task_seconds(1.0, 1.0, 1.0)
    });
    let scenario = Scenario::set_to(variables, services).await;
    let meanwhile = async {
        scenario.account.run_for(Duration::from_secs(5)).await;
        scenario.account.force("web/second");
        scenario.account.run_for(Duration::from_secs(2)).await;
        scenario.account.stop_deployment("web/second");
    };

    let (answer, ()) = join(scenario.changed("ssm:/app/db"), meanwhile).await;

    assert_eq!(
        line(&answer, "web/second")["reason"],
        "rejected",
        "{answer:#}"
    );
    assert_eq!(scenario.number_of(UPDATE), 1);
}

#[tokio::test(start_paused = true)]
async fn a_denied_service_does_not_stop_its_neighbour() {
    let scenario = Scenario::with([api(), worker()]).await;
    scenario
        .account
        .inject(Fault::denied(UPDATE).target("web/api"));

    let answer = scenario.changed("ssm:/app/db").await;

    assert_eq!(scenario.restarted(), ["web/worker"]);
    assert_eq!(
        (&answer["denied"], &answer["started"]),
        (&1.into(), &1.into()),
        "{answer:#}"
    );
    assert!(
        text(&line(&answer, "web/api")["error"])
            .contains("not authorized to perform: ecs:UpdateService")
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_that_ecs_rejects_is_not_made_again() {
    let scenario = Scenario::with([api()]).await;
    scenario.account.inject(Fault::error(
        UPDATE,
        "InvalidParameterException",
        "Not like this.",
        400,
    ));

    let answer = scenario.changed("ssm:/app/db").await;

    let reported = line(&answer, "web/api");
    assert_eq!(
        (&reported["result"], &reported["error"]),
        (
            &"failed".into(),
            &"InvalidParameterException: Not like this.".into()
        ),
        "{answer:#}"
    );
    assert_eq!(
        (scenario.number_of(UPDATE), reported.get("will_retry")),
        (1, None)
    );
}

#[tokio::test(start_paused = true)]
async fn a_service_deleted_between_its_description_and_the_call_is_inactive() {
    let scenario = Scenario::with([api()]).await;
    scenario.account.inject(Fault::error(
        UPDATE,
        "ServiceNotActiveException",
        "Service was not ACTIVE.",
        400,
    ));
    let event = scenario.write("ssm:/app/db");

    // The restart waits two seconds for the change to settle; the service is deleted in between.
    let (answer, ()) = tokio::join!(scenario.invoke(&event), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        scenario.owner.deletes("web/api").await;
    });

    assert_eq!(reason(&answer.unwrap()), "inactive");
}

#[tokio::test(start_paused = true)]
async fn a_direct_invocation_that_starts_nothing_is_an_error_of_a_stable_kind() {
    for (fault, kind) in [
        (Fault::denied("tag:GetResources"), "ListingFailed"),
        (Fault::throttled("tag:GetResources"), "ListingFailed"),
        (
            Fault::server_error("ecs:DescribeServices", 500),
            "NothingStarted",
        ),
        (Fault::throttled(UPDATE), "NothingStarted"),
        (Fault::server_error(UPDATE, 500), "NothingStarted"),
    ] {
        let scenario = Scenario::with([api()]).await;
        scenario.account.inject(fault.clone());
        let event = scenario.write("ssm:/app/db");

        let error = scenario.invoke(&event).await.unwrap_err();

        assert_eq!(error.kind(), kind, "{fault:?}");
        assert!(scenario.restarted().is_empty(), "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_direct_invocation_that_starts_something_is_no_error() {
    let scenario = Scenario::with([api(), worker()]).await;
    scenario
        .account
        .inject(Fault::throttled(UPDATE).target("web/api"));

    let answer = scenario.changed("ssm:/app/db").await;

    assert_eq!(
        (&answer["started"], &answer["throttled"]),
        (&1.into(), &1.into()),
        "{answer:#}"
    );
}
