//! `demo invoke`: the table first, the raw lines on request.

use std::path::Path;
use std::process::{Command, Output};

use crate::{DEMO, function};

const TABLE: &str = "\
service            decision  reason  detail  changes
production/api     restart   stale   -       ssm:/app/db-url
production/orders  restart   stale   -       ssm:/app/db-url
production/worker  restart   stale   -       ssm:/app/db-url
";

fn invoke(event: &str, options: &[&str]) -> Output {
    let events = Path::new(env!("CARGO_MANIFEST_DIR")).join("../events");
    let mut command = Command::new(DEMO);
    command.arg("invoke").arg("--binary").arg(function());
    command.args(options).arg(events.join(event));
    command.output().unwrap()
}

fn stdout(output: &Output) -> &str {
    str::from_utf8(&output.stdout).unwrap()
}

#[test]
fn the_decisions_are_a_table_with_the_counts_below_it() {
    let output = invoke("ssm-update.json", &[]);

    let text = stdout(&output);
    let counts = text.strip_prefix(TABLE).unwrap_or_else(|| panic!("{text}"));
    assert!(
        counts.starts_with("summary: affected 3, changes 1, "),
        "{text}"
    );
    assert_eq!(counts.lines().count(), 1, "{text}");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn the_raw_lines_and_the_answer_come_after_the_table_on_request() {
    let output = invoke("ssm-update.json", &["--raw"]);

    let raw = stdout(&output).strip_prefix(TABLE).unwrap();
    let (lines, answer) = raw.split_once("\n{\n").unwrap();
    let services = lines
        .lines()
        .filter(|line| line.contains(r#""message":"service""#));
    assert_eq!(services.count(), 3, "{raw}");
    let answer: serde_json::Value = serde_json::from_str(&format!("{{\n{answer}")).unwrap();
    assert_eq!(answer["started"], 3);
}

#[test]
fn an_event_that_needs_no_decision_is_shown_with_its_reason() {
    let output = invoke("no-records.json", &[]);

    let expected = "No service is affected.\nignored: Records: no-records\n";
    assert!(stdout(&output).starts_with(expected), "{}", stdout(&output));
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_malformed_event_is_an_error_with_its_cause() {
    let output = invoke("malformed-number.json", &[]);

    let expected = "No service is affected.\nERROR malformed: malformed event: expected ";
    assert!(stdout(&output).starts_with(expected), "{}", stdout(&output));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "demo: the function answered with an error\n"
    );
    assert_eq!(output.status.code(), Some(1));
}
