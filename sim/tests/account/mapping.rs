//! The queue, and the mapping that feeds the function from it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use sim::{Account, EventRule, EventSourceMapping, Function, Invocation, InvocationResult};

use crate::{account, call};

/// The invocations of a function: the time, in seconds since the test began, and the bodies.
type Seen = Arc<Mutex<Vec<(i64, Vec<String>)>>>;

fn records(invocation: &Invocation) -> Vec<Value> {
    let event: Value = serde_json::from_slice(&invocation.payload).unwrap();
    event["Records"].as_array().unwrap().clone()
}

/// A function that records its invocations, and answers as `answer` says.
fn noting(
    account: &Account,
    seen: &Seen,
    answer: impl Fn(&[Value]) -> InvocationResult + Send + Sync + 'static,
) -> Arc<dyn Function> {
    let start = account.now();
    let (account, seen) = (account.clone(), Arc::clone(seen));
    Arc::new(move |invocation: Invocation| {
        let records = records(&invocation);
        let bodies = records
            .iter()
            .map(|record| record["body"].as_str().unwrap().to_owned())
            .collect();
        seen.lock()
            .unwrap()
            .push((account.now().duration_since(start).as_secs(), bodies));
        std::future::ready(answer(&records))
    })
}

fn ok(_: &[Value]) -> InvocationResult {
    InvocationResult::Ok(Bytes::from_static(b"{\"batchItemFailures\":[]}"))
}

fn with_queue() -> Account {
    let account = account();
    account.add_queue("changes", Duration::from_mins(1), 3);
    account
}

#[tokio::test(start_paused = true)]
async fn the_window_gathers_a_burst_into_one_invocation() {
    let (account, seen) = (with_queue(), Seen::default());
    let mapping = EventSourceMapping {
        window: Duration::from_secs(20),
        ..EventSourceMapping::new("changes")
    };
    account.connect(mapping, noting(&account, &seen, ok));

    account.send("changes", "a");
    account.run_for(Duration::from_secs(15)).await;
    account.send("changes", "b");
    account.run_for(Duration::from_secs(15)).await;
    account.send("changes", "c");
    account.settle().await;

    assert_eq!(
        *seen.lock().unwrap(),
        [
            (20, vec!["a".to_owned(), "b".to_owned()]),
            (50, vec!["c".to_owned()])
        ]
    );
    assert!(account.messages("changes").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_full_batch_does_not_wait_for_the_window() {
    let (account, seen) = (with_queue(), Seen::default());
    let mapping = EventSourceMapping {
        batch_size: 2,
        maximum_concurrency: 10,
        ..EventSourceMapping::new("changes")
    };
    account.connect(mapping, noting(&account, &seen, ok));

    for body in ["a", "b", "c"] {
        account.send("changes", body);
    }
    account.settle().await;

    assert_eq!(
        *seen.lock().unwrap(),
        [
            (0, vec!["a".to_owned(), "b".to_owned()]),
            (5, vec!["c".to_owned()])
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn several_pollers_split_a_burst() {
    let (account, seen) = (with_queue(), Seen::default());
    let mapping = EventSourceMapping {
        pollers: 5,
        maximum_concurrency: 10,
        ..EventSourceMapping::new("changes")
    };
    account.connect(mapping, noting(&account, &seen, ok));

    for number in 0..20 {
        account.send("changes", &number.to_string());
    }
    account.settle().await;

    let seen = seen.lock().unwrap();
    assert!(seen.len() > 1, "{seen:?}");
    assert_eq!(
        seen.iter().map(|(_, bodies)| bodies.len()).sum::<usize>(),
        20
    );
}

#[tokio::test(start_paused = true)]
async fn no_more_invocations_run_at_once_than_allowed() {
    let account = with_queue();
    let running = Arc::new(Mutex::new((0_usize, 0_usize)));
    let function = {
        let running = Arc::clone(&running);
        move |_: Invocation| {
            let running = Arc::clone(&running);
            async move {
                {
                    let mut counts = running.lock().unwrap();
                    counts.0 += 1;
                    counts.1 = counts.1.max(counts.0);
                }
                tokio::time::sleep(Duration::from_secs(10)).await;
                running.lock().unwrap().0 -= 1;
                ok(&[])
            }
        }
    };
    let mapping = EventSourceMapping {
        batch_size: 1,
        pollers: 5,
        maximum_concurrency: 3,
        ..EventSourceMapping::new("changes")
    };
    account.connect(mapping, Arc::new(function));

    for number in 0..10 {
        account.send("changes", &number.to_string());
    }
    account.settle().await;

    assert_eq!(running.lock().unwrap().1, 3);
    assert!(account.messages("changes").is_empty());
    assert!(account.messages("changes-dead-letters").is_empty());
}

#[tokio::test(start_paused = true)]
async fn only_failed_items_of_a_batch_come_again() {
    let (account, seen) = (with_queue(), Seen::default());
    let answer = |records: &[Value]| {
        let bad = records.iter().filter(|record| {
            record["body"] == "bad" && record["attributes"]["ApproximateReceiveCount"] == "1"
        });
        let failures: Vec<_> = bad
            .map(|record| json!({ "itemIdentifier": record["messageId"] }))
            .collect();
        InvocationResult::Ok(Bytes::from(
            json!({ "batchItemFailures": failures }).to_string(),
        ))
    };
    account.connect(
        EventSourceMapping::new("changes"),
        noting(&account, &seen, answer),
    );

    account.send("changes", "good");
    account.send("changes", "bad");
    account.settle().await;

    assert_eq!(
        *seen.lock().unwrap(),
        [
            (5, vec!["good".to_owned(), "bad".to_owned()]),
            (65, vec!["bad".to_owned()])
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_response_that_makes_no_sense_fails_the_whole_batch() {
    for response in [
        r#"{"batchItemFailures":[{"itemIdentifier":"nobody"}]}"#,
        r#"{"batchItemFailures":[{"item":"x"}]}"#,
        "no JSON",
    ] {
        let (account, seen) = (with_queue(), Seen::default());
        let answer =
            move |_: &[Value]| InvocationResult::Ok(Bytes::from_static(response.as_bytes()));
        account.connect(
            EventSourceMapping::new("changes"),
            noting(&account, &seen, answer),
        );

        account.send("changes", "a");
        account.settle().await;

        assert_eq!(
            account.messages("changes-dead-letters"),
            ["a"],
            "{response}"
        );
        assert_eq!(seen.lock().unwrap().len(), 3, "{response}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_empty_response_is_success() {
    for response in ["", "null", "{}", r#"{"batchItemFailures":null}"#] {
        let account = with_queue();
        let answer =
            move |_: &[Value]| InvocationResult::Ok(Bytes::from_static(response.as_bytes()));
        account.connect(
            EventSourceMapping::new("changes"),
            noting(&account, &Seen::default(), answer),
        );

        account.send("changes", "a");
        account.settle().await;

        assert!(account.messages("changes").is_empty(), "{response}");
        assert!(
            account.messages("changes-dead-letters").is_empty(),
            "{response}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_fails_three_times_ends_as_a_dead_letter() {
    let (account, seen) = (with_queue(), Seen::default());
    account.connect(
        EventSourceMapping::new("changes"),
        noting(&account, &seen, |_| InvocationResult::Crashed),
    );

    account.send("changes", "poison");
    account.settle().await;

    let times: Vec<_> = seen.lock().unwrap().iter().map(|(time, _)| *time).collect();
    assert_eq!(
        times,
        [5, 65, 125],
        "again when its visibility time-out has passed"
    );
    assert_eq!(account.messages("changes-dead-letters"), ["poison"]);
}

#[tokio::test(start_paused = true)]
async fn a_function_is_dropped_at_its_deadline() {
    let account = with_queue();
    let mapping = EventSourceMapping {
        timeout: Duration::from_secs(30),
        ..EventSourceMapping::new("changes")
    };
    let function = |invocation: Invocation| async move {
        assert_eq!(
            (invocation.deadline - tokio::time::Instant::now()).as_secs(),
            30
        );
        std::future::pending().await
    };
    account.connect(mapping, Arc::new(function));

    account.send("changes", "a");
    account.settle().await;

    assert_eq!(account.messages("changes-dead-letters"), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_delayed_message_arrives_late() {
    let (account, seen) = (with_queue(), Seen::default());
    account.connect(
        EventSourceMapping::new("changes"),
        noting(&account, &seen, ok),
    );
    let url = "https://sqs.eu-west-1.amazonaws.com/123456789012/changes";

    let in_time = json!({ "QueueUrl": url, "MessageBody": "later", "DelaySeconds": 900 });
    let (status, sent) = call(&account, "AmazonSQS.SendMessage", in_time).await;
    let too_long = json!({ "QueueUrl": url, "MessageBody": "never", "DelaySeconds": 901 });
    let (refused, _) = call(&account, "AmazonSQS.SendMessage", too_long).await;
    account.settle().await;

    assert_eq!((status, refused), (200, 400));
    assert!(sent["MD5OfMessageBody"].is_string());
    assert_eq!(*seen.lock().unwrap(), [(905, vec!["later".to_owned()])]);
}

#[tokio::test(start_paused = true)]
async fn a_record_has_the_shape_that_lambda_gives_it() {
    let account = with_queue();
    let event = Arc::new(Mutex::new(Vec::new()));
    let function = {
        let event = Arc::clone(&event);
        move |invocation: Invocation| {
            event.lock().unwrap().extend(records(&invocation));
            std::future::ready(ok(&[]))
        }
    };
    account.connect(EventSourceMapping::new("changes"), Arc::new(function));
    account.add_rule(EventRule::parameters("changes"));

    account.put_parameter("/app/db");
    account.settle().await;

    let record = event.lock().unwrap()[0].clone();
    let fields: Vec<_> = record
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let expected = [
        "attributes",
        "awsRegion",
        "body",
        "eventSource",
        "eventSourceARN",
        "md5OfBody",
        "messageAttributes",
        "messageId",
        "receiptHandle",
    ];
    assert_eq!(fields, expected);
    assert_eq!(record["eventSource"], "aws:sqs");
    assert_eq!(
        record["eventSourceARN"],
        "arn:aws:sqs:eu-west-1:123456789012:changes"
    );
    assert_eq!(record["attributes"]["SentTimestamp"], "1769853600500");
    let body: Value = serde_json::from_str(record["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["source"], "aws.ssm");
}

#[tokio::test(start_paused = true)]
async fn messages_are_received_hidden_and_deleted_over_the_wire() {
    let account = with_queue();
    let url = "https://sqs.eu-west-1.amazonaws.com/123456789012/changes";
    let entries = json!([{ "Id": "1", "MessageBody": "a" }, { "Id": "2", "MessageBody": "" }]);
    let (_, sent) = call(
        &account,
        "AmazonSQS.SendMessageBatch",
        json!({ "QueueUrl": url, "Entries": entries }),
    )
    .await;
    assert_eq!(
        (&sent["Successful"][0]["Id"], &sent["Failed"][0]["Id"]),
        (&json!("1"), &json!("2"))
    );

    let receive = json!({ "QueueUrl": url, "MaxNumberOfMessages": 10 });
    let (_, received) = call(&account, "AmazonSQS.ReceiveMessage", receive.clone()).await;
    let (_, hidden) = call(&account, "AmazonSQS.ReceiveMessage", receive).await;
    assert_eq!(
        (&received["Messages"][0]["Body"], hidden.get("Messages")),
        (&json!("a"), None)
    );

    let (_, counted) = call(
        &account,
        "AmazonSQS.GetQueueAttributes",
        json!({ "QueueUrl": url, "AttributeNames": ["All"] }),
    )
    .await;
    assert_eq!(
        counted["Attributes"]["ApproximateNumberOfMessagesNotVisible"],
        "1"
    );

    let delete =
        json!({ "QueueUrl": url, "ReceiptHandle": received["Messages"][0]["ReceiptHandle"] });
    call(&account, "AmazonSQS.DeleteMessage", delete).await;
    assert!(account.messages("changes").is_empty());
    let (_, missing) = call(
        &account,
        "AmazonSQS.GetQueueUrl",
        json!({ "QueueName": "none" }),
    )
    .await;
    assert_eq!(missing["__type"], "com.amazonaws.sqs#QueueDoesNotExist");
}
