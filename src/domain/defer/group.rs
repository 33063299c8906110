//! Services whose next attempt is due together, as one message.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::domain::arn::ServiceId;
use crate::domain::backoff::Attempt;
use crate::domain::batch::Batch;
use crate::domain::change::{Change, Scope};
use crate::domain::deferred_work::DeferredWork;
use crate::domain::key::Key;
use crate::domain::plan::Reasons;
use crate::domain::reason::{Decision, Reason};
use crate::domain::resolution::Resolution;
use crate::domain::shared::{Memo, Shared};

/// A service, and its next attempt.
#[derive(Clone, Debug)]
pub(super) struct Due<'a> {
    pub(super) service: &'a ServiceId,
    /// The changes that it is due for; none if a request alone names it. Services with the same
    /// ones share them.
    pub(super) keys: Arc<BTreeSet<Key>>,
    pub(super) at: Timestamp,
    pub(super) attempt: Attempt,
    /// The part of its wait that the pause until `at` adds. A wait with a known end does not age.
    pub(super) ages_by: SignedDuration,
    /// True if it waits for others, until nobody knows when.
    pub(super) waits: bool,
}

impl Due<'_> {
    /// Returns sooner, and is younger then.
    fn returns_at(&mut self, sooner: Timestamp) {
        let attempt = std::mem::take(&mut self.attempt);
        let by = self.at.duration_since(sooner);
        self.attempt = attempt.sooner(by.min(self.ages_by));
        self.ages_by = self.ages_by.saturating_sub(by).max(SignedDuration::ZERO);
        self.at = sooner;
    }
}

/// The sets of keys that services are due for, each kept once, and computed once for services that
/// are affected alike.
#[derive(Debug, Default)]
pub(super) struct KeysDue {
    sets: Shared<BTreeSet<Key>>,
    /// The sets by their reasons; `true` beside them if a rollout is followed.
    known: Memo<Reasons, bool, Arc<BTreeSet<Key>>>,
}

impl KeysDue {
    pub(super) fn of(&mut self, resolution: &Resolution) -> Arc<BTreeSet<Key>> {
        let Ok(planned) = &resolution.planned else {
            return self.sets.share((*resolution.undecided).clone());
        };
        let follows = !resolution.rollouts.is_empty();
        let sets = &mut self.sets;
        let keys = self.known.get(&planned.asked_by, follows, || {
            sets.share(keys_due(&planned.asked_by, follows))
        });
        if resolution.undecided.is_empty() {
            keys
        } else {
            self.sets.share(&*keys | &*resolution.undecided)
        }
    }
}

/// A rollout is followed for the changes that it covers, also while another change waits: it may
/// still fail. If it covers none, it is followed for all changes: it must be in one message.
fn keys_due(reasons: &Reasons, follows: bool) -> BTreeSet<Key> {
    let is_due = |reason: Reason| match reason.decision() {
        Decision::Hold | Decision::Restart => true,
        Decision::Skip => follows && reason == Reason::Fresh,
        // A restart for another key would read the version that failed in another service.
        Decision::Refuse => reason == Reason::OrderHalted,
    };
    let due: BTreeSet<_> = reasons
        .iter()
        .filter(|(_, reason)| is_due(**reason))
        .map(|(key, _)| key.clone())
        .collect();
    if due.is_empty() && follows {
        reasons.keys().cloned().collect()
    } else {
        due
    }
}

/// The rollouts of a change, and the restarts that wait for them, return together if they are more
/// than may run at once, so that the other services need not be described each time.
pub(super) fn kept_together(mut due: Vec<Due<'_>>, max_in_flight: usize) -> Vec<Due<'_>> {
    let mut services_of: BTreeMap<Option<&Key>, usize> = BTreeMap::new();
    let sets = alike(&due);
    for (keys, services) in &sets {
        asked_for(keys).for_each(|key| *services_of.entry(key).or_default() += services);
    }
    let are_counted = |keys: &BTreeSet<Key>| {
        asked_for(keys).any(|key| {
            let services = services_of.get(&key);
            services.is_some_and(|services| *services > max_in_flight)
        })
    };
    let counted: Vec<_> = due.iter().map(|due| are_counted(&due.keys)).collect();
    let first = due
        .iter()
        .zip(&counted)
        .filter(|(_, counted)| **counted)
        .map(|(due, _)| due.at)
        .min();
    let Some(first) = first else { return due };
    for (due, _) in due.iter_mut().zip(counted).filter(|(_, counted)| *counted) {
        due.returns_at(first);
    }
    due
}

/// A service that waits for others of the same change, until nobody knows when, returns with the
/// first of them: so it starts soon after they are well.
pub(super) fn with_those_before(mut due: Vec<Due<'_>>) -> Vec<Due<'_>> {
    let mut first: BTreeMap<Option<&Key>, Timestamp> = BTreeMap::new();
    let sets: Vec<_> = due.iter().map(|due| Arc::clone(&due.keys)).collect();
    for (keys, due) in sets.iter().zip(&due) {
        for key in asked_for(keys) {
            let at = first.entry(key).or_insert(due.at);
            *at = due.at.min(*at);
        }
    }
    for (keys, due) in sets.iter().zip(&mut due).filter(|(_, due)| due.waits) {
        let first = asked_for(keys).filter_map(|key| first.get(&key)).min();
        due.returns_at(first.copied().unwrap_or(due.at));
    }
    due
}

/// Each set of keys once, with the number of services that are due for it.
fn alike(due: &[Due<'_>]) -> Vec<(Arc<BTreeSet<Key>>, usize)> {
    let mut alike: BTreeMap<usize, (Arc<BTreeSet<Key>>, usize)> = BTreeMap::new();
    for due in due {
        let place = Arc::as_ptr(&due.keys).addr();
        alike
            .entry(place)
            .or_insert_with(|| (Arc::clone(&due.keys), 0))
            .1 += 1;
    }
    alike.into_values().collect()
}

/// The changes; `None` stands for a request.
fn asked_for(keys: &BTreeSet<Key>) -> impl Iterator<Item = Option<&Key>> {
    keys.iter().map(Some).chain(keys.is_empty().then_some(None))
}

pub(super) fn grouped(due: Vec<Due<'_>>) -> BTreeMap<Timestamp, Vec<Due<'_>>> {
    let mut groups: BTreeMap<Timestamp, Vec<Due<'_>>> = BTreeMap::new();
    for due in due {
        groups.entry(due.at).or_default().push(due);
    }
    groups
}

/// The message of a group.
pub(super) fn deferred(batch: &Batch, not_before: Timestamp, group: &[Due<'_>]) -> DeferredWork {
    let changes = scopes(group).into_iter().filter_map(|(key, scope)| {
        Some(Change {
            scope,
            ..batch.changes.get(key)?.clone()
        })
    });
    let changes = changes.chain(older(batch, group));
    let request = batch.request.clone().map(|mut request| {
        let services: BTreeSet<_> = group.iter().map(|due| due.service).collect();
        request.services.retain(|id, _| services.contains(id));
        request
    });
    let attempts = group
        .iter()
        .map(|due| (due.service.clone(), due.attempt.clone()));
    DeferredWork {
        not_before,
        hops: batch.hops.saturating_add(1),
        failed_listings: 0,
        changes: changes.collect(),
        attempts: attempts.collect(),
        request,
        notices: Vec::new(),
    }
}

/// The older changes that the followed rollouts of a group cover, each for these services alone.
fn older<'a>(batch: &'a Batch, group: &'a [Due<'a>]) -> impl Iterator<Item = Change> + 'a {
    batch.older.iter().filter_map(|change| {
        let covers = |due: &&Due<'_>| {
            let mut rollouts = due.attempt.rollouts.iter();
            rollouts.any(|rollout| rollout.started_at > change.at)
        };
        let named = group.iter().filter(|due| change.scope.names(due.service));
        let services: BTreeSet<_> = named
            .filter(covers)
            .map(|due| due.service.clone())
            .collect();
        (!services.is_empty()).then(|| Change {
            scope: Scope::only(services),
            ..change.clone()
        })
    })
}

/// The services of each key. Those with the same keys are put together first: a thousand keys of a
/// thousand services are one list then, and not a million names.
fn scopes<'a>(group: &'a [Due<'a>]) -> BTreeMap<&'a Key, Scope> {
    let mut alike: BTreeMap<usize, (&Arc<BTreeSet<Key>>, BTreeSet<&ServiceId>)> = BTreeMap::new();
    for due in group {
        let place = Arc::as_ptr(&due.keys).addr();
        alike
            .entry(place)
            .or_insert_with(|| (&due.keys, BTreeSet::new()))
            .1
            .insert(due.service);
    }
    let mut places_of: BTreeMap<&Key, Vec<usize>> = BTreeMap::new();
    for (place, (keys, _)) in &alike {
        for key in keys.iter() {
            places_of.entry(key).or_default().push(*place);
        }
    }
    let mut joined: BTreeMap<Vec<usize>, Scope> = BTreeMap::new();
    let join = |places: &[usize]| {
        let sets = places.iter().filter_map(|place| alike.get(place));
        let services = sets.flat_map(|(_, services)| services);
        Scope::only(services.map(|id| ServiceId::clone(id)).collect())
    };
    let mut scope = |places: Vec<usize>| {
        let scope = joined.entry(places);
        scope.or_insert_with_key(|places| join(places)).clone()
    };
    places_of
        .into_iter()
        .map(|(key, places)| (key, scope(places)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::arn::AccountRegion;

    #[test]
    fn a_change_that_a_running_rollout_covers_returns_with_one_that_is_held() {
        let key = |name| Key::parameter(AccountRegion::default(), name);
        let reasons = Reasons::from([
            (key("held"), Reason::DeploymentInProgress),
            (key("covered"), Reason::Fresh),
            (key("skipped"), Reason::IgnoredKey),
        ]);

        let with_rollout = BTreeSet::from([key("covered"), key("held")]);
        assert_eq!(keys_due(&reasons, true), with_rollout);
        assert_eq!(keys_due(&reasons, false), BTreeSet::from([key("held")]));
    }
}
