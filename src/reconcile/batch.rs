//! What is planned together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::aws::Listed;
use crate::domain::arn::{AccountRegion, ServiceId};
use crate::domain::change::{Change, ChangeKind, Scope, coalesce, distinct};
use crate::domain::defer::{Attempt, DeferredWork, Request};
use crate::domain::key::Key;
use crate::domain::received::{Reach, ReceivedChange};
use crate::domain::service::{Service, ServiceStatus};
use crate::domain::summary::ServiceLine;
use crate::domain::watch::Match;
use crate::event::{Content, Inbox, Sweep};

/// What is planned together, under one policy: all that events tell, or one manual invocation.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) changes: BTreeMap<Key, Change>,
    /// What a person asked for.
    pub(super) request: Option<Request>,
    /// What is known of the services that were looked at before.
    pub(super) attempts: Arc<BTreeMap<ServiceId, Attempt>>,
    /// Whether messages tell of it, not a direct invocation: they loosen no limit that the
    /// function is set to.
    pub(super) queued: bool,
    /// The messages that tell of it.
    pub(super) tellers: BTreeSet<usize>,
    /// The messages that told each key.
    told_by: BTreeMap<Key, BTreeSet<usize>>,
    /// The longest way that one of the messages has come.
    pub(super) hops: u32,
    /// Who watches was not known in so many of them, one after another.
    pub(super) failed_listings: u32,
    /// What was told, before it is coalesced.
    gathered: Vec<Change>,
}

/// Most changes that are planned at once, and most pairs of a change and a service, within limits:
/// memory grows with both.
const MOST_CHANGES: usize = 1_000;
const LEAST_CHANGES: usize = 100;
const MOST_PAIRS: usize = 1_000_000;

impl Batch {
    fn of(request: &Request) -> Self {
        Self {
            request: Some(request.clone()),
            ..Self::default()
        }
    }

    /// Most services that one change may restart, where the function is set to `most`.
    pub(super) fn max_services(&self, most: usize) -> usize {
        let asked = self
            .request
            .as_ref()
            .and_then(|request| request.max_services)
            .unwrap_or(most);
        if self.queued { asked.min(most) } else { asked }
    }

    /// What a person asks for, where that is more than `most`.
    pub(super) fn raises(&self, most: usize) -> Option<usize> {
        self.request
            .as_ref()?
            .max_services
            .filter(|asked| *asked > most)
    }

    pub(super) fn concerns(&self, listed: &Listed) -> bool {
        self.keys_of(listed).next().is_some()
    }

    /// Whether a service is not the local namesake of one that an ARN names elsewhere.
    pub(super) fn means(&self, service: &Service) -> bool {
        let named = self
            .request
            .as_ref()
            .and_then(|request| request.services.get(&service.id));
        named
            .and_then(Option::as_ref)
            .is_none_or(|place| service.status == ServiceStatus::Missing || *place == service.home)
    }

    /// The keys that a service in the tag index may be concerned by.
    pub(super) fn keys_of<'a>(&'a self, listed: &'a Listed) -> impl Iterator<Item = &'a Key> {
        let concerns = move |change: &&Change| {
            change.scope.includes(&listed.id) && listed.match_of(&change.key) != Match::None
        };
        self.changes
            .values()
            .filter(concerns)
            .map(|change| &change.key)
    }

    /// The services that messages name: they need not be listed.
    pub(super) fn named(&self) -> impl Iterator<Item = &ServiceId> {
        let only = distinct(self.changes.values()).filter_map(|scope| {
            if let Scope::Only(these) = scope {
                Some(these)
            } else {
                None
            }
        });
        only.flat_map(|these| these.iter()).chain(
            self.request
                .iter()
                .flat_map(|request| request.services.keys()),
        )
    }

    /// Says of lines about this request who sent it, what the person said of it, and which services
    /// it names.
    pub(super) fn sign(&self, lines: &mut [ServiceLine]) {
        let Some(request) = &self.request else { return };
        for line in lines {
            line.requested |= ServiceId::from_path(&line.service)
                .is_some_and(|id| request.services.contains_key(&id));
            line.request_reason.clone_from(&request.reason);
            line.sender_id.clone_from(&request.sender);
        }
    }

    /// The lines of its changes, each with how many services it concerns where that is known.
    pub(super) fn received(
        &self,
        home: Option<&AccountRegion>,
        reach: impl Fn(&Key) -> Option<Reach>,
    ) -> impl Iterator<Item = ReceivedChange> {
        let (reason, sender) = self
            .request
            .as_ref()
            .map(|request| (request.reason.clone(), request.sender.clone()))
            .unwrap_or_default();
        self.changes.values().map(move |change| {
            let line = ReceivedChange::of(change, home, reach(&change.key));
            // That the listing fails was told with the first message.
            let is_new = line.is_new && (line.reach.is_some() || self.failed_listings == 0);
            ReceivedChange {
                request_reason: reason.clone(),
                sender_id: sender.clone(),
                is_new,
                ..line
            }
        })
    }

    /// The keys that a service is looked at for by name.
    pub(super) fn keys_that_name<'a>(&'a self, id: &'a ServiceId) -> impl Iterator<Item = &'a Key> {
        self.changes
            .values()
            .filter(|change| change.scope.names(id))
            .map(|change| &change.key)
    }

    /// The messages that told any of these keys; all, where a person asked.
    pub(super) fn tellers_of<'a>(
        &self,
        keys: impl IntoIterator<Item = &'a Key>,
    ) -> BTreeSet<usize> {
        match self.request {
            Some(_) => self.tellers.clone(),
            None => keys
                .into_iter()
                .filter_map(|key| self.told_by.get(key))
                .flatten()
                .copied()
                .collect(),
        }
    }

    /// The changes that were told now, not by a message of our own.
    pub(super) fn told_now(&self) -> impl Iterator<Item = &Change> {
        self.changes
            .values()
            .filter(|change| change.scope == Scope::All)
    }

    /// The changes that metadata may tell more about: those of this account and Region that concern
    /// somebody and were not enriched about, be it before a message of our own was sent.
    pub(super) fn needs_enrichment(
        &self,
        home: &AccountRegion,
        concerns: impl Fn(&Change) -> bool,
    ) -> Vec<Change> {
        let is_new = |change: &&Change| {
            change.kind != ChangeKind::Labelled && !change.enriched && change.key.is_at(home)
        };
        self.changes
            .values()
            .filter(is_new)
            .filter(|change| concerns(change))
            .cloned()
            .collect()
    }

    pub(super) fn take_enriched(&mut self, changes: Vec<Change>) {
        self.changes.extend(changes.into_iter().map(|change| {
            (
                change.key.clone(),
                Change {
                    enriched: true,
                    ..change
                },
            )
        }));
    }

    fn take(&mut self, place: usize, again: &DeferredWork) {
        self.hops = self.hops.max(again.hops);
        self.failed_listings = self.failed_listings.max(again.failed_listings);
        for (id, attempts) in &again.attempts {
            let known = self.attempts.get(id).map_or_else(
                || attempts.clone(),
                |known| known.clone().and(attempts.clone()),
            );
            Arc::make_mut(&mut self.attempts).insert(id.clone(), known);
        }
        self.is_told(place, &again.changes);
    }

    fn is_told<'a>(&mut self, place: usize, changes: impl IntoIterator<Item = &'a Change>) {
        self.tellers.insert(place);
        for change in changes {
            self.told_by
                .entry(change.key.clone())
                .or_default()
                .insert(place);
            self.gathered.push(change.clone());
        }
    }

    fn coalesced(mut self) -> Self {
        self.changes = coalesce(std::mem::take(&mut self.gathered));
        self
    }

    /// The same in portions, so that what is planned at once has a bound: those changes first whose
    /// messages tell the fewest, since a flood is not to make others wait. `services` may be
    /// concerned.
    pub(super) fn in_portions(mut self, services: usize) -> Vec<Self> {
        let most = (MOST_PAIRS / services.max(1)).clamp(LEAST_CHANGES, MOST_CHANGES);
        if self.changes.len() <= most {
            return vec![self];
        }
        let mut told_by: BTreeMap<usize, usize> = BTreeMap::new();
        for place in self.told_by.values().flatten() {
            *told_by.entry(*place).or_default() += 1;
        }
        let weight = |key: &Key| {
            self.told_by
                .get(key)
                .into_iter()
                .flatten()
                .filter_map(|place| told_by.get(place))
                .min()
                .copied()
        };
        let mut changes: Vec<_> = std::mem::take(&mut self.changes).into_iter().collect();
        changes.sort_by_cached_key(|(key, _)| weight(key));
        let mut portions = Vec::new();
        while !changes.is_empty() {
            let changes: BTreeMap<_, _> = changes.drain(..most.min(changes.len())).collect();
            let told_by: BTreeMap<_, _> = changes
                .keys()
                .filter_map(|key| self.told_by.remove_entry(key))
                .collect();
            let tellers = told_by.values().flatten().copied().collect();
            // The services that a person names are restarted once.
            let request = self.request.clone().map(|request| {
                if portions.is_empty() {
                    request
                } else {
                    Request {
                        services: BTreeMap::new(),
                        ..request
                    }
                }
            });
            let attempts = Arc::clone(&self.attempts);
            portions.push(Self {
                changes,
                told_by,
                tellers,
                request,
                attempts,
                gathered: Vec::new(),
                ..self
            });
        }
        portions
    }

    /// How much there is to do.
    fn weight(&self) -> usize {
        self.changes.len()
            + self
                .request
                .as_ref()
                .map_or(0, |request| request.services.len())
    }
}

/// Two sweeps that are asked for at once are one.
pub(super) fn asks_for_a_sweep(inbox: &Inbox) -> Option<Sweep> {
    let mut told = inbox.messages.iter().flat_map(|message| &message.contents);
    told.find_map(|told| {
        if let Content::Sweep(sweep) = told {
            Some(*sweep)
        } else {
            None
        }
    })
}

/// Whether the services that watch must be listed: messages of our own name those that they mean.
pub(super) fn needs_a_listing(inbox: &Inbox) -> bool {
    inbox
        .messages
        .iter()
        .flat_map(|message| &message.contents)
        .any(|told| match told {
            Content::Changed(_) | Content::Sweep(_) => true,
            Content::Request(manual) => manual.names_keys(),
            Content::DeferredWork(again) => again
                .changes
                .iter()
                .any(|change| !matches!(change.scope, Scope::Only(_))),
            Content::Ignored(_) | Content::Malformed(_) | Content::TooMuch => false,
        })
}

/// All that events tell is one batch; each wish of a person is another, whatever number of
/// messages tell it, since it has a policy of its own. A bare key of a manual invocation
/// means the account and Region that the listed services are in.
pub(super) fn batches(inbox: &Inbox, watching: &[Listed]) -> Vec<Batch> {
    let home = watching
        .first()
        .map(|listed| listed.home.clone())
        .unwrap_or_default();
    let mut told = Batch::default();
    let mut asked: BTreeMap<&Request, Batch> = BTreeMap::new();
    for (place, message) in inbox.messages.iter().enumerate() {
        for one in &message.contents {
            match one {
                Content::Changed(change) => told.is_told(place, [&**change]),
                Content::DeferredWork(again) => match &again.request {
                    None => told.take(place, again),
                    Some(request) => asked
                        .entry(request)
                        .or_insert_with(|| Batch::of(request))
                        .take(place, again),
                },
                Content::Request(manual) => {
                    let changes: Vec<_> = manual.changes(&home).collect();
                    asked
                        .entry(&manual.request)
                        .or_insert_with(|| Batch::of(&manual.request))
                        .is_told(place, &changes);
                }
                Content::Sweep(_)
                | Content::Ignored(_)
                | Content::Malformed(_)
                | Content::TooMuch => {}
            }
        }
    }
    let batches = std::iter::once(told).chain(asked.into_values());
    let batches = batches.map(|batch| Batch {
        queued: inbox.from_queue,
        ..batch.coalesced()
    });
    let mut batches: Vec<_> = batches
        .filter(|batch| batch.request.is_some() || !batch.changes.is_empty())
        .collect();
    // Events first, and of requests the small ones: nobody's long list makes others wait.
    batches.sort_by_cached_key(|batch| (batch.request.is_some(), batch.weight()));
    batches
}
