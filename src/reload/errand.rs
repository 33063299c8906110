//! What is planned together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::aws::Listed;
use crate::domain::again::{Again, Waiting, Wish};
use crate::domain::arn::{Place, ServiceId};
use crate::domain::change::{Change, ChangeKind, Whom, coalesce, distinct};
use crate::domain::key::Key;
use crate::domain::received::{Reach, ReceivedChange};
use crate::domain::service::{Service, ServiceStatus};
use crate::domain::summary::ServiceLine;
use crate::domain::watch::Listening;
use crate::event::{Inbox, Sweep, Told};

/// What is planned together, under one policy: all that events tell, or one manual invocation.
#[derive(Debug, Default)]
pub(super) struct Errand {
    pub(super) changes: BTreeMap<Key, Change>,
    /// What a person asked for.
    pub(super) wish: Option<Wish>,
    /// What is known of the services that were looked at before.
    pub(super) waiting: Arc<BTreeMap<ServiceId, Waiting>>,
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
    pub(super) unlisted: u32,
    /// What was told, before it is coalesced.
    gathered: Vec<Change>,
}

/// Most changes that are planned at once, and most pairs of a change and a service, within limits:
/// memory grows with both.
const MOST_CHANGES: usize = 1_000;
const LEAST_CHANGES: usize = 100;
const MOST_PAIRS: usize = 1_000_000;

impl Errand {
    fn of(wish: &Wish) -> Self {
        Self {
            wish: Some(wish.clone()),
            ..Self::default()
        }
    }

    /// Most services that one change may restart, where the function is set to `most`.
    pub(super) fn max_services(&self, most: usize) -> usize {
        let asked = self
            .wish
            .as_ref()
            .and_then(|wish| wish.max_services)
            .unwrap_or(most);
        if self.queued { asked.min(most) } else { asked }
    }

    /// What a person asks for, where that is more than `most`.
    pub(super) fn raises(&self, most: usize) -> Option<usize> {
        self.wish
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
            .wish
            .as_ref()
            .and_then(|wish| wish.services.get(&service.id));
        named
            .and_then(Option::as_ref)
            .is_none_or(|place| service.status == ServiceStatus::Missing || *place == service.home)
    }

    /// The keys that a service in the tag index may be concerned by.
    pub(super) fn keys_of<'a>(&'a self, listed: &'a Listed) -> impl Iterator<Item = &'a Key> {
        let concerns = move |change: &&Change| {
            change.whom.includes(&listed.id) && listed.listens(&change.key) != Listening::No
        };
        self.changes
            .values()
            .filter(concerns)
            .map(|change| &change.key)
    }

    /// The services that messages name: they need not be listed.
    pub(super) fn named(&self) -> impl Iterator<Item = &ServiceId> {
        let only = distinct(self.changes.values()).filter_map(|whom| {
            if let Whom::Only(these) = whom {
                Some(these)
            } else {
                None
            }
        });
        only.flat_map(|these| these.iter())
            .chain(self.wish.iter().flat_map(|wish| wish.services.keys()))
    }

    /// Says of lines about this request who sent it, what the person said of it, and which services
    /// it names.
    pub(super) fn sign(&self, lines: &mut [ServiceLine]) {
        let Some(wish) = &self.wish else { return };
        for line in lines {
            line.requested |= ServiceId::from_path(&line.service)
                .is_some_and(|id| wish.services.contains_key(&id));
            line.request_reason.clone_from(&wish.reason);
            line.sender_id.clone_from(&wish.sender);
        }
    }

    /// The lines of its changes, each with how many services it concerns where that is known.
    pub(super) fn received(
        &self,
        home: Option<&Place>,
        reach: impl Fn(&Key) -> Option<Reach>,
    ) -> impl Iterator<Item = ReceivedChange> {
        let (reason, sender) = self
            .wish
            .as_ref()
            .map(|wish| (wish.reason.clone(), wish.sender.clone()))
            .unwrap_or_default();
        self.changes.values().map(move |change| {
            let line = ReceivedChange::of(change, home, reach(&change.key));
            // That the listing fails was told with the first message.
            let is_new = line.is_new && (line.reach.is_some() || self.unlisted == 0);
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
            .filter(|change| change.whom.names(id))
            .map(|change| &change.key)
    }

    /// The messages that told any of these keys; all, where a person asked.
    pub(super) fn tellers_of<'a>(
        &self,
        keys: impl IntoIterator<Item = &'a Key>,
    ) -> BTreeSet<usize> {
        match self.wish {
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
            .filter(|change| change.whom == Whom::Everyone)
    }

    /// The changes that metadata may tell more about: those of this account and Region that concern
    /// somebody and were not learnt about, be it before a message of our own was sent.
    pub(super) fn unlearnt(&self, home: &Place, concerns: impl Fn(&Change) -> bool) -> Vec<Change> {
        let is_new = |change: &&Change| {
            change.kind != ChangeKind::Labelled && !change.learnt && change.key.is_at(home)
        };
        self.changes
            .values()
            .filter(is_new)
            .filter(|change| concerns(change))
            .cloned()
            .collect()
    }

    pub(super) fn learns(&mut self, changes: Vec<Change>) {
        self.changes.extend(changes.into_iter().map(|change| {
            (
                change.key.clone(),
                Change {
                    learnt: true,
                    ..change
                },
            )
        }));
    }

    fn take(&mut self, place: usize, again: &Again) {
        self.hops = self.hops.max(again.hops);
        self.unlisted = self.unlisted.max(again.unlisted);
        for (id, waiting) in &again.waiting {
            let known = self.waiting.get(id).map_or_else(
                || waiting.clone(),
                |known| known.clone().and(waiting.clone()),
            );
            Arc::make_mut(&mut self.waiting).insert(id.clone(), known);
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
            let wish = self.wish.clone().map(|wish| {
                if portions.is_empty() {
                    wish
                } else {
                    Wish {
                        services: BTreeMap::new(),
                        ..wish
                    }
                }
            });
            let waiting = Arc::clone(&self.waiting);
            portions.push(Self {
                changes,
                told_by,
                tellers,
                wish,
                waiting,
                gathered: Vec::new(),
                ..self
            });
        }
        portions
    }

    /// How much there is to do.
    fn weight(&self) -> usize {
        self.changes.len() + self.wish.as_ref().map_or(0, |wish| wish.services.len())
    }
}

/// Two sweeps that are asked for at once are one.
pub(super) fn asks_for_a_sweep(inbox: &Inbox) -> Option<Sweep> {
    let mut told = inbox.messages.iter().flat_map(|message| &message.told);
    told.find_map(|told| {
        if let Told::Sweep(sweep) = told {
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
        .flat_map(|message| &message.told)
        .any(|told| match told {
            Told::Changed(_) | Told::Sweep(_) => true,
            Told::Asked(manual) => manual.names_keys(),
            Told::Again(again) => again
                .changes
                .iter()
                .any(|change| !matches!(change.whom, Whom::Only(_))),
            Told::Ignored(_) | Told::Malformed(_) | Told::TooMuch => false,
        })
}

/// All that events tell is one errand; each wish of a person is another, whatever number of
/// messages tell it, since it has a policy of its own. A bare key of a manual invocation
/// means the account and Region that the listed services are in.
pub(super) fn errands(inbox: &Inbox, watching: &[Listed]) -> Vec<Errand> {
    let home = watching
        .first()
        .map(|listed| listed.home.clone())
        .unwrap_or_default();
    let mut told = Errand::default();
    let mut asked: BTreeMap<&Wish, Errand> = BTreeMap::new();
    for (place, message) in inbox.messages.iter().enumerate() {
        for one in &message.told {
            match one {
                Told::Changed(change) => told.is_told(place, [&**change]),
                Told::Again(again) => match &again.wish {
                    None => told.take(place, again),
                    Some(wish) => asked
                        .entry(wish)
                        .or_insert_with(|| Errand::of(wish))
                        .take(place, again),
                },
                Told::Asked(manual) => {
                    let changes: Vec<_> = manual.changes(&home).collect();
                    asked
                        .entry(&manual.wish)
                        .or_insert_with(|| Errand::of(&manual.wish))
                        .is_told(place, &changes);
                }
                Told::Sweep(_) | Told::Ignored(_) | Told::Malformed(_) | Told::TooMuch => {}
            }
        }
    }
    let errands = std::iter::once(told).chain(asked.into_values());
    let errands = errands.map(|errand| Errand {
        queued: inbox.from_queue,
        ..errand.coalesced()
    });
    let mut errands: Vec<_> = errands
        .filter(|errand| errand.wish.is_some() || !errand.changes.is_empty())
        .collect();
    // Events first, and of requests the small ones: nobody's long list makes others wait.
    errands.sort_by_cached_key(|errand| (errand.wish.is_some(), errand.weight()));
    errands
}
