//! Services that take a change one after the other, by their tags `reloader:order`.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use sim::{EventSourceMapping, Service, service};

use crate::support::{
    A_MINUTE, AN_HOUR, QUEUE, Scenario, UPDATE, completed_at, first_of, good_from_version, line,
    next_of, starts_of, text,
};

const QUIET: Duration = Duration::from_mins(1);
/// Work with a known end returns within this time after it.
const SOON: Duration = Duration::from_secs(30);

fn in_order() -> [Service; 2] {
    [first_of("ssm:/app/"), next_of("ssm:/app/")]
}

/// The last one started soon after the other had been complete for the quiet time.
fn assert_followed(scenario: &Scenario, before: &str, after: &str) {
    let (end, starts) = (completed_at(scenario, before), starts_of(scenario, after));
    let start = *starts.last().unwrap();
    assert!(
        start >= end + QUIET && start <= end + QUIET + SOON,
        "{before} was complete at {end}, {after} started at {starts:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_service_of_a_higher_order_starts_soon_after_the_lower_one_has_been_well_for_a_while() {
    let last = service("web/last")
        .watching("ssm:/app/")
        .tag("reloader:order", "7");
    let scenario = Scenario::with(in_order().into_iter().chain([last]))
        .await
        .with_queue();

    scenario.account.put_parameter("/app/db");

    assert!(scenario.is_all_fresh().await);
    assert_followed(&scenario, "web/first", "web/next");
    assert_followed(&scenario, "web/next", "web/last");
    assert_eq!(
        scenario.restarted(),
        ["web/first", "web/last", "web/next"],
        "each once"
    );
    let waiting = scenario.service_lines("reason", "waiting-for-order");
    assert!(
        text(&waiting[0]["detail"]).starts_with("web/first goes before it"),
        "{:#}",
        waiting[0]
    );
}

#[tokio::test(start_paused = true)]
async fn an_order_costs_no_call_more_when_the_change_comes() {
    let scenario = Scenario::with(in_order()).await;

    scenario.changed("ssm:/app/db").await;

    let mut ordered = scenario.actions();
    ordered.retain(|action| action != UPDATE);
    assert_eq!(
        ordered,
        [
            "tag:GetResources",
            "ecs:DescribeServices",
            "ssm:DescribeParameters",
            "tag:GetResources"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_lower_service_that_its_window_holds_until_monday_holds_the_higher_one_as_long() {
    let [first, next] = in_order();
    let first = first.tag("reloader:window", "Mon-Fri 02:00-04:00 Europe/Berlin");
    let scenario = Scenario::with([first, next]).await.with_queue();

    // The account's time begins on a Saturday.
    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(AN_HOUR * 38).await;
    let before = scenario.restarted();
    scenario.account.run_for(AN_HOUR * 2).await;

    assert!(before.is_empty());
    let start = starts_of(&scenario, "web/first")[0].to_string();
    assert!(start.starts_with("2026-02-02T01:00:"), "{start}");
    assert_followed(&scenario, "web/first", "web/next");
    assert!(scenario.service_lines("result", "abandoned").is_empty());
    assert!(scenario.is_all_fresh().await);
}

#[tokio::test(start_paused = true)]
async fn a_lower_service_without_an_end_is_waited_for_until_the_limit() {
    let [first, next] = in_order();
    let scenario = Scenario::set_to(
        [
            ("RELOADER_HOLD_LIMIT", "1h"),
            ("RELOADER_OUTCOME_DEADLINE", "24h"),
        ],
        [first.task_seconds(10.0, 1e6, 1.0), next],
    )
    .await
    .with_queue();

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(AN_HOUR * 3).await;

    let abandoned = scenario.service_lines("result", "abandoned");
    let names: Vec<_> = abandoned
        .iter()
        .map(|line| text(&line["service"]))
        .collect();
    assert!(names.contains(&"web/next"), "{names:?}");
    assert_eq!(scenario.restarted(), ["web/first"]);
}

#[tokio::test(start_paused = true)]
async fn a_version_that_failed_in_a_lower_service_reaches_no_higher_one() {
    let [first, next] = in_order();
    let scenario = Scenario::with([good_from_version(3, first), next])
        .await
        .with_queue();

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(AN_HOUR).await;
    let bad = scenario.restarted();
    let halted = scenario.first_line("reason", "order-halted");
    scenario.account.put_parameter("/app/db");

    assert!(scenario.is_all_fresh().await, "a newer change frees them");
    assert_eq!(bad, ["web/first"]);
    assert!(
        halted["decision"] == "refuse"
            && text(&halted["detail"]).contains("web/first, of order 0")
            && text(&halted["detail"]).contains("circuit breaker"),
        "{halted:#}"
    );
    assert_eq!(scenario.restarted(), ["web/first", "web/first", "web/next"]);
    assert_followed(&scenario, "web/first", "web/next");
}

#[tokio::test(start_paused = true)]
async fn the_second_of_two_versions_fails_while_the_message_of_the_first_one_still_travels() {
    // The time of an object is not read again: there the newest deployment alone decides.
    for term in ["ssm:/app/db", "s3:config/app/db"] {
        let reading = |name: &str| {
            service(name)
                .watching(term)
                .reading([term])
                .task_seconds(10.0, 10.0, 10.0)
        };
        let first = reading("web/first")
            .failing_while_reading(term, 3..4)
            .circuit_breaker(true);
        let next = reading("web/next").tag("reloader:order", "1");
        let scenario = Scenario::set_to([("RELOADER_MIN_INTERVAL", "0s")], [first, next])
            .await
            .with_queue();

        scenario.change(term);
        while scenario.restarted().is_empty()
            || scenario.service("web/first").history[0].status != "SUCCESSFUL"
        {
            scenario.account.run_for(Duration::from_secs(1)).await;
        }
        scenario.change(term);
        scenario.account.run_for(AN_HOUR).await;
        let bad = starts_of(&scenario, "web/next");
        let halted = scenario.service_lines("reason", "order-halted").len();
        scenario.change(term);

        assert!(scenario.is_all_fresh().await, "{term}");
        assert_eq!(bad, [], "{term}: neither for the one nor for the other");
        assert!(halted >= 1, "{term}");
        assert_eq!(starts_of(&scenario, "web/next").len(), 1, "{term}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_version_that_the_lower_service_has_not_taken_yet_is_not_read_by_the_higher_one() {
    let [first, next] = in_order();
    let second_is_bad = first
        .failing_while_reading("ssm:/app/db", 3..4)
        .circuit_breaker(true);
    let scenario = Scenario::with([second_is_bad, next]).await.with_queue();

    scenario.account.put_parameter("/app/db");
    while scenario.restarted().is_empty()
        || scenario.service("web/first").history[0].status != "SUCCESSFUL"
    {
        scenario.account.run_for(Duration::from_secs(1)).await;
    }
    // The lower one is held for its least interval, while the higher one becomes free.
    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(AN_HOUR).await;

    assert_eq!(starts_of(&scenario, "web/next"), []);
    assert_eq!(starts_of(&scenario, "web/first").len(), 2);
    assert!(!scenario.service_lines("reason", "order-halted").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_halted_for_one_key_is_not_restarted_for_another() {
    let first = good_from_version(3, first_of("ssm:/app/"));
    let next = next_of("ssm:/app/ ssm:/web/").reading(["ssm:/app/db", "ssm:/web/url"]);
    let scenario = Scenario::with([first, next]).await.with_queue();

    scenario.account.put_parameter("/web/url");
    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(AN_HOUR).await;
    let bad = scenario.restarted();
    scenario.account.put_parameter("/app/db");

    assert!(scenario.is_all_fresh().await);
    assert_eq!(bad, ["web/first"], "a restart reads every key");
    assert_eq!(starts_of(&scenario, "web/next").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_returns_alone_from_its_least_interval_sees_the_lower_ones() {
    let interval = async |first: Service| {
        let next = next_of("ssm:/app/").tag("reloader:min-interval", "20m");
        let scenario = Scenario::with([first, next]).await.with_queue();
        scenario.owner.forces("web/next").await;
        scenario.account.run_for(A_MINUTE * 3).await;
        scenario.account.put_parameter("/app/db");
        scenario.account.run_for(AN_HOUR).await;
        assert!(!scenario.service_lines("reason", "min-interval").is_empty());
        let names = ["web/first", "web/next"];
        let started = |name: &&str| !starts_of(&scenario, name).is_empty();
        names.into_iter().filter(started).collect::<Vec<_>>()
    };

    let first = first_of("ssm:/app/");
    let failed = interval(good_from_version(3, first.clone())).await;
    let paused = interval(first.clone().tag("reloader:pause", "true")).await;
    let well = interval(first).await;

    assert_eq!(failed, ["web/first"]);
    assert!(paused.is_empty(), "{paused:?}");
    assert_eq!(well, ["web/first", "web/next"]);
}

#[tokio::test(start_paused = true)]
async fn a_sweep_in_the_middle_starts_nothing_before_its_turn() {
    let scenario = Scenario::with(in_order()).await.with_queue();

    scenario.account.put_parameter("/app/db");
    for _ in 0..12 {
        scenario.account.run_for(Duration::from_secs(15)).await;
        scenario.account.send(QUEUE, r#"{"sweep": {}}"#);
    }

    assert!(scenario.is_all_fresh().await);
    assert_followed(&scenario, "web/first", "web/next");
    assert_eq!(scenario.restarted(), ["web/first", "web/next"]);
}

#[tokio::test(start_paused = true)]
async fn sweeps_alone_repair_one_order_after_the_other_and_spare_those_after_a_failure() {
    let bad = |service: Service| good_from_version(3, service);
    for (is_bad, restarted) in [
        (false, vec!["web/first", "web/next"]),
        (true, vec!["web/first"]),
    ] {
        let [first, next] = in_order();
        let first = if is_bad { bad(first) } else { first };
        let scenario = Scenario::with([first, next]).await;

        scenario.account.run_for(AN_HOUR).await;
        scenario.account.put_parameter("/app/db");
        let mut answers = Vec::new();
        for _ in 0..3 {
            scenario.account.run_for(A_MINUTE * 30).await;
            answers.push(scenario.sweep().await);
        }

        assert_eq!(scenario.restarted(), restarted);
        assert_eq!(line(&answers[0], "web/next")["reason"], "waiting-for-order");
        if is_bad {
            assert_eq!(line(&answers[2], "web/next")["reason"], "order-halted");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn two_invocations_at_once_keep_the_order() {
    let mapping = EventSourceMapping {
        batch_size: 1,
        ..EventSourceMapping::new(QUEUE)
    };
    let scenario = Scenario::with(in_order()).await.with_processes(mapping, 2);
    scenario.disorder_events(Duration::from_secs(20));

    for _ in 0..3 {
        scenario.account.put_parameter("/app/db");
        scenario.account.run_for(Duration::from_secs(5)).await;
    }

    assert!(scenario.is_all_fresh().await);
    assert_followed(&scenario, "web/first", "web/next");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_names_a_halted_service_restarts_it_and_no_other() {
    let other = service("web/other")
        .watching("ssm:/app/")
        .tag("reloader:order", "1");
    let [first, next] = in_order();
    let services = [first.failing().circuit_breaker(true), next, other];
    let scenario = Scenario::with(services).await.with_queue();

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(AN_HOUR).await;
    let halted = scenario.service_lines("reason", "order-halted").len();
    let answer = scenario.reload(json!({ "services": ["web/next"] })).await;
    scenario.account.run_for(AN_HOUR).await;

    assert_eq!(halted, 2);
    assert_eq!(line(&answer, "web/next")["result"], "started");
    assert_eq!(scenario.restarted(), ["web/first", "web/next"]);
}

#[tokio::test(start_paused = true)]
async fn a_good_deployment_of_the_failed_service_frees_the_others_at_the_next_sweep() {
    let [first, next] = in_order();
    let first = first.failing_next(3).circuit_breaker(true);
    let scenario = Scenario::with([first, next]).await.with_queue();

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(AN_HOUR).await;
    let halted = starts_of(&scenario, "web/next");
    scenario.owner.forces("web/first").await;
    scenario.account.run_for(AN_HOUR).await;
    scenario.account.send(QUEUE, r#"{"sweep": {}}"#);

    assert!(scenario.is_all_fresh().await);
    assert_eq!(halted, Vec::<Timestamp>::new());
    assert_eq!(starts_of(&scenario, "web/next").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lower_service_without_progress_halts_the_others_at_the_deadline() {
    let [first, next] = in_order();
    let scenario = Scenario::set_to(
        [("RELOADER_OUTCOME_DEADLINE", "10m")],
        [first.failing_next(400), next],
    )
    .await
    .with_queue();

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(AN_HOUR).await;

    let halted = scenario.first_line("reason", "order-halted");
    assert!(
        text(&halted["detail"]).contains("has made no progress for 10m"),
        "{halted:#}"
    );
    assert_eq!(scenario.restarted(), ["web/first"]);
}
