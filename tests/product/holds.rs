//! Held changes go through the queue, as one chain, and are carried out in the end.

use std::time::Duration;

use ecs_reloader::report::Level;
use serde_json::json;
use sim::{AccountConfig, service};

use crate::support::{A_MINUTE, AN_HOUR, DEAD_LETTERS, QUEUE, Scenario, api, text};

#[tokio::test(start_paused = true)]
async fn a_pause_until_an_instant_ends_in_a_restart_at_that_instant() {
    let scenario = Scenario::with([api().tag("reloader:pause", "2026-01-31T15:00:00Z")])
        .await
        .with_queue();

    scenario.account.put_parameter("/app/db");
    scenario.account.settle().await;

    assert_eq!(scenario.starts(), ["2026-01-31T15:00:05"]);
    let levels = scenario.levels_of("paused");
    assert!(
        levels[0] == "WARN" && levels[1..].iter().all(|level| level == "INFO"),
        "{levels:?}"
    );
    assert!(
        (15..40).contains(&levels.len()),
        "planned {} times in five hours",
        levels.len()
    );
}

#[tokio::test(start_paused = true)]
async fn a_window_holds_from_saturday_to_monday() {
    let window = api().tag("reloader:window", "Mon-Fri 02:00-04:00 Europe/Berlin");
    let scenario = Scenario::with([window]).await.with_queue();

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(AN_HOUR * 50).await;

    // The account's time begins on a Saturday.
    assert_eq!(scenario.starts(), ["2026-02-02T01:00:05"]);
    assert_eq!(scenario.restarted(), ["web/api"]);
}

#[tokio::test(start_paused = true)]
async fn changes_within_the_least_interval_gather() {
    for (tag, seconds) in [(None, 300), (Some("90s"), 90)] {
        let service = tag.into_iter().fold(api(), |service, tag| {
            service.tag("reloader:min-interval", tag)
        });
        let scenario = Scenario::with([service]).await.with_queue();

        for place in 0..8 {
            scenario.account.put_parameter(&format!("/app/p{place}"));
            scenario.account.run_for(Duration::from_secs(10)).await;
        }
        scenario.account.settle().await;

        let times: Vec<jiff::Timestamp> = scenario
            .starts()
            .iter()
            .map(|time| format!("{time}Z").parse().unwrap())
            .collect();
        assert_eq!(times.len(), 2, "{times:?}");
        let between = times[1].duration_since(times[0]).as_secs();
        assert!((seconds..seconds + 20).contains(&between), "{between}");
        assert!(scenario.is_all_fresh().await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_writes_its_own_configuration_does_not_loop_and_recovers_by_itself() {
    let quick = api().task_seconds(2.0, 2.0, 2.0);
    let scenario = Scenario::set_to([("RELOADER_MIN_INTERVAL", "1m")], [quick])
        .await
        .with_queue();

    scenario.account.put_parameter("/app/db");
    let mut seen = 0;
    for _ in 0..(3 * 60) {
        scenario.account.run_for(A_MINUTE).await;
        let restarts = scenario.restarted().len();
        if restarts > seen {
            seen = restarts;
            scenario.account.put_parameter("/app/db");
        }
    }

    assert!(
        (12..=19).contains(&seen),
        "{seen} restarts in three hours, six an hour are allowed"
    );
    let levels = scenario.levels_of("restart-budget");
    assert!(
        levels.iter().filter(|level| *level == "WARN").count() <= 4,
        "{levels:?}"
    );
    assert!(scenario.is_all_fresh().await);
}

#[tokio::test(start_paused = true)]
async fn a_change_that_settles_long_is_held() {
    let scenario = Scenario::set_to([("RELOADER_SETTLE", "60s")], [api()])
        .await
        .with_queue();

    scenario.account.put_parameter("/app/db");
    scenario.account.settle().await;

    assert_eq!(scenario.levels_of("settling"), ["WARN"]);
    let starts = scenario.starts();
    assert!(
        starts.len() == 1
            && *starts[0] >= *"2026-01-31T10:02:01"
            && *starts[0] <= *"2026-01-31T10:02:20",
        "{starts:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_written_all_the_time_restarts_its_service_all_the_same() {
    let variables = [("RELOADER_SETTLE", "60s"), ("RELOADER_MIN_INTERVAL", "5m")];
    let scenario = Scenario::set_to(variables, [api()]).await.with_queue();

    for _ in 0..(30 * 6) {
        scenario.account.put_parameter("/app/db");
        scenario.account.run_for(Duration::from_secs(10)).await;
    }

    assert!(
        (4..=7).contains(&scenario.restarted().len()),
        "{:?}",
        scenario.restarted()
    );
}

#[tokio::test(start_paused = true)]
async fn a_service_tagged_a_moment_before_the_change_is_found_by_the_second_pass() {
    let config = AccountConfig {
        tag_index_lag: A_MINUTE,
        ..AccountConfig::default()
    };
    let services = [
        api(),
        service("web/new").reading(["ssm:/app/db"]),
        service("web/notify")
            .watching("ssm:/app/")
            .tag("reloader:mode", "notify"),
    ];
    let scenario = Scenario::build(config, [], Level::Info, services)
        .await
        .with_queue();

    scenario
        .owner
        .tags("web/new", "reloader:watch", "ssm:/app/")
        .await;
    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(A_MINUTE * 4).await;
    let first = scenario.restarted();

    assert_eq!(first, ["web/api"]);
    scenario.account.settle().await;
    assert_eq!(scenario.restarted(), ["web/api", "web/new"]);
    assert_eq!(scenario.levels_of("notify").len(), 1, "reported once");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_held_is_carried_out_when_its_hold_ends() {
    let scenario = Scenario::with([api().tag("reloader:pause", "2026-01-31T12:00:00Z")])
        .await
        .with_queue();

    let answer = scenario.reload(json!({ "services": ["web/api"] })).await;
    scenario.account.settle().await;

    assert_eq!(
        (&answer["held"], &answer["services"][0]["will_retry"]),
        (&json!(1), &json!(true)),
        "{answer:#}"
    );
    assert_eq!(scenario.restarted(), ["web/api"]);
}

#[tokio::test(start_paused = true)]
async fn without_a_queue_a_hold_is_reported_and_left_to_the_sweep() {
    let scenario = Scenario::with([api().tag("reloader:pause", "true")]).await;

    let answer = scenario.changed("ssm:/app/db").await;

    let detail = text(&answer["services"][0]["detail"]);
    assert!(detail.contains("only the sweep finds it again"), "{detail}");
    assert_eq!(answer["services"][0].get("will_retry"), None);
}

#[tokio::test(start_paused = true)]
async fn a_message_of_a_newer_version_ends_as_a_dead_letter() {
    let scenario = Scenario::with([api()]).await.with_queue();

    scenario.account.send(
        QUEUE,
        r#"{"deferred": {"version": 99, "not_before": "2026-01-31T10:00:00Z", "work": []}}"#,
    );
    scenario.account.settle().await;

    assert_eq!(scenario.account.messages(DEAD_LETTERS).len(), 1);
    let error = text(&scenario.lines("malformed")[0]["error"]).to_owned();
    assert!(
        error.contains("deferred.version")
            && error.contains("a newer version of ecs-reloader sent this"),
        "{error}"
    );
}
