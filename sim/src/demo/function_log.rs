//! The function's log lines, for people.

use serde_json::{Map, Value};
use sim::runtime_api::LogLine;

/// Fields that every line has, or that only machines read.
const FRAME: [&str; 8] = ["timestamp", "level", "message", "version", "request_id", "requestId", "span", "_aws"];

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
    let Ok(Value::Object(fields)) = serde_json::from_str(&line.text) else { return Told::Trouble(line.text.clone()) };
    match (text(&fields, "message").as_str(), text(&fields, "level").as_str()) {
        ("summary", _) => Told::Summary(summary(&fields)),
        ("service", _) => Told::Service(service(&fields)),
        (_, "WARN" | "ERROR") => Told::Trouble(line.text.clone()),
        _ => Told::Detail,
    }
}

fn summary(fields: &Map<String, Value>) -> String {
    let counts = fields.iter().filter(|(name, value)| !FRAME.contains(&name.as_str()) && !value.is_null() && !value.is_object());
    counts.map(|(name, value)| format!("{} {}", name.replace('_', " "), plain(value))).collect::<Vec<_>>().join(", ")
}

fn service(fields: &Map<String, Value>) -> String {
    let told = |name| text(fields, name);
    let line = format!(
        "{:<8} {:<12} {:<8} {:<8} {}  {}",
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

/// A value without JSON's quotes; a list with spaces between.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(" "),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}
