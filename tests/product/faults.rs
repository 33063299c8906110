//! Calls that fail, hang, or take effect and lose their answer.

use std::time::Duration;

use futures_util::future::join;
use sim::{Fault, Hook, Service, Stage, service};
use tokio::time::sleep;

use crate::support::{Scenario, TIMEOUT, line, many, names_of_many, reason};

const UPDATE: &str = "ecs:UpdateService";

fn api() -> Service {
    service("web/api").watching("ssm:/app/")
}

#[tokio::test(start_paused = true)]
async fn a_call_that_had_no_effect_is_made_again_after_a_look() {
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
        // What was started may have been rolled back already: only the history would tell.
        let look = [
            "ecs:DescribeServices",
            UPDATE,
            "ecs:DescribeServices",
            "ecs:ListServiceDeployments",
            UPDATE,
        ];
        assert_eq!(on_ecs, look, "{fault:?}");
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
    let (told, deployment) = (
        line(&answer, "web/api"),
        scenario.service("web/api").history[0].deployment.clone(),
    );
    assert_eq!(
        (told["outcome"].as_str(), told["deployment"].as_str()),
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
        let told = line(&answer, "web/api");
        let deployment = scenario.service("web/api").deployments[0].id.clone();
        assert_eq!(
            (&told["result"], told["deployment"].as_str()),
            (&"started".into(), Some(deployment.as_str())),
            "{fault:?}: {answer:#}"
        );
        assert!(
            told["detail"].as_str().unwrap().contains("found"),
            "{answer:#}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_whose_answer_was_lost_is_told_whatever_its_owner_does_meanwhile() {
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

        let told = line(&answer, "web/api");
        assert_eq!(
            (told["result"].as_str(), told["deployment"].as_str()),
            (Some("started"), Some(deployment.as_str())),
            "{does}: {answer:#}"
        );
        assert!(
            told["detail"]
                .as_str()
                .unwrap()
                .contains("found by describing"),
            "{does}: {answer:#}"
        );
        assert_eq!(scenario.restarted(), ["web/api"], "{does}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_named_service_whose_answer_was_lost_is_not_restarted_twice_either() {
    let scenario = Scenario::with([api()]).await;
    scenario.account.inject(Fault::silent_after_effect(UPDATE));

    let answer = scenario
        .reload(serde_json::json!({ "services": ["web/api"] }))
        .await;

    assert_eq!(
        (scenario.restarted(), &answer["started"]),
        (vec!["web/api".to_owned()], &1.into()),
        "{answer:#}"
    );
}

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

    let told = &scenario.lines("service")[0];
    assert_eq!(
        (&told["reason"], &told["result"]),
        (&"stale".into(), &"out-of-time".into()),
        "{told:#}"
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
async fn what_could_not_be_started_is_counted_in_the_error_also_where_nothing_could_be_decided() {
    let scenario = Scenario::with([api(), service("web/worker").watching("ssm:/app/")]).await;
    scenario.account.inject(Fault::hang("ecs:DescribeServices"));
    let event = scenario.write("ssm:/app/db");

    let error = scenario.invoke(&event).await.unwrap_err();

    assert!(error.to_string().starts_with("none of 2 "), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_throttle_that_ends_in_time_is_survived() {
    let scenario = Scenario::with([api(), service("web/worker").watching("ssm:/app/")]).await;
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
        "a throttled call did nothing: a look holds for five seconds"
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

            // The tags are asked for twice: for services, and for keys to ignore.
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
            .invoke(&scenario.told("Update", "/app/db"))
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
    let told = line(&answer, "ops/cron");
    assert_eq!(told["result"], "denied", "{answer:#}");
    assert!(
        told["error"]
            .as_str()
            .unwrap()
            .contains("not authorized to perform: ecs:DescribeServices"),
        "{answer:#}"
    );
    assert_eq!(told.get("will_retry"), None, "asking again will not help");
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
async fn a_service_that_cannot_be_looked_at_again_is_not_restarted_on_an_old_look() {
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
        let told = line(&answer, late);
        assert_eq!(told["result"], "failed", "{answer:#}");
        assert!(
            told["error"]
                .as_str()
                .unwrap()
                .starts_with("DescribeServices"),
            "{answer:#}"
        );
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

#[tokio::test(start_paused = true)]
async fn a_denied_service_does_not_stop_its_neighbour() {
    let scenario = Scenario::with([api(), service("web/worker").watching("ssm:/app/")]).await;
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
        line(&answer, "web/api")["error"]
            .as_str()
            .unwrap()
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

    let told = line(&answer, "web/api");
    assert_eq!(
        (&told["result"], &told["error"]),
        (
            &"failed".into(),
            &"InvalidParameterException: Not like this.".into()
        ),
        "{answer:#}"
    );
    assert_eq!(
        (scenario.number_of(UPDATE), told.get("will_retry")),
        (1, None)
    );
}

#[tokio::test(start_paused = true)]
async fn a_service_deleted_between_the_look_and_the_call_is_inactive() {
    let scenario = Scenario::with([api()]).await;
    scenario.account.inject(Fault::error(
        UPDATE,
        "ServiceNotActiveException",
        "Service was not ACTIVE.",
        400,
    ));
    let event = scenario.write("ssm:/app/db");

    // The restart waits two seconds for the change to settle; the service goes in between.
    let (answer, ()) = tokio::join!(scenario.invoke(&event), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        scenario.owner.deletes("web/api").await;
    });

    assert_eq!(reason(&answer.unwrap()), "inactive");
}

#[tokio::test(start_paused = true)]
async fn where_nothing_could_be_started_a_direct_invocation_is_an_error_of_a_stable_kind() {
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
async fn where_something_was_started_a_direct_invocation_is_no_error() {
    let scenario = Scenario::with([api(), service("web/worker").watching("ssm:/app/")]).await;
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
