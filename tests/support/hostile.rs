//! The worst batches that a sender can make.

use serde_json::json;

/// A message that requests so many keys or services.
fn request(what: &str, number: usize, entry: impl Fn(usize) -> String) -> String {
    json!({ "reload": { what: (0..number).map(entry).collect::<Vec<_>>() } }).to_string()
}

/// As many copies of a message as 6 MB hold, each with an id of its own.
fn six_megabytes(message: impl Fn(usize) -> String) -> Vec<String> {
    let number = 5_700_000 / (message(0).len() * 11 / 10 + 260);
    (0..number.min(9_900)).map(message).collect()
}

/// Well-formed requests that need more time than an invocation has: thousands of short ones, and
/// lists that are just short enough.
pub(crate) fn batch_without_end() -> Vec<String> {
    let mut bodies = six_megabytes(|number| request("services", 1, |_| format!("c/s{number}")));
    let keys = six_megabytes(|number| {
        request("changed", 1000, |place| {
            format!("ssm:/app/{number}/{place}")
        })
    });
    let services =
        six_megabytes(|number| request("services", 1000, |place| format!("c{number}/s{place}")));
    bodies.truncate(bodies.len() / 2);
    bodies.extend(
        keys.iter()
            .take(keys.len() / 4)
            .chain(services.iter().take(services.len() / 4))
            .cloned(),
    );
    bodies
}

/// A notification of a thousand objects.
fn notification(number: usize) -> String {
    let record = |place: usize| {
        json!({
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "awsRegion": "eu-west-1",
            "eventTime": "2026-01-31T10:00:00Z",
            "eventName": "ObjectCreated:Put",
            "s3": {
                "bucket": { "name": "b" },
                "object": { "key": format!("{number}/{place}") },
            },
        })
    };
    json!({ "Records": (0..1000).map(record).collect::<Vec<_>>() }).to_string()
}

/// A message of a thousand changes for a hundred services.
fn deferred_work(number: usize) -> String {
    let change = |place: usize| {
        json!({
            "kind": "ssm",
            "path": format!("app/{number}/{place}"),
            "partition": "aws",
            "account": "123456789012",
            "region": "eu-west-1",
            "at": "2026-01-31T10:01:00Z",
            "change": "written",
            "event": "e",
        })
    };
    let names: Vec<_> = (0..100).map(|place| format!("c/s{place}")).collect();
    let work = json!([{ "changes": (0..1000).map(change).collect::<Vec<_>>(), "only": names }]);
    json!({ "deferred": { "version": 1, "not_before": "2026-01-31T10:01:00Z", "work": work } })
        .to_string()
}

/// Batches of about 6 MB, as large as Lambda hands over.
pub(crate) fn hostile_batches() -> Vec<(&'static str, Vec<String>)> {
    let unknown = |number: usize| {
        let record = |place| json!({ "eventSource": format!("{number}-{place}") });
        json!({ "Records": (0..1000).map(record).collect::<Vec<_>>() }).to_string()
    };
    let long = || {
        (0..6)
            .map(|_| request("changed", 100_000, |place| format!("ssm:/{place}")))
            .collect()
    };
    let deep = |number: usize| format!("{}{number}", "{\"Records\":[".repeat(20_000));
    vec![
        ("lists of keys that are too long", long()),
        (
            "lists of services that are too long",
            (0..6)
                .map(|_| request("services", 100_000, |place| format!("c/{place}")))
                .collect(),
        ),
        ("notifications", six_megabytes(notification)),
        ("records of nobody", six_megabytes(unknown)),
        ("deferred work", six_megabytes(deferred_work)),
        ("nesting", six_megabytes(deep)),
        ("no JSON", six_megabytes(|number| format!("{number}"))),
    ]
}
