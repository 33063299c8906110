//! Every file in `events/` decodes to the line that `events/decoded.txt` records; a file without a line, and a line without a file, fail.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use ecs_reloader::domain::again::Wish;
use ecs_reloader::domain::arn::Place;
use ecs_reloader::domain::change::Change;
use ecs_reloader::event::{Told, decode};
use jiff::Timestamp;

const NOW: &str = "2026-01-31T12:00:00Z";

fn line(payload: &str) -> String {
    let now: Timestamp = NOW.parse().unwrap();
    let inbox = decode(payload, now);
    let mut text = if inbox.from_queue { format!("queue of {}: ", inbox.messages.len()) } else { String::new() };
    let messages = inbox.messages.iter().map(|message| message.told.iter().map(told).collect::<Vec<_>>().join(", "));
    text.push_str(&messages.collect::<Vec<_>>().join(" | "));
    text
}

fn told(told: &Told) -> String {
    let change = |change: &Change| {
        let Change { key, at, kind, version, etag, by, event, .. } = change;
        let mut text = format!("{kind:?} {key} t={at}");
        for (name, value) in
            [("version", version.as_deref()), ("etag", etag.as_deref()), ("by", by.as_deref()), ("event", Some(event.as_str()))]
        {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                write!(text, " {name}={value}").unwrap();
            }
        }
        text
    };
    match told {
        Told::Changed(one) => change(one),
        Told::Asked(manual) => {
            let changes: Vec<_> = manual.changes(&Place::of_region("123456789012", "eu-west-1")).map(|one| change(&one)).collect();
            let services: Vec<_> = manual.wish.services.keys().map(ToString::to_string).collect();
            let Wish { dry_run, max_services, reason, .. } = &manual.wish;
            let reason = reason.as_deref().map(|reason| format!(" reason={reason:?}")).unwrap_or_default();
            format!("asked: {changes:?} {services:?} dry_run={dry_run} max_services={max_services:?}{reason}")
        }
        Told::Again(again) => {
            let changes = again.changes.iter().map(|one| format!("{} for {:?}", change(one), one.whom));
            let changes = changes.collect::<Vec<_>>().join(", ");
            format!("again: not_before={} hops={} {changes} {:?} {:?}", again.not_before, again.hops, again.waiting, again.wish)
        }
        Told::Sweep(sweep) => format!("sweep: repair={:?}", sweep.repair),
        Told::Ignored(ignored) => format!("ignored {:?}: {}", ignored.reason, ignored.event),
        Told::Malformed(malformed) => malformed.to_string(),
    }
}

#[test]
fn every_event_file_decodes_to_its_recorded_line() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("events");
    let files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    let decoded: BTreeMap<_, _> = files
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), line(&std::fs::read_to_string(&path).unwrap())))
        .collect();
    let decoded = decoded.iter().fold(String::new(), |text, (file, line)| text + file + "\n    " + line + "\n");

    let recorded = std::fs::read_to_string(folder.join("decoded.txt")).unwrap_or_default();

    assert!(decoded == recorded, "events/decoded.txt differs; it should read:\n{decoded}");
}
