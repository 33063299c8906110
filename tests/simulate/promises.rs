//! What must hold after every history: the promises of the design.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use sim::{HistoryView, StaleTask};

use crate::function::Ran;
use crate::history::{History, QUEUE, SECRET};
use crate::subject::{Rolls, Subject};

const FUNCTION: &str = "AKIASIMULATED";

/// What was broken, in words.
pub(crate) fn broken(history: &History) -> Vec<String> {
    let lines = history.function.lines("service");
    let mut broken = Vec::new();
    broken.extend(newest_values(history, &lines));
    broken.extend(nothing_missed(history));
    broken.extend(floors(history));
    broken.extend(faster_than_the_pace(history));
    for subject in &history.subjects {
        let restarts = restarts(history, subject);
        broken.extend(only_what_changed(history, subject, &restarts));
        broken.extend(only_when_wanted(subject, &restarts));
        broken.extend(undisturbed(history, subject, &restarts));
        broken.extend(not_too_many(history, subject, &restarts, &unread_histories(&lines, &subject.name)));
    }
    broken.extend(nothing_left(history));
    broken.extend(history.stormy.then(|| "4: a storm of calls that does not end".to_owned()));
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
fn newest_values(history: &History, lines: &[Value]) -> Vec<String> {
    let last = last_reasons(lines);
    let told = |stale: &StaleTask| last.get(&stale.service).map(String::as_str);
    let stale = history.account.stale_tasks().into_iter().filter(|stale| {
        // Without its event, a move of a secret's label is only told: no API tells when it moved.
        let only_told = stale.thing == SECRET && told(stale) == Some("notify");
        is_owed(history, stale) && !only_told && !has_failed(history, stale, lines)
    });
    stale.map(|stale| format!("1: {stale:?}, last told: {:?}", told(&stale))).collect()
}

/// 1, where every event arrives: no sweep is needed.
fn nothing_missed(history: &History) -> Vec<String> {
    let last = last_reasons(&history.told_by_then);
    let told = |stale: &StaleTask| last.get(&stale.service).map(String::as_str);
    let stale = history.stale_by_then.iter().filter(|stale| {
        // What was written before a service watched it is none of the events' business.
        let widened = history.subjects.iter().find(|subject| subject.name == stale.service).map(|subject| subject.widened_at);
        let watched = last_write(history, &stale.thing) >= widened;
        history.lossless && watched && is_owed(history, stale) && !has_failed(history, stale, &history.told_by_then)
    });
    stale.map(|stale| format!("1: missed without a sweep: {stale:?}, last told: {:?}", told(stale))).collect()
}

fn last_write(history: &History, thing: &str) -> Option<Timestamp> {
    history.writes.iter().filter(|(_, written)| *written == thing).map(|(at, _)| *at).max()
}

/// Whether the service of a task watches what the task has in an old version, and its owner wants it restarted.
fn is_owed(history: &History, stale: &StaleTask) -> bool {
    let mut subjects = history.subjects.iter().filter(|subject| subject.name == stale.service);
    subjects.any(|subject| subject.mode.is_none() && subject.watches(&stale.thing))
}

/// Whether a restart that read the newest version failed, as was told, or may have failed since.
fn has_failed(history: &History, stale: &StaleTask, lines: &[Value]) -> bool {
    let subject = history.subjects.iter().find(|subject| subject.name == stale.service);
    let needs_deleted = |subject: &Subject| history.deleted.iter().any(|thing| subject.watches(thing));
    let may_fail = subject.is_some_and(|subject| subject.fails || subject.deploys > 0 || needs_deleted(subject));
    let written = last_write(history, &stale.thing);
    let since = |line: &Value| line["timestamp"].as_str().and_then(|at| at.parse::<Timestamp>().ok()) >= written;
    let mut told = lines.iter().filter(|line| line["service"] == *stale.service && since(line));
    // What a sweep restarts nobody follows; a deployment that can neither go on nor back is waited for until that is given up.
    let open_end = |line: &Value| {
        let waits = line["reason"] == "stale" || line["reason"] == "deployment-in-progress";
        let given_up = line["detail"].as_str().is_some_and(|detail| detail.contains("no longer followed"));
        line["result"] == "abandoned" || given_up || (line["request_id"] == "direct" && waits)
    };
    may_fail && told.any(|line| line["reason"] == "failed-already" || open_end(line))
}

/// 2: no service had too few running tasks.
fn floors(history: &History) -> Vec<String> {
    let services = history.account.services().into_iter().filter(|service| !service.kept_its_floor());
    services.map(|service| format!("2: {} had {} of {} tasks", service.name, service.lowest_running, service.floor)).collect()
}

/// 3: no service was restarted that watches nothing of what changed before.
fn only_what_changed(history: &History, subject: &Subject, restarts: &[Timestamp]) -> Vec<String> {
    let changed_before =
        |at: &Timestamp| subject.writes() || history.writes.iter().any(|(written, thing)| written <= at && subject.watches(thing));
    let wrong = restarts.iter().filter(|at| subject.mode.is_some() || !changed_before(at));
    wrong.map(|at| format!("3: {} was restarted at {at} for nothing", subject.name)).collect()
}

/// No service was restarted while its owner wanted none.
fn only_when_wanted(subject: &Subject, restarts: &[Timestamp]) -> Vec<String> {
    let wrong = restarts.iter().filter(|at| subject.is_quiet(**at));
    wrong.map(|at| format!("4: {} was restarted at {at}, against its owner's wish", subject.name)).collect()
}

/// No restart of ours ended a rollback, or a blue/green deployment.
fn undisturbed(history: &History, subject: &Subject, restarts: &[Timestamp]) -> Vec<String> {
    // A look is believed for five seconds.
    const BELIEVED: SignedDuration = SignedDuration::from_secs(10);
    let ran = history.function.ran();
    let past: Vec<_> = history.account.service(&subject.name).into_iter().flat_map(|service| service.history).collect();
    let since = |past: &HistoryView| past.rolled_back_at.or((subject.rolls == Rolls::BlueGreen).then_some(past.created_at));
    let disturbs = |at: Timestamp, past: &HistoryView| {
        let ends = past.finished_at.unwrap_or(Timestamp::MAX);
        since(past).is_some_and(|since| since + BELIEVED < at && at <= ends)
    };
    let wrong = restarts.iter().filter(|at| past.iter().any(|past| disturbs(**at, past)) && !overlaps(&ran, **at));
    wrong.map(|at| format!("4: {} was restarted at {at} in the middle of a rollback or a blue/green deployment", subject.name)).collect()
}

/// Restarts are asked for at the pace that is set.
fn faster_than_the_pace(history: &History) -> Option<String> {
    let (burst, rate) = history.pace;
    let calls = history.account.calls();
    let asked: Vec<_> = calls
        .iter()
        .filter(|call| call.principal == FUNCTION && call.operation == "UpdateService")
        .map(|call| call.time)
        .take(2000)
        .collect();
    for (place, first) in asked.iter().enumerate() {
        for (more, last) in (0_u32..).zip(&asked[place..]) {
            let seconds = last.duration_since(*first).as_secs_f64();
            // A turn is taken within a second of its time.
            if f64::from(more + 1) > rate.mul_add(seconds + 1.0, burst) {
                return Some(format!("4: {more} restarts were asked for in the {seconds:.1} s from {first}"));
            }
        }
    }
    None
}

/// When it was told of a service that its history could not be read, which never blocks a restart.
fn unread_histories(lines: &[Value], service: &str) -> Vec<Timestamp> {
    let unread = |line: &&Value| line["detail"].as_str().is_some_and(|detail| detail.contains("history could not be read"));
    let lines = lines.iter().filter(|line| line["service"] == service).filter(unread);
    lines.filter_map(|line| line["timestamp"].as_str()?.parse().ok()).collect()
}

/// Whether another invocation ran at the same time as one that ran at this instant.
fn overlaps(ran: &[Ran], at: Timestamp) -> bool {
    let mut makers = ran.iter().filter(|ran| ran.from <= at && at <= ran.until);
    let beside = |maker: &Ran| ran.iter().filter(|other| other.from <= maker.until && maker.from <= other.until).count() > 1;
    makers.any(beside)
}

/// 4: no more restarts than the changes, the interval and the budget allow, but for invocations that ran at the same time.
fn not_too_many(history: &History, subject: &Subject, restarts: &[Timestamp], unread: &[Timestamp]) -> Vec<String> {
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
        let blind = unread.iter().any(|told| (0..120).contains(&told.duration_since(pair[1]).as_secs()));
        if too_soon && !blind && !has_failed(&pair[0]) && !overlaps(&ran, pair[1]) {
            broken.push(format!("4: {} was restarted at {} and at {}, within {:#}", subject.name, pair[0], pair[1], subject.min_interval));
        }
    }
    let overlapping = restarts.iter().filter(|at| overlaps(&ran, **at)).count();
    for (place, first) in restarts.iter().enumerate() {
        let within = restarts[place..].iter().filter(|at| at.duration_since(*first) < SignedDuration::from_hours(1)).count();
        if within > history.restarts_per_hour + overlapping + unread.len() {
            broken.push(format!("4: {} was restarted {within} times in the hour from {first}", subject.name));
        }
    }
    let changes = history.writes.iter().filter(|(_, thing)| subject.watches(thing)).count();
    if !subject.writes() && restarts.len() > changes + subject.deploys + overlapping + unread.len() {
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
    let told = history.told_by_then.iter().filter(|line| line["request_id"] != "direct");
    let last: BTreeMap<_, _> = told.filter_map(|line| Some((line["service"].as_str()?, line))).collect();
    let waits = |line: &&Value| {
        (line["decision"] == "restart" && line["again"] == true) || (line["decision"] == "hold" && line["result"] != "abandoned")
    };
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
