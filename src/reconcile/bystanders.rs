//! The services that a change which is planned for others affects as well: they count for its
//! limits, and may go before those others in its order.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::timeout;

use super::discover::{Discovered, Discovery};
use crate::domain::arn::ServiceId;
use crate::domain::batch::Batch;
use crate::domain::key::Key;
use crate::domain::plan::Plan;
use crate::domain::policy::Policy;
use crate::domain::reason::Reason;
use crate::domain::service::Service;
use crate::domain::tags::Mode;
use crate::domain::watch::Match;
use crate::domain::watching::Watching;

/// No restart waits longer for the services that only count for its limits.
const LISTING_TIMEOUT: Duration = Duration::from_secs(3);

impl Discovery<'_> {
    /// Adds the services that watch the key of one of these changes and are not in its scope: their
    /// rollouts count for `in-flight-limit`, they count for `blast-radius`, and the services after
    /// them in the order wait for them. Nothing is started for them.
    ///
    /// Calls: none without such a change. Otherwise ceil(S/100) if the services were not listed. If
    /// more of them watch the key than may roll at once, or than it may restart, or if an order or
    /// a canary is in play, ceil(n/10) more, and one for each task definition of a service that
    /// says `auto` and is not known yet: of those that roll, or with an order of all.
    ///
    /// If the services cannot be listed within three seconds, or one of them cannot be read, the
    /// restarts go ahead without them, except those that may come after them in an order. A service
    /// that may read the key by `auto`, does not roll, and whose task definition this process has
    /// not read yet, does not count for the limits.
    pub(super) async fn add_bystanders(
        &self,
        restarting: &Restarting,
        watching: &Watching,
        discovered: &mut Discovered,
        policy: &mut Policy,
    ) {
        if restarting.keys.is_empty() {
            return;
        }
        let listed_now;
        let watching = if watching.is_empty() {
            let listing = timeout(LISTING_TIMEOUT, self.list()).await;
            let listing = listing.ok().and_then(Result::ok);
            if !listing.as_ref().is_some_and(|listing| listing.is_whole) {
                let unknown = restarting.in_order.iter().map(|key| (key.clone(), 0));
                policy.unread.extend(unknown);
            }
            let Some(listing) = listing else { return };
            listed_now = listing.found;
            &listed_now
        } else {
            watching
        };
        let limited = limited(restarting, watching, policy);
        let described = discovered.services.iter().map(|service| &service.id);
        let known: BTreeSet<_> = described.chain(discovered.unreadable.keys()).collect();
        let watchers: BTreeSet<_> = limited
            .iter()
            .flat_map(|key| watchers(watching, key))
            .collect();
        let ids = watchers.into_iter().filter(|id| !known.contains(id));
        let described = self.describe_services(ids).await;
        let mut unread: BTreeSet<_> = described.unread.into_iter().map(|(id, _)| id).collect();
        unread.extend(discovered.unreadable.keys().cloned());
        let mut others = described.services;
        let is_undecided = |service: &Service| {
            let mut limited = limited.iter();
            limited.any(|key| service.match_of(key) == Match::NeedsTaskDefinition)
        };
        let has_order = !restarting.in_order.is_empty();
        for service in others.iter_mut().filter(|service| is_undecided(service)) {
            let definition = service.task_definition.as_ref();
            service.references = definition.and_then(|arn| self.ecs.known_references(arn));
        }
        let undecided = others
            .iter_mut()
            .filter(|service| (has_order || service.is_rolling()) && is_undecided(service));
        self.read_definitions(undecided, discovered).await;
        let (undecided, others): (Vec<_>, Vec<_>) = others.into_iter().partition(is_undecided);
        unread.extend(undecided.into_iter().map(|service| service.id));
        discovered.services.extend(others);
        note_unread(policy, &restarting.in_order, watching, &unread);
    }
}

/// Notes the services that may watch one of these keys and could not be read: those that come after
/// them in the order wait.
pub(crate) fn note_unread<'k>(
    policy: &mut Policy,
    keys: impl IntoIterator<Item = &'k Key>,
    watching: &Watching,
    unread: &BTreeSet<ServiceId>,
) {
    if unread.is_empty() {
        return;
    }
    for key in keys {
        let listed = watching.matches(key).filter(|(listed, matched)| {
            may_watch(*matched) && listed.tags.mode == Mode::Auto && unread.contains(&listed.id)
        });
        let orders = listed.map(|(listed, _)| listed.tags.order);
        if let Some(lowest) = orders.chain(policy.unread.get(key).copied()).min() {
            policy.unread.insert(key.clone(), lowest);
        }
    }
}

/// Changes that have come back, perhaps for some of their services alone, and restart one.
#[derive(Debug, Default)]
pub(super) struct Restarting {
    pub(super) keys: BTreeSet<Key>,
    /// Those that restart a service before which others may go.
    pub(super) in_order: BTreeSet<Key>,
}

impl Restarting {
    pub(super) fn of(batch: &Batch, plan: &Plan, services: &[Service], policy: &Policy) -> Self {
        let orders: BTreeMap<_, _> = services
            .iter()
            .map(|service| (&service.id, service.tags.order))
            .collect();
        let has_order = |id: &ServiceId| orders.get(id).is_some_and(|order| *order > 0);
        let mut restarting = Self::default();
        for change in batch.returned() {
            let key = &change.key;
            let mut restarts = plan
                .restarts()
                .filter(|(_, planned)| planned.asked_by.get(key) == Some(&Reason::Stale))
                .peekable();
            if restarts.peek().is_some() {
                restarting.keys.insert(key.clone());
            }
            if restarts.any(|(id, planned)| !planned.requested && (policy.canary || has_order(id)))
            {
                restarting.in_order.insert(key.clone());
            }
        }
        restarting
    }
}

/// Those of these changes whose services may exceed a limit, or go before others.
fn limited<'k>(restarting: &'k Restarting, watching: &Watching, policy: &Policy) -> Vec<&'k Key> {
    let is_limited = |key: &&Key| {
        let most = policy.max_in_flight.min(policy.max_services);
        restarting.in_order.contains(*key) || watchers(watching, key).count() > most
    };
    restarting.keys.iter().filter(is_limited).collect()
}

/// The services that watch a key, or may watch it.
fn watchers<'w>(watching: &'w Watching, key: &Key) -> impl Iterator<Item = &'w ServiceId> {
    let watchers = watching.matches(key);
    let watchers = watchers.filter(move |(_, matched)| may_watch(*matched));
    watchers.map(|(listed, _)| &listed.id)
}

fn may_watch(matched: Match) -> bool {
    matches!(matched, Match::Watched | Match::NeedsTaskDefinition)
}
