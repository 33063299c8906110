//! What must hold after every history: the promises of the design.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::function::Ran;
use crate::history::{History, QUEUE, Subject};

const FUNCTION: &str = "AKIASIMULATED";

/// What was broken, in words.
pub(crate) fn broken(history: &History) -> Vec<String> {
    let lines = history.function.lines("service");
    let last = last_reasons(&lines);
    let mut broken = Vec::new();
    broken.extend(newest_values(history, &last));
    broken.extend(floors(history));
    for subject in &history.subjects {
        let restarts = restarts(history, subject);
        broken.extend(only_what_changed(history, subject, &restarts));
        broken.extend(not_too_many(history, subject, &restarts, unread_histories(&lines, &subject.name)));
    }
    broken.extend(nothing_left(history));
    broken.extend(nothing_forgotten(history));
    broken.extend(told_once(history, &lines));
    broken
}

fn last_reasons(lines: &[Value]) -> BTreeMap<String, String> {
    let told = lines.iter().filter_map(|line| Some((line["service"].as_str()?.to_owned(), line["reason"].as_str()?.to_owned())));
    told.collect()
}

/// When the function restarted a service.
fn restarts(history: &History, subject: &Subject) -> Vec<Timestamp> {
    let calls = history.account.calls();
    let ours = calls.iter().filter(|call| call.principal == FUNCTION && call.operation == "UpdateService" && call.took_effect());
    ours.filter(|call| call.target == subject.name).map(|call| call.time).collect()
}

/// 1: every running task holds the newest version, except where the recorded decision says otherwise.
fn newest_values(history: &History, last: &BTreeMap<String, String>) -> Vec<String> {
    let stale = history.account.stale_tasks().into_iter().filter(|stale| {
        let subject = history.subjects.iter().find(|subject| subject.name == stale.service);
        let watched = subject.is_some_and(|subject| subject.mode.is_none() && subject.watches(&stale.thing));
        // What the last sweep restarted nobody follows: it may have failed as well.
        let failed_at_last =
            |reason: &String| reason == "failed-already" || (reason == "stale" && subject.is_some_and(|subject| subject.fails));
        let excused = last.get(&stale.service).is_some_and(failed_at_last);
        // The sweep sends no holds: what waited for others in each of them is left.
        let waits = last.get(&stale.service).is_some_and(|reason| reason == "in-flight-limit");
        watched && !waits && !(excused && subject.is_some_and(|subject| subject.fails || subject.deploys > 0))
    });
    stale.map(|stale| format!("1: {stale:?}, last told: {:?}", last.get(&stale.service))).collect()
}

/// 2: no service had too few running tasks.
fn floors(history: &History) -> Vec<String> {
    let services = history.account.services().into_iter().filter(|service| !service.kept_its_floor());
    services.map(|service| format!("2: {} had {} of {} tasks", service.name, service.lowest_running, service.floor)).collect()
}

/// 3: no service was restarted that watches nothing of what changed before.
fn only_what_changed(history: &History, subject: &Subject, restarts: &[Timestamp]) -> Vec<String> {
    let changed_before = |at: &Timestamp| history.writes.iter().any(|(written, thing)| written <= at && subject.watches(thing));
    let wrong = restarts.iter().filter(|at| subject.mode.is_some() || !changed_before(at));
    wrong.map(|at| format!("3: {} was restarted at {at} for nothing", subject.name)).collect()
}

/// How often a service was restarted although its history could not be read, which never blocks a restart.
fn unread_histories(lines: &[Value], service: &str) -> usize {
    let unread = |line: &&Value| line["detail"].as_str().is_some_and(|detail| detail.contains("history could not be read"));
    lines.iter().filter(|line| line["service"] == service).filter(unread).count()
}

/// Whether invocations ran at the same time around an instant.
fn overlaps(ran: &[Ran], at: Timestamp) -> bool {
    let around = ran.iter().filter(|ran| ran.from <= at && at <= ran.until + SignedDuration::from_secs(10));
    around.count() > 1
}

/// 4: no more restarts than the changes, the interval and the budget allow, but for invocations that ran at the same time.
fn not_too_many(history: &History, subject: &Subject, restarts: &[Timestamp], unread: usize) -> Vec<String> {
    let mut broken = Vec::new();
    let ran = history.function.ran();
    let failed: BTreeSet<Timestamp> = history
        .account
        .service(&subject.name)
        .into_iter()
        .flat_map(|service| service.history)
        .filter(|past| past.status.starts_with("ROLLBACK"))
        .map(|past| past.created_at)
        .collect();
    let has_failed = |at: &Timestamp| failed.iter().any(|failed| failed.duration_since(*at).abs() < SignedDuration::from_secs(1));
    for pair in restarts.windows(2) {
        let too_soon = pair[1].duration_since(pair[0]) + SignedDuration::from_secs(1) < subject.min_interval;
        if too_soon && !has_failed(&pair[0]) && !overlaps(&ran, pair[1]) {
            broken.push(format!("4: {} was restarted at {} and at {}, within {:#}", subject.name, pair[0], pair[1], subject.min_interval));
        }
    }
    let overlapping = restarts.iter().filter(|at| overlaps(&ran, **at)).count();
    for (place, first) in restarts.iter().enumerate() {
        let within = restarts[place..].iter().filter(|at| at.duration_since(*first) < SignedDuration::from_hours(1)).count();
        if within > history.restarts_per_hour + overlapping + unread {
            broken.push(format!("4: {} was restarted {within} times in the hour from {first}", subject.name));
        }
    }
    let changes = history.writes.iter().filter(|(_, thing)| subject.watches(thing)).count();
    if restarts.len() > changes + subject.deploys + overlapping {
        broken.push(format!("4: {} was restarted {} times for {changes} changes", subject.name, restarts.len()));
    }
    broken
}

/// 5: every message ended.
fn nothing_left(history: &History) -> Vec<String> {
    let dead = history.account.messages(&format!("{QUEUE}-dead-letters"));
    let left = history.account.messages(QUEUE);
    dead.iter()
        .map(|body| format!("5: a dead letter: {body}"))
        .chain(left.iter().map(|body| format!("5: left in the queue: {body}")))
        .collect()
}

/// 5: what was held, or was to go on, did go on, without the help of a sweep. What a sweep itself holds goes on with the next; what could not
/// be read may turn out to concern nobody.
fn nothing_forgotten(history: &History) -> Vec<String> {
    let told = history.told_by_then.iter().filter(|line| line["request_id"] != "direct" && line["reason"].is_string());
    let last: BTreeMap<_, _> = told.filter_map(|line| Some((line["service"].as_str()?, line))).collect();
    let waits = |line: &&Value| line["again"] == true || (line["decision"] == "hold" && line["result"] != "abandoned");
    last.into_values().filter(waits).map(|line| format!("5: forgotten: {} {}", line["service"], line["reason"])).collect()
}

/// 6: each restart is told once, but for those of invocations that were lost, or timed out.
fn told_once(history: &History, lines: &[Value]) -> Vec<String> {
    let mut told: BTreeMap<&str, usize> = BTreeMap::new();
    // Of two invocations at once, one of which lost its answer, both may find the same deployment.
    let found = |line: &&Value| line["detail"].as_str().is_some_and(|detail| detail.contains("found by looking"));
    for line in lines.iter().filter(|line| line["result"] == "started" && !found(line)) {
        *told.entry(line["deployment"].as_str().unwrap_or_default()).or_default() += 1;
    }
    let twice = told.iter().filter(|(_, times)| **times > 1).map(|(deployment, _)| format!("6: {deployment} was told twice"));
    let known: BTreeSet<String> =
        history.account.services().into_iter().flat_map(|service| service.history).map(|past| past.deployment).collect();
    let unknown =
        told.keys().filter(|deployment| !known.contains(**deployment)).map(|deployment| format!("6: {deployment} is told and is none"));
    twice.chain(unknown).collect()
}
