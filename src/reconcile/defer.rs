//! What is left to do goes back to the queue.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::Instant;

use super::batch::{Batch, batches};
use super::{Error, Performed, Reconciled, Reconciler};
use crate::domain::arn::ServiceId;
use crate::domain::change::{Change, ChangeKind, Scope};
use crate::domain::defer::{
    Attempt, DeferredWork, Next, Request, delay, retry_listing_at, second_listing_at,
};
use crate::domain::key::Key;
use crate::domain::plan::Reasons;
use crate::domain::reason::{Decision, Reason};
use crate::domain::rollout::Rollout;
use crate::domain::shared::{Found, Shared};
use crate::domain::start::{Executed, ResultCode, StartResult};
use crate::domain::summary::ServiceLine;
use crate::event::{Content, Inbox};
use crate::queue::encode;

/// What is left to do about one service.
#[derive(Clone, Debug)]
pub(super) struct Left {
    /// The changes that it is left to do for; none, where only a person's wish asks for it.
    /// Services with the same share them.
    pub(super) keys: Arc<BTreeSet<Key>>,
    pub(super) next: Next,
    /// What a later look does not tell again.
    pub(super) last_reason: Reason,
    /// The deployment that was started for it just now.
    pub(super) rollout: Option<Rollout>,
}

impl Left {
    pub(super) fn after(executed: &Executed, keys: &mut KeysLeft) -> Option<Self> {
        let next = Next::after(executed)?;
        let Executed { planned, start, .. } = executed;
        let rollout = match start {
            Some(StartResult::Started { rollout, .. }) => Some(rollout.clone()),
            _ => None,
        };
        // What is refused goes on for the rollout that covers another change.
        let last_reason = if rollout.is_some() || planned.reason.decision() == Decision::Refuse {
            Reason::Fresh
        } else {
            planned.reason
        };
        let keys = keys.of(&planned.asked_by, last_reason);
        Some(Self {
            keys,
            next,
            last_reason,
            rollout,
        })
    }

    /// Of a service that could not be looked at.
    pub(super) fn unread(keys: Arc<BTreeSet<Key>>) -> Self {
        Self {
            keys,
            next: Next::Later {
                by: None,
                ages: true,
            },
            last_reason: Reason::Stale,
            rollout: None,
        }
    }
}

/// The sets of keys for which something is left to do, each kept once, and found once for services
/// that are concerned alike.
#[derive(Debug, Default)]
pub(super) struct KeysLeft {
    sets: Shared<BTreeSet<Key>>,
    /// By whether a rollout is followed.
    known: Found<Reasons, bool, Arc<BTreeSet<Key>>>,
}

impl KeysLeft {
    pub(super) fn share(&mut self, keys: BTreeSet<Key>) -> Arc<BTreeSet<Key>> {
        self.sets.share(keys)
    }

    fn of(&mut self, asked_by: &Arc<Reasons>, last_reason: Reason) -> Arc<BTreeSet<Key>> {
        let is_left = |reason: Reason| match reason.decision() {
            Decision::Hold | Decision::Restart => true,
            Decision::Skip => reason == Reason::Fresh && last_reason == Reason::Fresh,
            Decision::Refuse => false,
        };
        self.known.of(asked_by, last_reason == Reason::Fresh, || {
            let keys = asked_by
                .iter()
                .filter(|(_, reason)| is_left(**reason))
                .map(|(key, _)| key.clone());
            self.sets.share(keys.collect())
        })
    }
}

/// A service, what is left to do about it, when, and what is then known of its attempts.
type Due<'a> = (&'a ServiceId, &'a Left, Timestamp, Attempt);

impl Reconciler<'_> {
    /// Sends what is left to do to the queue, grouped by when it is due: each service and change in
    /// one message and no other. What could not be sent is left to the messages that told it.
    /// Without a queue, holds are left to the sweep, and only what failed is left to those
    /// messages.
    pub(super) async fn defer(&self, batch: &Batch, performed: &mut Performed) {
        if batch
            .request
            .as_ref()
            .is_some_and(|request| request.dry_run)
        {
            return;
        }
        let Some(queue) = self.settings.queue_url.as_deref() else {
            return without_queue(batch, performed);
        };
        let now = self.clock.now();
        let asked_now: BTreeSet<_> = batch.told_now().map(|change| &change.key).collect();
        let known = |id, left: &Left| {
            let attempts: Attempt = batch.attempts.get(id).cloned().unwrap_or_default();
            let attempts = Attempt {
                rollout: left.rollout.clone().or_else(|| attempts.rollout.clone()),
                ..attempts
            };
            let is_owed_now =
                attempts.last_reason == Some(Reason::Fresh) && is_owed(left.last_reason);
            // What was just started is followed for as long as any rollout, however long it had to
            // wait before.
            let begins = is_owed_now
                || left.rollout.is_some()
                || left.keys.iter().any(|key| asked_now.contains(key));
            if begins { attempts.anew() } else { attempts }
        };
        let Performed {
            lines,
            left,
            stranded,
            sent: sent_in_all,
            ..
        } = performed;
        let mut lines = by_service(lines);
        let mut due: Vec<Due<'_>> = Vec::new();
        for (id, left) in &*left {
            let (at, attempts) = known(id, left).until_next(left.next, left.last_reason, now);
            if attempts.waited > self.settings.hold_limit {
                if let Some(line) = lines.get_mut(&id.to_string()) {
                    line.abandon(left.last_reason, self.settings.hold_limit);
                }
            } else {
                due.push((id, left, at, attempts));
            }
        }
        let groups = grouped(keep_together(due, self.settings.max_in_flight));
        let mut unsent = BTreeSet::new();
        let most = self.settings.max_services;
        let raises = batch.raises(most).filter(|_| !batch.queued);
        for (at, group) in groups {
            let again = deferred_work(batch, at, &group);
            let sent = self.send(queue, &again, now).await;
            *sent_in_all += sent.unwrap_or_default();
            for (id, left, ..) in group {
                if let Some(line) = lines.get_mut(&id.to_string()) {
                    (line.next_check, line.will_retry) =
                        (sent.map(|_| at), is_owed(left.last_reason));
                    if line.will_retry && raises.is_some() {
                        line.add_detail(&format!("it goes on under RELOADER_MAX_SERVICES={most}"));
                    }
                }
                if sent.is_none() {
                    unsent.extend(batch.tellers_of(&*left.keys));
                    stranded.insert(id.clone());
                }
            }
        }
        let changes: Vec<_> = second_listing(batch, &performed.lines).collect();
        if !changes.is_empty() {
            let keys: Vec<_> = changes.iter().map(|change| change.key.clone()).collect();
            let request = batch.request.clone().map(|request| Request {
                services: BTreeMap::new(),
                ..request
            });
            let hops = batch.hops.saturating_add(1);
            let again = DeferredWork {
                not_before: second_listing_at(now),
                hops,
                failed_listings: 0,
                changes,
                attempts: BTreeMap::new(),
                request,
            };
            match self.send(queue, &again, now).await {
                Some(sent) => performed.sent += sent,
                None => unsent.extend(batch.tellers_of(&keys)),
            }
        }
        performed.unfinished.extend(unsent);
    }

    /// Who watches is not known: all that the queue told goes on in a while, as it was told. What a
    /// person wrote stays where it is, and so does all where the error does not pass by itself,
    /// or has lasted too long: it ends where a person sees it.
    pub(super) async fn requeue_all(&self, inbox: &Inbox, error: Error) -> Reconciled {
        let places = inbox.messages.iter().enumerate();
        let unfinished = places
            .filter(|(_, message)| message.has_work())
            .map(|(place, _)| place)
            .collect();
        let passes = error.passes();
        let batches = batches(inbox, &[]);
        let received = batches
            .iter()
            .flat_map(|batch| batch.received(None, |_| None))
            .collect();
        let mut reconciled = Reconciled {
            error: Some(error),
            unfinished,
            received,
            ..Reconciled::default()
        };
        let Some(queue) = self
            .settings
            .queue_url
            .as_deref()
            .filter(|_| inbox.from_queue && passes)
        else {
            return reconciled;
        };
        let now = self.clock.now();
        let by_hand = |place: &usize| {
            inbox.messages.get(*place).is_some_and(|message| {
                message
                    .contents
                    .iter()
                    .any(|told| matches!(told, Content::Request(_)))
            })
        };
        for batch in batches
            .into_iter()
            .filter(|batch| !batch.tellers.iter().any(by_hand))
        {
            let Some(not_before) =
                retry_listing_at(batch.failed_listings, self.settings.hold_limit, now)
            else {
                continue;
            };
            let (changes, attempts) = (
                batch.changes.into_values().collect(),
                Arc::unwrap_or_clone(batch.attempts),
            );
            let (hops, failed_listings) = (
                batch.hops.saturating_add(1),
                batch.failed_listings.saturating_add(1),
            );
            let again = DeferredWork {
                not_before,
                hops,
                failed_listings,
                changes,
                attempts,
                request: batch.request,
            };
            if let Some(sent) = self.send(queue, &again, now).await {
                reconciled.sent += sent;
                reconciled
                    .unfinished
                    .retain(|place| !batch.tellers.contains(place));
            }
        }
        reconciled
    }

    /// There was no time to begin with it: it goes on at once, as it was told, and where that
    /// cannot be, it is left to the messages that told it: these.
    pub(super) async fn leave(&self, batch: Batch, sent: &mut usize) -> BTreeSet<usize> {
        let Batch {
            changes,
            request,
            attempts,
            tellers,
            hops,
            failed_listings,
            ..
        } = batch;
        let is_asked_only = request.as_ref().is_some_and(|request| request.dry_run);
        // The rest of the time is for what was begun, and for the answer.
        let by = self.until + self.send_by.saturating_duration_since(self.until) / 2;
        let Some(queue) = self
            .settings
            .queue_url
            .as_deref()
            .filter(|_| !is_asked_only && Instant::now() < by)
        else {
            return tellers;
        };
        let now = self.clock.now();
        let (changes, attempts) = (
            changes.into_values().collect(),
            Arc::unwrap_or_clone(attempts),
        );
        let again = DeferredWork {
            not_before: now,
            hops: hops.saturating_add(1),
            failed_listings,
            changes,
            attempts,
            request,
        };
        let Some(messages) = self.send(queue, &again, now).await else {
            return tellers;
        };
        *sent += messages;
        BTreeSet::new()
    }

    /// How many messages were sent; nothing where one could not be.
    async fn send(&self, queue: &str, again: &DeferredWork, now: Timestamp) -> Option<usize> {
        let bodies = encode(again);
        let sent = bodies.len();
        for body in bodies {
            let delay = delay(again.not_before, now);
            if let Err(error) = self.aws.sqs.send(queue, body, delay, self.send_by).await {
                tracing::warn!(%error, "what is left to do could not be sent to the queue");
                return None;
            }
        }
        Some(sent)
    }
}

/// Without a queue, holds are left to the sweep, and what failed to the messages that told it.
fn without_queue(batch: &Batch, performed: &mut Performed) {
    let lines = by_service(&mut performed.lines);
    let is_late = |id: &ServiceId| {
        lines
            .get(&id.to_string())
            .is_some_and(|line| line.will_retry)
    };
    for (id, left) in performed
        .left
        .iter()
        .filter(|(id, left)| is_late(id) || left.last_reason == Reason::Stale)
    {
        performed.unfinished.extend(batch.tellers_of(&*left.keys));
        performed.stranded.insert(id.clone());
    }
    let held = performed
        .lines
        .iter_mut()
        .filter(|line| line.decision == Some(Decision::Hold));
    held.for_each(|line| {
        line.add_detail("there is no queue for held work: only the sweep takes it up");
    });
}

fn by_service(lines: &mut [ServiceLine]) -> BTreeMap<String, &mut ServiceLine> {
    lines
        .iter_mut()
        .map(|line| (line.service.clone(), line))
        .collect()
}

/// Whether a restart is owed: a rollout that is merely followed owes none.
fn is_owed(last_reason: Reason) -> bool {
    last_reason != Reason::Fresh
}

/// The rollouts of a change and the restarts that wait are looked at together where they are more
/// than may run at once: only then can they be counted.
fn keep_together(mut due: Vec<Due<'_>>, max_in_flight: usize) -> Vec<Due<'_>> {
    let mut left_for: BTreeMap<Option<&Key>, usize> = BTreeMap::new();
    for (left, services) in alike(&due) {
        asked_for(left).for_each(|key| *left_for.entry(key).or_default() += services);
    }
    let counts = |left: &Left| {
        asked_for(left).any(|key| {
            left_for
                .get(&key)
                .is_some_and(|services| *services > max_in_flight)
        })
    };
    if let Some(first) = due
        .iter()
        .filter(|(_, left, ..)| counts(left))
        .map(|(_, _, at, _)| *at)
        .min()
    {
        for (_, _, at, attempts) in due.iter_mut().filter(|(_, left, ..)| counts(left)) {
            *attempts = attempts.clone().sooner(at.duration_since(first));
            *at = first;
        }
    }
    due
}

/// What is left to do for the same keys, once, and for how many services.
fn alike<'a>(due: &[Due<'a>]) -> Vec<(&'a Left, usize)> {
    let mut alike: BTreeMap<usize, (&Left, usize)> = BTreeMap::new();
    for (_, left, ..) in due {
        alike
            .entry(Arc::as_ptr(&left.keys).addr())
            .or_insert((left, 0))
            .1 += 1;
    }
    alike.into_values().collect()
}

/// The changes; nothing stands for a person's request.
fn asked_for(left: &Left) -> impl Iterator<Item = Option<&Key>> {
    left.keys
        .iter()
        .map(Some)
        .chain(left.keys.is_empty().then_some(None))
}

fn grouped(due: Vec<Due<'_>>) -> BTreeMap<Timestamp, Vec<Due<'_>>> {
    let mut groups: BTreeMap<Timestamp, Vec<Due<'_>>> = BTreeMap::new();
    for one in due {
        groups.entry(one.2).or_default().push(one);
    }
    groups
}

fn deferred_work(batch: &Batch, not_before: Timestamp, group: &[Due<'_>]) -> DeferredWork {
    let changes = scope(group).into_iter().filter_map(|(key, scope)| {
        Some(Change {
            scope,
            ..batch.changes.get(key)?.clone()
        })
    });
    let request = batch.request.clone().map(|mut request| {
        let these: BTreeSet<_> = group.iter().map(|(id, ..)| *id).collect();
        request.services.retain(|id, _| these.contains(id));
        request
    });
    let attempts = group
        .iter()
        .map(|(id, _, _, attempts)| (ServiceId::clone(id), attempts.clone()))
        .collect();
    DeferredWork {
        not_before,
        hops: batch.hops.saturating_add(1),
        failed_listings: 0,
        changes: changes.collect(),
        attempts,
        request,
    }
}

/// The services of each key. Those with the same keys are put together first: a thousand keys of a
/// thousand services are one list then, not a million names.
fn scope<'a>(group: &[Due<'a>]) -> BTreeMap<&'a Key, Scope> {
    let mut alike: BTreeMap<usize, (&Arc<BTreeSet<Key>>, BTreeSet<&ServiceId>)> = BTreeMap::new();
    for (id, left, ..) in group {
        alike
            .entry(Arc::as_ptr(&left.keys).addr())
            .or_insert_with(|| (&left.keys, BTreeSet::new()))
            .1
            .insert(id);
    }
    let mut parts: BTreeMap<&Key, Vec<usize>> = BTreeMap::new();
    for (place, (keys, _)) in &alike {
        keys.iter()
            .for_each(|key| parts.entry(key).or_default().push(*place));
    }
    let mut joined: BTreeMap<Vec<usize>, Scope> = BTreeMap::new();
    let join = |parts: &[usize]| {
        let services = parts
            .iter()
            .filter_map(|place| alike.get(place))
            .flat_map(|(_, services)| services);
        Scope::only(services.map(|id| ServiceId::clone(id)).collect())
    };
    parts
        .into_iter()
        .map(|(key, parts)| {
            (
                key,
                joined
                    .entry(parts)
                    .or_insert_with_key(|parts| join(parts))
                    .clone(),
            )
        })
        .collect()
}

/// What was told now is looked at once more, for the services that are not known yet.
fn second_listing<'a>(
    batch: &'a Batch,
    lines: &[ServiceLine],
) -> impl Iterator<Item = Change> + use<'a> {
    let known: BTreeSet<_> = lines
        .iter()
        .filter_map(|line| ServiceId::from_path(&line.service))
        .collect();
    let scope = Scope::all_except(known);
    let concerns = |change: &&Change| change.kind == ChangeKind::Written && !change.ignored;
    batch.told_now().filter(concerns).map(move |change| Change {
        scope: scope.clone(),
        ..change.clone()
    })
}

impl ServiceLine {
    fn abandon(&mut self, last_reason: Reason, waited: jiff::SignedDuration) {
        self.will_retry = false;
        if is_owed(last_reason) {
            self.result = Some(ResultCode::Abandoned);
            self.error = Some(format!("waited {waited:#} in vain: {last_reason}"));
        } else {
            self.add_detail(&format!("no longer followed after {waited:#}"));
        }
    }
}
