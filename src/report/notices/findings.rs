//! What people are notified of about one service.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::domain::change::{Change, Scope};
use crate::domain::ended::EndedRollout;
use crate::domain::key::Key;
use crate::domain::notice::NoticeKind;
use crate::domain::plan::Planned;
use crate::domain::reason::{Decision, Reason};
use crate::domain::resolution::{FollowUp, Remaining, Resolution};
use crate::domain::rollout::Outcome;
use crate::domain::start::StartResult;

/// A hold that ends within this time by itself is no news.
const SHORT: SignedDuration = SignedDuration::from_mins(1);

/// One kind of notice about one service.
#[derive(Debug, PartialEq)]
pub(super) struct Finding<'a> {
    pub(super) kind: NoticeKind,
    /// The reason of the decision, if it is about one.
    pub(super) reason: Option<Reason>,
    /// The changes that it is about; none if a request alone named the service.
    pub(super) changes: Vec<&'a Change>,
    pub(super) deployment: Option<String>,
    /// A fact about this service, beyond the kind and the reason.
    pub(super) detail: Option<String>,
    pub(super) until: Option<Timestamp>,
    /// True if the new value may be the cause: the old one may have to come back.
    pub(super) may_need_a_restore: bool,
}

impl<'a> Finding<'a> {
    /// A finding about a restart that cannot be, in the words of AWS.
    fn failed(kind: NoticeKind, changes: Vec<&'a Change>, message: &str) -> Self {
        Self {
            detail: Some(message.to_owned()),
            ..Self::new(kind, changes)
        }
    }

    fn new(kind: NoticeKind, changes: Vec<&'a Change>) -> Self {
        Self {
            kind,
            reason: None,
            changes,
            deployment: None,
            detail: None,
            until: None,
            may_need_a_restore: false,
        }
    }

    /// A finding about the decision of a plan.
    fn decided(kind: NoticeKind, planned: &Planned, changes: Vec<&'a Change>) -> Self {
        Self {
            reason: Some(planned.reason),
            detail: planned.detail.clone(),
            until: planned.until,
            ..Self::new(kind, changes)
        }
    }
}

/// The changes of a batch, by which a service was decided about.
#[derive(Clone, Copy)]
struct Asked<'a>(&'a BTreeMap<Key, Change>);

impl<'a> Asked<'a> {
    /// The changes that have one of these reasons for a service.
    fn by(self, planned: &Planned, is_meant: impl Fn(Reason) -> bool) -> Vec<&'a Change> {
        let asked_by = planned.asked_by.iter();
        let meant = asked_by.filter(|(_, reason)| is_meant(**reason));
        self.of(meant.map(|(key, _)| key))
    }

    /// The changes for which a service would have to be restarted.
    fn restarting(self, planned: &Planned) -> Vec<&'a Change> {
        self.by(planned, |reason| reason.decision() != Decision::Skip)
    }

    fn of<'k>(self, keys: impl IntoIterator<Item = &'k Key>) -> Vec<&'a Change> {
        let changes = keys.into_iter().filter_map(|key| self.0.get(key));
        changes.collect()
    }
}

/// Everything that people are notified of about a service. Of a hold and a refusal they are
/// notified when it begins, not each time that the same service is planned again.
pub(super) fn findings<'a>(
    resolution: &'a Resolution,
    changes: &'a BTreeMap<Key, Change>,
    now: Timestamp,
) -> Vec<Finding<'a>> {
    let asked = Asked(changes);
    let ended = resolution.ended.iter();
    let ended: Vec<_> = ended
        .filter_map(|ended| of_end(ended, resolution, asked))
        .collect();
    let decided = match &resolution.planned {
        Ok(planned) => of_decision(planned, resolution, asked, now),
        Err(_) => None,
    };
    // The notice of its end says it already.
    let decided = decided.filter(|decided| ended.is_empty() || !is_end(decided.reason));
    ended
        .into_iter()
        .chain(of_start(resolution, asked))
        .chain(of_abandoning(resolution, asked))
        .chain(decided)
        .chain(of_missing_keys(resolution, asked))
        .collect()
}

/// What people are notified of about a service that a sweep found stale: that it was restarted, or
/// why not.
pub(super) fn stale_in_sweep<'a>(
    resolution: &Resolution,
    changes: &'a BTreeMap<Key, Change>,
) -> Vec<Finding<'a>> {
    let asked = Asked(changes);
    let stale = resolution.planned.as_ref().ok().filter(|planned| {
        let reason = planned.would_be.unwrap_or(planned.reason);
        let is_wanted = matches!(planned.reason, Reason::Off | Reason::DryRun);
        reason.decision() != Decision::Skip && resolution.start.is_none() && !is_wanted
    });
    let stale = stale.map(|planned| {
        let finding = Finding::decided(NoticeKind::Stale, planned, asked.restarting(planned));
        let notes = resolution.notes.first().cloned();
        Finding {
            detail: finding.detail.or(notes),
            ..finding
        }
    });
    of_start(resolution, asked)
        .into_iter()
        .chain(stale)
        .collect()
}

/// The end of a rollout that this function started. Of those of others nobody is notified, nor of
/// one that a newer deployment replaced.
fn of_end<'a>(
    ended: &'a EndedRollout,
    resolution: &Resolution,
    asked: Asked<'a>,
) -> Option<Finding<'a>> {
    let kind = match ended.outcome {
        Outcome::Completed => NoticeKind::Completed,
        Outcome::Failed => NoticeKind::Failed,
        Outcome::RolledBack => NoticeKind::RolledBack,
        Outcome::Rejected => NoticeKind::Rejected,
        Outcome::TimedOut => NoticeKind::TimedOut,
        Outcome::Unknown => NoticeKind::Unknown,
        Outcome::Superseded => return None,
    };
    if !ended.rollout.own {
        return None;
    }
    let mut changes: Vec<_> = ended.changes.iter().collect();
    if ended.more_changes > 0
        && let Ok(planned) = &resolution.planned
    {
        let affecting = asked.by(planned, |reason| !reason.is_about_key());
        let is_covered = |change: &&Change| {
            let is_known = ended.changes.iter().any(|known| known.key == change.key);
            change.at < ended.rollout.started_at && !is_known
        };
        changes.extend(affecting.into_iter().filter(is_covered));
    }
    Some(Finding {
        deployment: Some(ended.rollout.id.to_string()),
        detail: ended.status_reason.clone(),
        may_need_a_restore: ended.may_need_a_restore(),
        ..Finding::new(kind, changes)
    })
}

/// The start of a restart that was due, unless it is tried again by itself.
fn of_start<'a>(resolution: &Resolution, asked: Asked<'a>) -> Option<Finding<'a>> {
    let planned = match &resolution.planned {
        Ok(planned) => planned,
        Err(error) => {
            let is_final = resolution.follow_up == FollowUp::Done;
            let changes = || asked.of(&*resolution.undecided);
            return is_final
                .then(|| Finding::failed(NoticeKind::Failed, changes(), &error.message));
        }
    };
    let changes = asked.restarting(planned);
    match resolution.start.as_ref()? {
        StartResult::Started { rollout, .. } => Some(Finding {
            deployment: Some(rollout.id.to_string()),
            ..Finding::new(NoticeKind::Started, changes)
        }),
        StartResult::Denied { message }
        | StartResult::Failed {
            message,
            passes: false,
        } => Some(Finding::failed(NoticeKind::Failed, changes, message)),
        StartResult::Failed { passes: true, .. }
        | StartResult::Throttled
        | StartResult::OutOfTime => None,
    }
}

/// A restart that is owed and given up. A rollout that is no longer followed had its outcome.
fn of_abandoning<'a>(resolution: &Resolution, asked: Asked<'a>) -> Option<Finding<'a>> {
    let is_owed = matches!(resolution.remaining(), Some(Remaining::Restart(_)));
    let is_abandoned = matches!(resolution.follow_up, FollowUp::Abandoned { .. });
    (is_owed && is_abandoned).then(|| match &resolution.planned {
        Ok(planned) => Finding {
            until: None,
            ..Finding::decided(NoticeKind::Abandoned, planned, asked.restarting(planned))
        },
        Err(error) => {
            let changes = asked.of(&*resolution.undecided);
            Finding::failed(NoticeKind::Abandoned, changes, &error.message)
        }
    })
}

/// The decision that does not restart a service, if people must know it and do not know it yet.
fn of_decision<'a>(
    planned: &Planned,
    resolution: &Resolution,
    asked: Asked<'a>,
    now: Timestamp,
) -> Option<Finding<'a>> {
    let reason = planned.reason;
    let kind = match reason.decision() {
        Decision::Refuse if reason == Reason::OrderHalted => NoticeKind::Halted,
        Decision::Refuse => NoticeKind::Refused,
        Decision::Hold if reason == Reason::AwaitingApproval => NoticeKind::AwaitingApproval,
        Decision::Hold => NoticeKind::Held,
        Decision::Skip if reason == Reason::Notify && would_restart(planned) => NoticeKind::Stale,
        Decision::Skip | Decision::Restart => return None,
    };
    let is_over_soon = |until: Timestamp| until.duration_since(now) < SHORT;
    let is_abandoned = matches!(resolution.follow_up, FollowUp::Abandoned { .. });
    if is_abandoned || (kind == NoticeKind::Held && planned.until.is_some_and(is_over_soon)) {
        return None;
    }
    let mut changes = asked.restarting(planned);
    if resolution.repeats() > 0 {
        // Only the changes that came just now are news.
        changes.retain(|change| change.scope == Scope::All);
        if changes.is_empty() {
            return None;
        }
    }
    let followed = resolution.rollouts.last();
    let waiting = followed.filter(|_| kind == NoticeKind::AwaitingApproval);
    Some(Finding {
        deployment: waiting.map(|rollout| rollout.id.to_string()),
        ..Finding::decided(kind, planned, changes)
    })
}

/// The keys that are gone, without which the next task will not start.
fn of_missing_keys<'a>(resolution: &Resolution, asked: Asked<'a>) -> Option<Finding<'a>> {
    let (planned, seen) = (resolution.planned.as_ref().ok()?, resolution.seen.as_ref()?);
    let mut changes = asked.by(planned, |reason| reason == Reason::Deleted);
    changes.retain(|change| seen.misses(change));
    (!changes.is_empty()).then(|| Finding::new(NoticeKind::MissingKey, changes))
}

/// True if nothing but the mode keeps a service from its restart, now or later.
fn would_restart(planned: &Planned) -> bool {
    planned
        .would_be
        .is_some_and(|reason| reason.decision() != Decision::Skip)
}

/// True if the reason is the end of a rollout.
fn is_end(reason: Option<Reason>) -> bool {
    matches!(reason, Some(Reason::FailedAlready | Reason::Rejected))
}
