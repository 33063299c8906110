//! End to end: from the change through EventBridge, the rules and the queue to the tasks.

use std::time::Duration;

use serde_json::{Value, json};
use sim::{EventSourceMapping, Fault, service};

use crate::support::{
    BUCKET, DEAD_LETTERS, QUEUE, Scenario, UPDATE, VISIBILITY, api, many, names_of_many, worker,
};

/// More than the visibility time-out and the batching window.
const A_ROUND: Duration = VISIBILITY.saturating_add(Duration::from_mins(1));

/// The summary lines of invocations that received more than deferred work: the count of each.
fn counts(scenario: &Scenario, name: &str) -> Vec<Value> {
    let received = scenario
        .lines("summary")
        .into_iter()
        .filter(|line| line["messages"] != line["deferred_received"]);
    received.map(|line| line[name].clone()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_write_ends_in_fresh_tasks_and_no_service_ever_has_too_few() {
    let scenario = Scenario::with([
        service("web/api")
            .watching("ssm:/app/db")
            .reading(["ssm:/app/db"])
            .desired(3),
        service("web/single")
            .watching("ssm:/app/")
            .reading(["ssm:/app/db"])
            .desired(1),
        service("web/tight")
            .watching("ssm:/app/")
            .reading(["ssm:/app/db"])
            .desired(4)
            .percent(50, 100),
        service("ops/cron")
            .watching("s3:config/app/")
            .reading(["s3:config/app/prod.yaml"]),
        service("ops/other").watching("ssm:/ops/"),
    ])
    .await
    .with_queue();

    scenario.account.put_parameter("/app/db");
    scenario.account.put_object(BUCKET, "app/prod.yaml");

    assert!(
        scenario.is_all_fresh().await,
        "{:?}",
        scenario.account.stale_tasks()
    );
    assert_eq!(
        scenario.restarted(),
        ["ops/cron", "web/api", "web/single", "web/tight"]
    );
    assert_eq!(counts(&scenario, "started"), [4]);
    assert!(scenario.account.messages(QUEUE).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_thirty_writes_makes_one_deployment_a_service() {
    let scenario = Scenario::with([
        api(),
        service("web/worker").watching("ssm:/app/ s3:config/"),
    ])
    .await
    .with_queue();

    for number in 0..15 {
        scenario.account.put_parameter(&format!("/app/p{number}"));
        scenario.account.put_object(BUCKET, "app/prod.yaml");
        scenario.account.run_for(Duration::from_millis(100)).await;
    }

    assert!(scenario.is_all_fresh().await);
    assert_eq!(scenario.restarted(), ["web/api", "web/worker"]);
    assert_eq!(counts(&scenario, "messages"), [30]);
}

#[tokio::test(start_paused = true)]
async fn duplicates_and_disorder_make_one_deployment() {
    let scenario = Scenario::with([api()]).await.with_queue();
    scenario.disorder_events(Duration::from_secs(20));

    for number in 0..10 {
        scenario.account.put_parameter(&format!("/app/p{number}"));
    }

    assert!(scenario.is_all_fresh().await);
    assert_eq!(scenario.restarted(), ["web/api"]);
    let all = |name: &str| {
        counts(&scenario, name)
            .iter()
            .filter_map(Value::as_u64)
            .sum::<u64>()
    };
    assert_eq!(all("messages") - all("deferred_received"), 20);
}

#[tokio::test(start_paused = true)]
async fn batches_that_are_worked_on_at_once_restart_a_service_at_most_once_each() {
    let scenario = Scenario::with([api()])
        .await
        .with_mapping(EventSourceMapping {
            pollers: 5,
            ..EventSourceMapping::new(QUEUE)
        });

    for number in 0..20 {
        scenario.account.put_parameter(&format!("/app/p{number}"));
    }

    assert!(scenario.is_all_fresh().await);
    let batches = counts(&scenario, "messages").len();
    assert!((2..20).contains(&batches), "{batches}");
    assert!(
        (1..=2).contains(&scenario.restarted().len()),
        "two invocations run at once: {:?}",
        scenario.restarted()
    );
}

#[tokio::test(start_paused = true)]
async fn a_bad_message_ends_as_a_dead_letter_and_its_neighbours_are_done() {
    let scenario = Scenario::with([api()]).await.with_queue();

    scenario.account.send(QUEUE, "no event at all");
    scenario.account.put_parameter("/app/db");

    assert!(scenario.is_all_fresh().await);
    assert_eq!(scenario.restarted(), ["web/api"]);
    assert_eq!(scenario.account.messages(DEAD_LETTERS), ["no event at all"]);
    assert_eq!(
        counts(&scenario, "messages"),
        [2, 1, 1, 1, 1],
        "the bad one comes five times, alone"
    );
    assert_eq!(counts(&scenario, "redelivered"), [1, 1, 1, 1, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_denied_service_is_not_tried_again_and_stops_nobody() {
    let scenario = Scenario::with([api(), worker()]).await.with_queue();
    scenario
        .account
        .inject(Fault::denied(UPDATE).target("web/api"));

    scenario.account.put_parameter("/app/db");
    scenario.account.settle().await;

    assert_eq!(scenario.restarted(), ["web/worker"]);
    assert_eq!(
        (
            counts(&scenario, "denied"),
            counts(&scenario, "redelivered")
        ),
        (vec![1.into()], vec![0.into()])
    );
    assert!(scenario.account.messages(DEAD_LETTERS).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_restart_throttled_until_the_end_returns_and_finished_ones_are_left_alone() {
    let scenario = Scenario::with([api(), worker()]).await.with_queue();
    scenario.throttle_restarts_of("web/api");

    scenario.account.put_parameter("/app/db");

    assert!(scenario.is_all_fresh().await);
    assert_eq!(scenario.account.restarted(), ["web/worker", "web/api"]);
    assert_eq!(
        (
            counts(&scenario, "throttled"),
            counts(&scenario, "redelivered")
        ),
        (vec![1.into()], vec![0.into()])
    );
}

#[tokio::test(start_paused = true)]
async fn a_restart_that_hangs_goes_back_to_the_queue_and_is_done_once_it_can_be() {
    let scenario = Scenario::with([api(), worker()]).await.with_queue();
    scenario
        .account
        .inject(Fault::hang(UPDATE).target("web/api"));

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(Duration::from_mins(5)).await;
    let first = scenario.account.restarted();
    scenario.account.heal();

    assert_eq!(first, ["web/worker"]);
    assert!(scenario.is_all_fresh().await);
    assert_eq!(scenario.account.restarted(), ["web/worker", "web/api"]);
}

#[tokio::test(start_paused = true)]
async fn only_the_changes_of_unfinished_services_return() {
    let scenario = Scenario::with([
        service("web/api").watching("ssm:/api/"),
        service("web/worker").watching("ssm:/worker/"),
    ])
    .await
    .with_queue();
    scenario.throttle_restarts_of("web/api");

    scenario.account.put_parameter("/worker/x");
    scenario.account.put_parameter("/api/x");
    scenario.account.run_for(Duration::from_mins(4)).await;

    let left = scenario
        .account
        .messages(QUEUE)
        .into_iter()
        .map(|body| serde_json::from_str::<Value>(&body).unwrap());
    let work: Vec<_> = left
        .flat_map(|body| body["deferred"]["work"].as_array().unwrap().clone())
        .collect();
    let work: Vec<_> = work
        .into_iter()
        .filter(|work| work["only"] == json!(["web/api"]))
        .collect();
    assert!(
        work.len() == 1 && work[0]["changes"].as_array().unwrap().len() == 1,
        "{work:#?}"
    );
    assert_eq!(work[0]["changes"][0]["path"], "api/x");
}

/// Two services, each with a key of its own, whose restarts are throttled, while nothing can be sent.
async fn throttled_and_unable_to_send() -> Scenario {
    let services = [
        service("web/api").watching("ssm:/api/"),
        service("web/worker").watching("ssm:/worker/"),
    ];
    let scenario = Scenario::with(services).await.with_queue();
    scenario.throttle_restarts_of("web/api");
    scenario.throttle_restarts_of("web/worker");
    let end = scenario.account.now() + Duration::from_mins(6);
    let fault = Fault::server_error("sqs:SendMessage", 500);
    scenario.account.inject(fault.until(end));
    scenario
}

#[tokio::test(start_paused = true)]
async fn a_change_whose_deferred_work_cannot_be_sent_is_redelivered() {
    let scenario = throttled_and_unable_to_send().await;

    scenario.account.put_parameter("/api/x");
    scenario.account.run_for(A_ROUND).await;

    assert_eq!(
        (counts(&scenario, "redelivered"), scenario.restarted()),
        (vec![1.into(), 0.into()], vec!["web/api".to_owned()])
    );
}

#[tokio::test(start_paused = true)]
async fn every_message_of_a_batch_whose_deferred_work_cannot_be_sent_is_redelivered() {
    let scenario = throttled_and_unable_to_send().await;

    scenario.account.put_parameter("/api/x");
    scenario.account.put_parameter("/worker/x");
    scenario.account.run_for(A_ROUND).await;

    assert_eq!(
        (counts(&scenario, "redelivered"), scenario.restarted()),
        (
            vec![2.into(), 0.into()],
            vec!["web/api".to_owned(), "web/worker".to_owned()]
        )
    );
}

#[tokio::test(start_paused = true)]
async fn when_the_listing_fails_all_changes_return_in_one_message_without_the_ignored_event() {
    let scenario = Scenario::with([api()]).await.with_queue();
    scenario
        .account
        .inject(Fault::server_error("tag:GetResources", 500));
    let ignored = scenario
        .parameter_event("LabelParameterVersion2", "/app/db")
        .to_string();

    scenario.account.send(QUEUE, &ignored);
    scenario.account.put_parameter("/app/a");
    scenario.account.put_parameter("/app/b");
    // Longer than the life of a message that is only redelivered.
    scenario.account.run_for(A_ROUND * 8).await;
    let left = scenario.account.messages(QUEUE);
    scenario.account.heal();
    scenario.account.run_for(Duration::from_mins(6)).await;

    assert_eq!(
        (
            left.len(),
            left[0].contains("app/a"),
            left[0].contains("app/b")
        ),
        (1, true, true),
        "{left:#?}"
    );
    assert_eq!(
        (
            scenario.restarted(),
            scenario.account.messages(DEAD_LETTERS).len()
        ),
        (vec!["web/api".to_owned()], 0)
    );
    assert!(scenario.is_all_fresh().await);
}

#[tokio::test(start_paused = true)]
async fn a_listing_that_fails_for_longer_than_the_hold_limit_ends_in_dead_letters() {
    let scenario = Scenario::set_to([("RELOADER_HOLD_LIMIT", "1h")], [api()])
        .await
        .with_queue();
    scenario
        .account
        .inject(Fault::server_error("tag:GetResources", 500));

    scenario.account.put_parameter("/app/a");
    scenario.account.run_for(Duration::from_hours(4)).await;

    assert_eq!(
        (
            scenario.account.messages(QUEUE).len(),
            scenario.account.messages(DEAD_LETTERS).len()
        ),
        (0, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_message_of_a_listing_that_never_works_ends_as_a_dead_letter_and_a_redrive_does_the_work()
{
    let scenario = Scenario::with([api()]).await.with_queue();
    scenario.account.inject(Fault::denied("tag:GetResources"));

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(A_ROUND * 6).await;
    let dead = scenario.account.messages(DEAD_LETTERS);
    scenario.account.heal();
    scenario.account.send(QUEUE, &dead[0]);

    assert_eq!(dead.len(), 1);
    assert!(scenario.is_all_fresh().await);
    assert_eq!(scenario.restarted(), ["web/api"]);
}

#[tokio::test(start_paused = true)]
async fn a_function_that_is_stopped_in_mid_rollout_restarts_nobody_twice() {
    let scenario = Scenario::with(many(60, "ssm:/app/")).await.with_queue();

    // The pace spreads sixty restarts over sixteen seconds; the process is lost in the middle of
    // them.
    let event = scenario.write("ssm:/app/db");
    let cut = tokio::time::timeout(Duration::from_secs(8), scenario.invoke(&event)).await;
    let before = scenario.restarted().len();

    assert!(cut.is_err() && (25..60).contains(&before), "{before}");
    assert!(scenario.is_all_fresh().await);
    assert_eq!(scenario.restarted(), names_of_many(60));
}
