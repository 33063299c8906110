//! Promise 8, nobody is fought: what a person, a hook or its time-out ended is not started again by
//! itself.
//!
//! All of it is judged by the account's own record of who ended which deployment, never by what the
//! function says.

use jiff::{SignedDuration, Timestamp};
use sim::{Call, CallResult, EndedBy, HistoryView};

use crate::excuse::{Excuse, Kind};
use crate::history::History;
use crate::promises::{Restart, is_made_by, past};
use crate::subject::{OWN, Subject};

/// A history of deployments is believed for a few seconds, in which a restart waits for its turn.
const BELIEVED: SignedDuration = SignedDuration::from_secs(10);

/// Events tell of whole seconds: a change is taken to have happened at the end of its second.
const A_SECOND: SignedDuration = SignedDuration::from_secs(1);

/// What was broken, and what is excused.
pub(crate) fn fought(
    history: &History,
    subject: &Subject,
    restarts: &[Restart],
) -> (Vec<String>, Vec<Excuse>) {
    let (past, calls) = (past(history, subject), history.account.calls());
    let (mut broken, mut excuses) = (Vec::new(), Vec::new());
    for restart in restarts {
        let Some(ended) = ended_before(&past, restart) else {
            continue;
        };
        if is_free(history, subject, ended.created_at, restart.at) {
            continue;
        }
        let by = ended
            .ended_by
            .map_or_else(String::new, |by| format!("{by:?}"));
        let what = format!(
            "{} was restarted at {} although {} was ended by {by}",
            subject.name, restart.at, ended.deployment
        );
        let unread =
            unread(&calls, subject, restart).map(|call| (Kind::HistoryUnread, call.to_string()));
        let superseded = || {
            let by = past.iter().find(|next| {
                ended.status == "STOPPED" && Some(next.created_at) == ended.finished_at
            })?;
            let is_ours = restarts.iter().any(|restart| is_made_by(by, restart));
            (!is_ours).then(|| {
                (
                    Kind::SupersededInRollback,
                    format!("{} of {}", by.deployment, by.created_at),
                )
            })
        };
        match unread.or_else(superseded) {
            Some((kind, proof)) => excuses.push(Excuse { kind, what, proof }),
            None => broken.push(format!("8: {what}")),
        }
    }
    (broken, excuses)
}

/// The newest deployment of what a restart deploys that was ended on purpose, early enough for it
/// to be known.
fn ended_before<'a>(past: &'a [HistoryView], restart: &Restart) -> Option<&'a HistoryView> {
    let made = past.iter().find(|past| is_made_by(past, restart))?;
    let on_purpose = |past: &&HistoryView| {
        past.ended_by.is_some_and(EndedBy::is_a_decision)
            && past.task_definition == made.task_definition
    };
    let is_known = |past: &&HistoryView| {
        ended_at(past).is_some_and(|ended_at| ended_at + BELIEVED < restart.at)
    };
    past.iter()
        .filter(on_purpose)
        .filter(is_known)
        .max_by_key(|past| past.created_at)
}

/// When it was ended: its rollback began, or there was nothing to go back to.
fn ended_at(past: &HistoryView) -> Option<Timestamp> {
    past.rolled_back_at.or(past.finished_at)
}

/// Answers true where something that the service watches changed after that deployment was created,
/// or a person asked for it to be restarted.
fn is_free(
    history: &History,
    subject: &Subject,
    created_at: Timestamp,
    restarted_at: Timestamp,
) -> bool {
    let is_newer = |at: Timestamp| created_at <= at + A_SECOND && at <= restarted_at;
    let mut changes = history
        .writes
        .iter()
        .chain(&history.said)
        .filter(|(_, thing)| subject.watches(thing) || subject.watches_decoded(thing));
    let mut requests = history
        .wishes
        .iter()
        .filter(|(_, name)| *name == subject.name);
    let own = || subject.writes() && history.own_writes(OWN).into_iter().any(is_newer);
    changes.any(|(at, _)| is_newer(*at)) || requests.any(|(at, _)| is_newer(*at)) || own()
}

/// The call that was to tell of the deployment history, by the same process in the minute before
/// the restart, and failed.
fn unread<'a>(calls: &'a [Call], subject: &Subject, restart: &Restart) -> Option<&'a Call> {
    let (revision, deployment) = (
        format!("service-revision/{}/", subject.name),
        format!("service-deployment/{}/", subject.name),
    );
    let is_of_it = |call: &Call| match call.operation.as_str() {
        "ListServiceDeployments" => call.target == subject.name,
        "DescribeServiceRevisions" => call.input.to_string().contains(&revision),
        "DescribeServiceDeployments" => call.input.to_string().contains(&deployment),
        _ => false,
    };
    let is_lately = |call: &Call| {
        call.time <= restart.at
            && restart.at.duration_since(call.time) < SignedDuration::from_mins(1)
    };
    // No service of a history has more deployments than a page holds: a token is one of a listing
    // that does not end.
    let has_failed =
        |call: &Call| call.result != CallResult::Ok || !call.input["nextToken"].is_null();
    calls.iter().find(|call| {
        has_failed(call) && call.principal == restart.by && is_lately(call) && is_of_it(call)
    })
}
