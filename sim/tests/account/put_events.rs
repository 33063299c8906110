//! `PutEvents`: limits, and entries that fail beside others that do not.

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::error::ProvideErrorMetadata;
use aws_sdk_eventbridge::operation::put_events::PutEventsOutput;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use serde_json::json;
use sim::{Account, Fault};

use crate::account;

fn entry(source: &str, detail: &str) -> PutEventsRequestEntry {
    PutEventsRequestEntry::builder()
        .event_bus_name("arn:aws:events:eu-west-1:123456789012:event-bus/own")
        .source(source)
        .detail_type("News")
        .detail(detail)
        .build()
}

/// The answer, or the code of the error.
async fn put(
    account: &Account,
    entries: Vec<PutEventsRequestEntry>,
) -> Result<PutEventsOutput, String> {
    let client = Client::new(&account.sdk_config());
    let answer = client.put_events().set_entries(Some(entries)).send().await;
    answer.map_err(|error| error.into_service_error().code().unwrap().to_owned())
}

fn codes(answer: &PutEventsOutput) -> Vec<Option<&str>> {
    answer
        .entries()
        .iter()
        .map(|entry| entry.error_code())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_bus_keeps_what_it_takes_and_says_of_each_entry_why_it_does_not_take_it() {
    let account = account();
    let entries = vec![
        entry("ours", r#"{"a": 1}"#),
        entry("aws.ssm", "{}"),
        entry("ours", "no object"),
        entry("", "{}"),
    ];

    let answer = put(&account, entries).await.unwrap();

    assert_eq!(answer.failed_entry_count(), 3);
    let expected = [
        None,
        Some("NotAuthorizedForSourceException"),
        Some("MalformedDetail"),
        Some("InvalidArgument"),
    ];
    assert_eq!(codes(&answer), expected);
    assert!(answer.entries()[0].event_id().is_some());
    let [taken] = &account.put_events()[..] else {
        panic!("{:?}", account.put_events());
    };
    assert_eq!((taken.bus.as_str(), taken.source.as_str()), ("own", "ours"));
    assert_eq!(taken.detail, json!({ "a": 1 }));
    assert_eq!(account.calls()[0].target, "own");
}

#[tokio::test(start_paused = true)]
async fn a_call_has_ten_entries_and_256_kib_at_most() {
    let account = account();
    let long = format!(r#"{{"a": "{}"}}"#, "x".repeat(200_000));

    let eleven = put(&account, vec![entry("ours", "{}"); 11]).await;
    let none = put(&account, Vec::new()).await;
    let too_long = put(&account, vec![entry("ours", &long); 2]).await;

    for refused in [eleven, none, too_long] {
        assert_eq!(refused.unwrap_err(), "ValidationException");
    }
    assert_eq!(account.put_events(), []);
    put(&account, vec![entry("ours", &long)]).await.unwrap();
    assert_eq!(account.put_events().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_fault_of_some_entries_leaves_the_others_alone() {
    let account = account();
    account.inject(Fault::first_entries_fail(2).times(2));
    let entry = |number: usize| entry("ours", &json!({ "number": number }).to_string());

    let partly = put(&account, (0..3).map(entry).collect()).await.unwrap();
    let none = put(&account, vec![entry(3)]).await.unwrap();
    put(&account, vec![entry(4)]).await.unwrap();

    let failed = Some("InternalFailure");
    assert_eq!(
        (partly.failed_entry_count(), none.failed_entry_count()),
        (2, 1)
    );
    assert_eq!(codes(&partly), [failed, failed, None]);
    let taken = account.put_events();
    let numbers: Vec<_> = taken
        .iter()
        .map(|event| event.detail["number"].clone())
        .collect();
    assert_eq!(numbers, [2, 4]);
}
