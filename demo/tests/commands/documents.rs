//! The documents show the real output of the program.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use crate::{DEMO, function};

const README: &str = include_str!("../../../README.md");
const TRY_LOCALLY: &str = include_str!("../../../docs/try-locally.md");
const LOG_FIELDS: &str = include_str!("../../../docs/log-fields.md");
const EVENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../events/ssm-update.json");

fn output_of(arguments: &[&str]) -> String {
    let mut command = Command::new(DEMO);
    command.arg(arguments[0]).arg("--binary").arg(function());
    let output = command.args(&arguments[1..]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// The first block of output behind a command.
fn shown_after<'a>(page: &'a str, command: &str) -> &'a str {
    let after = page.split(&format!("$ {command}\n")).nth(1).unwrap();
    let block = after.split("```text\n").nth(1).unwrap();
    block.split("\n```").next().unwrap()
}

/// True if a line is shown as it was printed: an ellipsis stands for its rest.
fn is(shown: &str, printed: &str) -> bool {
    match shown.strip_suffix('…') {
        Some(start) => printed.starts_with(start.trim_end()),
        None => shown == printed,
    }
}

/// A line without the seconds that it begins with.
fn timeless(line: &str) -> &str {
    let time = line.trim_start().split_once(" s  ");
    time.filter(|(seconds, _)| seconds.parse::<f64>().is_ok())
        .map_or(line, |(_, rest)| rest)
}

/// Every line that is shown was printed, in this order; a line of an ellipsis alone stands for any
/// number of them.
fn assert_printed(shown: &str, printed: &str) {
    let mut lines = printed.lines().map(timeless);
    for line in shown.lines().filter(|line| !line.trim().is_empty()) {
        let line = timeless(line);
        assert!(
            line.trim() == "…" || lines.any(|printed| is(line, printed)),
            "not printed, or not in this place: {line}\n{printed}"
        );
    }
}

#[test]
fn what_the_documents_show_of_the_demo_is_what_it_prints() {
    let printed = output_of(&["demo"]);

    for page in [README, TRY_LOCALLY] {
        assert_printed(shown_after(page, "make demo"), &printed);
    }
}

#[test]
fn what_the_documents_show_of_an_event_is_what_is_printed() {
    let shown = shown_after(TRY_LOCALLY, "make invoke EVENT=events/ssm-update.json");

    assert_printed(shown, &output_of(&["invoke", EVENT]));
}

#[test]
fn what_the_documents_show_of_playing_is_what_is_printed() {
    let log = std::env::temp_dir().join(format!("demo documents {}.log", std::process::id()));
    let mut command = Command::new(DEMO);
    command.args(["play", "--binary"]).arg(function());
    command.arg("--log").arg(&log).stdout(Stdio::piped());
    let mut process = command.spawn().unwrap();
    let shown = shown_after(TRY_LOCALLY, "make play");
    let last = shown.lines().last().unwrap();
    let mut printed = String::new();
    for line in BufReader::new(process.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        printed = printed + &line + "\n";
        if line == last {
            break;
        }
    }
    process.kill().unwrap();
    process.wait().unwrap();
    let _ = std::fs::remove_file(&log);

    assert_printed(shown, &printed);
}

#[test]
fn a_line_that_was_not_printed_is_found() {
    let printed = "a\n   0.1 s  b 1\nc\n";

    assert_printed("a\n…\n   7.5 s  b …\nc", printed);
    for wrong in ["c\na", "b 2", "d", "   0.1 s  d …"] {
        let found = std::panic::catch_unwind(|| assert_printed(wrong, printed));

        assert!(found.is_err(), "{wrong}");
    }
}

/// The names of all fields of a JSON value, but for those of the metric format itself.
fn names(value: &serde_json::Value, found: &mut BTreeSet<String>) {
    match value {
        serde_json::Value::Object(members) => {
            for (name, value) in members.iter().filter(|(name, _)| *name != "_aws") {
                found.insert(name.clone());
                names(value, found);
            }
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| names(item, found)),
        _ => {}
    }
}

#[test]
fn every_field_of_real_lines_and_answers_is_documented() {
    let events = [
        "ssm-update",
        "ssm-delete",
        "manual-services",
        "manual-sweep",
        "manual-reason",
        "s3-test-event",
        "malformed-number",
    ];
    let (mut found, mut lines) = (BTreeSet::new(), 0);
    for event in events {
        let path = format!("{}/../events/{event}.json", env!("CARGO_MANIFEST_DIR"));
        let printed = output_of(&["invoke", "--raw", &path]);
        let json = printed.find("\n{").map_or("", |start| &printed[start..]);
        for value in serde_json::Deserializer::from_str(json).into_iter::<serde_json::Value>() {
            names(&value.unwrap(), &mut found);
            lines += 1;
        }
    }
    let missing: Vec<_> = found
        .iter()
        .filter(|name| !LOG_FIELDS.contains(&format!("`{name}`")))
        .collect();

    assert!(lines > 30 && found.len() > 60, "{lines} {}", found.len());
    assert!(missing.is_empty(), "not in docs/log-fields.md: {missing:?}");
}
