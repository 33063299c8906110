//! The log line of each change.

use std::time::Duration;

use ecs_reloader::report::Level;
use serde_json::{Value, json};
use sim::{Fault, service};

use crate::support::{DESCRIBE_TASK_DEFINITION, REQUEST_ID, Scenario, api, text};

#[tokio::test(start_paused = true)]
async fn each_change_has_one_line_however_many_services_it_affects() {
    let scenario = Scenario::with([api(), service("web/worker").watching("ssm:/app/db")]).await;
    scenario.write("ssm:/app/db");
    let at = scenario.account.now().as_second() + 1;

    scenario.changed("ssm:/app/db").await;

    let lines = scenario.lines("change");
    assert_eq!(lines.len(), 1);
    let mut fields = lines[0].as_object().unwrap().clone();
    let changed_at: jiff::Timestamp = fields
        .remove("changed_at")
        .unwrap()
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!(
        (at..=at + 1).contains(&changed_at.as_second()),
        "{changed_at}"
    );
    assert!(fields.remove("timestamp").is_some());
    let expected = json!({
        "level": "INFO", "message": "change", "request_id": REQUEST_ID,
        "key": "ssm:/app/db", "change": "written", "version": "2",
        "previous": "1", "changed_by": scenario.lines("service")[0]["changes"][0]["changed_by"],
        "event_id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718", "source": "aws.ssm", "affected": 2,
    });
    assert_eq!(Value::Object(fields), expected);
    assert!(text(&expected["changed_by"]).starts_with("arn:aws:"));
}

#[tokio::test(start_paused = true)]
async fn a_change_that_nobody_watches_has_a_line_at_debug_and_none_above() {
    for (level, expected) in [
        (Level::Trace, vec![json!(["DEBUG", "ssm:/other/db", 0])]),
        (Level::Debug, vec![json!(["DEBUG", "ssm:/other/db", 0])]),
        (Level::Info, vec![]),
        (Level::Error, vec![]),
    ] {
        let scenario = Scenario::at_level(level, [api()]).await;

        scenario.changed("ssm:/other/db").await;

        assert_eq!(
            scenario.change_fields(&["level", "key", "affected"]),
            expected,
            "{level:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_that_affects_a_service_has_its_line_at_every_level() {
    for (level, expected) in [
        (Level::Debug, "INFO"),
        (Level::Warn, "WARN"),
        (Level::Fatal, "FATAL"),
    ] {
        let scenario = Scenario::at_level(level, [api()]).await;

        scenario.changed("ssm:/app/db").await;

        assert_eq!(
            scenario.change_fields(&["level", "affected"]),
            [json!([expected, 1])],
            "{level:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_counts_the_services_with_mistakes_that_may_have_meant_it() {
    let wrong = service("web/api").watching("sms:/app/db");
    let scenario = Scenario::with([wrong, service("web/other").watching("ssm:/other/")]).await;

    scenario.changed("ssm:/app/db").await;
    scenario.changed("ssm:/app/db").await;

    let fields = json!(["INFO", "ssm:/app/db", 0, 1]);
    assert_eq!(
        scenario.change_fields(&["level", "key", "affected", "services_with_mistakes"]),
        [fields.clone(), fields]
    );
    assert_eq!(scenario.lines("mistake")[0]["service"], "web/api");
}

#[tokio::test(start_paused = true)]
async fn a_held_change_that_returns_is_not_reported_again() {
    for (level, again) in [(Level::Info, false), (Level::Debug, true)] {
        let paused = api().tag("reloader:pause", "true");
        let scenario = Scenario::at_level(level, [paused]).await.with_queue();

        scenario.change("ssm:/app/db");
        scenario.account.run_for(Duration::from_mins(8)).await;

        let levels = scenario.change_fields(&["level"]);
        assert!(
            scenario.lines("service").len() > 3,
            "{level:?}: it returned"
        );
        assert_eq!(
            (&levels[0], levels.len() > 1),
            (&json!(["INFO"]), again),
            "{level:?}: {levels:?}"
        );
        assert!(
            levels[1..].iter().all(|level| *level == json!(["DEBUG"])),
            "{levels:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_whose_watchers_cannot_be_listed_has_its_line_too() {
    let scenario = Scenario::with([api()]).await;
    scenario.account.inject(Fault::denied("tag:GetResources"));

    scenario
        .invoke(&scenario.write("ssm:/app/db"))
        .await
        .unwrap_err();

    assert_eq!(
        scenario.change_fields(&["level", "key", "affected"]),
        [json!(["INFO", "ssm:/app/db", null])]
    );
}

#[tokio::test(start_paused = true)]
async fn while_the_listing_fails_a_change_is_reported_once_and_once_more_with_its_watchers() {
    let scenario = Scenario::with([api()]).await.with_queue();
    let end = scenario.account.now() + Duration::from_mins(20);
    scenario
        .account
        .inject(Fault::throttled("tag:GetResources").until(end));

    scenario.change("ssm:/app/db");
    scenario.account.run_for(Duration::from_mins(40)).await;

    assert!(
        scenario
            .lines("summary")
            .iter()
            .filter(|line| line["error"].is_string())
            .count()
            > 2
    );
    assert_eq!(
        scenario.change_fields(&["level", "affected"]),
        [json!(["INFO", null]), json!(["INFO", 1])]
    );
}

#[tokio::test(start_paused = true)]
async fn a_change_counts_the_services_that_cannot_be_described_as_undecided() {
    let scenario = Scenario::with([api(), service("ops/cron").watching("auto")]).await;
    scenario
        .account
        .inject(Fault::denied("ecs:DescribeServices").target("web/api"));
    scenario
        .account
        .inject(Fault::denied(DESCRIBE_TASK_DEFINITION));

    scenario.changed("ssm:/app/db").await;

    assert_eq!(
        scenario.change_fields(&["level", "affected", "undecided"]),
        [json!(["INFO", 0, 2])]
    );
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_changes_has_lines_up_to_a_limit_and_a_count_of_the_rest() {
    let scenario = Scenario::with([]).await;
    let keys = |from: usize| {
        (from..from + 700)
            .map(|number| format!("ssm:/app/k{number}"))
            .collect::<Vec<_>>()
    };
    let record = |from: usize| {
        let body = json!({ "reload": { "changed": keys(from) } }).to_string();
        json!({
            "messageId": from.to_string(), "body": body, "eventSource": "aws:sqs",
            "attributes": { "SentTimestamp": "1769853600000" },
        })
    };

    scenario
        .invoke(&json!({ "Records": [record(0), record(700)] }))
        .await
        .unwrap();

    let left_out = scenario.lines("left out");
    assert_eq!((scenario.lines("change").len(), left_out.len()), (1000, 1));
    assert_eq!(
        (
            &left_out[0]["kind"],
            &left_out[0]["more"],
            &left_out[0]["level"]
        ),
        (&"change".into(), &400.into(), &"WARN".into())
    );
    assert!(
        scenario.log_text().len() < 400_000,
        "{}",
        scenario.log_text().len()
    );
}
