//! What is planned together.

use std::collections::{BTreeMap, BTreeSet};

use crate::aws::Listed;
use crate::domain::change::{Change, coalesce};
use crate::domain::key::Key;
use crate::domain::service::{Service, ServiceStatus};
use crate::domain::summary::ServiceLine;
use crate::domain::watch::Listening;
use crate::event::{Inbox, Manual, Told};

/// What is planned together, under one policy: all that events tell, or one manual invocation.
#[derive(Debug, Default)]
pub(super) struct Errand<'a> {
    pub(super) changes: BTreeMap<Key, Change>,
    /// The messages that told each key.
    tellers: BTreeMap<Key, BTreeSet<usize>>,
    pub(super) manual: Option<(usize, &'a Manual)>,
}

impl Errand<'_> {
    pub(super) fn concerns(&self, listed: &Listed) -> bool {
        self.keys_of(listed).next().is_some()
    }

    /// Whether a service is not the local namesake of one that an ARN names elsewhere.
    pub(super) fn means(&self, service: &Service) -> bool {
        let named = self.manual.and_then(|(_, manual)| manual.services.get(&service.id));
        named.and_then(Option::as_ref).is_none_or(|place| service.status == ServiceStatus::Inactive || *place == service.home)
    }

    pub(super) fn keys_of<'a>(&'a self, listed: &'a Listed) -> impl Iterator<Item = &'a Key> {
        let listens = |key: &Key| listed.tags.watch.as_ref().is_some_and(|watch| watch.listens(key, &listed.home, None) != Listening::No);
        self.changes.keys().filter(move |key| listens(key))
    }

    /// The messages that told of what is not done.
    pub(super) fn unfinished(&self, lines: &[ServiceLine], undone: &BTreeSet<Key>) -> BTreeSet<usize> {
        match self.manual {
            Some((message, _)) => lines.iter().any(|line| line.again).then_some(message).into_iter().collect(),
            None => undone.iter().filter_map(|key| self.tellers.get(key)).flatten().copied().collect(),
        }
    }
}

pub(super) fn names_keys(inbox: &Inbox) -> bool {
    inbox.messages.iter().flat_map(|message| &message.told).any(|told| match told {
        Told::Changed(_) => true,
        Told::Asked(manual) => manual.names_keys(),
        Told::Ignored(_) | Told::Malformed(_) => false,
    })
}

/// All that events tell is one errand; each manual invocation is another, since it has a policy of its own. A bare key of a manual invocation
/// means the account and Region that the listed services are in.
pub(super) fn errands<'a>(inbox: &'a Inbox, watching: &[Listed]) -> Vec<Errand<'a>> {
    let home = watching.first().map(|listed| listed.home.clone()).unwrap_or_default();
    let mut told = Errand::default();
    let mut changes = Vec::new();
    let mut asked = Vec::new();
    for (place, message) in inbox.messages.iter().enumerate() {
        for one in &message.told {
            match one {
                Told::Changed(change) => {
                    told.tellers.entry(change.key.clone()).or_default().insert(place);
                    changes.push(Change::clone(change));
                }
                Told::Asked(manual) => {
                    asked.push(Errand { changes: coalesce(manual.changes(&home)), manual: Some((place, manual)), ..Errand::default() });
                }
                Told::Ignored(_) | Told::Malformed(_) => {}
            }
        }
    }
    told.changes = coalesce(changes);
    std::iter::once(told).filter(|told| !told.changes.is_empty()).chain(asked).collect()
}
