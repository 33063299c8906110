//! What must wait goes through the queue, as one chain, and is done in the end.

use std::time::Duration;

use serde_json::{Value, json};
use sim::{AccountConfig, EventDelivery, Service, service};

use crate::support::{DEAD_LETTERS, QUEUE, Scenario, many, names_of_many};

const A_MINUTE: Duration = Duration::from_mins(1);
const AN_HOUR: Duration = Duration::from_hours(1);

fn api() -> Service {
    service("web/api").watching("ssm:/app/")
}

/// The times of day at which restarts of any service were started, to the second.
fn started(scenario: &Scenario) -> Vec<String> {
    let starts = scenario
        .lines("service")
        .into_iter()
        .filter(|line| line["result"] == "started");
    starts
        .map(|line| line["deployed_at"].as_str().unwrap()[..19].to_owned())
        .collect()
}

/// Each reason that was told, and at which level first and last.
pub(crate) fn told(scenario: &Scenario, reason: &str) -> Vec<Value> {
    scenario
        .lines("service")
        .into_iter()
        .filter(|line| line["reason"] == reason)
        .map(|line| line["level"].clone())
        .collect()
}

/// The messages in the queue that hold something, second looks apart.
fn holding(scenario: &Scenario) -> usize {
    scenario
        .account
        .messages(QUEUE)
        .iter()
        .filter(|body| !body.contains("except"))
        .count()
}

#[tokio::test(start_paused = true)]
async fn a_pause_until_an_instant_ends_in_a_restart_at_that_instant() {
    let scenario = Scenario::with([api().tag("reloader:pause", "2026-01-31T15:00:00Z")])
        .await
        .with_queue();

    scenario.account.put_parameter("/app/db");
    scenario.account.settle().await;

    assert_eq!(started(&scenario), ["2026-01-31T15:00:05"]);
    let levels = told(&scenario, "paused");
    assert!(
        levels[0] == "WARN" && levels[1..].iter().all(|level| level == "INFO"),
        "{levels:?}"
    );
    assert!(
        (15..40).contains(&levels.len()),
        "{} looks in five hours",
        levels.len()
    );
}

#[tokio::test(start_paused = true)]
async fn a_pause_until_its_tag_is_removed_never_ages() {
    let scenario = Scenario::set_to(
        [("RELOADER_HOLD_LIMIT", "1h")],
        [api().tag("reloader:pause", "true")],
    )
    .await
    .with_queue();

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(AN_HOUR * 30).await;
    let before = scenario.restarted().len();
    scenario.owner.untags("web/api", "reloader:pause").await;
    scenario.account.run_for(A_MINUTE * 6).await;

    assert_eq!(
        (before, scenario.restarted()),
        (0, vec!["web/api".to_owned()])
    );
    assert!(scenario.is_all_fresh().await);
}

#[tokio::test(start_paused = true)]
async fn a_window_holds_from_saturday_to_monday() {
    let window = api().tag("reloader:window", "Mon-Fri 02:00-04:00 Europe/Berlin");
    let scenario = Scenario::with([window]).await.with_queue();

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(AN_HOUR * 50).await;

    // The account's time begins on a Saturday.
    assert_eq!(started(&scenario), ["2026-02-02T01:00:05"]);
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

        let times: Vec<jiff::Timestamp> = started(&scenario)
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
    let levels = told(&scenario, "restart-budget");
    assert!(
        levels.iter().filter(|level| *level == "WARN").count() <= 4,
        "{levels:?}"
    );
    assert!(scenario.is_all_fresh().await);
}

#[tokio::test(start_paused = true)]
async fn what_settles_long_is_held() {
    let scenario = Scenario::set_to([("RELOADER_SETTLE", "60s")], [api()])
        .await
        .with_queue();

    scenario.account.put_parameter("/app/db");
    scenario.account.settle().await;

    assert_eq!(told(&scenario, "settling"), ["WARN"]);
    let starts = started(&scenario);
    assert!(
        starts.len() == 1
            && *starts[0] >= *"2026-01-31T10:02:01"
            && *starts[0] <= *"2026-01-31T10:02:20",
        "{starts:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_pipelines_deployment_is_waited_for() {
    let scenario = Scenario::set_to([("RELOADER_MIN_INTERVAL", "0s")], [api()])
        .await
        .with_queue();
    scenario.owner.deploys("web/api").await;
    scenario.account.run_for(Duration::from_secs(2)).await;

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(Duration::from_secs(20)).await;
    let held = told(&scenario, "deployment-in-progress");

    assert!(scenario.is_all_fresh().await);
    assert_eq!(
        (held, scenario.restarted()),
        (vec![json!("WARN")], vec!["web/api".to_owned()])
    );
    let deployments: Vec<_> = scenario
        .service("web/api")
        .history
        .iter()
        .map(|past| past.status)
        .collect();
    assert_eq!(deployments, ["SUCCESSFUL"; 3], "nothing was superseded");
}

#[tokio::test(start_paused = true)]
async fn a_rolling_deployment_that_never_ends_is_superseded_after_ten_minutes() {
    let slow = api().task_seconds(1200.0, 10.0, 10.0);
    let scenario = Scenario::set_to([("RELOADER_MIN_INTERVAL", "0s")], [slow])
        .await
        .with_queue();
    scenario.owner.deploys("web/api").await;

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(A_MINUTE * 12).await;

    let starts = started(&scenario);
    assert!(
        starts.len() == 1
            && *starts[0] >= *"2026-01-31T10:11:01"
            && *starts[0] <= *"2026-01-31T10:11:30",
        "{starts:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_rollback_is_waited_for_and_its_service_then_restarted() {
    let bad = api()
        .reading(["ssm:/app/db"])
        .percent(50, 100)
        .failing_next(3)
        .circuit_breaker(true)
        .task_seconds(5.0, 60.0, 1.0);
    let scenario = Scenario::with([bad]).await.with_queue();
    scenario.owner.deploys("web/api").await;
    while scenario.service("web/api").history[0].status != "ROLLBACK_IN_PROGRESS" {
        scenario.account.run_for(Duration::from_secs(1)).await;
    }

    scenario.account.put_parameter("/app/db");

    assert!(scenario.is_all_fresh().await);
    let history: Vec<_> = scenario
        .service("web/api")
        .history
        .iter()
        .map(|past| past.status)
        .collect();
    assert!(history.contains(&"ROLLBACK_SUCCESSFUL"), "{history:?}");
    assert_eq!(scenario.restarted(), ["web/api"]);
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
async fn what_never_ends_is_abandoned_and_told_as_an_error() {
    let stuck = api().task_seconds(20.0, 10.0, 50_000.0);
    let variables = [
        ("RELOADER_HOLD_LIMIT", "2h"),
        ("RELOADER_MIN_INTERVAL", "0s"),
    ];
    let scenario = Scenario::set_to(variables, [stuck]).await.with_queue();
    for _ in 0..4 {
        scenario.owner.deploys("web/api").await;
        scenario.account.run_for(Duration::from_secs(3)).await;
    }

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(AN_HOUR * 3).await;

    let given_up: Vec<_> = scenario
        .lines("service")
        .into_iter()
        .filter(|line| line["result"] == "abandoned")
        .collect();
    assert_eq!(given_up.len(), 1);
    assert_eq!(
        (&given_up[0]["level"], &given_up[0]["reason"]),
        (&json!("ERROR"), &json!("too-many-deployments")),
        "{given_up:#?}"
    );
    assert!(scenario.metric("RestartsFailed").contains(&json!(1)));
    assert!(scenario.account.messages(QUEUE).is_empty() && scenario.restarted().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_new_change_is_not_abandoned_with_an_old_one() {
    let stuck = api().task_seconds(20.0, 10.0, 50_000.0);
    let scenario = Scenario::set_to(
        [
            ("RELOADER_HOLD_LIMIT", "2h"),
            ("RELOADER_MIN_INTERVAL", "0s"),
        ],
        [stuck],
    )
    .await
    .with_queue();
    for _ in 0..4 {
        scenario.owner.deploys("web/api").await;
        scenario.account.run_for(Duration::from_secs(3)).await;
    }

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(AN_HOUR + A_MINUTE * 50).await;
    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(AN_HOUR).await;
    let abandoned = |scenario: &Scenario| {
        scenario
            .lines("service")
            .iter()
            .filter(|line| line["result"] == "abandoned")
            .count()
    };
    let early = abandoned(&scenario);
    scenario.account.run_for(AN_HOUR + A_MINUTE * 10).await;

    assert_eq!((early, abandoned(&scenario)), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn what_is_written_all_the_time_is_restarted_all_the_same() {
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
async fn a_hold_is_one_chain_whatever_else_happens() {
    let paused = service("web/api")
        .watching("ssm:/app/db")
        .tag("reloader:pause", "true");
    let scenario = Scenario::with([paused]).await.with_queue();
    let wild = EventDelivery {
        delay: Duration::from_millis(200),
        jitter: Duration::from_mins(20),
        loss: 0.0,
        duplication: 1.0,
    };
    scenario.account.set_event_delivery(wild);

    for _ in 0..10 {
        scenario.account.put_parameter("/app/db");
        scenario.account.run_for(A_MINUTE * 7).await;
    }
    scenario.account.run_for(AN_HOUR).await;
    let before = scenario.lines("summary").len();
    let messages = holding(&scenario);
    scenario.account.run_for(AN_HOUR).await;

    assert_eq!(
        (messages, scenario.lines("summary").len() - before),
        (1, 12),
        "one message, each five minutes"
    );
}

#[tokio::test(start_paused = true)]
async fn a_service_tagged_a_moment_before_the_change_is_found_by_the_second_look() {
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
    let scenario = Scenario::build(config, [], ecs_reloader::report::Level::Info, services)
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
    assert_eq!(told(&scenario, "notify").len(), 1, "told once");
}

#[tokio::test(start_paused = true)]
async fn a_deployment_that_failed_for_this_change_is_told_and_not_tried_again() {
    let bad = api()
        .reading(["ssm:/app/db"])
        .circuit_breaker(true)
        .task_seconds(2.0, 2.0, 2.0);
    let scenario = Scenario::with([bad.failing_next(30)]).await.with_queue();

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(AN_HOUR * 2).await;

    assert_eq!(scenario.restarted(), ["web/api"]);
    assert_eq!(told(&scenario, "failed-already"), ["ERROR"]);
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
            .metric("RestartsFailed")
            .iter()
            .filter(|failed| **failed == 1)
            .count(),
        1
    );
}

#[tokio::test(start_paused = true)]
async fn a_day_without_the_function_makes_no_dead_letter_and_ages_nothing() {
    let paused = service("web/paused")
        .watching("ssm:/app/")
        .tag("reloader:pause", "2026-01-31T11:00:00Z");
    let scenario = Scenario::with([api(), paused]).await.with_queue();
    scenario.account.put_parameter("/app/a");
    scenario.account.run_for(A_MINUTE * 3).await;

    scenario.account.enable_mapping(QUEUE, false);
    scenario.account.put_parameter("/app/b");
    for _ in 0..26 {
        scenario.account.run_for(AN_HOUR).await;
        scenario.account.send(QUEUE, r#"{"sweep": {}}"#);
    }
    let meanwhile = scenario.restarted();
    scenario.account.enable_mapping(QUEUE, true);

    assert_eq!(meanwhile, ["web/api"]);
    assert!(scenario.is_all_fresh().await);
    assert_eq!(scenario.restarted(), ["web/api", "web/api", "web/paused"]);
    assert!(scenario.account.messages(DEAD_LETTERS).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_wish_that_is_held_is_done_when_it_may_be() {
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
async fn without_a_queue_a_hold_is_told_and_left_to_the_sweep() {
    let scenario = Scenario::with([api().tag("reloader:pause", "true")]).await;

    let answer = scenario.changed("ssm:/app/db").await;

    let told = answer["services"][0]["detail"].as_str().unwrap();
    assert!(told.contains("only the sweep takes it up"), "{told}");
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
    let told = scenario.lines("malformed")[0]["error"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        told.contains("deferred.version")
            && told.contains("a newer version of ecs-reloader sent this"),
        "{told}"
    );
}
