//! Promises 3 and 4: each restart is owed. A key that the service watches was written and has
//! settled, and no deployment was made since; or a person requested the restart.

use jiff::{SignedDuration, Timestamp};
use sim::HistoryView;

use super::{Breach, Promise};
use crate::dated::is_dated_exactly;
use crate::excuse::{Excuse, Kind};
use crate::history::History;
use crate::record::Restart;
use crate::subject::Subject;

pub(crate) struct Owed;

impl Promise for Owed {
    fn check(&self, history: &History) -> Vec<Breach> {
        let mut breaches = Vec::new();
        for subject in &history.subjects {
            for restart in history.record().restarts(&subject.name) {
                let Owing { excuse, is_owed } = owing(history, subject, restart);
                if is_owed && excuse.is_none() {
                    continue;
                }
                let what = format!(
                    "3: {} was restarted at {} for nothing",
                    subject.name, restart.at
                );
                breaches.push(Breach::about(&restart.deployment, what, excuse));
            }
        }
        breaches
    }
}

/// The ground on which a restart was owed.
#[derive(Default)]
pub(crate) struct Owing {
    is_owed: bool,
    /// The excuses that it needs beside this ground.
    excuse: Option<Excuse>,
}

impl Owing {
    fn plainly() -> Self {
        Self {
            is_owed: true,
            excuse: None,
        }
    }

    fn by(excuse: Excuse) -> Self {
        Self {
            is_owed: true,
            excuse: Some(excuse),
        }
    }
}

/// Grounds without an excuse are tried first.
fn owing(history: &History, subject: &Subject, restart: &Restart) -> Owing {
    let covered = newest_cover(history, restart, false);
    if is_asked_for(history, subject, restart, covered) {
        return Owing::plainly();
    }
    if request(history, restart).is_some() {
        return Owing::plainly();
    }
    if let Some(proof) = &restart.raced
        && (is_asked_for(history, subject, restart, None)
            || decoded(history, subject, restart, None).is_some()
            || requests_before(history, restart).next().is_some())
    {
        return Owing::by(Kind::Raced.by(proof.clone()));
    }
    if let Some(proof) = &restart.history_unread {
        let covered = newest_cover(history, restart, true);
        if is_asked_for(history, subject, restart, covered)
            || decoded(history, subject, restart, covered).is_some()
        {
            return Owing::by(Kind::HistoryUnread.by(proof.clone()));
        }
    }
    if let Some(proof) = &restart.ignored_unread {
        let is_reason = |(at, thing): &(Timestamp, &'static str)| {
            let is_ignored = subject.reads(thing) && history.was_ignored(thing, *at, restart.at);
            is_ignored && is_due(history, restart, covered, *at, thing)
        };
        if history
            .asked_changes(restart.at)
            .any(|change| is_reason(&change))
        {
            return Owing::by(Kind::IgnoredUnread.by(proof.clone()));
        }
    }
    decoded(history, subject, restart, covered).map_or_else(Owing::default, |(at, thing)| {
        Owing::by(Kind::DecodedKey.by(format!(
            "{thing} of {at} for {} of {}",
            restart.deployment, subject.name
        )))
    })
}

/// The change of an object whose decoded key the service watches.
fn decoded(
    history: &History,
    subject: &Subject,
    restart: &Restart,
    covered: Option<Timestamp>,
) -> Option<(Timestamp, &'static str)> {
    history.asked_changes(restart.at).find(|(at, thing)| {
        subject.watches_decoded(thing) && is_due(history, restart, covered, *at, thing)
    })
}

fn is_asked_for(
    history: &History,
    subject: &Subject,
    restart: &Restart,
    covered: Option<Timestamp>,
) -> bool {
    history.asked_changes(restart.at).any(|(at, thing)| {
        subject.watches(thing)
            && !history.was_surely_ignored(thing, restart.at)
            && is_due(history, restart, covered, at, thing)
    }) || (subject.writes()
        && history
            .own_writes(crate::subject::OWN)
            .into_iter()
            .any(|at| is_due(history, restart, covered, at, crate::subject::OWN)))
}

/// True if a change has settled by the time of a restart, and nothing covers it.
fn is_due(
    history: &History,
    restart: &Restart,
    covered: Option<Timestamp>,
    written: Timestamp,
    thing: &str,
) -> bool {
    let end = if is_dated_exactly(history, restart, written, thing) {
        written
    } else {
        written + SignedDuration::from_secs(1)
    };
    written + history.choices.settle() <= restart.at && covered.is_none_or(|covered| end >= covered)
}

/// The request for a restart, if there is one: no deployment was made since a minute before it, and
/// no later one failed.
pub(crate) fn request(history: &History, restart: &Restart) -> Option<Timestamp> {
    // A deployment of that last minute counts as the requested restart.
    const JUST_RESTARTED: SignedDuration = SignedDuration::from_secs(59);
    let good = newest_cover(history, restart, true);
    let any = newest_cover(history, restart, restart.history_unread.is_some());
    requests_before(history, restart)
        .filter(|at| good.is_none_or(|good| good <= *at - JUST_RESTARTED))
        .filter(|at| any.is_none_or(|any| any <= *at))
        .max()
}

fn requests_before(history: &History, restart: &Restart) -> impl Iterator<Item = Timestamp> {
    history
        .requests
        .iter()
        .filter(|(_, service)| *service == restart.service)
        .map(|(at, _)| *at)
        .filter(|at| *at <= restart.at)
}

/// The creation of the newest deployment that covers changes. A deployment that failed covers them
/// only if it ran the same task definition. One that was superseded by a failed deployment does not
/// cover them. If the history could not be read, no failed deployment covers them.
pub(crate) fn newest_cover(
    history: &History,
    restart: &Restart,
    is_unread: bool,
) -> Option<Timestamp> {
    let record = history.record();
    let past = record.past(&restart.service);
    let runs = record.made_by(restart).map(|past| &past.task_definition);
    let was_superseded = |end: Timestamp| past.iter().any(|next| next.created_at == end);
    let was_stopped = |past: &HistoryView| {
        past.status == "STOPPED"
            && past
                .finished_at
                .is_some_and(|end| end < restart.at && (is_unread || was_superseded(end)))
    };
    let has_failed = |past: &HistoryView| {
        let is_ours = Some(&past.task_definition) == runs && record.is_ours(&restart.service, past);
        past.status.starts_with("ROLLBACK") && (is_unread || !is_ours)
    };
    past.iter()
        .filter(|past| past.created_at < restart.at && past.deployment != restart.deployment)
        .filter(|past| !has_failed(past) && !was_stopped(past))
        .map(|past| past.created_at)
        .max()
}
