//! The services that count for the limits of a change which is planned for others.

use std::collections::BTreeSet;
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
use crate::domain::watch::Match;
use crate::domain::watching::Watching;

/// No restart waits longer for the services that only count for its limits.
const LISTING_TIMEOUT: Duration = Duration::from_secs(3);

impl Discovery<'_> {
    /// Adds the services that watch the key of one of these changes and are not in its scope: their
    /// rollouts count for `in-flight-limit`, and they count for `blast-radius`. Nothing is started
    /// for them. The changes are those that [`restarting`] names.
    ///
    /// Calls: none without such a change. Otherwise ceil(S/100) if the services were not listed. If
    /// more of them watch the key than may roll at once, or than it may restart, ceil(n/10) more,
    /// and one for each task definition of a service that says `auto`, rolls, and is not known yet.
    ///
    /// If the services cannot be listed within three seconds, the restarts go ahead without them. A
    /// service that cannot be read does not count. Nor does one that may read the key by `auto`, does
    /// not roll, and whose task definition this process has not read yet.
    pub(super) async fn add_bystanders(
        &self,
        keys: &BTreeSet<Key>,
        watching: &Watching,
        discovered: &mut Discovered,
        policy: &Policy,
    ) {
        if keys.is_empty() {
            return;
        }
        let listed_now;
        let watching = if watching.is_empty() {
            let Ok(Ok(listing)) = timeout(LISTING_TIMEOUT, self.list()).await else {
                return;
            };
            listed_now = listing.found;
            &listed_now
        } else {
            watching
        };
        let limited = limited(keys, watching, policy);
        let described = discovered.services.iter().map(|service| &service.id);
        let known: BTreeSet<_> = described.chain(discovered.unreadable.keys()).collect();
        let watchers: BTreeSet<_> = limited
            .iter()
            .flat_map(|key| watchers(watching, key))
            .collect();
        let ids = watchers.into_iter().filter(|id| !known.contains(id));
        let mut others = self.describe_services(ids).await.services;
        let is_undecided = |service: &Service| {
            let mut limited = limited.iter();
            limited.any(|key| service.match_of(key) == Match::NeedsTaskDefinition)
        };
        for service in others.iter_mut().filter(|service| is_undecided(service)) {
            let definition = service.task_definition.as_ref();
            service.references = definition.and_then(|arn| self.ecs.known_references(arn));
        }
        let undecided = others
            .iter_mut()
            .filter(|service| service.is_rolling() && is_undecided(service));
        self.read_definitions(undecided, discovered).await;
        others.retain(|service| !is_undecided(service));
        discovered.services.extend(others);
    }
}

/// The changes that have come back, perhaps for some of their services alone, and restart one.
pub(super) fn restarting(batch: &Batch, plan: &Plan) -> BTreeSet<Key> {
    let is_stale = |key: &Key| {
        plan.restarts()
            .any(|(_, planned)| planned.asked_by.get(key) == Some(&Reason::Stale))
    };
    batch
        .returned()
        .filter(|change| is_stale(&change.key))
        .map(|change| change.key.clone())
        .collect()
}

/// Those of these changes whose services may exceed a limit.
fn limited<'k>(keys: &'k BTreeSet<Key>, watching: &Watching, policy: &Policy) -> Vec<&'k Key> {
    let is_limited = |key: &&Key| {
        let most = policy.max_in_flight.min(policy.max_services);
        watchers(watching, key).count() > most
    };
    keys.iter().filter(is_limited).collect()
}

/// The services that watch a key, or may watch it.
fn watchers<'w>(watching: &'w Watching, key: &Key) -> impl Iterator<Item = &'w ServiceId> {
    let may_watch = |matched| matches!(matched, Match::Watched | Match::NeedsTaskDefinition);
    let watchers = watching.matches(key);
    let watchers = watchers.filter(move |(_, matched)| may_watch(*matched));
    watchers.map(|(listed, _)| &listed.id)
}
