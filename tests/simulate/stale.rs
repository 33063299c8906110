//! The excuses for tasks with an old version.

use jiff::{SignedDuration, Timestamp};
use sim::{Call, CallResult, EndedBy, HistoryView, StaleTask};

use crate::excuse::{Excuse, Kind};
use crate::history::{History, SECRET};
use crate::holds;
use crate::subject::{OWN, Subject};

/// True if a task with an old version of a key should be restarted: its service watches the key,
/// and no mode forbids it.
pub(crate) fn is_owed(history: &History, stale: &StaleTask) -> bool {
    history.choices.enforces()
        && history
            .subject(&stale.service)
            .is_some_and(|subject| subject.mode.is_none() && subject.watches(&stale.thing))
}

/// The excuses, at the instant `by`, for a task that has an old version of a key which its service
/// watches.
pub(crate) fn excuse(history: &History, stale: &StaleTask, by: Timestamp) -> Option<Excuse> {
    let subject = history.subject(&stale.service)?;
    let written = history.last_write(&stale.thing, by)?;
    ended_restart(history, stale, by)
        .map(|(past, kind)| kind.by(describe(&past)))
        .or_else(|| its_tasks_fail(history, subject, by))
        .or_else(|| writes_itself(history, subject, stale, by))
        .or_else(|| label_moved(history, stale, written))
        .or_else(|| replica_lag(history, stale, written))
        .or_else(|| older_than_sweep(history, stale, written))
        .or_else(|| held_for_too_long(history, subject, written, by))
        .or_else(|| refused_whole(history, stale, written))
        .or_else(|| still_held(history, subject, written))
        .or_else(|| denied(history, subject, written, by).map(|call| Kind::Denied.by(call)))
}

fn describe(past: &HistoryView) -> String {
    format!(
        "{} of {}: {} {:?}",
        past.deployment, past.created_at, past.status, past.ended_by
    )
}

/// The restart that read the newer version and was ended: by a person, a hook or its time-out, or
/// by an alarm. A newer change of any key that the service watches allows the next restart.
pub(crate) fn ended_restart(
    history: &History,
    stale: &StaleTask,
    by: Timestamp,
) -> Option<(HistoryView, Kind)> {
    let subject = history.subject(&stale.service)?;
    let written = history.last_write(&stale.thing, by)?;
    let past = history.record().past(&subject.name);
    // A rollback brings the previous task definition back.
    let runs = past
        .iter()
        .filter(|past| past.status == "SUCCESSFUL")
        .max_by_key(|past| past.created_at)?
        .task_definition
        .clone();
    let read_it = |past: &&HistoryView| {
        past.created_at > written && past.created_at < by && past.task_definition == runs
    };
    let kind = |past: &HistoryView| match past.ended_by? {
        by if by.is_a_decision() => Some(Kind::EndedOnPurpose),
        EndedBy::Alarm => Some(Kind::EndedByAlarm),
        _ => None,
    };
    past.iter()
        .filter(read_it)
        .find_map(|past| Some((past.clone(), kind(past)?)))
}

/// The newest deployment of a service, if its tasks failed to start: with a value that they
/// read, or because a key was missing. One that is rolled back and deployed another task
/// definition, as a pipeline does by mistake, does not count.
fn its_tasks_fail(history: &History, subject: &Subject, by: Timestamp) -> Option<Excuse> {
    let past = history.record().past(&subject.name);
    let runs = past
        .iter()
        .find(|past| past.status == "SUCCESSFUL" && past.created_at < by)
        .map(|past| &past.task_definition);
    let counts = |past: &&HistoryView| {
        past.created_at < by
            && (!past.status.starts_with("ROLLBACK") || Some(&past.task_definition) == runs)
    };
    let newest = past.iter().find(counts)?;
    let failure = newest.failures.first()?;
    let has_failed =
        newest.ended_by == Some(EndedBy::CircuitBreaker) || newest.finished_at.is_none();
    // A newer change allows the next restart, unless it is ignored or reaches too many services.
    // Only a sweep finds one that was made before the service watched its key.
    let is_known = |at: Timestamp, thing: &str| {
        subject.has_always_watched(thing) || subject.widened_at <= at || history.last_sweep_at < by
    };
    let own = subject.writes().then(|| history.own_writes(OWN));
    let own = own.into_iter().flatten().map(|at| (at, OWN));
    let changes = history.heard_changes(by).chain(own);
    let newest_change = changes
        .filter(|(at, thing)| *at < by && subject.watches(thing) && is_known(*at, thing))
        .filter(|(at, thing)| !history.was_ignored(thing, *at, by))
        .filter(|(_, thing)| history.reached(thing) <= history.choices.max_services())
        .map(|(at, _)| at)
        .max();
    let is_freed = newest.finished_at.is_some() && Some(newest.created_at) < newest_change;
    let kind = if failure.missing.is_empty() {
        Kind::BadValue
    } else {
        Kind::MissedKey
    };
    (has_failed && !is_freed).then(|| kind.by(describe(newest)))
}

/// The newest deployment of a service, if its own tasks wrote the key since: another deployment
/// would do the same.
fn writes_itself(
    history: &History,
    subject: &Subject,
    stale: &StaleTask,
    by: Timestamp,
) -> Option<Excuse> {
    if stale.thing != OWN {
        return None;
    }
    let newest = history
        .record()
        .past(&subject.name)
        .iter()
        .filter(|past| past.created_at < by)
        .max_by_key(|past| past.created_at)?;
    let wrote = history.own_writes(OWN).into_iter().max()?;
    (newest.created_at < wrote && Some(wrote) == history.last_write(OWN, Timestamp::MAX))
        .then(|| Kind::WritesItself.by(describe(newest)))
}

/// Without its event, a move of a secret's label is unknown: no API shows when it moved. The event
/// does not help a service that watches the secret only later.
fn label_moved(history: &History, stale: &StaleTask, written: Timestamp) -> Option<Excuse> {
    let subject = history.subject(&stale.service)?;
    let is_lost = !history.choices.lossless() || written < subject.widened_at;
    let is_move = stale.thing == SECRET && history.moved == Some(written);
    (is_lost && is_move)
        .then(|| Kind::LabelMoved.by(format!("the move of {written}, for {}", stale.service)))
}

/// All tasks are newer than the change, and this one read a replica that did not have it yet. A
/// restart for the change would be later than that.
fn replica_lag(history: &History, stale: &StaleTask, written: Timestamp) -> Option<Excuse> {
    if !stale.thing.starts_with("ssm:") {
        return None;
    }
    let lagged = written..written + history.choices.replica_lag;
    let service = history.account.service(&stale.service)?;
    let task = service.tasks.iter().find(|task| task.id == stale.task);
    let record = history.record();
    let made_early = |past: &&HistoryView| {
        lagged.contains(&past.created_at) && !record.is_ours(&stale.service, past)
    };
    match task {
        Some(task) => {
            let oldest = service.tasks.iter().map(|task| task.created_at).min()?;
            let are_newer = written <= oldest + SignedDuration::from_secs(1);
            (are_newer && task.created_at < lagged.end).then(|| {
                Kind::ReplicaLag.by(format!(
                    "task {} of {}, created {}, written {written}",
                    task.id, stale.service, task.created_at
                ))
            })
        }
        // The task has been replaced since.
        None => record
            .past(&stale.service)
            .iter()
            .find(made_early)
            .map(|past| Kind::ReplicaLag.by(describe(past))),
    }
}

/// The sweep only reports a change that is long ago and whose event was lost.
fn older_than_sweep(history: &History, stale: &StaleTask, written: Timestamp) -> Option<Excuse> {
    let reach = history.choices.sweep_since();
    // The event of a change does not help a service that watches the key only later, or a key that
    // was ignored for a while.
    let is_missed = !history.choices.lossless()
        || history
            .subject(&stale.service)
            .is_some_and(|subject| written < subject.widened_at)
        || history.was_ignored(&stale.thing, written, history.delivered_at);
    let is_old = is_missed && written + reach < history.last_sweep_at;
    is_old.then(|| {
        Kind::OlderThanSweep.by(format!(
            "{} written {written}, for {}",
            stale.thing, stale.service
        ))
    })
}

/// Something without a known end held the restart for as long as the function waits.
fn held_for_too_long(
    history: &History,
    subject: &Subject,
    written: Timestamp,
    by: Timestamp,
) -> Option<Excuse> {
    let limit = history.choices.hold_limit();
    let held = holds::without_known_end(history, subject, written, by);
    (held + holds::SLACK >= limit)
        .then(|| Kind::HoldLimit.by(format!("{} was held for {held:#}", subject.name)))
}

/// A deployment that is older than the change, and still runs at the end of the history.
fn still_held(history: &History, subject: &Subject, written: Timestamp) -> Option<Excuse> {
    let past = history.record().past(&subject.name);
    let newest = past.iter().max_by_key(|past| past.created_at)?;
    let runs = newest.finished_at.is_none() && newest.created_at <= written;
    runs.then(|| Kind::StillHeld.by(describe(newest)))
}

/// The call that IAM denied: no other one follows before the next sweep.
pub(crate) fn denied(
    history: &History,
    subject: &Subject,
    from: Timestamp,
    until: Timestamp,
) -> Option<String> {
    let is_refused = |call: &Call| {
        call.operation == "UpdateService"
            && call.target == subject.name
            && matches!(&call.result, CallResult::Error(code) if code == "AccessDeniedException")
    };
    let calls = &history.record().calls;
    calls
        .iter()
        .find(|call| from <= call.time && call.time <= until && is_refused(call))
        .map(ToString::to_string)
}

/// The change reaches more services than one change may restart.
fn refused_whole(history: &History, stale: &StaleTask, written: Timestamp) -> Option<Excuse> {
    let reached = history
        .subjects
        .iter()
        .filter(|subject| subject.mode.is_none() && subject.watches(&stale.thing))
        .count();
    (reached > history.choices.max_services()).then(|| {
        Kind::TooManyServices.by(format!(
            "{} written {written} reaches {reached}, {} among them",
            stale.thing, stale.service
        ))
    })
}
