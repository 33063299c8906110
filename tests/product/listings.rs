//! Listings that never end: page tokens that repeat, as `GetResources` has returned them, and
//! tokens that are always new.

use std::time::Duration;

use serde_json::{Value, json};
use sim::{Fault, service};

use crate::support::{
    CALLS, IGNORED, SERVICES, Scenario, TIMEOUT, api, line, number_about, reason, repeats_a_token,
    text, worker,
};

fn in_a_circle(scenario: &Scenario, action: &str, target: &str) {
    scenario
        .account
        .inject(Fault::tokens_in_a_circle(action).target(target));
}

#[tokio::test(start_paused = true)]
async fn services_listed_in_a_circle_are_restarted_and_count_once() {
    let two = [api(), worker()];
    let scenario = Scenario::set_to([("RELOADER_MAX_SERVICES", "2")], two).await;
    in_a_circle(&scenario, "tag:GetResources", SERVICES);

    let answer = scenario.changed("ssm:/app/db").await;

    assert_eq!(
        scenario.restarted(),
        ["web/api", "web/worker"],
        "{answer:#}"
    );
    assert_eq!(
        (
            &answer["watching"],
            number_about(&scenario, "tag:GetResources", SERVICES)
        ),
        (&2.into(), CALLS)
    );
    assert!(repeats_a_token(&answer["incomplete"]), "{answer:#}");
    let (summary, reported) = (
        &scenario.lines("summary")[0],
        &scenario.lines("incomplete")[0],
    );
    assert_eq!(
        (
            &summary["level"],
            &summary["incomplete_listings"],
            &reported["level"]
        ),
        (&"WARN".into(), &1.into(), &"WARN".into())
    );
    assert!(repeats_a_token(&reported["what"]), "{reported:#}");
    assert_eq!(scenario.metric("ListingsIncomplete"), [1]);
}

#[tokio::test(start_paused = true)]
async fn a_circle_that_lasts_keeps_nobody_waiting_behind_a_queue() {
    let scenario = Scenario::with([api()]).await.with_queue();
    in_a_circle(&scenario, "tag:GetResources", SERVICES);

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(Duration::from_mins(1)).await;

    assert_eq!(scenario.restarted(), ["web/api"]);
    assert!(scenario.is_all_fresh().await);
}

#[tokio::test(start_paused = true)]
async fn services_listed_without_end_are_an_error_at_half_the_time_and_are_listed_again_later() {
    let scenario = Scenario::with([api()]).await.with_queue();
    let lasts = Duration::from_mins(5);
    scenario.account.inject(
        Fault::tokens_without_end("tag:GetResources").until(scenario.account.now() + lasts),
    );

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(Duration::from_secs(70)).await;

    // The pace of one of two processes: six at once, then six a second.
    let calls = number_about(&scenario, "tag:GetResources", SERVICES);
    assert!(calls <= 6 + 6 * 58, "{calls}");
    let summary = &scenario.lines("summary")[0];
    assert!(
        text(&summary["error"]).starts_with("cannot list the services that watch"),
        "{summary:#}"
    );
    let took = Duration::from_millis(summary["elapsed_ms"].as_u64().unwrap());
    assert!(
        (Duration::from_secs(50)..TIMEOUT / 2).contains(&took),
        "{took:?}"
    );
    assert_eq!(
        summary["deferred_sent"], 1,
        "there was time to send the deferred work"
    );
    assert!(scenario.is_all_fresh().await);
    assert_eq!(scenario.restarted(), ["web/api"]);
}

#[tokio::test(start_paused = true)]
async fn ignored_keys_listed_in_a_circle_are_ignored() {
    let scenario = Scenario::with([
        service("web/api").watching("ssm:/app/db"),
        service("web/worker").watching("ssm:/app/url"),
    ])
    .await;
    scenario.account.put_parameter("/app/db");
    scenario
        .account
        .tag_parameter("/app/db", "reloader:ignore", "true");
    scenario.account.run_for(Duration::from_mins(1)).await;
    in_a_circle(&scenario, "tag:GetResources", IGNORED);

    let ignored = scenario.changed("ssm:/app/db").await;
    let other = scenario.changed("ssm:/app/url").await;

    assert_eq!(
        (reason(&ignored), scenario.restarted()),
        ("ignored-key".to_owned(), vec!["web/worker".to_owned()]),
        "{ignored:#}"
    );
    assert_eq!(ignored["lookups_failed"], 0);
    assert!(
        repeats_a_token(&line(&other, "web/worker")["changes"][0]["note"]),
        "{other:#}"
    );
    assert_eq!(
        number_about(&scenario, "tag:GetResources", IGNORED),
        CALLS,
        "the list is kept for a minute"
    );
}

#[tokio::test(start_paused = true)]
async fn parameters_described_in_a_circle_are_described() {
    let scenario = Scenario::with([api()]).await;
    scenario
        .account
        .inject(Fault::tokens_in_a_circle("ssm:DescribeParameters"));

    let answer = scenario.changed("ssm:/app/db").await;

    let change = &line(&answer, "web/api")["changes"][0];
    assert_eq!(
        (
            &change["version"],
            &change["note"],
            scenario.number_of("ssm:DescribeParameters")
        ),
        (&"1".into(), &Value::Null, CALLS)
    );
    assert_eq!(scenario.restarted(), ["web/api"]);
}

#[tokio::test(start_paused = true)]
async fn a_version_before_listed_in_a_circle_is_found() {
    let scenario = Scenario::with([service("web/shop").watching("secret:prod/db")]).await;
    let before = scenario.account.put_secret("prod/db");
    scenario.account.settle().await;
    let scenario = scenario.with_queue();
    scenario.account.inject(Fault::tokens_in_a_circle(
        "secretsmanager:ListSecretVersionIds",
    ));

    scenario.account.put_secret("prod/db");
    scenario.account.run_for(Duration::from_secs(30)).await;

    let change = &scenario.lines("service")[0]["changes"][0];
    assert_eq!(
        (&change["previous"], &change["note"]),
        (&json!(before), &Value::Null),
        "{change:#}"
    );
    assert_eq!(
        scenario.number_of("secretsmanager:ListSecretVersionIds"),
        CALLS
    );
    assert!(scenario.is_all_fresh().await);
}

#[tokio::test(start_paused = true)]
async fn a_history_that_ends_in_a_circle_blocks_no_restart() {
    let scenario = Scenario::with([api()]).await;
    scenario
        .account
        .inject(Fault::tokens_in_a_circle("ecs:ListServiceDeployments"));

    let answer = scenario.changed_a_while_ago("ssm:/app/db").await;

    assert_eq!(scenario.restarted(), ["web/api"], "{answer:#}");
    assert!(
        repeats_a_token(&line(&answer, "web/api")["detail"]),
        "{answer:#}"
    );
    assert_eq!(scenario.number_of("ecs:ListServiceDeployments"), CALLS);
}

#[tokio::test(start_paused = true)]
async fn a_failure_in_a_history_that_ends_in_a_circle_counts() {
    let bad = api()
        .circuit_breaker(true)
        .failing_when_reading("ssm:/app/db", 1);
    let scenario = Scenario::with([bad]).await;
    let written = scenario.account.now();
    scenario.changed("ssm:/app/db").await;
    scenario.account.run_for(Duration::from_hours(1)).await;
    scenario
        .account
        .inject(Fault::tokens_in_a_circle("ecs:ListServiceDeployments"));

    let answer = scenario
        .reload(json!({ "changed": ["ssm:/app/db"], "at": written }))
        .await;

    assert_eq!(
        (reason(&answer), scenario.restarted()),
        ("failed-already".to_owned(), vec!["web/api".to_owned()]),
        "{answer:#}"
    );
}
