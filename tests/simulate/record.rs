//! The account's own record of a history, read once: calls, deployments, restarts, and the calls
//! and events that may explain a restart.
//!
//! The function's log proves nothing here.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use sim::{Call, CallResult, HistoryView};

use crate::choices::Choices;
use crate::function::{FUNCTION, Ran};
use crate::history::History;

/// A description is believed for five seconds; its answer may be nine seconds late, and the turn
/// and the call take a few more.
const BELIEVED: SignedDuration = SignedDuration::from_secs(20);

/// A history of deployments is read at most this long before the restart that it may stop.
const HISTORY_BELIEVED: SignedDuration = SignedDuration::from_mins(1);

/// A call without an answer after this time is given up.
const PATIENCE: SignedDuration = SignedDuration::from_secs(8);

/// A call is tried so often, and gets this part of the time that is left.
const TRIES: i32 = 3;

/// The time of an answer in the account, without its jitter.
const ANSWER: SignedDuration = SignedDuration::from_millis(20);

/// The list of ignored keys is believed for a minute, in an invocation of two minutes.
const IGNORED_BELIEVED: SignedDuration = SignedDuration::from_mins(3);

/// A restart by the function that took effect.
#[derive(Debug)]
pub(crate) struct Restart {
    pub(crate) service: String,
    pub(crate) at: Timestamp,
    /// The process.
    pub(crate) by: String,
    /// The deployment that it started, as the recorded call carries it.
    pub(crate) deployment: String,
    /// A deployment by somebody else after this process had described the service.
    pub(crate) raced: Option<String>,
    /// The call that was to read the deployment history, which never blocks a restart: it failed,
    /// or little of the invocation's time was left for its answer.
    pub(crate) history_unread: Option<String>,
    /// The failed call that was to list the ignored keys.
    pub(crate) ignored_unread: Option<String>,
}

/// The record of a history at its end.
pub(crate) struct Record {
    pub(crate) calls: Vec<Call>,
    pub(crate) ran: Vec<Ran>,
    /// The lines about services.
    pub(crate) lines: Vec<Value>,
    past: BTreeMap<String, Vec<HistoryView>>,
    restarts: BTreeMap<String, Vec<Restart>>,
}

impl Record {
    pub(crate) fn of(history: &History) -> Self {
        let services = history.account.services();
        let past = services
            .into_iter()
            .map(|service| (service.name, service.history))
            .collect();
        let mut record = Self {
            calls: history.account.calls(),
            ran: history.function.ran(),
            lines: history.function.lines("service"),
            past,
            restarts: BTreeMap::new(),
        };
        record.restarts = record.read_restarts(&history.choices);
        record
    }

    /// The service deployments of a service, newest first.
    pub(crate) fn past(&self, service: &str) -> &[HistoryView] {
        self.past
            .get(service)
            .map(Vec::as_slice)
            .unwrap_or_default()
    }

    /// The restarts of a service by the function, oldest first.
    pub(crate) fn restarts(&self, service: &str) -> &[Restart] {
        self.restarts
            .get(service)
            .map(Vec::as_slice)
            .unwrap_or_default()
    }

    /// The service deployment that a restart started.
    pub(crate) fn made_by(&self, restart: &Restart) -> Option<&HistoryView> {
        self.past(&restart.service)
            .iter()
            .find(|past| past.deployment == restart.deployment)
    }

    /// The services that the invocation described before its restart.
    pub(crate) fn described_for(&self, restart: &Restart) -> BTreeSet<&str> {
        let calls = self.calls_before(restart);
        calls
            .filter(|call| call.operation == "DescribeServices" && call.result == CallResult::Ok)
            .flat_map(|call| call.target.split(','))
            .collect()
    }

    /// True if a call that lists services, or reads their watch tags or references, had no answer
    /// before a restart.
    pub(crate) fn has_failed_to_find(&self, restart: &Restart) -> bool {
        self.calls_before(restart).any(|call| {
            let finds = match call.operation.as_str() {
                "GetResources" => call.target == "ecs:service",
                "DescribeServices" | "DescribeTaskDefinition" => true,
                _ => false,
            };
            finds && call.result != CallResult::Ok
        })
    }

    /// The calls of the invocation until its restart.
    fn calls_before(&self, restart: &Restart) -> impl Iterator<Item = &Call> {
        let ran = self.ran.iter();
        let from = ran
            .filter(|ran| ran.process == restart.by && ran.from <= restart.at)
            .map(|ran| ran.from)
            .max();
        let (by, until) = (restart.by.clone(), restart.at);
        self.calls.iter().filter(move |call| {
            call.principal == by && Some(call.time) >= from && call.time <= until
        })
    }

    /// True if the function started that deployment.
    pub(crate) fn is_ours(&self, service: &str, past: &HistoryView) -> bool {
        self.restarts(service)
            .iter()
            .any(|restart| restart.deployment == past.deployment)
    }

    /// The invocation that made a call.
    pub(crate) fn ran_of(&self, call: &Call) -> Option<&Ran> {
        let made = |ran: &&Ran| ran.process == call.principal && ran.contains(call.time);
        self.ran.iter().filter(made).max_by_key(|ran| ran.from)
    }

    /// The invocation that wrote a line at an instant.
    pub(crate) fn ran_by(&self, line: &Value, at: Timestamp) -> Option<&Ran> {
        let wrote = |ran: &&Ran| line["request_id"] == *ran.request_id && ran.contains(at);
        self.ran.iter().find(wrote)
    }

    /// The calls of the function for restarts, whatever came of them, in the order of time.
    pub(crate) fn calls_for_restarts(&self) -> impl Iterator<Item = &Call> {
        self.calls.iter().filter(|call| {
            call.operation == "UpdateService" && call.principal.starts_with(FUNCTION)
        })
    }

    /// The calls of an invocation until an instant.
    pub(crate) fn calls_of<'a>(
        &'a self,
        ran: &'a Ran,
        until: Timestamp,
    ) -> impl Iterator<Item = &'a Call> {
        self.calls.iter().filter(move |call| {
            call.principal == ran.process && ran.from <= call.time && call.time <= until
        })
    }

    /// True if a call may have been given up before its answer came.
    pub(crate) fn may_be_cut_off(&self, call: &Call, choices: &Choices) -> bool {
        let late = SignedDuration::try_from(choices.latency_jitter + call.delayed_by).unwrap();
        let answer = ANSWER + late;
        let left = self
            .ran_of(call)
            .map(|ran| ran.works_until().duration_since(call.time));
        answer >= PATIENCE || left.is_none_or(|left| answer * TRIES >= left / TRIES)
    }

    fn read_restarts(&self, choices: &Choices) -> BTreeMap<String, Vec<Restart>> {
        let mut restarts: BTreeMap<String, Vec<Restart>> = BTreeMap::new();
        for (place, call) in self.calls.iter().enumerate() {
            let deployment = call
                .deployment
                .as_ref()
                .filter(|_| call.principal.starts_with(FUNCTION) && call.took_effect());
            let Some(deployment) = deployment else {
                continue;
            };
            let before = &self.calls[..place];
            let of_service = restarts.entry(call.target.clone()).or_default();
            let restart = Restart {
                service: call.target.clone(),
                at: call.time,
                by: call.principal.clone(),
                deployment: deployment.clone(),
                raced: raced(self.past(&call.target), of_service, before, call),
                history_unread: self.history_unread(before, call, choices),
                ignored_unread: ignored_unread(before, call),
            };
            of_service.push(restart);
        }
        restarts
    }

    fn history_unread(&self, before: &[Call], restart: &Call, choices: &Choices) -> Option<String> {
        // An invocation reads the history of a restart once, however long its turn takes.
        let began_at = self.ran_of(restart).map(|ran| ran.from);
        let since_it_began = began_at.map(|from| restart.time.duration_since(from));
        let within = since_it_began.map_or(HISTORY_BELIEVED, |age| age.max(HISTORY_BELIEVED));
        lately(before, restart, within)
            .find(|call| {
                reads_history(call, &restart.target)
                    && (is_unread(call) || self.may_be_cut_off(call, choices))
            })
            .map(|call| format!("{call} for {}", restart.target))
    }
}

/// Walks back from a restart through the calls of the same process that are young enough.
fn lately<'a>(
    before: &'a [Call],
    restart: &'a Call,
    within: SignedDuration,
) -> impl Iterator<Item = &'a Call> {
    before
        .iter()
        .rev()
        .take_while(move |call| restart.time.duration_since(call.time) < within)
        .filter(|call| call.principal == restart.principal)
}

/// The deployment by somebody else, or by another process, that was made between this process's
/// last description of the service and its restart. A process that did not describe the service
/// shortly before is not excused.
fn raced(
    past: &[HistoryView],
    ours: &[Restart],
    before: &[Call],
    restart: &Call,
) -> Option<String> {
    let describes = |call: &&Call| {
        call.operation == "DescribeServices"
            && call.result == CallResult::Ok
            && call.target.split(',').any(|name| name == restart.target)
    };
    let seen_at = lately(before, restart, BELIEVED).find(describes)?.time;
    let by_itself = |past: &HistoryView| {
        let made = ours
            .iter()
            .find(|restart| restart.deployment == past.deployment);
        made.is_some_and(|made| made.by == restart.principal)
    };
    let own = restart.deployment.as_deref();
    past.iter()
        .find(|past| {
            (seen_at..=restart.time).contains(&past.created_at)
                && Some(past.deployment.as_str()) != own
                && !by_itself(past)
        })
        .map(|past| format!("{} of {}", past.deployment, past.created_at))
}

/// A read without a result, or perhaps without one: it failed, its answer was late, or its page
/// token is one of a listing that does not end. No service of a history has more deployments than a
/// page holds.
pub(crate) fn is_unread(call: &Call) -> bool {
    call.result != CallResult::Ok
        || !call.delayed_by.is_zero()
        || !call.input["nextToken"].is_null()
        || !call.input["PaginationToken"].is_null()
}

/// True if a call reads the deployment history of a service.
pub(crate) fn reads_history(call: &Call, service: &str) -> bool {
    let names = |kind: &str| {
        call.input
            .to_string()
            .contains(&format!("{kind}/{service}/"))
    };
    match call.operation.as_str() {
        "ListServiceDeployments" => call.target == service,
        "DescribeServiceRevisions" => names("service-revision"),
        "DescribeServiceDeployments" => names("service-deployment"),
        _ => false,
    }
}

fn ignored_unread(before: &[Call], restart: &Call) -> Option<String> {
    let is_of_it = |call: &Call| {
        call.operation == "GetResources" && call.input.to_string().contains("reloader:ignore")
    };
    lately(before, restart, IGNORED_BELIEVED)
        .find(|call| is_of_it(call) && is_unread(call))
        .map(|call| format!("{call} for {}", restart.target))
}
