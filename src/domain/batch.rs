//! The changes and requests that one invocation plans together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::arn::{AccountRegion, ServiceId};
use super::backoff::Attempt;
use super::change::{Change, ChangeKind, Scope, coalesce, distinct};
use super::deferred_work::DeferredWork;
use super::key::Key;
use super::listed::Listed;
use super::request::Request;
use super::service::{Service, ServiceStatus};

/// The changes planned at once, and the pairs of a change and a service, have a bound: memory grows
/// with both.
const MOST_CHANGES: usize = 1_000;
const LEAST_CHANGES: usize = 100;
const MOST_PAIRS: usize = 1_000_000;

/// The place of a message in the inbox.
pub type MessageIndex = usize;

/// The changes and requests that are planned together, under one policy: all changes of events, or
/// one request.
#[derive(Debug, Default)]
pub struct Batch {
    /// One change a key.
    pub changes: BTreeMap<Key, Change>,
    /// The request, if a person made one.
    pub request: Option<Request>,
    /// The attempts so far at the services that deferred messages name.
    pub attempts: Arc<BTreeMap<ServiceId, Attempt>>,
    /// True if messages of a queue carry it, not a direct invocation. Such a message never loosens
    /// a limit that the function's settings set.
    pub queued: bool,
    /// The messages that carry it.
    pub messages: BTreeSet<MessageIndex>,
    /// The messages that carry each key.
    messages_of: BTreeMap<Key, BTreeSet<MessageIndex>>,
    /// The keys that deferred messages carry: their changes have come back.
    returned: BTreeSet<Key>,
    /// The hops of the message that has made the most.
    pub hops: u32,
    /// The listings in a row that failed before this one.
    pub failed_listings: u32,
    /// Older changes of the same keys, which a followed rollout has read, and not the newest one.
    pub older: Vec<Change>,
    /// The changes, before they are coalesced.
    gathered: Vec<Change>,
}

impl Batch {
    /// An empty batch of this request.
    #[must_use]
    pub fn of(request: &Request) -> Self {
        Self {
            request: Some(request.clone()),
            ..Self::default()
        }
    }

    /// The changes that a sweep found, each for the services that have not read it.
    #[must_use]
    pub fn of_sweep(changes: &BTreeMap<Key, Change>) -> Self {
        Self {
            changes: changes.clone(),
            ..Self::default()
        }
    }

    /// Adds the changes that a message carries.
    pub fn add<'a>(
        &mut self,
        message: MessageIndex,
        changes: impl IntoIterator<Item = &'a Change>,
    ) {
        self.messages.insert(message);
        for change in changes {
            let messages = self.messages_of.entry(change.key.clone()).or_default();
            messages.insert(message);
            self.gathered.push(change.clone());
        }
    }

    /// Adds the deferred work that a message carries.
    pub fn add_deferred(&mut self, message: MessageIndex, deferred: &DeferredWork) {
        self.hops = self.hops.max(deferred.hops);
        self.failed_listings = self.failed_listings.max(deferred.failed_listings);
        for (id, attempt) in &deferred.attempts {
            let known = self.attempts.get(id).map_or_else(
                || attempt.clone(),
                |known| known.clone().and(attempt.clone()),
            );
            Arc::make_mut(&mut self.attempts).insert(id.clone(), known);
        }
        let keys = deferred.changes.iter().map(|change| change.key.clone());
        self.returned.extend(keys);
        self.add(message, &deferred.changes);
    }

    /// The batch with one change for each key. `queued` is true if messages of a queue carry it.
    #[must_use]
    pub fn coalesced(mut self, queued: bool) -> Self {
        self.queued = queued;
        let gathered = std::mem::take(&mut self.gathered);
        self.older = self.rolled_and_replaced(&gathered);
        self.changes = coalesce(gathered);
        self
    }

    /// The changes that a followed rollout has read, and that a newer one of their key replaces,
    /// each once.
    fn rolled_and_replaced(&self, gathered: &[Change]) -> Vec<Change> {
        if self.attempts.values().all(|one| one.rollouts.is_empty()) {
            return Vec::new();
        }
        let mut newest: BTreeMap<&Key, &Change> = BTreeMap::new();
        for change in gathered {
            let known = newest.entry(&change.key).or_insert(change);
            if known.at < change.at {
                *known = change;
            }
        }
        let is_replaced = |change: &&Change| {
            let newest = newest.get(&change.key);
            newest.is_some_and(|newest| change.at < newest.at && change.event != newest.event)
        };
        let mut older: Vec<Change> = Vec::new();
        for change in gathered.iter().filter(is_replaced) {
            let is_known = |known: &&mut Change| known.key == change.key && known.at == change.at;
            match older.iter_mut().find(is_known) {
                Some(known) => known.scope = known.scope.or(&change.scope),
                None if self.is_rolled(change) => older.push(change.clone()),
                None => {}
            }
        }
        older
    }

    /// True if a followed rollout of one of the services that a change names has read it.
    fn is_rolled(&self, change: &Change) -> bool {
        let reads = |attempt: &Attempt| {
            let mut rollouts = attempt.rollouts.iter();
            rollouts.any(|rollout| rollout.started_at > change.at)
        };
        let mut attempts = self.attempts.iter();
        attempts.any(|(id, attempt)| change.scope.names(id) && reads(attempt))
    }

    /// The services whose rollouts are followed, and the start of the oldest of each.
    #[must_use]
    pub fn followed_since(&self) -> BTreeMap<ServiceId, Timestamp> {
        let since = self.attempts.iter().filter_map(|(id, attempt)| {
            let starts = attempt.rollouts.iter().map(|rollout| rollout.started_at);
            Some((id.clone(), starts.min()?))
        });
        since.collect()
    }

    /// The changes that an earlier invocation deferred.
    pub fn returned(&self) -> impl Iterator<Item = &Change> {
        let keys = self.returned.iter();
        keys.filter_map(|key| self.changes.get(key))
    }

    /// True if there is nothing to plan.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.request.is_none() && self.changes.is_empty()
    }

    /// The most services that one change may restart, if the function's own limit is `most`.
    #[must_use]
    pub fn max_services(&self, most: usize) -> usize {
        let asked = self
            .request
            .as_ref()
            .and_then(|request| request.max_services);
        let asked = asked.unwrap_or(most);
        if self.queued { asked.min(most) } else { asked }
    }

    /// The limit of the request, if it is above `most`.
    #[must_use]
    pub fn raises(&self, most: usize) -> Option<usize> {
        let asked = self.request.as_ref()?.max_services?;
        (asked > most).then_some(asked)
    }

    /// True if only the decisions are requested.
    #[must_use]
    pub fn is_dry_run(&self) -> bool {
        self.request.as_ref().is_some_and(|request| request.dry_run)
    }

    /// The keys that may affect a service of the tag index.
    pub fn keys_of<'a>(&'a self, listed: &'a Listed) -> impl Iterator<Item = &'a Key> {
        let changes = self.changes.values();
        let changes = changes.filter(|change| listed.is_affected_by(change));
        changes.map(|change| &change.key)
    }

    /// The keys whose messages name a service.
    pub fn keys_that_name<'a>(&'a self, id: &'a ServiceId) -> impl Iterator<Item = &'a Key> {
        let changes = self.changes.values();
        changes
            .filter(|change| change.scope.names(id))
            .map(|change| &change.key)
    }

    /// The services that messages name: they are described even if they are not listed.
    pub fn named(&self) -> impl Iterator<Item = &ServiceId> {
        let only = distinct(self.changes.values()).filter_map(|scope| match scope {
            Scope::Only(services) => Some(services),
            Scope::All | Scope::AllExcept(_) => None,
        });
        let requested = self
            .request
            .iter()
            .flat_map(|request| request.services.keys());
        only.flat_map(|services| services.iter()).chain(requested)
    }

    /// True unless an ARN in the request names a service of the same cluster and name elsewhere.
    #[must_use]
    pub fn means(&self, service: &Service) -> bool {
        let request = self.request.as_ref();
        let named = request.and_then(|request| request.services.get(&service.id));
        named
            .and_then(Option::as_ref)
            .is_none_or(|home| service.status == ServiceStatus::Missing || *home == service.home)
    }

    /// The messages that carry any of these keys; all messages of a request.
    pub fn messages_of<'a>(
        &self,
        keys: impl IntoIterator<Item = &'a Key>,
    ) -> BTreeSet<MessageIndex> {
        if self.request.is_some() {
            return self.messages.clone();
        }
        let messages = keys.into_iter().filter_map(|key| self.messages_of.get(key));
        messages.flatten().copied().collect()
    }

    /// The changes that events reported just now, not a deferred message.
    pub fn new_changes(&self) -> impl Iterator<Item = &Change> {
        let changes = self.changes.values();
        changes.filter(|change| change.scope == Scope::All)
    }

    /// The changes of the account and Region `home` that affect a service and were not enriched
    /// yet.
    pub fn needs_enrichment(
        &self,
        home: &AccountRegion,
        affects: impl Fn(&Change) -> bool,
    ) -> Vec<Change> {
        let is_open = |change: &&Change| {
            change.kind != ChangeKind::Labelled && !change.enriched && change.key.is_at(home)
        };
        let open = self.changes.values().filter(is_open);
        open.filter(|change| affects(change)).cloned().collect()
    }

    /// Takes changes back that were enriched.
    pub fn take_enriched(&mut self, changes: Vec<Change>) {
        let enriched = changes.into_iter().map(|change| Change {
            enriched: true,
            ..change
        });
        self.changes
            .extend(enriched.map(|change| (change.key.clone(), change)));
    }

    /// The size of the batch: the smallest goes first, so that a long list makes nobody wait.
    #[must_use]
    pub fn weight(&self) -> usize {
        let requested = self.request.as_ref().map(|request| request.services.len());
        self.changes.len() + requested.unwrap_or_default()
    }

    /// The batch in portions, so that planning takes bounded memory when this number of `services`
    /// may be affected. The changes of the shortest messages go first, so that a flood of changes
    /// in one message does not delay the others.
    #[must_use]
    pub fn in_portions(mut self, services: usize) -> Vec<Self> {
        let most = (MOST_PAIRS / services.max(1)).clamp(LEAST_CHANGES, MOST_CHANGES);
        if self.changes.len() <= most {
            return vec![self];
        }
        let mut changes = self.lightest_first();
        let mut portions = Vec::new();
        while !changes.is_empty() {
            let some = changes.drain(..most.min(changes.len())).collect();
            let is_first = portions.is_empty();
            portions.push(self.portion(some, is_first));
        }
        portions
    }

    fn lightest_first(&mut self) -> Vec<(Key, Change)> {
        let mut keys: BTreeMap<MessageIndex, usize> = BTreeMap::new();
        for message in self.messages_of.values().flatten() {
            *keys.entry(*message).or_default() += 1;
        }
        let weight = |key: &Key| {
            let messages = self.messages_of.get(key).into_iter().flatten();
            messages
                .filter_map(|message| keys.get(message))
                .min()
                .copied()
        };
        let mut changes: Vec<_> = std::mem::take(&mut self.changes).into_iter().collect();
        changes.sort_by_cached_key(|(key, _)| weight(key));
        changes
    }

    /// The services that a request names belong to its first portion alone, so that they are
    /// restarted once.
    fn portion(&mut self, changes: BTreeMap<Key, Change>, is_first: bool) -> Self {
        let messages_of: BTreeMap<_, _> = changes
            .keys()
            .filter_map(|key| self.messages_of.remove_entry(key))
            .collect();
        let request = self.request.as_ref();
        let returned = changes.keys().filter_map(|key| self.returned.take(key));
        let older = std::mem::take(&mut self.older);
        let (older, later) = older
            .into_iter()
            .partition(|change| changes.contains_key(&change.key));
        self.older = later;
        Self {
            older,
            returned: returned.collect(),
            changes,
            messages: messages_of.values().flatten().copied().collect(),
            messages_of,
            request: if is_first {
                request.cloned()
            } else {
                request.map(Request::without_services)
            },
            attempts: Arc::clone(&self.attempts),
            gathered: Vec::new(),
            queued: self.queued,
            hops: self.hops,
            failed_listings: self.failed_listings,
        }
    }
}
