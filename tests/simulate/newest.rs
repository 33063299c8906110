//! Promise 1: every running task holds the newest version of all that its service watches, except
//! where the decision says otherwise.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;
use sim::{EndedBy, HistoryView, StaleTask};

use crate::excuse::{Excuse, Kind};
use crate::history::{History, SECRET};
use crate::promises::{past, told_at};
use crate::subject::{OWN, Subject};

fn last_reasons(lines: &[Value]) -> BTreeMap<String, String> {
    let told = lines.iter().filter_map(|line| {
        Some((
            line["service"].as_str()?.to_owned(),
            line["reason"].as_str()?.to_owned(),
        ))
    });
    told.collect()
}

/// 1: every running task holds the newest version, except where the recorded decision says
/// otherwise.
pub(crate) fn newest_values(history: &History, lines: &[Value]) -> (Vec<String>, Vec<Excuse>) {
    let last = last_reasons(lines);
    let told = |stale: &StaleTask| last.get(&stale.service).map(String::as_str);
    let stale = history.account.stale_tasks().into_iter().filter(|stale| {
        // Without its event, a move of a secret's label is only told, or not even that beside what
        // is refused: no API tells when it moved.
        let has_moved =
            history.moved.is_some() && history.moved == last_write(history, SECRET, Timestamp::MAX);
        let only_told = stale.thing == SECRET
            && has_moved
            && matches!(told(stale), Some("notify" | "rejected" | "failed-already"));
        is_owed(history, stale)
            && !only_told
            && !waits_for_ever(history, told(stale))
            && !may_have_failed(history, stale, lines, Timestamp::MAX)
    });
    let (mut broken, mut excuses) = (Vec::new(), BTreeMap::new());
    for stale in stale {
        let what = format!("{stale:?}, last told: {:?}", told(&stale));
        let ended = ended(history, &stale, Timestamp::MAX)
            .filter(|(past, _)| tells_of(lines, &stale, past));
        match ended.or_else(|| writes_itself(history, &stale)) {
            Some((past, kind)) => {
                let proof = format!(
                    "{} of {}: {:?}",
                    past.deployment, past.created_at, past.ended_by
                );
                excuses.insert(
                    (stale.service.clone(), stale.thing.clone()),
                    Excuse { kind, what, proof },
                );
            }
            None => broken.push(format!("1: {what}")),
        }
    }
    (broken, excuses.into_values().collect())
}

/// The restart that read what a task has in an old version, and that was ended: by a person, a hook
/// or its time-out, or by an alarm.
fn ended(history: &History, stale: &StaleTask, by: Timestamp) -> Option<(HistoryView, Kind)> {
    let subject = history
        .subjects
        .iter()
        .find(|subject| subject.name == stale.service)?;
    let written = last_write(history, &stale.thing, by)?;
    let past = past(history, subject);
    // A rollback brings the task definition back that ran before.
    let runs = past
        .iter()
        .filter(|past| past.status == "SUCCESSFUL")
        .max_by_key(|past| past.created_at)?
        .task_definition
        .clone();
    let read_it = |past: &HistoryView| {
        past.created_at > written && past.created_at < by && past.task_definition == runs
    };
    let kind = |past: &HistoryView| match past.ended_by? {
        by if by.is_a_decision() => Some(Kind::EndedOnPurpose),
        EndedBy::Alarm => Some(Kind::EndedByAlarm),
        _ => None,
    };
    past.into_iter()
        .filter(read_it)
        .find_map(|past| Some((past.clone(), kind(&past)?)))
}

/// The newest deployment of a service, where its own tasks wrote the key since: each further
/// deployment would do the same.
fn writes_itself(history: &History, stale: &StaleTask) -> Option<(HistoryView, Kind)> {
    let subject = history
        .subjects
        .iter()
        .find(|subject| subject.name == stale.service && stale.thing == OWN)?;
    let newest = past(history, subject)
        .into_iter()
        .max_by_key(|past| past.created_at)?;
    let wrote = history.own_writes(OWN).into_iter().max()?;
    (newest.created_at < wrote && Some(wrote) == last_write(history, OWN, Timestamp::MAX))
        .then_some((newest, Kind::WritesItself))
}

/// True where the last line about a service tells that a deployment ended, or that the very one was
/// started: what a sweep starts nobody follows. Behind a pause or a closed window nothing is
/// restarted, so that the history is not read there, and the line before it counts.
fn tells_of(lines: &[Value], stale: &StaleTask, ended: &HistoryView) -> bool {
    let reads_history = |line: &Value| {
        line["reason"].is_string()
            && line["reason"] != "outside-window"
            && line["reason"] != "paused"
    };
    let last = lines
        .iter()
        .rfind(|line| line["service"] == *stale.service && reads_history(line));
    last.is_some_and(|line| {
        line["reason"] == "rejected"
            || line["reason"] == "failed-already"
            || line["deployment"] == *ended.deployment
    })
}

/// Whether it is held for what does not end in the days of a history: rollouts of services whose
/// tasks fail, and whose deployments are not rolled back.
fn waits_for_ever(history: &History, told: Option<&str>) -> bool {
    let never_ends = |subject: &Subject| {
        let past = past(history, subject);
        let last = past.iter().max_by_key(|past| past.created_at);
        past.iter().any(|past| past.finished_at.is_none())
            || last.is_some_and(|last| last.status == "STOPPED")
    };
    told == Some("in-flight-limit") && history.subjects.iter().any(never_ends)
}

/// 1, where every event arrives: no sweep is needed.
pub(crate) fn nothing_missed(history: &History) -> Vec<String> {
    let last = last_reasons(&history.told_by_then);
    let told = |stale: &StaleTask| last.get(&stale.service).map(String::as_str);
    let stale = history.stale_by_then.iter().filter(|stale| {
        let since = last_write(history, &stale.thing, history.delivered_at);
        // What was written before a service watched it is none of the events' business.
        let subject = history
            .subjects
            .iter()
            .find(|subject| subject.name == stale.service);
        let watched = subject.is_some_and(|subject| {
            subject.has_always_watched(&stale.thing) || since >= Some(subject.widened_at)
        });
        let is_given_up = |line: &Value| {
            line["service"] == *stale.service
                && line["result"] == "abandoned"
                && told_at(line) >= since
        };
        let given_up = history.told_by_then.iter().any(is_given_up);
        history.lossless
            && watched
            && !given_up
            && !history.deleted.contains(stale.thing.as_str())
            && is_owed(history, stale)
            && !may_have_failed(history, stale, &history.told_by_then, history.delivered_at)
            && ended(history, stale, history.delivered_at).is_none()
    });
    stale
        .map(|stale| {
            format!(
                "1: missed without a sweep: {stale:?}, last told: {:?}",
                told(stale)
            )
        })
        .collect()
}

fn last_write(history: &History, thing: &str, by: Timestamp) -> Option<Timestamp> {
    let of_persons = history
        .writes
        .iter()
        .filter(|(_, written)| *written == thing)
        .map(|(at, _)| *at);
    of_persons
        .chain(history.own_writes(thing))
        .filter(|at| *at < by)
        .max()
}

/// Whether the service of a task watches what the task has in an old version, and its owner wants
/// it restarted.
fn is_owed(history: &History, stale: &StaleTask) -> bool {
    let mut subjects = history
        .subjects
        .iter()
        .filter(|subject| subject.name == stale.service);
    subjects.any(|subject| subject.mode.is_none() && subject.watches(&stale.thing))
}

/// Whether a restart that read the newest version failed, as was told, or may have failed since.
fn may_have_failed(history: &History, stale: &StaleTask, lines: &[Value], by: Timestamp) -> bool {
    let subject = history
        .subjects
        .iter()
        .find(|subject| subject.name == stale.service);
    let needs_b = |subject: &Subject| subject.terms.contains(&"auto") || subject.deploys > 0;
    let may_fail = subject.is_some_and(|subject| {
        subject.fails || (needs_b(subject) && history.deleted.contains("ssm:/app/b"))
    });
    let written = last_write(history, &stale.thing, by);
    let since = |line: &Value| told_at(line) >= written;
    let mut told = lines
        .iter()
        .filter(|line| line["service"] == *stale.service && since(line));
    // What a sweep restarts nobody follows; a deployment that can neither go on nor back is waited
    // for until that is given up.
    let open_end = |line: &Value| {
        let waits = line["reason"] == "stale" || line["reason"] == "deployment-in-progress";
        let given_up = line["detail"]
            .as_str()
            .is_some_and(|detail| detail.contains("no longer followed"));
        line["result"] == "abandoned" || given_up || (line["request_id"] == "direct" && waits)
    };
    let tried = subject
        .map(|subject| past(history, subject))
        .unwrap_or_default();
    let tried: Vec<_> = tried
        .into_iter()
        .filter(|past| Some(past.created_at) > written)
        .collect();
    // Nobody tells of a deployment that a pipeline made and that neither ends nor is rolled back.
    let runs = tried
        .iter()
        .any(|past| past.finished_at.is_none() || past.status == "STOPPED");
    let never_ends = runs && subject.is_some_and(|subject| subject.deploys > 0);
    let failed = tried
        .iter()
        .filter(|past| past.status == "STOPPED" || past.status.starts_with("ROLLBACK"));
    let first_failed = failed.map(|past| past.created_at).min();
    let has_failed = |line: &Value| {
        line["reason"] == "failed-already"
            && first_failed.is_some_and(|failed| Some(failed) < told_at(line))
    };
    may_fail && (never_ends || told.any(|line| has_failed(line) || open_end(line)))
}
