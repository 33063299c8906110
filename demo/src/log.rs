//! Reads the lines of the function's log: the one place that knows the names of its fields.

use serde::Deserialize;
use serde_json::{Map, Value};
use sim::runtime_api::LogLine;

/// Fields of the summary that are not counts.
const NOT_COUNTS: [&str; 3] = ["version", "level", "elapsed_ms"];

/// One line of the function's log.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// The decision about one service.
    Service(Row),
    /// The counts of one invocation.
    Summary(String),
    /// A problem: a warning, an error, or a text that is not JSON.
    Problem(String),
    /// An event that needs no decision, and the reason.
    Ignored(String),
    /// Anything else: a change, metrics.
    Other,
}

/// The decision about one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// The time at which it was written, RFC 3339; empty if it has none.
    pub(crate) at: String,
    /// `cluster/name`.
    pub(crate) service: String,
    /// `restart`, `skip`, `hold` or `refuse`; empty if the service could not be described.
    pub(crate) decision: String,
    /// The code of the reason.
    pub(crate) reason: String,
    /// How the rollout ended that was followed, if it has ended.
    pub(crate) outcome: Option<String>,
    /// The facts for a person beyond the reason; empty if there are none.
    pub(crate) detail: String,
    /// The keys that changed.
    pub(crate) changes: Vec<String>,
}

impl Row {
    /// True if a later decision about the same service says the same.
    pub(crate) fn is_repeated_by(&self, later: &Self) -> bool {
        (&self.decision, &self.reason, &self.changes)
            == (&later.decision, &later.reason, &later.changes)
            && later.outcome.is_none()
    }
}

/// The line of one service, in the function's own words.
#[derive(Deserialize)]
struct ServiceFields {
    #[serde(default)]
    timestamp: String,
    service: String,
    decision: Option<String>,
    reason: Option<String>,
    would_be: Option<String>,
    detail: Option<String>,
    result: Option<String>,
    error: Option<String>,
    next_check: Option<String>,
    outcome: Option<String>,
    #[serde(default)]
    changes: Vec<ChangeFields>,
    #[serde(default)]
    more_changes: usize,
}

#[derive(Deserialize)]
struct ChangeFields {
    key: String,
}

#[derive(Deserialize)]
struct IgnoredFields {
    event: String,
    reason: String,
}

/// Reads a line that the function wrote.
pub(crate) fn read(line: &LogLine) -> Entry {
    let Ok(Value::Object(fields)) = serde_json::from_str(&line.text) else {
        return as_written(line);
    };
    let text = |name| fields.get(name).and_then(Value::as_str).unwrap_or_default();
    match (text("message"), text("level")) {
        ("summary", _) => Entry::Summary(summary(&fields)),
        ("service", _) => parse(fields).map_or_else(|| as_written(line), service),
        ("ignored", _) => parse(fields).map_or_else(|| as_written(line), ignored),
        (message, level @ ("WARN" | "ERROR")) => problem(level, message, text("error")),
        _ => Entry::Other,
    }
}

fn parse<T: for<'de> Deserialize<'de>>(fields: Map<String, Value>) -> Option<T> {
    serde_json::from_value(Value::Object(fields)).ok()
}

fn as_written(line: &LogLine) -> Entry {
    Entry::Problem(line.text.clone())
}

fn problem(level: &str, message: &str, error: &str) -> Entry {
    let separator = if error.is_empty() { "" } else { ": " };
    Entry::Problem(format!("{level} {message}{separator}{error}"))
}

/// The counts that are not zero.
fn summary(fields: &Map<String, Value>) -> String {
    let counts = fields.iter().filter_map(|(name, value)| {
        let count = value.as_u64().filter(|count| *count > 0)?;
        (!NOT_COUNTS.contains(&name.as_str()))
            .then(|| format!("{} {count}", name.replace('_', " ")))
    });
    counts.collect::<Vec<_>>().join(", ")
}

fn ignored(IgnoredFields { event, reason }: IgnoredFields) -> Entry {
    Entry::Ignored(format!("{event}: {reason}"))
}

fn service(fields: ServiceFields) -> Entry {
    let detail = detail(&fields);
    let mut changes: Vec<_> = fields
        .changes
        .into_iter()
        .map(|change| change.key)
        .collect();
    if fields.more_changes > 0 {
        changes.push(format!("and {} more", fields.more_changes));
    }
    Entry::Service(Row {
        at: fields.timestamp,
        service: fields.service,
        decision: fields.decision.unwrap_or_default(),
        reason: fields.reason.unwrap_or_default(),
        outcome: fields.outcome,
        detail,
        changes,
    })
}

/// The next check of a restart that was started is not shown: every restart has one.
fn detail(fields: &ServiceFields) -> String {
    let started = fields.result.as_deref() == Some("started");
    let would_be = fields.would_be.as_ref();
    let result = fields.result.as_ref().filter(|_| !started);
    let next_check = fields.next_check.as_ref().filter(|_| !started);
    let outcome = fields.outcome.as_ref();
    let parts = [
        outcome.map(|outcome| format!("its rollout ended as {outcome}")),
        would_be.map(|reason| format!("would be {reason}")),
        fields.detail.clone(),
        result.cloned(),
        fields.error.clone(),
        next_check.map(|time| format!("next check at {time}")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use sim::runtime_api::Stream;

    use super::*;

    fn line(text: &str) -> LogLine {
        LogLine {
            stream: Stream::Stdout,
            text: text.to_owned(),
        }
    }

    #[test]
    fn the_decision_about_a_service_has_its_reason_and_the_keys_that_changed() {
        let json = r#"{"timestamp":"2026-01-31T10:00:00Z","level":"INFO","message":"service",
            "service":"production/api",
            "decision":"restart","reason":"stale","result":"started","deployment":"ecs-svc/1",
            "changes":[{"key":"ssm:/app/a","reason":"stale"},{"key":"ssm:/app/b"}]}"#;

        let expected = Row {
            at: "2026-01-31T10:00:00Z".to_owned(),
            service: "production/api".to_owned(),
            decision: "restart".to_owned(),
            reason: "stale".to_owned(),
            outcome: None,
            detail: String::new(),
            changes: vec!["ssm:/app/a".to_owned(), "ssm:/app/b".to_owned()],
        };
        assert_eq!(read(&line(json)), Entry::Service(expected));
    }

    #[test]
    fn the_detail_has_everything_that_a_person_needs_beyond_the_reason() {
        let json = r#"{"level":"INFO","message":"service","service":"a/b","decision":"restart",
            "reason":"stale","would_be":"stale","detail":"its own words","result":"denied",
            "error":"not authorized","next_check":"2026-01-31T10:00:00Z","more_changes":7}"#;

        let Entry::Service(row) = read(&line(json)) else {
            panic!("not the line of a service");
        };

        let expected = "would be stale; its own words; denied; not authorized; \
                        next check at 2026-01-31T10:00:00Z";
        assert_eq!(row.detail, expected);
        assert_eq!(row.changes, ["and 7 more"]);
    }

    #[test]
    fn a_summary_shows_the_counts_that_are_not_zero() {
        let json = r#"{"level":"INFO","message":"summary","version":1,"request_id":"r",
            "started":3,"failed":0,"elapsed_ms":91,"task_definitions":1}"#;

        let expected = "started 3, task definitions 1";
        assert_eq!(read(&line(json)), Entry::Summary(expected.to_owned()));
    }

    #[test]
    fn an_ignored_event_is_shown_with_the_reason() {
        let json =
            r#"{"level":"INFO","message":"ignored","event":"Records","reason":"no-records"}"#;

        let expected = Entry::Ignored("Records: no-records".to_owned());
        assert_eq!(read(&line(json)), expected);
    }

    #[test]
    fn a_restart_that_was_started_has_no_detail() {
        let json = r#"{"level":"INFO","message":"service","service":"a/b","decision":"restart",
            "reason":"stale","result":"started","next_check":"2026-01-31T10:00:00Z"}"#;

        let Entry::Service(row) = read(&line(json)) else {
            panic!("not the line of a service");
        };

        assert_eq!(row.detail, "");
    }

    #[test]
    fn a_warning_or_an_error_is_a_problem_with_its_cause() {
        for (json, expected) in [
            (r#"{"level":"WARN","message":"slow"}"#, "WARN slow"),
            (
                r#"{"level":"ERROR","message":"malformed","error":"no key"}"#,
                "ERROR malformed: no key",
            ),
        ] {
            assert_eq!(read(&line(json)), Entry::Problem(expected.to_owned()));
        }
    }

    #[test]
    fn a_line_that_cannot_be_read_is_a_problem_as_it_was_written() {
        for text in [
            "thread 'main' panicked",
            r#"{"level":"INFO","message":"service"}"#,
        ] {
            assert_eq!(read(&line(text)), Entry::Problem(text.to_owned()));
        }
    }

    #[test]
    fn metrics_and_other_information_need_no_attention() {
        for text in [
            r#"{"_aws":{"Timestamp":1},"started":1}"#,
            r#"{"level":"INFO","message":"ready"}"#,
        ] {
            assert_eq!(read(&line(text)), Entry::Other);
        }
    }
}
