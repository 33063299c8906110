//! The work that goes back to the queue, its time, and the work that is abandoned.

mod group;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::arn::ServiceId;
use super::backoff::{Attempt, Requeue, second_listing_at};
use super::batch::{Batch, MessageIndex};
use super::change::{Change, ChangeKind, Scope};
use super::deferred_work::DeferredWork;
use super::key::Key;
use super::request::Request;
use super::resolution::{FollowUp, Remaining, Resolution, Resolutions};
use super::start::StartResult;

use group::{Due, KeysDue, deferred, grouped, kept_together, with_those_before};

/// The settings that deferring depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeferPolicy {
    /// `RELOADER_HOLD_LIMIT`.
    pub hold_limit: SignedDuration,
    /// `RELOADER_MAX_IN_FLIGHT`.
    pub max_in_flight: usize,
    /// True if the function has a queue of its own.
    pub has_queue: bool,
    /// The time that the invocation has taken.
    pub spent: SignedDuration,
}

/// The answer of [`defer`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Deferral {
    /// The next step for each service.
    pub follow_ups: BTreeMap<ServiceId, FollowUp>,
    /// The messages to send.
    pub messages: Vec<Outgoing>,
}

/// A message to send.
#[derive(Clone, Debug, PartialEq)]
pub struct Outgoing {
    /// Its content.
    pub work: DeferredWork,
    /// The services whose follow-up it is; none for the second listing.
    pub services: Vec<ServiceId>,
    /// The messages that SQS redelivers if it cannot be sent.
    pub messages: BTreeSet<MessageIndex>,
}

/// Decides which work goes back to the queue and which is abandoned. Each service and change goes
/// into one message; messages are grouped by their time. Nothing is sent here.
///
/// Without a queue, holds are left to the sweep, and failed restarts to a redelivery.
#[must_use]
pub fn defer(
    batch: &Batch,
    resolutions: &Resolutions,
    policy: &DeferPolicy,
    now: Timestamp,
) -> Deferral {
    if batch.is_dry_run() {
        return Deferral::default();
    }
    if !policy.has_queue {
        return without_queue(batch, resolutions);
    }
    let mut keys = KeysDue::default();
    let new_keys: BTreeSet<_> = batch.new_changes().map(|change| &change.key).collect();
    let (mut deferral, mut due) = (Deferral::default(), Vec::new());
    for resolution in resolutions.values() {
        let Some(remaining) = resolution.remaining() else {
            continue;
        };
        let keys = keys.of(resolution);
        let (at, attempt) = next_attempt(resolution, remaining, &keys, &new_keys, policy, now);
        let ages_by = attempt.waited.saturating_sub(resolution.attempt.waited);
        if attempt.waited > policy.hold_limit {
            let id = resolution.service.clone();
            let after = policy.hold_limit;
            deferral
                .follow_ups
                .insert(id, FollowUp::Abandoned { after });
        } else {
            due.push(Due {
                service: &resolution.service,
                keys,
                at,
                attempt,
                ages_by: ages_by.max(SignedDuration::ZERO),
                waits: resolution.waits_for_others(),
            });
        }
    }
    let due = with_those_before(kept_together(due, policy.max_in_flight));
    for (at, group) in grouped(due) {
        deferral.take(batch, at, &group);
    }
    deferral
        .messages
        .extend(second_listing(batch, resolutions, now));
    deferral
}

/// The time of the next attempt, and the attempt as the message carries it. Its wait begins anew
/// for a new change, for a restart that is owed after a rollout was followed, and for a rollout
/// that was just started. A restart that is owed while a rollout is followed returns when the
/// rollout does, and does not age until that has an outcome: the rollout ends by itself.
fn next_attempt(
    resolution: &Resolution,
    remaining: Remaining,
    keys: &BTreeSet<Key>,
    new_keys: &BTreeSet<&Key>,
    policy: &DeferPolicy,
    now: Timestamp,
) -> (Timestamp, Attempt) {
    let (when, owes_restart) = match remaining {
        Remaining::Restart(when) => (when, true),
        Remaining::Rollout(when) => (when, false),
    };
    let before = &resolution.attempt;
    let is_started = matches!(resolution.start, Some(StartResult::Started { .. }));
    let is_owed_anew = owes_restart && !before.rollouts.is_empty() && !before.owes_restart;
    let is_new = is_started || is_owed_anew || keys.iter().any(|key| new_keys.contains(key));
    let attempt = Attempt {
        rollouts: resolution.rollouts.clone(),
        owes_restart,
        ..before.clone()
    };
    let attempt = if is_new { attempt.anew() } else { attempt };
    let (at, next) = sooner_with_rollouts(resolution, attempt, when, owes_restart, policy, now);
    let last_reason = resolution
        .planned
        .as_ref()
        .ok()
        .map(|planned| planned.reason);
    (
        at,
        Attempt {
            last_reason,
            ..next
        },
    )
}

/// The time of the next attempt, and that attempt. A restart that is owed does not wait longer than
/// the rollouts that are followed beside it.
fn sooner_with_rollouts(
    resolution: &Resolution,
    attempt: Attempt,
    when: Requeue,
    owes_restart: bool,
    policy: &DeferPolicy,
    now: Timestamp,
) -> (Timestamp, Attempt) {
    let requeued =
        |attempt: Attempt, when| attempt.requeued(when, policy.hold_limit, policy.spent, now);
    let waited = attempt.waited;
    let check = resolution.next_check(None).filter(|_| owes_restart);
    let Some(check) = check else {
        return requeued(attempt, when);
    };
    let (then, following) = requeued(attempt.clone(), check);
    let (at, next) = requeued(attempt, when);
    let is_live = following.waited == waited;
    let sooner = at.duration_since(at.min(then));
    let aged = next.waited.saturating_sub(sooner).max(waited);
    let waited = if is_live { waited } else { aged };
    (at.min(then), Attempt { waited, ..next })
}

impl Deferral {
    fn take(&mut self, batch: &Batch, at: Timestamp, group: &[Due<'_>]) {
        for due in group {
            let follow_up = match due.attempt.rollouts.last() {
                Some(rollout) if !due.attempt.owes_restart => FollowUp::Follow {
                    rollout: rollout.clone(),
                    at,
                },
                _ => FollowUp::Retry {
                    at,
                    attempt: due.attempt.clone(),
                },
            };
            self.follow_ups.insert(due.service.clone(), follow_up);
        }
        let keys = group.iter().flat_map(|due| &*due.keys);
        self.messages.push(Outgoing {
            work: deferred(batch, at, group),
            services: group.iter().map(|due| due.service.clone()).collect(),
            messages: batch.messages_of(keys),
        });
    }
}

/// Holds are left to the sweep. Restarts that AWS did not start now are left to a redelivery of
/// their messages.
fn without_queue(batch: &Batch, resolutions: &Resolutions) -> Deferral {
    let mut keys = KeysDue::default();
    let follow_ups = resolutions.values().filter_map(|resolution| {
        let remaining = resolution.remaining()?;
        let failed = resolution.planned.is_err()
            || !resolution.undecided.is_empty()
            || resolution
                .start
                .as_ref()
                .is_some_and(StartResult::is_unfinished);
        let follow_up = match remaining {
            Remaining::Restart(_) if failed => {
                FollowUp::Redeliver(batch.messages_of(&*keys.of(resolution)))
            }
            Remaining::Restart(_) | Remaining::Rollout(_) => FollowUp::LeftToSweep,
        };
        Some((resolution.service.clone(), follow_up))
    });
    Deferral {
        follow_ups: follow_ups.collect(),
        messages: Vec::new(),
    }
}

/// New changes get a second listing, for services that the tag index did not know yet.
fn second_listing(batch: &Batch, resolutions: &Resolutions, now: Timestamp) -> Option<Outgoing> {
    let known = Scope::all_except(resolutions.keys().cloned().collect());
    let new = batch
        .new_changes()
        .filter(|change| change.kind == ChangeKind::Written && !change.ignored);
    let changes: Vec<_> = new
        .map(|change| Change {
            scope: known.clone(),
            ..change.clone()
        })
        .collect();
    let keys = changes.iter().map(|change| &change.key);
    let messages = batch.messages_of(keys);
    (!changes.is_empty()).then(|| Outgoing {
        work: DeferredWork {
            not_before: second_listing_at(now),
            hops: batch.hops.saturating_add(1),
            failed_listings: 0,
            changes,
            attempts: BTreeMap::new(),
            request: batch.request.as_ref().map(Request::without_services),
            notices: Vec::new(),
        },
        services: Vec::new(),
        messages,
    })
}

/// A whole batch that nothing was planned of, as a message that is due at `not_before`.
#[must_use]
pub fn requeued(batch: Batch, not_before: Timestamp, failed_listings: u32) -> Outgoing {
    let Batch {
        changes,
        older,
        request,
        attempts,
        messages,
        hops,
        ..
    } = batch;
    Outgoing {
        work: DeferredWork {
            not_before,
            hops: hops.saturating_add(1),
            failed_listings,
            changes: changes.into_values().chain(older).collect(),
            attempts: Arc::unwrap_or_clone(attempts),
            request,
            notices: Vec::new(),
        },
        services: Vec::new(),
        messages,
    }
}

#[cfg(test)]
mod tests;
