//! Malformed payloads: an error of one kind, and the next event works.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{DEAD_LETTERS, QUEUE, Scenario, TIMEOUT, api, text};

/// The files of `events/` that begin with `malformed-`, by name.
fn payloads() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("events");
    let files = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let named = files.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), path));
    let malformed = named.filter(|(name, _)| name.starts_with("malformed-"));
    let mut payloads: Vec<_> = malformed
        .map(|(name, path)| (name, fs::read_to_string(path).unwrap()))
        .collect();
    payloads.sort();
    assert!(payloads.len() >= 20, "{}", payloads.len());
    payloads
}

#[tokio::test(start_paused = true)]
async fn every_malformed_payload_is_reported_as_such_and_the_next_event_works() {
    for (name, payload) in payloads() {
        let scenario = Scenario::with([api()]).await;

        let answer = scenario.invoke_text(TIMEOUT, &payload).await;

        if payload.contains("\"eventSource\": \"aws:sqs\"") {
            let failed = answer.unwrap()["batchItemFailures"]
                .as_array()
                .unwrap()
                .len();
            assert_eq!(
                failed, 1,
                "{name}: a queue keeps it until it is a dead letter"
            );
        } else {
            let error = answer.unwrap_err();
            assert_eq!(error.kind(), "MalformedEvent", "{name}");
            assert_eq!(
                format!("{error:?}"),
                format!("MalformedEvent: {error}"),
                "{name}: what Lambda's runtime writes into the log"
            );
        }
        assert!(scenario.actions().is_empty(), "{name}");
        assert_eq!(
            (
                scenario.lines("malformed").len(),
                &scenario.metric("EventsMalformed")[0]
            ),
            (1, &1.into()),
            "{name}"
        );
        scenario.changed("ssm:/app/db").await;
        assert_eq!(scenario.restarted(), ["web/api"], "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn text_that_is_not_even_json_is_malformed_too() {
    for payload in [
        "",
        " ",
        "{",
        "{]",
        "nothing",
        "\u{0}",
        "{\"source\":",
        "{\"source\": \"aws.ssm\"",
        "{} {}",
        "true",
        "\"\"",
    ] {
        let scenario = Scenario::with([]).await;

        let error = scenario.invoke_text(TIMEOUT, payload).await.unwrap_err();

        assert_eq!(error.kind(), "MalformedEvent", "{payload:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn nesting_without_end_is_malformed_and_no_crash() {
    let scenario = Scenario::with([]).await;

    let error = scenario
        .invoke_text(TIMEOUT, &"{\"Records\":[".repeat(100_000))
        .await
        .unwrap_err();

    assert_eq!(error.kind(), "MalformedEvent");
}

#[tokio::test(start_paused = true)]
async fn the_error_names_the_field_and_the_expectation_and_repeats_nothing() {
    let scenario = Scenario::with([]).await;
    let mut event = scenario.parameter_event("Update", "/app/db");
    event["detail"]["name"] = json!({ "secret": "hunter2" });

    let error = scenario.invoke(&event).await.unwrap_err().to_string();

    assert_eq!(error, "malformed event at detail.name: expected a string");
    assert!(!scenario.log_text().contains("hunter2") && !error.contains("hunter2"));
}

/// The line of the only malformed event, without the members with which every line begins.
fn malformed(scenario: &Scenario) -> Value {
    let mut lines = scenario.lines("malformed");
    assert_eq!(lines.len(), 1);
    let line = lines.remove(0);
    assert_eq!(line["level"], "ERROR");
    let kept = line.as_object().unwrap().iter().filter(|(name, _)| {
        !["timestamp", "level", "message", "request_id"].contains(&name.as_str())
    });
    Value::Object(
        kept.map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
    )
}

fn queued(message_id: &Value, body: &str) -> Value {
    let attributes = json!({ "SenderId": "AROAEXAMPLE:ci", "SentTimestamp": "1769853600000" });
    json!({ "Records": [{
        "messageId": message_id, "body": body, "attributes": attributes, "eventSource": "aws:sqs",
    }] })
}

#[tokio::test(start_paused = true)]
async fn a_malformed_line_names_message_sender_and_event_so_that_its_dead_letter_is_found() {
    let scenario = Scenario::with([]).await;
    let mut event = scenario.parameter_event("Update", "/app/db");
    event["detail"]["name"] = json!(5);

    scenario
        .invoke(&queued(&json!("m-1"), &event.to_string()))
        .await
        .unwrap();

    let expected = json!({
        "error": "malformed event at Records[0].body: detail.name: expected a string",
        "message_id": "m-1", "sender_id": "AROAEXAMPLE:ci",
        "event_id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718", "source": "aws.ssm",
        "detail_type": "Parameter Store Change",
    });
    assert_eq!(malformed(&scenario), expected);
}

#[tokio::test(start_paused = true)]
async fn the_readable_part_of_a_malformed_event_is_reported_and_no_more() {
    let record = json!({
        "eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
        "responseElements": { "x-amz-request-id": "C3D1" }, "s3": "hunter2",
    });
    let notification = json!({
        "Type": "Notification", "MessageId": "sns-1", "Message": r#"{"hunter2"#,
        "Timestamp": "2026-01-31T10:00:00Z",
    });
    let cut = r#"{"id": "e-1", "source": "aws.ssm", "detail": "hunter2", "detail-ty"#;
    for (body, expected) in [
        (
            json!({ "Records": [record] }).to_string(),
            json!(["C3D1", "aws:s3", "ObjectCreated:Put"]),
        ),
        (notification.to_string(), json!(["sns-1", "aws:sns", null])),
        (cut.to_owned(), json!(["e-1", "aws.ssm", null])),
        (r#""hunter2""#.to_owned(), json!([null, null, null])),
    ] {
        let scenario = Scenario::with([]).await;

        scenario
            .invoke(&queued(&json!("m-1"), &body))
            .await
            .unwrap();

        let line = malformed(&scenario);
        assert_eq!(
            json!([line["event_id"], line["source"], line["detail_type"]]),
            expected,
            "{body}"
        );
        assert_eq!(
            (&line["message_id"], &line["sender_id"]),
            (&"m-1".into(), &"AROAEXAMPLE:ci".into()),
            "{body}"
        );
        assert!(!scenario.log_text().contains("hunter2"), "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_that_is_unreadable_itself_is_named_too() {
    let scenario = Scenario::with([]).await;
    let mut event = queued(&json!("m-1"), "");
    event["Records"][0]["body"] = json!(5);

    scenario.invoke(&event).await.unwrap();

    let line = malformed(&scenario);
    assert_eq!(
        (&line["message_id"], &line["sender_id"]),
        (&"m-1".into(), &"AROAEXAMPLE:ci".into()),
        "{line:#}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_log_names_what_the_dead_letter_holds() {
    let scenario = Scenario::with([]).await.with_queue();
    let mut event = scenario.parameter_event("Update", "/app/db");
    event["detail"]["name"] = json!(null);

    scenario.account.send(QUEUE, &event.to_string());
    scenario.account.settle().await;

    let dead: Vec<Value> = scenario
        .account
        .messages(DEAD_LETTERS)
        .iter()
        .map(|body| serde_json::from_str(body).unwrap())
        .collect();
    let lines = scenario.lines("malformed");
    let ids: std::collections::BTreeSet<_> =
        lines.iter().map(|line| text(&line["message_id"])).collect();
    assert_eq!(
        (dead.len(), lines.len(), ids.len()),
        (1, 5, 1),
        "each of five attempts names the same message"
    );
    assert_eq!(
        (&lines[0]["event_id"], &lines[0]["sender_id"]),
        (&dead[0]["id"], &"123456789012".into())
    );
}

#[tokio::test(start_paused = true)]
async fn a_malformed_event_beside_a_good_one_has_its_names_in_the_answer() {
    let scenario = Scenario::with([]).await;
    let sns = |event: &Value| {
        let message = json!({ "MessageId": "sns-1", "Message": event.to_string() });
        json!({ "EventSource": "aws:sns", "Sns": message })
    };
    let good = scenario.parameter_event("Update", "/app/db");
    let mut bad = good.clone();
    bad["detail"] = json!({});

    let answer = scenario
        .invoke(&json!({ "Records": [sns(&good), sns(&bad)] }))
        .await
        .unwrap();

    let reported = &answer["malformed_events"][0];
    assert_eq!(
        (&reported["event_id"], &reported["source"]),
        (&good["id"], &"aws.ssm".into()),
        "{answer:#}"
    );
    assert_eq!(
        reported["error"],
        "malformed event at Records[1].Sns.Message: detail: expected the field `operation`"
    );
}
