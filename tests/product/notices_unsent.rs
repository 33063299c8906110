//! Notices that the bus does not take: sent again, counted, and never in the way of a restart.

use std::time::Duration;

use serde_json::Value;
use sim::{Fault, Service};

use crate::support::{A_MINUTE, AN_HOUR, DEAD_LETTERS, QUEUE, Scenario, TIMEOUT, api, many, text};

const PUT: &str = "events:PutEvents";

fn quick() -> Service {
    api().task_seconds(10.0, 10.0, 10.0)
}

/// The sum of a metric.
fn sum(scenario: &Scenario, metric: &str) -> u64 {
    let values = scenario.metric(metric).into_iter();
    values.map(|value| value.as_u64().unwrap()).sum()
}

fn sorted(mut texts: Vec<String>) -> Vec<String> {
    texts.sort();
    texts
}

#[tokio::test(start_paused = true)]
async fn what_a_bus_refuses_is_counted_and_sent_again_when_it_takes_notices() {
    let scenario = Scenario::with_bus([quick()]).await;
    scenario.account.inject(Fault::denied(PUT));

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(A_MINUTE * 20).await;
    let (news, unsent) = (scenario.news(), sum(&scenario, "NoticesUnsent"));
    scenario.account.heal();
    scenario.account.run_for(A_MINUTE * 10).await;

    assert_eq!(scenario.restarted(), ["web/api"]);
    assert!(news.is_empty() && unsent >= 2, "{news:?} {unsent}");
    let expected = [
        "completed ssm:/app/db web/api",
        "started ssm:/app/db web/api",
    ];
    assert_eq!(sorted(scenario.news()), expected);
    assert_eq!(sum(&scenario, "NoticesSent"), 2);
    assert!(scenario.account.messages(QUEUE).is_empty());
    assert!(scenario.account.messages(DEAD_LETTERS).is_empty());
}

#[tokio::test(start_paused = true)]
async fn only_the_notices_that_the_bus_did_not_take_are_sent_again() {
    let variables = [("RELOADER_MAX_SERVICES", "1")];
    let scenario = Scenario::set_to_with_bus(variables, many(3, "ssm:/app/")).await;
    scenario
        .account
        .inject(Fault::first_entries_fail(3).times(1));
    scenario.account.enable_mapping(QUEUE, false);
    for number in 0..14 {
        scenario
            .account
            .put_parameter(&format!("/app/p{number:02}"));
    }
    scenario.account.run_for(A_MINUTE).await;

    scenario.account.enable_mapping(QUEUE, true);
    scenario.account.run_for(Duration::from_secs(20)).await;
    let at_once = scenario.notices().len();
    scenario.account.run_for(A_MINUTE * 10).await;

    assert_eq!(
        at_once, 11,
        "ten and four in two calls, without the first three"
    );
    assert_eq!(scenario.notices().len(), 14);
    let mut ids = sorted(scenario.notice_ids());
    ids.dedup();
    assert_eq!(ids.len(), 14, "each of them once");
    assert_eq!(sum(&scenario, "NoticesUnsent"), 3);
}

#[tokio::test(start_paused = true)]
async fn a_bus_that_hangs_delays_no_restart_and_no_answer_beyond_three_seconds() {
    let scenario = Scenario::with_bus([quick()]).await;
    scenario.account.inject(Fault::hang(PUT));
    scenario.account.enable_mapping(QUEUE, false);
    let event = scenario.write("ssm:/app/db");
    scenario.account.run_for(Duration::from_secs(10)).await;

    let began = scenario.account.now();
    let answer = scenario.invoke_within(TIMEOUT, &event).await.unwrap();
    let took = scenario.account.now().duration_since(began);

    assert_eq!(
        (&answer["started"], &answer["notices_unsent"]),
        (&1.into(), &1.into())
    );
    assert!(took.as_secs() <= 4, "{took:#}");
    scenario.account.heal();
    scenario.account.enable_mapping(QUEUE, true);
    scenario.account.run_for(A_MINUTE * 5).await;
    assert!(
        scenario
            .news()
            .contains(&"started ssm:/app/db web/api".to_owned())
    );
}

#[tokio::test(start_paused = true)]
async fn without_time_the_notices_go_to_the_queue() {
    let scenario = Scenario::with_bus([quick()]).await;
    scenario.account.inject(Fault::hang(PUT).times(1));
    scenario.account.enable_mapping(QUEUE, false);
    let event = scenario.write("ssm:/app/db");
    scenario.account.run_for(Duration::from_secs(10)).await;

    let short = Duration::from_secs(2);
    let answer = tokio::time::timeout(short, scenario.invoke_within(short, &event));
    let answer = answer.await.expect("before the deadline").unwrap();
    scenario.account.enable_mapping(QUEUE, true);
    scenario.account.run_for(A_MINUTE * 5).await;

    assert_eq!(answer["started"], 1);
    assert!(
        scenario
            .news()
            .contains(&"started ssm:/app/db web/api".to_owned())
    );
}

#[tokio::test(start_paused = true)]
async fn a_notice_that_neither_bus_nor_queue_takes_is_counted_and_the_restart_stays() {
    let scenario = Scenario::with_bus([quick()]).await;
    scenario.account.inject(Fault::denied(PUT));
    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(Duration::from_secs(15)).await;
    assert!(
        scenario
            .account
            .messages(QUEUE)
            .iter()
            .any(|body| body.contains("notices"))
    );
    scenario.account.inject(Fault::denied("sqs:SendMessage"));

    scenario.account.run_for(A_MINUTE * 2).await;
    scenario.account.heal();
    scenario.account.run_for(AN_HOUR).await;

    assert_eq!(scenario.restarted(), ["web/api"]);
    let started: Vec<_> = scenario.notices_of("started");
    assert!(!started.is_empty(), "SQS kept the message that carried it");
    assert!(scenario.account.messages(DEAD_LETTERS).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_notice_is_given_up_when_its_limit_is_over() {
    let variables = [("RELOADER_HOLD_LIMIT", "1h")];
    let scenario = Scenario::set_to_with_bus(variables, [quick()]).await;
    scenario.account.inject(Fault::denied(PUT));

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(AN_HOUR * 3).await;
    scenario.account.heal();
    scenario.account.run_for(AN_HOUR).await;

    assert_eq!(scenario.news(), [""; 0]);
    assert!(
        scenario.account.messages(QUEUE).is_empty(),
        "nothing travels for ever"
    );
}

#[tokio::test(start_paused = true)]
async fn services_that_cannot_be_listed_keep_no_notice_back() {
    let scenario = Scenario::with_bus([quick()]).await;
    scenario.account.inject(Fault::denied(PUT).times(1));
    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(Duration::from_secs(15)).await;
    scenario.account.inject(Fault::denied("tag:GetResources"));

    // A change comes in one batch with the notice, and the listing for it fails.
    scenario.account.enable_mapping(QUEUE, false);
    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(A_MINUTE).await;
    scenario.account.enable_mapping(QUEUE, true);
    scenario.account.run_for(AN_HOUR * 2).await;

    let started = scenario.notices_of("started");
    assert_eq!(started.len(), 1, "{:?}", scenario.news());
    let of_notices = |body: &&String| body.contains("\"notices\"");
    let dead = scenario.account.messages(DEAD_LETTERS);
    assert_eq!(dead.iter().find(of_notices), None);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_keys_at_once_make_no_thousand_calls() {
    let variables = [("RELOADER_MAX_SERVICES", "1")];
    let scenario = Scenario::set_to_with_bus(variables, many(2, "ssm:/app/")).await;
    scenario.account.enable_mapping(QUEUE, false);
    for number in 0..600 {
        scenario.account.put_parameter(&format!("/app/p{number}"));
    }
    scenario.account.run_for(A_MINUTE).await;

    scenario.account.enable_mapping(QUEUE, true);
    scenario.account.run_for(AN_HOUR).await;

    assert!(scenario.number_of(PUT) <= 70, "{}", scenario.number_of(PUT));
    let notices = scenario.notices();
    let sent = u64::try_from(notices.len()).unwrap();
    assert_eq!(sent + sum(&scenario, "NoticesUnsent"), 600);
    assert!(
        notices
            .iter()
            .all(|notice: &Value| text(&notice["kind"]) == "refused")
    );
}
