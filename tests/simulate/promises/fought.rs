//! Promise 8, nobody is fought: a rollout that a person, a hook or its time-out ended is not
//! started again by itself.

use jiff::{SignedDuration, Timestamp};
use sim::{EndedBy, HistoryView};

use super::owed::request;
use super::{Breach, Promise};
use crate::excuse::{Excuse, Kind};
use crate::history::History;
use crate::record::Restart;
use crate::subject::{OWN, Subject};

/// A history of deployments is believed for a few seconds, while a restart waits for its turn.
const BELIEVED: SignedDuration = SignedDuration::from_secs(10);

/// Events name whole seconds: a change is taken to have happened at the end of its second.
const A_SECOND: SignedDuration = SignedDuration::from_secs(1);

pub(crate) struct Fought;

impl Promise for Fought {
    fn check(&self, history: &History) -> Vec<Breach> {
        let mut breaches = Vec::new();
        for subject in &history.subjects {
            for restart in history.record().restarts(&subject.name) {
                let Some(ended) = ended_before(history, restart) else {
                    continue;
                };
                if is_free(history, subject, ended.created_at, restart) {
                    continue;
                }
                let by = ended.ended_by;
                let what = format!(
                    "8: {} was restarted at {} although {} was ended by {by:?}",
                    subject.name, restart.at, ended.deployment
                );
                breaches.push(Breach::about(
                    &restart.deployment,
                    what,
                    excuse(history, restart, ended),
                ));
            }
        }
        breaches
    }
}

fn excuse(history: &History, restart: &Restart, ended: &HistoryView) -> Option<Excuse> {
    let unread = restart.history_unread.clone();
    let superseded = || {
        let record = history.record();
        let past = record.past(&restart.service);
        let by = past
            .iter()
            .find(|next| ended.status == "STOPPED" && Some(next.created_at) == ended.finished_at)?;
        (!record.is_ours(&restart.service, by)).then(|| {
            Kind::SupersededInRollback.by(format!("{} of {}", by.deployment, by.created_at))
        })
    };
    let raced = restart.raced.clone();
    unread
        .map(|call| Kind::HistoryUnread.by(call))
        .or_else(superseded)
        .or_else(|| raced.map(|other| Kind::Raced.by(other)))
}

/// The newest deployment of the same task definition that was ended on purpose, early enough for
/// the function to know.
fn ended_before<'a>(history: &'a History, restart: &Restart) -> Option<&'a HistoryView> {
    let record = history.record();
    let made = record.made_by(restart)?;
    let on_purpose = |past: &&HistoryView| {
        past.ended_by.is_some_and(EndedBy::is_a_decision)
            && past.task_definition == made.task_definition
    };
    let is_known = |past: &&HistoryView| {
        ended_at(past).is_some_and(|ended_at| ended_at + BELIEVED < restart.at)
    };
    record
        .past(&restart.service)
        .iter()
        .filter(on_purpose)
        .filter(is_known)
        .max_by_key(|past| past.created_at)
}

/// The instant of its end: the start of its rollback, or of its stop if there was nothing to roll
/// back to.
fn ended_at(past: &HistoryView) -> Option<Timestamp> {
    past.rolled_back_at.or(past.finished_at)
}

/// True if a key that the service watches changed after that deployment was created, or if a person
/// requested this restart since.
fn is_free(history: &History, subject: &Subject, created_at: Timestamp, restart: &Restart) -> bool {
    let is_newer = |at: Timestamp| created_at <= at + A_SECOND && at <= restart.at;
    let mut changes = history
        .asked_changes(restart.at)
        .filter(|(_, thing)| subject.reads(thing) || subject.watches_decoded(thing));
    let own = || subject.writes() && history.own_writes(OWN).into_iter().any(is_newer);
    changes.any(|(at, _)| is_newer(at)) || request(history, restart).is_some_and(is_newer) || own()
}
