//! Counts the happenings of a full run, and names those that must happen: a promise about something
//! that never happens proves nothing.

use std::collections::BTreeMap;

use ecs_reloader::domain::reason::Reason;
use ecs_reloader::domain::rollout::Outcome;
use ecs_reloader::domain::start::ResultCode;
use sim::{Call, CallResult};

use crate::function::{End, FUNCTION};
use crate::happening::Happening;
use crate::history::History;

/// The number of each happening.
#[derive(Default)]
pub(crate) struct Coverage(BTreeMap<String, u64>);

/// What a full run need not contain: no history has an order, and a rollout is followed by its tasks
/// until it is known how it ended, except in very few histories.
const RARE: [&str; 3] = [
    "outcome unknown",
    "reason order-halted",
    "reason waiting-for-order",
];

/// Other things that must happen.
const EXPECTED: [&str; 18] = [
    "requests under a lower limit",
    "SendMessage with a lower limit of a request",
    "invocations lost",
    "UpdateService whose invocation was lost",
    "UpdateService whose answer was lost",
    "UpdateService that failed",
    "SendMessage whose invocation was lost",
    "SendMessage whose answer was lost",
    "SendMessage that failed",
    "calls of a sweep that failed",
    "pages of a listing that does not end",
    "deployments ended by Stop",
    "deployments ended by Rejection",
    "deployments ended by Hook",
    "deployments ended by HookTimeout",
    "deployments ended by Alarm",
    "deployments ended by CircuitBreaker",
    "hooks of deployments",
];

/// The limit of the request in the body of a message.
fn limit_of(body: &str) -> Option<usize> {
    let (_, limit) = body.split_once(r#""max_services":"#)?;
    let end = limit.find(|digit: char| !digit.is_ascii_digit())?;
    limit[..end].parse().ok()
}

impl Coverage {
    pub(crate) fn of(history: &History) -> Self {
        let mut coverage = Self::default();
        coverage.count_lines(history);
        coverage.count_deployments(history);
        coverage.count_calls(history);
        for (happening, times) in &history.happened {
            coverage.count(format!("happening: {}", happening.name()), *times);
        }
        let ran = &history.record().ran;
        let lost = ran.iter().filter(|ran| ran.end == End::Lost).count();
        coverage.count("invocations", ran.len());
        coverage.count("invocations lost", lost);
        coverage.count("changes", history.writes.len());
        let most = history.choices.max_services();
        let asked = history.claims.iter().filter_map(|claim| claim.max_services);
        let lowered = asked.filter(|asked| *asked < most).count();
        coverage.count("requests under a lower limit", lowered);
        coverage
    }

    fn count(&mut self, what: impl Into<String>, times: usize) {
        if times > 0 {
            *self.0.entry(what.into()).or_default() += times as u64;
        }
    }

    fn count_lines(&mut self, history: &History) {
        for line in &history.record().lines {
            let reason = line["reason"].as_str().unwrap_or("unread");
            self.count(format!("reason {reason}"), 1);
            for change in line["changes"].as_array().into_iter().flatten() {
                if let Some(reason) = change["reason"].as_str() {
                    self.count(format!("reason of a change {reason}"), 1);
                }
            }
            for field in ["result", "outcome"] {
                if let Some(word) = line[field].as_str() {
                    self.count(format!("{field} {word}"), 1);
                }
            }
        }
    }

    fn count_deployments(&mut self, history: &History) {
        for subject in &history.subjects {
            for past in history.record().past(&subject.name) {
                if let Some(by) = past.ended_by {
                    self.count(format!("deployments ended by {by:?}"), 1);
                }
                self.count("hooks of deployments", past.hooks.len());
            }
        }
    }

    fn count_calls(&mut self, history: &History) {
        let calls = &history.record().calls;
        let ours = calls
            .iter()
            .filter(|call| call.principal.starts_with(FUNCTION));
        for call in ours {
            self.count_call(history, call);
        }
    }

    fn count_call(&mut self, history: &History, call: &Call) {
        let operation = &call.operation;
        let sent = call.input["MessageBody"].as_str();
        let most = history.choices.max_services();
        let has_limit = sent.and_then(limit_of).is_some_and(|limit| limit < most);
        self.count(
            "SendMessage with a lower limit of a request",
            usize::from(has_limit),
        );
        match operation.as_str() {
            "UpdateService" | "SendMessage" => {
                let is_lost = history
                    .record()
                    .ran
                    .iter()
                    .any(|ran| ran.was_lost_with(call));
                let is_silent = call.result == CallResult::AnswerLost;
                self.count(
                    format!("{operation} whose invocation was lost"),
                    usize::from(is_lost),
                );
                self.count(
                    format!("{operation} whose answer was lost"),
                    usize::from(is_silent),
                );
                self.count(
                    format!("{operation} that failed"),
                    usize::from(!call.took_effect()),
                );
            }
            "GetResources" if !call.input["PaginationToken"].is_null() => {
                self.count("pages of a listing that does not end", 1);
            }
            "ListTasks" | "DescribeTasks" | "ListObjectsV2" | "ListSecrets" => {
                self.count(
                    "calls of a sweep that failed",
                    usize::from(!call.took_effect()),
                );
            }
            _ => {}
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        for (what, times) in other.0 {
            *self.0.entry(what).or_default() += times;
        }
    }

    pub(crate) fn lines(&self) -> impl Iterator<Item = String> {
        self.0
            .iter()
            .map(|(what, times)| format!("{times:>9}  {what}"))
    }

    /// Everything that must happen in a full run, but did not.
    pub(crate) fn missing(&self) -> Vec<String> {
        let reasons = Reason::ALL
            .iter()
            .map(|reason| reason.code())
            .filter(|code| {
                ["reason", "reason of a change"]
                    .iter()
                    .all(|kind| !self.0.contains_key(&format!("{kind} {code}")))
            })
            .map(|code| format!("reason {code}"));
        let results = ResultCode::ALL.iter().map(|code| format!("result {code}"));
        let outcomes = Outcome::ALL.iter().map(|code| format!("outcome {code}"));
        let happenings = Happening::ALL
            .iter()
            .map(|happening| format!("happening: {}", happening.name()));
        let others = EXPECTED.map(str::to_owned);
        results
            .chain(outcomes)
            .chain(happenings)
            .chain(others)
            .filter(|what| !self.0.contains_key(what))
            .chain(reasons)
            .filter(|what| !RARE.contains(&what.as_str()))
            .collect()
    }
}
