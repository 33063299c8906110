//! The summary, the lines of services, and the metrics of one invocation.

use std::collections::BTreeSet;

use ecs_reloader::report::Level;
use serde_json::{Value, json};

use crate::support::{REQUEST_ID, Scenario, api, line, one_change, text};

/// Lines of the embedded metric format.
fn metrics(scenario: &Scenario) -> Vec<Value> {
    scenario
        .log()
        .into_iter()
        .filter(|line| line.get("_aws").is_some())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn the_summary_is_one_flat_line_of_counts() {
    let (scenario, _) = one_change(Level::Info).await;

    let summaries = scenario.lines("summary");
    assert_eq!(summaries.len(), 1);
    let summary = summaries[0].as_object().unwrap();
    assert!(
        summary
            .values()
            .all(|value| !value.is_object() && !value.is_array()),
        "{summary:#?}"
    );
    let expected = json!({
        "message": "summary", "request_id": REQUEST_ID, "version": 1, "level": "ERROR",
        "messages": 1, "changes": 1, "ignored": 0, "malformed": 0, "watching": 4, "affected": 4,
        "restarts": 2, "started": 1, "skipped": 1, "held": 0, "refused": 1, "throttled": 0,
        "out_of_time": 0, "denied": 1, "failed": 0, "mistakes": 2, "redelivered": 0,
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(summary.get(name), Some(value), "{name}");
    }
    assert!(
        text(&summary["timestamp"])
            .parse::<jiff::Timestamp>()
            .is_ok()
    );
    assert!(summary["elapsed_ms"].as_u64().unwrap() >= 2000);
}

#[tokio::test(start_paused = true)]
async fn summary_service_and_metric_lines_pass_lambdas_filter_at_every_level() {
    let order = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
    let place = |level: &Value| order.iter().position(|known| *level == *known).unwrap();
    for (level, least) in [
        (Level::Trace, 0),
        (Level::Info, 2),
        (Level::Warn, 3),
        (Level::Error, 4),
        (Level::Fatal, 5),
    ] {
        let (scenario, _) = one_change(level).await;

        assert_eq!(
            (
                scenario.lines("summary").len(),
                scenario.lines("service").len()
            ),
            (1, 4),
            "{level:?}"
        );
        for line in scenario
            .lines("summary")
            .iter()
            .chain(&scenario.lines("service"))
        {
            assert!(place(&line["level"]) >= least, "{level:?}: {line:#}");
            assert_eq!(line["request_id"], REQUEST_ID);
            assert!(line["timestamp"].is_string());
        }
        for line in metrics(&scenario) {
            assert!(
                line.get("level").is_none_or(|level| place(level) >= least),
                "{level:?}: {line:#}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_line_of_a_service_holds_all_that_was_done_and_why() {
    let (scenario, answer) = one_change(Level::Info).await;

    let lines = scenario.lines("service");
    let of = |name: &str| lines.iter().find(|line| line["service"] == name).unwrap();
    let started = of("web/api");
    assert_eq!(
        (&started["decision"], &started["reason"], &started["result"]),
        (&"restart".into(), &"stale".into(), &"started".into())
    );
    assert_eq!(
        started["deployment"],
        scenario.service("web/api").deployments[0].id
    );
    assert_eq!(
        (
            &started["changes"][0]["key"],
            &started["changes"][0]["reason"]
        ),
        (&"ssm:/app/db".into(), &"stale".into())
    );
    assert_eq!(
        started["changes"][0]["event_id"],
        "6a7e8feb-b491-4cf7-a9f1-bf3703467718"
    );
    let denied = of("web/denied");
    assert_eq!(
        (&denied["result"], &denied["level"]),
        (&"denied".into(), &"ERROR".into())
    );
    assert_eq!(
        (&of("web/off")["level"], &of("web/wrong")["level"]),
        (&"INFO".into(), &"WARN".into())
    );
    for line_in_log in &lines {
        let mut fields = line_in_log.as_object().unwrap().clone();
        let head = ["timestamp", "level", "message", "request_id"];
        fields.retain(|name, _| !head.contains(&name.as_str()));
        assert_eq!(
            &Value::Object(fields.clone()),
            line(&answer, text(&fields["service"])),
            "the answer says the same"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn at_most_five_events_are_quoted_from_describe_services() {
    let scenario = Scenario::with([api()]).await;
    for key in ["ssm:/app/a", "ssm:/app/b", "ssm:/app/c"] {
        scenario.changed(key).await;
        scenario.account.settle().await;
    }

    let skipped = scenario
        .invoke(&scenario.parameter_event("Delete", "/app/a"))
        .await
        .unwrap();

    let quoted: Vec<_> = line(&skipped, "web/api")["ecs_events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["message"].clone())
        .collect();
    assert_eq!(quoted, scenario.service("web/api").events[..5]);
}

#[tokio::test(start_paused = true)]
async fn instants_are_as_precise_as_those_of_ecs() {
    let scenario = Scenario::with([api()]).await;

    let answer = scenario.changed("ssm:/app/db").await;

    let created_at = scenario.service("web/api").deployments[0]
        .created_at
        .round(jiff::Unit::Millisecond)
        .unwrap();
    assert_eq!(
        text(&line(&answer, "web/api")["deployed_at"]),
        created_at.to_string()
    );
}

#[tokio::test(start_paused = true)]
async fn metrics_are_lines_of_the_embedded_metric_format_with_few_dimensions() {
    let (scenario, _) = one_change(Level::Info).await;

    let metrics = metrics(&scenario);
    assert!(!metrics.is_empty());
    for line in &metrics {
        let now = u128::try_from(scenario.account.now().as_millisecond()).unwrap();
        assert!(u128::from(line["_aws"]["Timestamp"].as_u64().unwrap()).abs_diff(now) < 60_000);
        for directive in line["_aws"]["CloudWatchMetrics"].as_array().unwrap() {
            assert!((1..=1024).contains(&text(&directive["Namespace"]).len()));
            assert!((1..=100).contains(&directive["Metrics"].as_array().unwrap().len()));
            for metric in directive["Metrics"].as_array().unwrap() {
                assert!(line[text(&metric["Name"])].is_number(), "{line:#}");
                assert!(["Count", "Milliseconds"].contains(&text(&metric["Unit"])));
            }
            let names: BTreeSet<_> = directive["Dimensions"]
                .as_array()
                .unwrap()
                .iter()
                .flat_map(|set| set.as_array().unwrap())
                .filter_map(Value::as_str)
                .collect();
            assert!(
                names.is_subset(&BTreeSet::from(["FunctionName", "Reason"])),
                "{names:?}"
            );
            assert!(
                names.iter().all(|name| line[*name].is_string()),
                "dimension values stand in the root: {line:#}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn metrics_count_what_was_done() {
    let (scenario, _) = one_change(Level::Info).await;

    for (name, value) in [
        ("RestartsStarted", 1),
        ("RestartsFailed", 1),
        ("ServicesAffected", 4),
        ("Changes", 1),
        ("TagMistakes", 2),
    ] {
        assert_eq!(scenario.metric(name), [value], "{name}");
    }
    let mut reasons: Vec<_> = scenario
        .metric("Reason")
        .iter()
        .map(|code| code.as_str().unwrap().to_owned())
        .collect();
    reasons.sort();
    assert_eq!(reasons, ["invalid-tag", "off", "stale"]);
}

#[tokio::test(start_paused = true)]
async fn an_ignored_event_is_reported_with_its_reason() {
    let scenario = Scenario::with([]).await;

    let answer = scenario
        .invoke(&json!({ "Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "config" }))
        .await
        .unwrap();

    assert_eq!(
        (&answer["ignored"], &answer["ignored_events"][0]["reason"]),
        (&1.into(), &"test-event".into())
    );
    assert_eq!(
        (scenario.lines("ignored").len(), scenario.actions().len()),
        (1, 0)
    );
}
