//! Any batch of messages, with lists of any length, is read within its bounds, message by message.
//! Any deferred work that is read is written within the same bounds, and read again as it was.
//! Slow: it tries hundreds of batches a second, where the decoder alone is tried tens of thousands
//! of times.
#![no_main]

use std::collections::BTreeMap;

use ecs_reloader::domain::change::Scope;
use ecs_reloader::domain::deferred_work::DeferredWork;
use ecs_reloader::event::{Content, Inbox, decode};
use ecs_reloader::queue::encode;
use ecs_reloader::{now, own_queue};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};

/// Most entries of the messages of a batch.
const MOST_ENTRIES: usize = 20_000;

/// Bytes of the longest message that a queue takes.
const LARGEST: usize = 262_144;

/// Some more entries than are read of a list.
const MOST_TIMES: usize = 1_010;

const OWN: &str = "arn:aws:sqs:eu-west-1:123456789012:ecs-reloader";

fuzz_target!(|bytes: &[u8]| {
    // One list alone is long: otherwise a thousand times fewer batches would be tried.
    let lines = bytes.split(|byte| *byte == b'\n').enumerate();
    let bodies: Vec<_> = lines
        .map(|(index, line)| body(line, if index == 0 { MOST_TIMES } else { 8 }))
        .filter(|body| body.len() <= LARGEST)
        .collect();
    let inbox = read(&bodies);

    assert_eq!(inbox.messages.len(), bodies.len().max(1));
    let contents = || inbox.messages.iter().flat_map(|message| &message.contents);
    assert!(contents().map(weight).sum::<usize>() <= MOST_ENTRIES);
    for content in contents() {
        if let Content::DeferredWork(deferred) = content {
            assert_eq!(
                entries(&sent(deferred)),
                entries(std::slice::from_ref(deferred))
            );
        }
    }
});

/// Writes deferred work, and reads it again.
fn sent(deferred: &DeferredWork) -> Vec<DeferredWork> {
    let bodies = encode(deferred);
    let messages = bodies
        .iter()
        .flat_map(|body| read(std::slice::from_ref(body)).messages);
    let contents = messages.flat_map(|message| message.contents);
    let deferred = contents.map(|content| match content {
        Content::DeferredWork(deferred) => *deferred,
        content => panic!("{content:?} of {bodies:?}"),
    });
    deferred.collect()
}

/// A line becomes a message. Its first character chooses the kind, its second how often the rest is
/// in a list, each time with another number.
fn body(line: &[u8], most: usize) -> String {
    let text = String::from_utf8_lossy(line);
    let mut characters = text.chars();
    let kind = characters.next().unwrap_or_default();
    let times = characters.next().unwrap_or_default();
    let rest = characters.as_str();
    let times = (u32::from(times) as usize * 5).min(most);
    let list = |entry: &dyn Fn(usize) -> Value| (0..times).map(entry).collect::<Value>();
    let named = |number: usize| json!(format!("{rest}{number}"));
    match kind {
        'c' => json!({ "reload": { "changed": list(&named) } }).to_string(),
        's' => json!({ "reload": { "services": list(&named) } }).to_string(),
        'r' => {
            let record = |number| {
                let object = json!({ "key": named(number) });
                json!({ "eventSource": "aws:s3", "s3": { "object": object } })
            };
            json!({ "Records": list(&record) }).to_string()
        }
        'w' | 'n' | 'e' => {
            let change = |number| {
                json!({
                    "kind": "ssm", "path": named(number), "partition": "aws", "account": "1",
                    "region": "eu-west-1", "at": "2026-01-31T10:00:00Z", "change": "written",
                    "event": "e",
                })
            };
            let mut work = json!({ "changes": list(&change) });
            match kind {
                'w' => work["only"] = list(&named),
                'n' => work["except"] = list(&named),
                _ => {}
            }
            let attempt = |number| (format!("{rest}{number}"), json!({ "count": number }));
            let attempts: Map<_, _> = (0..times).map(attempt).collect();
            let deferred = json!({
                "version": 1, "not_before": "2026-01-31T10:00:00Z", "work": [work],
                "attempts": attempts,
            });
            json!({ "deferred": deferred }).to_string()
        }
        '[' => "{\"Records\":[".repeat(times) + rest,
        _ => text.into_owned(),
    }
}

fn read(bodies: &[String]) -> Inbox {
    let record = |(index, body): (usize, &String)| {
        json!({
            "messageId": index.to_string(), "body": body, "eventSource": "aws:sqs",
            "eventSourceARN": OWN, "attributes": { "SentTimestamp": "1769853600000" },
        })
    };
    let records: Vec<_> = bodies.iter().enumerate().map(record).collect();
    let payload = json!({ "Records": records }).to_string();
    decode(&payload, now(), Some(&own_queue()))
}

/// The entries of its lists.
fn weight(content: &Content) -> usize {
    match content {
        Content::Request(manual) => {
            manual.changes(&ecs_reloader::home()).count() + manual.request.services.len()
        }
        Content::DeferredWork(deferred) => deferred.changes.len() + deferred.attempts.len(),
        Content::Changed(_) | Content::Sweep(_) | Content::Ignored(_) | Content::Malformed(_) => 1,
        Content::TooMuch => 0,
    }
}

/// Each service of each change, and how often it is named.
fn entries(works: &[DeferredWork]) -> BTreeMap<String, usize> {
    let mut entries = BTreeMap::new();
    let mut add = |entry: String| *entries.entry(entry).or_default() += 1;
    for change in works.iter().flat_map(|deferred| &deferred.changes) {
        let key = &change.key;
        match &change.scope {
            Scope::All => add(format!("{key} for all")),
            Scope::AllExcept(_) => add(format!("{key} for all except some")),
            Scope::Only(services) => {
                for id in services.iter() {
                    add(format!("{key} for {id}"));
                }
            }
        }
    }
    entries
}
