//! The function's log lines, for people.

use serde_json::{Map, Value};
use sim::runtime_api::LogLine;

/// Fields that every line has, or that only machines read.
const FRAME: [&str; 8] = [
    "timestamp",
    "level",
    "message",
    "version",
    "request_id",
    "requestId",
    "span",
    "_aws",
];

/// A line of the function's log, as the demo tells it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// The counts of one invocation.
    Summary(String),
    /// What one service got, and why.
    Service(String),
    /// Anything that is not a matter of course: warnings, errors, and what is not JSON.
    Trouble(String),
    /// The rest.
    Detail,
}

/// Reads a line that the function wrote.
pub(super) fn read(line: &LogLine) -> Told {
    let Ok(Value::Object(fields)) = serde_json::from_str(&line.text) else {
        return Told::Trouble(line.text.clone());
    };
    match (
        text(&fields, "message").as_str(),
        text(&fields, "level").as_str(),
    ) {
        ("summary", _) => Told::Summary(summary(&fields)),
        ("service", _) => Told::Service(service(&fields)),
        (_, "WARN" | "ERROR") => Told::Trouble(line.text.clone()),
        _ => Told::Detail,
    }
}

/// The counts that are not zero.
fn summary(fields: &Map<String, Value>) -> String {
    let told = |(name, value): &(&String, &Value)| {
        !FRAME.contains(&name.as_str())
            && (value.is_string() || value.as_u64().is_some_and(|count| count > 0))
    };
    fields
        .iter()
        .filter(told)
        .map(|(name, value)| format!("{} {}", name.replace('_', " "), plain(value)))
        .collect::<Vec<_>>()
        .join(", ")
}

fn service(fields: &Map<String, Value>) -> String {
    let told = |name| text(fields, name);
    let line = format!(
        "{:<8} {:<18} {:<12} {:<8} {}  {}",
        told("decision"),
        told("service"),
        told("reason"),
        told("result"),
        told("deployment"),
        told("changes")
    );
    line.trim_end().to_owned()
}

fn text(fields: &Map<String, Value>, name: &str) -> String {
    fields.get(name).map(plain).unwrap_or_default()
}

/// A value without JSON's quotes; a list with spaces between; of a change its key.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(" "),
        Value::Object(fields) if fields.contains_key("key") => text(fields, "key"),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
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
    fn a_service_is_one_readable_line_with_the_keys_that_changed() {
        let json = r#"{"level":"INFO","message":"service","service":"production/api","decision":"restart","reason":"stale",
            "result":"started","deployment":"ecs-svc/1","changes":[{"key":"ssm:/app/a","reason":"stale"},{"key":"ssm:/app/b","reason":"stale"}]}"#;

        let told = read(&line(json));

        let expected =
            "restart  production/api     stale        started  ecs-svc/1  ssm:/app/a ssm:/app/b";
        assert_eq!(told, Told::Service(expected.to_owned()));
    }

    #[test]
    fn a_summary_tells_what_is_not_zero_and_not_for_machines() {
        let json = r#"{"level":"INFO","message":"summary","version":1,"request_id":"r","started":3,"failed":0,"elapsed_ms":91}"#;

        assert_eq!(
            read(&line(json)),
            Told::Summary("elapsed ms 91, started 3".to_owned())
        );
    }

    #[test]
    fn errors_and_what_is_not_json_are_told_as_they_are() {
        for text in [
            "thread 'main' panicked",
            r#"{"level":"ERROR","message":"cannot start"}"#,
        ] {
            assert_eq!(read(&line(text)), Told::Trouble(text.to_owned()));
        }
    }

    #[test]
    fn metrics_and_other_information_are_details() {
        for text in [
            r#"{"_aws":{"Timestamp":1},"started":1}"#,
            r#"{"level":"INFO","message":"ready"}"#,
        ] {
            assert_eq!(read(&line(text)), Told::Detail);
        }
    }
}
