//! The end of a rollout: the one record from which its line and its notice are made.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::arn::ServiceId;
use super::change::{Change, SWEEP, Scope};
use super::history::ServiceDeploymentStatus;
use super::key::Key;
use super::plan::Planned;
use super::request::Request;
use super::restore::Restore;
use super::rollout::{Outcome, Rollout};
use super::rollout_tasks::{CountedTasks, RolloutTasks};
use super::service::{Service, ServiceEvent};

/// The changes of a rollout that are kept; the others are counted.
pub const MOST_ROLLED: usize = 20;

/// The events of a rollout that are kept, the newest.
pub const MOST_EVENTS: usize = 20;

/// The end of a rollout that was followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedRollout {
    /// The rollout.
    pub rollout: Rollout,
    /// Its end.
    pub outcome: Outcome,
    /// The time at which the end was seen.
    pub at: Timestamp,
    /// The time from its start until its end was seen.
    pub duration: SignedDuration,
    /// `statusReason`: the words of Amazon ECS about it. They are shown, and decide nothing.
    pub status_reason: Option<String>,
    /// True if Amazon ECS brought back the deployment before it, or tries to.
    pub rolled_back: bool,
    /// The deployment that replaced it, of one that was superseded; `None` if its service was
    /// deleted.
    pub successor: Option<Successor>,
    /// The first [`MOST_ROLLED`] of the changes that it covers.
    pub changes: Vec<Change>,
    /// The number of the others.
    pub more_changes: usize,
    /// The one who asked for it.
    pub trigger: RolloutTrigger,
    /// The person's request, if one asked for it.
    pub request: Option<Requested>,
    /// The tasks of its service, if its end needed them.
    pub tasks: RolloutTasks,
    /// The events of the service since its start, the oldest first, at most [`MOST_EVENTS`].
    pub events: Vec<ServiceEvent>,
}

/// The deployment that replaced a rollout before its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Successor {
    /// `ecs-svc/…`.
    pub deployment: String,
    /// True if it reads the changes of the rollout, and has not failed.
    pub covers: bool,
}

/// The one who asked for a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RolloutTrigger {
    /// The event of a change.
    Event,
    /// A person.
    Request,
    /// A sweep.
    Sweep,
    /// Somebody else deployed the service.
    Others,
}

/// A request, as far as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requested {
    /// The person's own words.
    pub reason: Option<String>,
    /// The sender, if it came through the queue.
    pub sender: Option<String>,
}

/// The changes and the request of a batch, for one of which a rollout was started.
#[derive(Clone, Copy, Debug)]
pub struct Causes<'a> {
    /// One change a key: the newest.
    pub changes: &'a BTreeMap<Key, Change>,
    /// Older changes of the same keys, which rollouts cover that are followed still.
    pub older: &'a [Change],
    /// The request.
    pub request: Option<&'a Request>,
}

impl<'a> Causes<'a> {
    /// The changes that a rollout of a service covers, the newest of each key. `planned` knows which
    /// changes affect the service, if it could be described.
    #[must_use]
    pub fn covered(
        &self,
        id: &ServiceId,
        planned: Option<&Planned>,
        rollout: &Rollout,
    ) -> Vec<&'a Change> {
        let is_older = |change: &&Change| change.at < rollout.started_at;
        let is_named = |change: &&Change| change.scope.names(id);
        let affecting: Vec<_> = match planned {
            Some(planned) => planned
                .asked_by
                .iter()
                .filter(|(_, reason)| !reason.is_about_key())
                .filter_map(|(key, _)| self.changes.get(key))
                .collect(),
            None => Vec::new(),
        };
        let affecting = if affecting.is_empty() {
            self.changes.values().filter(is_named).collect()
        } else {
            affecting
        };
        let mut covered: BTreeMap<&Key, &Change> = BTreeMap::new();
        let older = self.older.iter().filter(is_named);
        for change in affecting.into_iter().chain(older).filter(is_older) {
            let newest = covered.entry(&change.key).or_insert(change);
            if newest.at < change.at {
                *newest = change;
            }
        }
        covered.into_values().collect()
    }

    /// The instant at or before which a task is older than the changes of a rollout. Without a
    /// change, for a request alone, each task is older that was there before it.
    #[must_use]
    pub fn older_than(
        &self,
        id: &ServiceId,
        planned: Option<&Planned>,
        rollout: &Rollout,
    ) -> Timestamp {
        let covered = self.covered(id, planned, rollout);
        let newest = covered.iter().map(|change| change.at).max();
        let before = || {
            rollout
                .started_at
                .saturating_sub(SignedDuration::from_millis(1))
        };
        newest.unwrap_or_else(|| before().unwrap_or(rollout.started_at))
    }

    fn trigger(&self, covered: &[&Change], rollout: &Rollout) -> RolloutTrigger {
        let mut events = covered.iter().map(|change| change.event.as_str());
        if !rollout.own {
            RolloutTrigger::Others
        } else if self.request.is_some() {
            RolloutTrigger::Request
        } else if !covered.is_empty() && events.all(|event| event == SWEEP) {
            RolloutTrigger::Sweep
        } else {
            RolloutTrigger::Event
        }
    }
}

impl EndedRollout {
    /// The end of a rollout of a service, seen at `now`. `planned` is the decision about the
    /// service, and `seen` its description, if it could be read.
    #[must_use]
    pub fn of(
        rollout: Rollout,
        outcome: Outcome,
        service: &ServiceId,
        planned: Option<&Planned>,
        seen: Option<&Service>,
        causes: &Causes<'_>,
        now: Timestamp,
    ) -> Self {
        let covered = causes.covered(service, planned, &rollout);
        let trigger = causes.trigger(&covered, &rollout);
        let past = seen.and_then(|seen| rollout.past_in(seen));
        let shown = seen.and_then(|seen| rollout.shown_in(seen));
        let is_back = |status| {
            matches!(
                status,
                ServiceDeploymentStatus::RollingBack | ServiceDeploymentStatus::RolledBack
            )
        };
        let older_than = causes.older_than(service, planned, &rollout);
        let successor = || successor(&rollout, seen?, older_than);
        Self {
            at: now,
            duration: now.duration_since(rollout.started_at),
            status_reason: past.and_then(|past| past.status_reason.clone()),
            rolled_back: past.map_or(outcome == Outcome::RolledBack, |past| is_back(past.status))
                && !shown.is_some_and(|shown| shown.primary),
            successor: (outcome == Outcome::Superseded).then(successor).flatten(),
            more_changes: covered.len().saturating_sub(MOST_ROLLED),
            changes: kept(&covered),
            trigger,
            request: causes
                .request
                .filter(|_| trigger == RolloutTrigger::Request)
                .map(Requested::from),
            tasks: seen.map_or(RolloutTasks::NotAsked, |seen| {
                seen.tasks_of(&rollout.id).clone()
            }),
            events: events(&rollout, seen),
            rollout,
            outcome,
        }
    }

    /// The same, replaced by the deployment that was just started.
    #[must_use]
    pub fn replaced_by(self, started: Option<&Rollout>) -> Self {
        let started = started.filter(|_| self.outcome == Outcome::Superseded);
        let successor = started.map(|started| Successor {
            deployment: started.id.to_string(),
            covers: true,
        });
        Self {
            successor: successor.or(self.successor),
            ..self
        }
    }

    /// True if this function had started it, and it failed, was rolled back or timed out.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        self.rollout.own && self.outcome.is_failure()
    }

    /// The tasks, if they were read.
    #[must_use]
    pub fn counted_tasks(&self) -> Option<&CountedTasks> {
        self.tasks.read()
    }

    /// True if the new value may be the cause: the old one may have to come back.
    #[must_use]
    pub fn may_need_a_restore(&self) -> bool {
        self.outcome.is_failure() && self.rollout.complete_since.is_none()
    }

    /// The changes whose version before is wanted, and not known.
    pub fn without_previous(&self) -> impl Iterator<Item = &Change> {
        let wanted = self.changes.iter().filter(|_| self.may_need_a_restore());
        wanted.filter(|change| change.previous.is_none())
    }

    /// Takes the versions before that were read, by the keys.
    pub fn take_previous(&mut self, previous: &BTreeMap<Key, String>) {
        for change in &mut self.changes {
            if change.previous.is_none() {
                change.previous = previous.get(&change.key).cloned();
            }
        }
    }

    /// The way back from each of its changes, if it failed.
    #[must_use]
    pub fn restores(&self) -> Vec<Restore> {
        let wanted = self.changes.iter().filter(|_| self.may_need_a_restore());
        wanted.map(Restore::of).collect()
    }
}

impl From<&Request> for Requested {
    fn from(request: &Request) -> Self {
        Self {
            reason: request.reason.clone(),
            sender: request.sender.clone(),
        }
    }
}

/// Copies of changes without their scopes, whose lists may be long.
fn kept(covered: &[&Change]) -> Vec<Change> {
    let kept = covered.iter().take(MOST_ROLLED);
    let copies = kept.map(|change| Change {
        scope: Scope::All,
        ..(*change).clone()
    });
    copies.collect()
}

/// The newest deployment that was created after a rollout. It covers the changes if it is good.
fn successor(rollout: &Rollout, seen: &Service, older_than: Timestamp) -> Option<Successor> {
    let is_newer = |created_at: Timestamp| created_at > rollout.started_at;
    let primary = seen
        .primary()
        .filter(|primary| is_newer(primary.created_at))
        .map(|primary| primary.id.clone());
    let past = || {
        let newer = seen.past().iter().filter(|past| is_newer(past.created_at));
        let newest = newer.max_by_key(|past| past.created_at)?;
        newest.id.clone()
    };
    Some(Successor {
        deployment: primary.or_else(past)?,
        covers: seen.is_fresh(older_than),
    })
}

fn events(rollout: &Rollout, seen: Option<&Service>) -> Vec<ServiceEvent> {
    let events = seen.into_iter().flat_map(|seen| &seen.events);
    let since = events.filter(|event| event.at >= rollout.started_at);
    let mut since: Vec<_> = since.take(MOST_EVENTS).cloned().collect();
    since.reverse();
    since
}

#[cfg(test)]
mod tests;
