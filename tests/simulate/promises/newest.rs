//! Promise 1: every running task holds the newest version of everything that its service watches,
//! unless a person, an alarm or its own failure ended the restart.

use std::collections::BTreeMap;

use serde_json::Value;
use sim::{HistoryView, StaleTask};

use super::reported::written_at;
use super::{Breach, Promise};
use crate::history::History;
use crate::record::Record;
use crate::stale;

pub(crate) struct Newest;

impl Promise for Newest {
    fn check(&self, history: &History) -> Vec<Breach> {
        let lines = &history.record().lines;
        let reported = last_lines(lines);
        let mut breaches = BTreeMap::new();
        for task in history.account.stale_tasks() {
            if !stale::is_owed(history, &task) {
                continue;
            }
            let ended = stale::ended_restart(history, &task, jiff::Timestamp::MAX);
            // A deployment of others is not followed if no change waits for it.
            let is_reported = ended.as_ref().is_none_or(|(past, _)| {
                !history.record().is_ours(&task.service, past)
                    || is_unknown(history.record(), past)
                    || reports_end(lines, &task, past)
            });
            let excuse = stale::excuse(history, &task, jiff::Timestamp::MAX);
            let last = reported.get(&(task.service.as_str(), task.thing.as_str()));
            let what = format!("1: {task:?}, last reported: {last:?}");
            let owed = (task.service.clone(), task.thing.clone());
            let about = format!("what is owed to {}", task.service);
            breaches.insert(
                owed,
                Breach::about(&about, what, excuse.filter(|_| is_reported)),
            );
        }
        breaches.into_values().collect()
    }
}

/// True if the invocation that started a deployment was lost, and no message brings it again: a
/// person invoked the function directly.
fn is_unknown(record: &Record, past: &HistoryView) -> bool {
    let mut calls = record.calls_for_restarts();
    let call = calls.find(|call| call.deployment.as_deref() == Some(&*past.deployment));
    call.and_then(|call| Some((record.ran_of(call)?, call)))
        .is_some_and(|(ran, call)| ran.request_id == "direct" && ran.was_lost_with(call))
}

/// The last reason that was reported of each service and key.
pub(crate) fn last_lines(lines: &[Value]) -> BTreeMap<(&str, &str), &str> {
    let mut last = BTreeMap::new();
    for line in lines {
        let Some(service) = line["service"].as_str() else {
            continue;
        };
        for change in line["changes"].as_array().into_iter().flatten() {
            if let (Some(key), Some(reason)) = (change["key"].as_str(), change["reason"].as_str()) {
                last.insert((service, key), reason);
            }
        }
    }
    last
}

/// True if a line about a service reports the end of that deployment, or its start: the restarts of
/// a sweep are not followed.
fn reports_end(lines: &[Value], stale: &StaleTask, ended: &HistoryView) -> bool {
    let is_later = |line: &Value| written_at(line).is_some_and(|at| at >= ended.created_at);
    lines
        .iter()
        .filter(|line| line["service"] == *stale.service && is_later(line))
        .any(|line| {
            line["reason"] == "rejected"
                || line["reason"] == "failed-already"
                || line["deployment"] == *ended.deployment
        })
}
