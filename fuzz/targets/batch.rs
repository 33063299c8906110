//! Any batch of messages, with lists of any length, is read within its bounds, message by message;
//! and whatever work for later is read, is written within the same bounds, and read again as it
//! was. Slow: it tries hundreds of batches a second, where the decoder alone is tried tens of
//! thousands of times.
#![no_main]

use std::collections::BTreeMap;

use ecs_reloader::domain::change::Scope;
use ecs_reloader::domain::deferred_work::DeferredWork;
use ecs_reloader::event::{Content, Inbox, decode};
use ecs_reloader::queue::encode;
use ecs_reloader::{now, own_queue};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

/// Most entries that the messages of a batch tell together.
const MOST_TOLD: usize = 20_000;

/// What a queue takes.
const LARGEST: usize = 262_144;

/// Some more entries than are read of a list.
const MOST_TIMES: usize = 1_010;

const OWN: &str = "arn:aws:sqs:eu-west-1:123456789012:ecs-reloader";

fuzz_target!(|bytes: &[u8]| {
    // One list alone is long: otherwise a thousand times fewer batches would be tried.
    let lines = bytes.split(|byte| *byte == b'\n').enumerate();
    let bodies: Vec<_> = lines
        .map(|(place, line)| body(line, if place == 0 { MOST_TIMES } else { 8 }))
        .filter(|body| body.len() <= LARGEST)
        .collect();
    let inbox = read(&bodies);

    assert_eq!(inbox.messages.len(), bodies.len().max(1));
    let told = || inbox.messages.iter().flat_map(|message| &message.contents);
    assert!(told().map(weight).sum::<usize>() <= MOST_TOLD);
    for again in told().filter_map(|told| {
        if let Content::DeferredWork(again) = told {
            Some(again)
        } else {
            None
        }
    }) {
        let written = encode(again);
        let back: Vec<_> = written
            .iter()
            .flat_map(|body| read(std::slice::from_ref(body)).messages)
            .flat_map(|message| message.contents)
            .collect();
        let back: Vec<_> = back
            .into_iter()
            .map(|told| {
                if let Content::DeferredWork(again) = told {
                    *again
                } else {
                    panic!("{told:?} of {written:?}")
                }
            })
            .collect();
        assert_eq!(tells(&back), tells(std::slice::from_ref(again)));
    }
});

/// A line becomes a message: its first character says what kind, its second how often the rest
/// stands in a list, each time with another number.
fn body(line: &[u8], most: usize) -> String {
    let text = String::from_utf8_lossy(line);
    let mut characters = text.chars();
    let (kind, times, rest) = (
        characters.next().unwrap_or_default(),
        characters.next().unwrap_or_default(),
        characters.as_str(),
    );
    let times = (u32::from(times) as usize * 5).min(most);
    let list = |entry: &dyn Fn(usize) -> Value| (0..times).map(entry).collect::<Value>();
    let named = |number: usize| json!(format!("{rest}{number}"));
    match kind {
        'c' => json!({ "reload": { "changed": list(&named) } }).to_string(),
        's' => json!({ "reload": { "services": list(&named) } }).to_string(),
        'r' => json!({ "Records": list(&|number| json!({ "eventSource": "aws:s3", "s3": { "object": { "key": named(number) } } })) })
            .to_string(),
        'w' | 'n' | 'e' => {
            let change = |number: usize| {
                json!({
                    "kind": "ssm", "path": named(number), "partition": "aws", "account": "1", "region": "eu-west-1",
                    "at": "2026-01-31T10:00:00Z", "change": "written", "event": "e",
                })
            };
            let scope = match kind {
                'w' => json!({ "changes": list(&change), "only": list(&named) }),
                'n' => json!({ "changes": list(&change), "except": list(&named) }),
                _ => json!({ "changes": list(&change) }),
            };
            let attempts: BTreeMap<_, _> = (0..times).map(|number| (format!("{rest}{number}"), json!({ "count": number }))).collect();
            json!({ "deferred": { "version": 1, "not_before": "2026-01-31T10:00:00Z", "work": [scope], "attempts": attempts } }).to_string()
        }
        '[' => "{\"Records\":[".repeat(times) + rest,
        _ => text.into_owned(),
    }
}

fn read(bodies: &[String]) -> Inbox {
    let record = |(place, body): (usize, &String)| json!({ "messageId": place.to_string(), "body": body, "eventSource": "aws:sqs", "eventSourceARN": OWN, "attributes": { "SentTimestamp": "1769853600000" } });
    let records: Vec<_> = bodies.iter().enumerate().map(record).collect();
    decode(
        &json!({ "Records": records }).to_string(),
        now(),
        Some(&own_queue()),
    )
}

/// Entries of the lists that it holds.
fn weight(told: &Content) -> usize {
    match told {
        Content::Request(manual) => {
            manual.changes(&ecs_reloader::home()).count() + manual.request.services.len()
        }
        Content::DeferredWork(again) => again.changes.len() + again.attempts.len(),
        Content::Changed(_) | Content::Sweep(_) | Content::Ignored(_) | Content::Malformed(_) => 1,
        Content::TooMuch => 0,
    }
}

/// Each service of each change, and how often it is told.
fn tells(agains: &[DeferredWork]) -> BTreeMap<String, usize> {
    let mut tells = BTreeMap::new();
    for change in agains.iter().flat_map(|again| &again.changes) {
        let key = &change.key;
        match &change.scope {
            Scope::All => *tells.entry(format!("{key} for all")).or_default() += 1,
            Scope::AllExcept(_) => *tells.entry(format!("{key} once more")).or_default() += 1,
            Scope::Only(these) => these
                .iter()
                .for_each(|id| *tells.entry(format!("{key} for {id}")).or_default() += 1),
        }
    }
    tells
}
