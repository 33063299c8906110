//! Every file in `events/` decodes to the line that `events/decoded.txt` records; a file without a
//! line, and a line without a file, fail.

#![expect(clippy::unwrap_used, reason = "a test that cannot continue fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use ecs_reloader::domain::arn::AccountRegion;
use ecs_reloader::domain::change::Change;
use ecs_reloader::domain::queue::Queue;
use ecs_reloader::domain::request::Request;
use ecs_reloader::event::{Content, Manual, decode};
use jiff::Timestamp;
use serde_json::{Value, json};

const NOW: &str = "2026-01-31T12:00:00Z";

/// The queue of the records in `events/`.
fn own_queue() -> Option<Queue> {
    Queue::from_url("https://sqs.eu-west-1.amazonaws.com/123456789012/ecs-reloader")
}

fn line(payload: &str) -> String {
    let now: Timestamp = NOW.parse().unwrap();
    let inbox = decode(payload, now, own_queue().as_ref());
    let mut text = if inbox.from_queue {
        format!("queue of {}: ", inbox.messages.len())
    } else {
        String::new()
    };
    let messages = inbox.messages.iter().map(|message| {
        let contents: Vec<_> = message.contents.iter().map(in_words).collect();
        contents.join(", ")
    });
    text.push_str(&messages.collect::<Vec<_>>().join(" | "));
    text
}

fn in_words(content: &Content) -> String {
    match content {
        Content::Changed(change) => change_in_words(change),
        Content::Request(manual) => request_in_words(manual),
        Content::DeferredWork(work) => {
            let changes = work.changes.iter();
            let changes =
                changes.map(|change| format!("{} for {:?}", change_in_words(change), change.scope));
            let changes = changes.collect::<Vec<_>>().join(", ");
            format!(
                "deferred: not_before={} hops={} {changes} {:?} {:?}",
                work.not_before, work.hops, work.attempts, work.request
            )
        }
        Content::Sweep(sweep) => format!("sweep: repair={:?}", sweep.repair),
        Content::Ignored(ignored) => format!("ignored {:?}: {}", ignored.reason, ignored.event),
        Content::Malformed(malformed) => malformed.to_string(),
        Content::TooMuch => "too much".to_owned(),
    }
}

fn change_in_words(change: &Change) -> String {
    let Change {
        key,
        at,
        kind,
        version,
        etag,
        by,
        event,
        ..
    } = change;
    let mut text = format!("{kind:?} {key} t={at}");
    let perhaps = key.alternative().map(|other| other.to_string());
    for (name, value) in [
        ("perhaps", perhaps.as_deref()),
        ("version", version.as_deref()),
        ("etag", etag.as_deref()),
        ("by", by.as_deref()),
        ("event", Some(event.as_str())),
    ] {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            write!(text, " {name}={value}").unwrap();
        }
    }
    text
}

fn request_in_words(manual: &Manual) -> String {
    let home = AccountRegion::of_region("123456789012", "eu-west-1");
    let changes: Vec<_> = manual
        .changes(&home)
        .map(|change| change_in_words(&change))
        .collect();
    let Request {
        services,
        dry_run,
        max_services,
        reason,
        ..
    } = &manual.request;
    let services: Vec<_> = services.keys().map(ToString::to_string).collect();
    let reason = reason.as_deref();
    let reason = reason.map(|reason| format!(" reason={reason:?}"));
    format!(
        "asked: {changes:?} {services:?} dry_run={dry_run} max_services={max_services:?}{}",
        reason.unwrap_or_default()
    )
}

/// Words of serde and of Rust.
const WORDS_OF_RUST: [&str; 24] = [
    "u8",
    "u16",
    "u32",
    "u64",
    "usize",
    "i8",
    "i32",
    "i64",
    "f64",
    "struct",
    "tuple",
    "enum",
    "variant",
    "newtype",
    "unit",
    "map",
    "sequence",
    "boolean",
    "integer",
    "borrowed",
    "duplicate",
    "Some",
    "None",
    "Option",
];

/// The JSON pointers of a document's parts.
fn pointers(part: &Value, at: &str) -> Vec<String> {
    let inside = match part {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, part)| pointers(part, &format!("{at}/{}", name.replace('/', "~1"))))
            .collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .flat_map(|(index, part)| pointers(part, &format!("{at}/{index}")))
            .collect(),
        _ => Vec::new(),
    };
    [vec![at.to_owned()], inside].concat()
}

fn malformed(payload: &str) -> Vec<String> {
    let contents = decode(payload, NOW.parse().unwrap(), own_queue().as_ref())
        .messages
        .into_iter()
        .flat_map(|message| message.contents);
    let texts = contents.filter_map(|content| match content {
        Content::Malformed(malformed) => Some(malformed.to_string()),
        _ => None,
    });
    texts.collect()
}

#[test]
fn no_mistake_is_reported_in_the_words_of_rust() {
    let others = [
        json!(null),
        json!(true),
        json!(-1),
        json!(1.5),
        json!(1e300),
        json!(""),
        json!("x"),
        json!([]),
        json!([1, [2]]),
        json!({"x": {}}),
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("events");
    let files = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut mistakes = BTreeSet::new();
    for path in files.filter(|path| {
        path.extension()
            .is_some_and(|extension| extension == "json")
            && !path.ends_with("sqs-batch-of-thirty.json")
    }) {
        let text = std::fs::read_to_string(&path).unwrap();
        let document: Value = serde_json::from_str(&text).unwrap();
        for pointer in pointers(&document, "") {
            for other in &others {
                let mut changed = document.clone();
                *changed.pointer_mut(&pointer).unwrap() = other.clone();
                mistakes.extend(malformed(&changed.to_string()));
            }
        }
        // Members that occur twice, and a text that ends too early.
        mistakes.extend(malformed(&text.replacen(
            '{',
            r#"{"source": "a", "source": "b", "reload": {"dry_run": true, "dry_run": true},"#,
            1,
        )));
        mistakes.extend(malformed(
            &text.chars().take(text.len() / 2).collect::<String>(),
        ));
    }
    assert!(mistakes.len() > 100, "{}", mistakes.len());
    for text in mistakes {
        let words: BTreeSet<_> = text.split(|c: char| !c.is_ascii_alphanumeric()).collect();
        assert!(
            WORDS_OF_RUST.iter().all(|word| !words.contains(word)) && !text.contains("::"),
            "{text}"
        );
    }
}

#[test]
fn every_event_file_decodes_to_its_recorded_line() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("events");
    let files = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let files = files.filter(|path| {
        path.extension()
            .is_some_and(|extension| extension == "json")
    });
    let decoded: BTreeMap<_, _> = files
        .map(|path| {
            (
                path.file_name().unwrap().to_string_lossy().into_owned(),
                line(&std::fs::read_to_string(&path).unwrap()),
            )
        })
        .collect();
    let decoded = decoded.iter().fold(String::new(), |text, (file, line)| {
        text + file + "\n    " + line + "\n"
    });

    let recorded = std::fs::read_to_string(folder.join("decoded.txt")).unwrap_or_default();

    assert!(
        decoded == recorded,
        "events/decoded.txt differs; it should read:\n{decoded}"
    );
}

/// The clock, and the records of a queue, are an hour before every event of the files.
#[test]
fn no_source_changes_anything_in_the_future() {
    let clock: Timestamp = "2026-01-31T09:00:00.25Z".parse().unwrap();
    let latest: Timestamp = "2026-01-31T09:00:01Z".parse().unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("events");
    let mut changes = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let payload = std::fs::read_to_string(&path).unwrap();
        let sent_at = format!("\"{}\"", clock.as_millisecond());
        let payload = ["\"1769853601000\"", "\"1769853604000\""]
            .iter()
            .fold(payload, |payload, time| payload.replace(time, &sent_at));
        for content in decode(&payload, clock, own_queue().as_ref())
            .messages
            .into_iter()
            .flat_map(|message| message.contents)
        {
            let of_content = match content {
                Content::Changed(change) => vec![*change],
                Content::DeferredWork(work) => work.changes,
                Content::Request(manual) => manual.changes(&AccountRegion::default()).collect(),
                Content::Sweep(_)
                | Content::Ignored(_)
                | Content::Malformed(_)
                | Content::TooMuch => Vec::new(),
            };
            changes += of_content.len();
            for change in of_content {
                assert!(change.at <= latest, "{}: {change:?}", path.display());
            }
        }
    }
    assert!(changes > 40, "{changes}");
}
