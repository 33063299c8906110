//! Limits of the sweep: stale services that it only reports, holds, and the number of its calls.

use std::time::Duration;

use ecs_reloader::report::Level;
use serde_json::json;
use sim::service;

use crate::support::{
    AN_HOUR, BUCKET, QUEUE, Scenario, change_all, documented_rates, line, long_deployed,
    names_of_many, reasons, text, throttled,
};

#[tokio::test(start_paused = true)]
async fn a_change_older_than_a_day_is_only_reported() {
    let scenario = long_deployed().await;

    change_all(&scenario.account);
    scenario.account.run_for(AN_HOUR * 25).await;
    let answer = scenario.sweep().await;

    assert_eq!(
        (&answer["stale"], &answer["started"]),
        (&4.into(), &0.into()),
        "{answer:#}"
    );
    let reported = line(&answer, "web/api");
    assert_eq!(
        (&reported["reason"], &reported["would_be"]),
        (&json!("notify"), &json!("stale"))
    );
    assert!(text(&reported["detail"]).contains("RELOADER_SWEEP_SINCE"));
}

#[tokio::test(start_paused = true)]
async fn a_sweep_that_only_reports_restarts_nothing() {
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
async fn a_hold_of_a_sweep_is_reported_and_sent_nowhere() {
    let scenario = long_deployed().await.with_queue();
    scenario
        .owner
        .tags("web/api", "reloader:pause", "true")
        .await;
    scenario.account.enable_mapping(QUEUE, false);
    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(Duration::from_mins(5)).await;
    let before = scenario.account.messages(QUEUE).len();

    let answer = scenario.sweep().await;

    assert_eq!(line(&answer, "web/api")["reason"], "paused");
    assert_eq!(scenario.account.messages(QUEUE).len(), before);
}

/// Services that watch three keys each, younger than the keys.
async fn a_thousand_services() -> Scenario {
    let keys = |n: usize| {
        [
            format!("ssm:/p/{n}"),
            format!("secret:s{n}"),
            format!("s3:config/o{n}"),
        ]
    };
    let variables = [("RELOADER_MAX_SERVICES", "1000")];
    let scenario = Scenario::build(documented_rates(), variables, Level::Info, []).await;
    (0..1000)
        .flat_map(keys)
        .for_each(|key| scenario.change(&key));
    scenario.account.run_for(AN_HOUR * 2).await;
    for (n, name) in names_of_many(1000).iter().enumerate() {
        let watching = service(name).watching(&keys(n).join(" "));
        scenario.account.add(watching);
    }
    scenario.account.run_for(Duration::from_mins(1)).await;
    scenario
}

#[tokio::test(start_paused = true)]
async fn a_thousand_services_and_three_thousand_keys_stay_inside_the_limits() {
    let scenario = a_thousand_services().await;
    scenario.account.put_parameter("/p/7");

    let answer = scenario.sweep().await;

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
        "the ignored keys are listed, and the restarted service is described once more"
    );
    assert_eq!(throttled(&scenario, None), 0);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_failed_already_keeps_nobody_waiting() {
    let bad = service("web/a")
        .watching("ssm:/app/db")
        .circuit_breaker(true)
        .failing_when_reading("ssm:/app/db", 1);
    let good = service("web/b").watching("ssm:/app/db");
    let scenario = Scenario::set_to([("RELOADER_MAX_IN_FLIGHT", "1")], [bad, good]).await;
    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(AN_HOUR).await;
    scenario.sweep().await;
    scenario.account.run_for(AN_HOUR).await;

    let answer = scenario.sweep().await;

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

    let in_flight = scenario.sweep().await;

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

    let too_far = scenario.sweep().await;

    assert_eq!(
        (scenario.restarted().len(), &too_far["refused"]),
        (0, &4.into()),
        "{too_far:#}"
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

    let answer = scenario.sweep().await;

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

    let answer = scenario.sweep().await;

    assert_eq!(
        (&answer["stale"], &answer["not_compared"]),
        (&3.into(), &1.into()),
        "{}",
        answer["sweep_errors"]
    );
    let of_bare = &line(&answer, "web/bare")["changes"];
    assert_eq!(of_bare.as_array().unwrap().len(), 2, "{of_bare:#}");
}
