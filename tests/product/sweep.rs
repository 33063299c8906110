//! What no event told is found by comparing everything, and what is fresh is left alone.

use std::time::Duration;

use ecs_reloader::report::Level;
use serde_json::{Value, json};
use sim::{Account, AccountConfig, Fault, RateLimits, Service, service, task_definition};

use crate::support::{BUCKET, Scenario, line, reasons};

const AN_HOUR: Duration = Duration::from_hours(1);

pub(crate) async fn sweep(scenario: &Scenario) -> Value {
    scenario.invoke(&json!({ "sweep": {} })).await.unwrap()
}

/// A service that reads one thing of each kind and was deployed when they were an hour old.
fn fleet() -> Vec<Service> {
    vec![
        service("web/api").watching("ssm:/app/db"),
        service("web/files").watching("s3:config/app/"),
        service("web/shop").watching("secret:prod/db"),
        service("web/auto")
            .watching("auto")
            .referring(task_definition().secret("DB", "/app/url")),
    ]
}

pub(crate) async fn long_deployed() -> Scenario {
    let scenario = Scenario::with([]).await;
    scenario.account.put_parameter("/app/db");
    scenario.account.put_parameter("/app/url");
    scenario.account.put_object(BUCKET, "app/prod.env");
    scenario.account.put_secret("prod/db");
    scenario.account.run_for(AN_HOUR * 2).await;
    for service in fleet() {
        scenario.account.add(service);
    }
    scenario.account.run_for(AN_HOUR).await;
    scenario
}

fn change_all(account: &Account) {
    account.put_parameter("/app/db");
    account.put_parameter("/app/url");
    account.put_object(BUCKET, "app/prod.env");
    account.put_secret("prod/db");
}

#[tokio::test(start_paused = true)]
async fn a_fleet_deployed_long_ago_is_left_alone() {
    let scenario = long_deployed().await;

    let answer = sweep(&scenario).await;

    assert_eq!(
        (
            &answer["stale"],
            &answer["keys_swept"],
            &answer["not_compared"]
        ),
        (&0.into(), &4.into(), &0.into()),
        "{answer:#}"
    );
    assert!(answer["services"].as_array().unwrap().is_empty() && scenario.restarted().is_empty());
    assert_eq!(
        scenario.number_of("ecs:ListTasks"),
        0,
        "nothing looked stale"
    );
}

#[tokio::test(start_paused = true)]
async fn only_a_sweep_that_ran_to_its_end_is_a_heartbeat() {
    let scenario = Scenario::with([]).await;
    sweep(&scenario).await;
    assert_eq!(
        scenario.metric("SweepsCompleted"),
        [1],
        "nobody watches anything, and all of it was compared"
    );

    scenario.changed("ssm:/app/db").await;
    assert_eq!(
        scenario.metric("SweepsCompleted"),
        [1, 0],
        "a change is no sweep"
    );

    scenario.account.inject(Fault::denied("tag:GetResources"));
    assert!(scenario.invoke(&json!({ "sweep": {} })).await.is_err());
    assert_eq!(
        scenario.metric("SweepsCompleted"),
        [1, 0, 0],
        "who watches could not be listed"
    );
}

#[tokio::test(start_paused = true)]
async fn what_no_event_told_is_found_and_repaired() {
    let scenario = long_deployed().await;

    change_all(&scenario.account);
    scenario.account.run_for(Duration::from_mins(30)).await;
    let answer = sweep(&scenario).await;

    assert_eq!(
        (&answer["stale"], &answer["started"]),
        (&4.into(), &4.into()),
        "{answer:#}"
    );
    assert!(scenario.is_all_fresh().await);
    assert_eq!(scenario.metric("ServicesStale"), [4]);
    assert_eq!(sweep(&scenario).await["stale"], 0);
    assert_eq!(scenario.restarted().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn what_was_deployed_within_the_second_in_which_its_parameter_was_written_is_fresh() {
    let config = AccountConfig {
        scheduler_delay: Duration::ZERO,
        ..AccountConfig::default()
    };
    let scenario = Scenario::build(
        config,
        [],
        Level::Info,
        [service("web/api").watching("ssm:/app/db")],
    )
    .await;
    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(AN_HOUR).await;
    let begun = u64::try_from(scenario.account.now().subsec_millisecond()).unwrap();
    scenario
        .account
        .run_for(Duration::from_millis(1100 - begun))
        .await;
    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(Duration::from_millis(400)).await;
    scenario.account.force("web/api");
    scenario.account.run_for(AN_HOUR).await;

    let answer = sweep(&scenario).await;

    assert_eq!(
        (&answer["stale"], scenario.restarted().len()),
        (&0.into(), 1),
        "{answer:#}"
    );
}

#[tokio::test(start_paused = true)]
async fn metadata_ahead_of_the_clock_is_repaired_at_once() {
    let scenario = long_deployed().await;
    change_all(&scenario.account);
    scenario.account.run_for(Duration::from_mins(30)).await;
    scenario
        .account
        .set_metadata_clock_ahead(Duration::from_hours(6));

    let answer = sweep(&scenario).await;

    assert_eq!(
        (&answer["stale"], &answer["started"]),
        (&4.into(), &4.into()),
        "{answer:#}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_object_that_is_older_than_a_deployment_that_failed_is_looked_at() {
    let scenario = Scenario::with([]).await;
    scenario.account.put_object(BUCKET, "app/prod.env");
    scenario.account.put_parameter("/app/db");
    let files = service("web/files").watching("s3:config/app/ ssm:/app/db");
    scenario.account.add(
        files
            .circuit_breaker(false)
            .failing_when_reading("ssm:/app/db", 2),
    );
    scenario.account.run_for(AN_HOUR).await;
    scenario.account.put_object(BUCKET, "app/prod.env");
    scenario.account.run_for(AN_HOUR).await;
    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(Duration::from_secs(2)).await;
    scenario.account.force("web/files");
    scenario.account.run_for(AN_HOUR).await;

    let answer = sweep(&scenario).await;

    let told = line(&answer, "web/files");
    let keys: Vec<_> = told["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| change["key"].as_str().unwrap())
        .collect();
    assert_eq!(
        (told["reason"].as_str(), keys),
        (
            Some("failed-already"),
            vec!["ssm:/app/db", "s3:config/app/prod.env"]
        ),
        "{answer:#}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_changed_longer_ago_than_a_day_is_only_told() {
    let scenario = long_deployed().await;

    change_all(&scenario.account);
    scenario.account.run_for(AN_HOUR * 25).await;
    let answer = sweep(&scenario).await;

    assert_eq!(
        (&answer["stale"], &answer["started"]),
        (&4.into(), &0.into()),
        "{answer:#}"
    );
    let told = line(&answer, "web/api");
    assert_eq!(
        (&told["reason"], &told["would_be"]),
        (&json!("notify"), &json!("stale"))
    );
    assert!(
        told["detail"]
            .as_str()
            .unwrap()
            .contains("RELOADER_SWEEP_SINCE")
    );
}

#[tokio::test(start_paused = true)]
async fn one_that_shall_only_report_restarts_nothing() {
    for (setting, event) in [
        ("report", json!({ "sweep": {} })),
        ("repair", json!({ "sweep": { "repair": false } })),
    ] {
        let scenario = long_deployed().await.setting("RELOADER_SWEEP", setting);
        change_all(&scenario.account);
        scenario.account.run_for(Duration::from_mins(5)).await;

        let answer = scenario.invoke(&event).await.unwrap();

        assert_eq!(
            (&answer["stale"], &answer["started"]),
            (&4.into(), &0.into()),
            "{answer:#}"
        );
        assert!(
            reasons(&answer).values().all(|reason| reason == "notify"),
            "{answer:#}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_secret_whose_description_alone_changed_is_told_and_left_alone() {
    let scenario = long_deployed().await;

    scenario
        .owner
        .describes_secret("prod/db", "for the shop")
        .await;
    scenario.account.run_for(Duration::from_mins(5)).await;
    let answer = sweep(&scenario).await;

    assert_eq!(
        (
            &answer["started"],
            line(&answer, "web/shop")["reason"].as_str()
        ),
        (&0.into(), Some("notify")),
        "{answer:#}"
    );
    assert!(
        line(&answer, "web/shop")["detail"]
            .as_str()
            .unwrap()
            .contains("its current version was not"),
        "{answer:#}"
    );
    scenario.account.rotate_secret("prod/db");
    scenario.account.run_for(Duration::from_mins(5)).await;
    assert_eq!(sweep(&scenario).await["started"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_service_all_of_whose_tasks_are_younger_than_the_change_is_fresh() {
    let scenario = Scenario::with([service("web/api").watching("ssm:/app/db")]).await;
    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(Duration::from_mins(1)).await;
    for task in scenario.service("web/api").tasks {
        scenario.owner.stops_task("web", &task.id).await;
    }
    scenario.account.run_for(Duration::from_mins(3)).await;

    let answer = sweep(&scenario).await;

    assert_eq!(
        (&answer["stale"], scenario.restarted().len()),
        (&0.into(), 0),
        "{answer:#}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_compared_is_named_and_the_rest_is_swept() {
    let elsewhere = "arn:aws:ssm:us-east-1:123456789012:parameter/x";
    let services = [
        service("web/api").watching(&format!(
            "ssm:/app/db {elsewhere} appconfig:shop/production/flags"
        )),
        service("web/files").watching("s3:config/app/prod.env"),
    ];
    let scenario = Scenario::with(services).await;
    scenario.account.put_parameter("/app/db");
    scenario.account.put_object(BUCKET, "app/prod.env");
    scenario.account.run_for(Duration::from_mins(5)).await;
    scenario.account.inject(Fault::denied("s3:ListObjectsV2"));

    let answer = sweep(&scenario).await;

    let named = answer["sweep_errors"].to_string();
    for part in [
        elsewhere,
        "appconfig:shop/production/flags",
        "s3:config/app/prod.env",
        "AccessDenied",
    ] {
        assert!(named.contains(part), "{part}: {named}");
    }
    assert_eq!(
        (&answer["not_compared"], scenario.restarted()),
        (&3.into(), vec!["web/api".to_owned()])
    );
    assert_eq!(scenario.lines("not swept").len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_holds_too_much_is_named() {
    let scenario = Scenario::with([service("web/files").watching("s3:config/")]).await;
    for place in 0..10_001 {
        scenario.account.put_object(BUCKET, &format!("o{place:05}"));
    }

    let answer = sweep(&scenario).await;

    assert!(
        answer["sweep_errors"][0]
            .as_str()
            .unwrap()
            .contains("more than 10000 objects"),
        "{answer:#}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_hold_of_a_sweep_is_told_and_sent_nowhere() {
    let scenario = long_deployed().await.with_queue();
    scenario
        .owner
        .tags("web/api", "reloader:pause", "true")
        .await;
    scenario
        .account
        .enable_mapping(crate::support::QUEUE, false);
    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(Duration::from_mins(5)).await;
    let before = scenario.account.messages(crate::support::QUEUE).len();

    let answer = sweep(&scenario).await;

    assert_eq!(line(&answer, "web/api")["reason"], "paused");
    assert_eq!(
        scenario.account.messages(crate::support::QUEUE).len(),
        before
    );
}

#[tokio::test(start_paused = true)]
async fn a_thousand_services_and_three_thousand_keys_stay_inside_the_limits() {
    let config = AccountConfig {
        rate_limits: RateLimits::Documented,
        ..AccountConfig::default()
    };
    let things = |n: usize| {
        [
            format!("ssm:/p/{n}"),
            format!("secret:s{n}"),
            format!("s3:config/o{n}"),
        ]
    };
    let variables = [("RELOADER_MAX_SERVICES", "1000")];
    let scenario = Scenario::build(config, variables, ecs_reloader::report::Level::Info, []).await;
    for name in (0..1000).flat_map(things) {
        scenario.change(&name);
    }
    scenario.account.run_for(AN_HOUR * 2).await;
    for n in 0..1000 {
        scenario
            .account
            .add(service(&format!("web/s{n:03}")).watching(&things(n).join(" ")));
    }
    scenario.account.run_for(Duration::from_mins(1)).await;
    scenario.account.put_parameter("/p/7");

    let answer = sweep(&scenario).await;

    assert_eq!(
        (
            &answer["keys_swept"],
            &answer["not_compared"],
            &answer["stale"]
        ),
        (&3000.into(), &0.into(), &1.into()),
        "{answer:#}"
    );
    assert!(
        answer["elapsed_ms"].as_u64().unwrap() < 60_000,
        "{}",
        answer["elapsed_ms"]
    );
    let calls = [
        "tag:GetResources",
        "ecs:DescribeServices",
        "ssm:DescribeParameters",
        "secretsmanager:ListSecrets",
        "s3:ListObjectsV2",
    ];
    let calls: Vec<_> = calls
        .into_iter()
        .map(|action| scenario.number_of(action))
        .collect();
    println!("{calls:?} calls, {} ms", answer["elapsed_ms"]);
    assert_eq!(
        calls,
        [11, 101, 20, 10, 1000],
        "the ignored keys are asked for, and the one that is restarted is looked at once more"
    );
    let throttled = |call: &sim::Call| matches!(&call.result, sim::CallResult::Error(code) if code.contains("Throttl"));
    assert_eq!(
        scenario
            .account
            .calls()
            .iter()
            .filter(|call| throttled(call))
            .count(),
        0
    );
}

#[tokio::test(start_paused = true)]
async fn what_failed_already_keeps_nobody_waiting() {
    let bad = service("web/a")
        .watching("ssm:/app/db")
        .circuit_breaker(true)
        .failing_when_reading("ssm:/app/db", 1);
    let good = service("web/b").watching("ssm:/app/db");
    let scenario = Scenario::set_to([("RELOADER_MAX_IN_FLIGHT", "1")], [bad, good]).await;
    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(AN_HOUR).await;
    sweep(&scenario).await;
    scenario.account.run_for(AN_HOUR).await;

    let answer = sweep(&scenario).await;

    assert_eq!(
        (
            line(&answer, "web/a")["reason"].as_str(),
            line(&answer, "web/b")["result"].as_str()
        ),
        (Some("failed-already"), Some("started"))
    );
    assert_eq!(scenario.restarted(), ["web/a", "web/b"]);
}

#[tokio::test(start_paused = true)]
async fn a_key_whose_owner_wants_it_ignored_is_no_concern_of_the_sweep() {
    let scenario = long_deployed().await;
    scenario
        .account
        .tag_parameter("/app/db", "reloader:ignore", "true");

    change_all(&scenario.account);
    scenario.account.run_for(Duration::from_mins(30)).await;
    let answer = sweep(&scenario).await;

    assert_eq!(
        (&answer["stale"], &answer["started"]),
        (&3.into(), &3.into()),
        "{answer:#}"
    );
    assert!(!scenario.restarted().contains(&"web/api".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn where_it_cannot_be_told_which_keys_are_ignored_parameters_and_secrets_are_only_told() {
    let scenario = long_deployed().await;
    change_all(&scenario.account);
    scenario.account.run_for(Duration::from_mins(30)).await;
    scenario
        .account
        .inject(Fault::denied("tag:GetResources").target("ssm:parameter"));

    let answer = sweep(&scenario).await;

    assert_eq!(
        (&answer["stale"], scenario.restarted()),
        (&4.into(), vec!["web/files".to_owned()]),
        "{answer:#}"
    );
    assert!(
        answer["sweep_errors"][0]
            .as_str()
            .unwrap()
            .contains("which keys are ignored"),
        "{answer:#}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_limits_of_a_change_hold_for_the_sweep_too() {
    let fleet = |number: usize| {
        (0..number).map(|n| {
            service(&format!("web/s{n}"))
                .watching("ssm:/app/db")
                .task_seconds(20.0, 10.0, 600.0)
        })
    };
    let scenario = Scenario::set_to(
        [
            ("RELOADER_MAX_IN_FLIGHT", "2"),
            ("RELOADER_MIN_INTERVAL", "0s"),
        ],
        fleet(4),
    )
    .await;
    scenario.changed("ssm:/app/db").await;
    scenario.account.run_for(Duration::from_mins(1)).await;

    let in_flight = sweep(&scenario).await;

    assert_eq!(
        (
            scenario.restarted().len(),
            &in_flight["held"],
            &in_flight["still_stale"]
        ),
        (2, &2.into(), &2.into()),
        "{in_flight:#}"
    );

    let scenario = Scenario::set_to([("RELOADER_MAX_SERVICES", "3")], fleet(4)).await;
    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(Duration::from_mins(1)).await;

    let too_far = sweep(&scenario).await;

    assert_eq!(
        (scenario.restarted().len(), &too_far["refused"]),
        (0, &4.into()),
        "{too_far:#}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_rotation_moves_a_version_that_is_older_than_the_deployment() {
    let scenario = long_deployed().await;
    scenario.account.rotate_secret("prod/db");
    scenario.account.run_for(Duration::from_secs(3)).await;
    scenario.owner.forces("web/shop").await;
    scenario.account.run_for(Duration::from_mins(20)).await;

    let answer = sweep(&scenario).await;

    assert_eq!(
        (&answer["stale"], &answer["started"]),
        (&1.into(), &1.into()),
        "{answer:#}"
    );
}

#[tokio::test(start_paused = true)]
async fn many_prefixes_take_few_calls_and_a_prefix_hides_no_key_that_it_does_not_list() {
    let mut services: Vec<_> = (0..120)
        .map(|n| service(&format!("web/s{n}")).watching(&format!("ssm:/p{n}/")))
        .collect();
    services.push(service("web/all").watching("ssm:/"));
    services.push(service("web/bare").watching("ssm:bare s3:config/z"));
    services.push(service("web/objects").watching("s3:config/"));
    let scenario = Scenario::with(services[..120].to_vec()).await;
    (0..120).for_each(|n| _ = scenario.account.put_parameter(&format!("/p{n}/x")));
    scenario.account.run_for(Duration::from_mins(1)).await;

    let answer = sweep(&scenario).await;

    assert_eq!(
        (
            &answer["stale"],
            scenario.number_of("ssm:DescribeParameters")
        ),
        (&120.into(), 3),
        "{}",
        answer["sweep_errors"]
    );

    let scenario = Scenario::with(services[120..].to_vec()).await;
    scenario.account.put_parameter("bare");
    scenario.account.put_object(BUCKET, "z");
    (0..10_001).for_each(|n| _ = scenario.account.put_object(BUCKET, &format!("o{n:05}")));
    scenario.account.run_for(Duration::from_mins(1)).await;

    let answer = sweep(&scenario).await;

    assert_eq!(
        (&answer["stale"], &answer["not_compared"]),
        (&3.into(), &1.into()),
        "{}",
        answer["sweep_errors"]
    );
    let of_bare = &line(&answer, "web/bare")["changes"];
    assert_eq!(of_bare.as_array().unwrap().len(), 2, "{of_bare:#}");
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_a_parameters_name_hands_out_is_swept_as_that_secret() {
    let scenario = long_deployed().await;
    let by_name = task_definition().secret("DB", "/aws/reference/secretsmanager/prod/db");
    scenario
        .account
        .add(service("web/by-name").watching("auto").referring(by_name));
    let previous =
        task_definition().secret("DB", "/aws/reference/secretsmanager/prod/db:AWSPREVIOUS");
    scenario
        .account
        .add(service("web/previous").watching("auto").referring(previous));
    scenario
        .account
        .add(service("web/prefix").watching("ssm:/aws/reference/secretsmanager/prod/"));
    let proxied = service("web/proxied")
        .watching("auto")
        .service_connect_log_secret("token", "/aws/reference/secretsmanager/prod/db");
    scenario.account.add(proxied);
    scenario.account.run_for(AN_HOUR).await;

    scenario.account.put_secret("prod/db");
    scenario.account.run_for(Duration::from_mins(30)).await;
    let answer = sweep(&scenario).await;

    assert_eq!(
        (&answer["stale"], &answer["not_compared"]),
        (&5.into(), &0.into()),
        "{answer:#}"
    );
    assert!(scenario.is_all_fresh().await);
    assert_eq!(
        scenario.restarted(),
        [
            "web/by-name",
            "web/prefix",
            "web/previous",
            "web/proxied",
            "web/shop"
        ]
    );
}
