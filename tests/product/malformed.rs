//! Payloads that are not what they should be: an error of one kind, and the next event works.

use std::fs;
use std::path::Path;

use sim::service;

use crate::support::{Scenario, TIMEOUT};

/// The files of `events/` that begin with `malformed-`, by name.
fn payloads() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("events");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let named = files.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), path));
    let malformed = named.filter(|(name, _)| name.starts_with("malformed-"));
    let mut payloads: Vec<_> = malformed.map(|(name, path)| (name, fs::read_to_string(path).unwrap())).collect();
    payloads.sort();
    assert!(payloads.len() >= 20, "{}", payloads.len());
    payloads
}

#[tokio::test(start_paused = true)]
async fn every_malformed_payload_is_told_as_such_and_the_next_event_works() {
    for (name, payload) in payloads() {
        let scenario = Scenario::with([service("web/api").watching("ssm:/app/")]).await;

        let answer = scenario.invoke_text(TIMEOUT, &payload).await;

        if payload.contains("\"eventSource\": \"aws:sqs\"") {
            let failed = answer.unwrap()["batchItemFailures"].as_array().unwrap().len();
            assert_eq!(failed, 1, "{name}: a queue keeps it until it is a dead letter");
        } else {
            assert_eq!(answer.unwrap_err().kind(), "MalformedEvent", "{name}");
        }
        assert!(scenario.actions().is_empty(), "{name}");
        assert_eq!((scenario.lines("malformed").len(), &scenario.metric("EventsMalformed")[0]), (1, &1.into()), "{name}");
        scenario.changed("ssm:/app/db").await;
        assert_eq!(scenario.restarted(), ["web/api"], "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_even_json_is_malformed_too() {
    for payload in ["", " ", "{", "{]", "nothing", "\u{0}", "{\"source\":", "{\"source\": \"aws.ssm\"", "{} {}", "true", "\"\""] {
        let scenario = Scenario::with([]).await;

        let error = scenario.invoke_text(TIMEOUT, payload).await.unwrap_err();

        assert_eq!(error.kind(), "MalformedEvent", "{payload:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn nesting_without_end_is_malformed_and_no_crash() {
    let scenario = Scenario::with([]).await;

    let error = scenario.invoke_text(TIMEOUT, &"{\"Records\":[".repeat(100_000)).await.unwrap_err();

    assert_eq!(error.kind(), "MalformedEvent");
}

#[tokio::test(start_paused = true)]
async fn the_error_says_where_and_what_was_expected_and_repeats_nothing() {
    let scenario = Scenario::with([]).await;
    let mut event = scenario.told("Update", "/app/db");
    event["detail"]["name"] = serde_json::json!({ "secret": "hunter2" });

    let error = scenario.invoke(&event).await.unwrap_err().to_string();

    assert_eq!(error, "malformed event at detail.name: expected a string");
    assert!(!scenario.log_text().contains("hunter2") && !error.contains("hunter2"));
}
