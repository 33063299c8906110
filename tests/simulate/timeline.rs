//! The timeline of a history, for a person: all acts, calls, writes and deployments.

use jiff::Timestamp;
use serde_json::Value;

use crate::history::History;

/// Everything that happened, in order.
pub(crate) fn of(history: &History) -> String {
    let record = history.record();
    let done = history
        .done
        .iter()
        .map(|(at, what)| (*at, format!("* {what}")));
    let calls = record
        .calls
        .iter()
        .map(|call| (call.time, format!("  {} {call}", call.principal)));
    let lines = record.lines.iter().filter_map(line);
    let ran = record.ran.iter().map(|ran| {
        let ended = format!("  an invocation since {} ended: {:?}", ran.from, ran.end);
        (ran.until, ended)
    });
    let mut all: Vec<_> = done
        .chain(calls)
        .chain(lines)
        .chain(ran)
        .chain(deployments(history))
        .collect();
    all.sort_by_key(|(at, _)| *at);
    let subjects = history
        .subjects
        .iter()
        .fold(String::new(), |text, subject| {
            text + &format!("{subject:?}\n")
        });
    all.into_iter().fold(subjects, |text, (at, what)| {
        text + &format!("{at:.3} {what}\n")
    })
}

/// A line of the log about a service.
fn line(line: &Value) -> Option<(Timestamp, String)> {
    const PARTS: [&str; 6] = [
        "service",
        "decision",
        "reason",
        "result",
        "deployment",
        "detail",
    ];
    let part = |of: &Value, name: &str| of[name].as_str().unwrap_or("-").to_owned();
    let parts = PARTS.map(|name| part(line, name)).join(" ");
    let changes = line["changes"].as_array().into_iter().flatten();
    let changes: Vec<_> = changes
        .map(|change| format!("{} {}", part(change, "key"), part(change, "reason")))
        .collect();
    let at = line["timestamp"].as_str()?.parse().ok()?;
    Some((at, format!("    {parts} [{}]", changes.join(", "))))
}

fn deployments(history: &History) -> Vec<(Timestamp, String)> {
    let mut all = Vec::new();
    for service in history.account.services() {
        for past in service.history {
            let ended = past.finished_at.map_or_else(
                || "runs on".to_owned(),
                |end| format!("{} at {end:.3}", past.status),
            );
            let text = format!("  {} deploys {}: {ended}", service.name, past.deployment);
            all.push((past.created_at, text));
        }
    }
    all
}
