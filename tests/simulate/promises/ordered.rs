//! Promise 7: no service starts a version that those before it in the order have not taken well, or
//! that failed in one of them.

use jiff::{SignedDuration, Timestamp};
use sim::HistoryView;

use super::owed::{newest_cover, request};
use super::{Breach, Promise};
use crate::history::History;
use crate::record::Restart;
use crate::subject::Subject;

/// A restart comes at most this long after the services before it were read: an invocation lasts
/// two minutes.
const PLANNED_BEFORE: SignedDuration = SignedDuration::from_secs(150);

/// Events name whole seconds: a change is taken to have happened at the end of its second.
const A_SECOND: SignedDuration = SignedDuration::from_secs(1);

/// A change older than this may have been read by tasks that no deployment started.
const MAY_BE_RENEWED: SignedDuration = SignedDuration::from_mins(10);

pub(crate) struct Ordered;

impl Promise for Ordered {
    fn check(&self, history: &History) -> Vec<Breach> {
        let mut breaches = Vec::new();
        for subject in &history.subjects {
            for restart in history.record().restarts(&subject.name) {
                breaches.extend(breach(history, subject, restart));
            }
        }
        breaches
    }
}

/// A restart is for one key at least. It was too early if each key that it may be for had a service
/// before it that was not well.
fn breach(history: &History, subject: &Subject, restart: &Restart) -> Option<Breach> {
    if request(history, restart).is_some() {
        return None;
    }
    let covered = newest_cover(history, restart, true);
    let is_new = |at: Timestamp| covered.is_none_or(|covered| at + A_SECOND >= covered);
    let mut too_early = None;
    for (written, thing) in history.asked_changes(restart.at) {
        if !subject.reads(thing) || !is_new(written) {
            continue;
        }
        let mut before = history.before(subject, thing);
        let unwell = before.find(|other| !is_well(history, other, thing, written, restart.at))?;
        too_early = Some((unwell, thing, written));
    }
    let (unwell, thing, written) = too_early?;
    let what = format!(
        "7: {} was restarted at {} for {thing} of {written}, before {} was well",
        subject.name, restart.at, unwell.name
    );
    Some(Breach::about(&restart.deployment, what, None))
}

/// True if a service was well for a change when the restart of another one was planned, or if it may
/// have been.
fn is_well(
    history: &History,
    subject: &Subject,
    thing: &str,
    written: Timestamp,
    by: Timestamp,
) -> bool {
    let past = history.record().past(&subject.name);
    let next = |one: &HistoryView| {
        let later = past.iter().filter(|next| next.created_at > one.created_at);
        later.map(|next| next.created_at).min()
    };
    let was_well = |one: &&HistoryView| {
        let end = one.finished_at.filter(|_| one.status == "SUCCESSFUL");
        let is_quiet = end.is_some_and(|end| end + history.choices.quiet() <= by + A_SECOND);
        let was_newest = next(one).is_none_or(|next| next + PLANNED_BEFORE >= by);
        one.created_at > written && is_quiet && was_newest
    };
    let may_be_renewed = written + MAY_BE_RENEWED < by
        && past.iter().any(|one| {
            one.created_at <= written && one.finished_at.is_none_or(|end| written < end)
        });
    let is_not_in_the_way = subject.was_scaled
        || !subject.has_always_watched(thing)
        || history.deletions.iter().any(|(_, gone)| *gone == thing);
    is_not_in_the_way || may_be_renewed || past.iter().any(|one| was_well(&one))
}
