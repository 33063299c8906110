//! The findings and results of an invocation.

use std::collections::BTreeSet;

use crate::aws::{self, Listing, REPEATED_TOKEN};
use crate::domain::arn::{AccountRegion, ServiceId};
use crate::domain::batch::MessageIndex;
use crate::domain::received::ReceivedChange;
use crate::domain::watching::Watching;
use crate::report::notices::Notices;
use crate::report::v1::Services;

use super::send::Sent;

/// The findings and results of an invocation.
#[derive(Debug, Default)]
pub struct Reconciled {
    /// Every service that has opted in.
    pub watching: Watching,
    /// The account and Region of the function.
    pub home: AccountRegion,
    /// Listings that were read in part, and used all the same.
    pub incomplete: Vec<String>,
    /// The number of keys that changed.
    pub changes: usize,
    /// The changes, each with the number of services that it affects.
    pub received: Vec<ReceivedChange>,
    /// The number of task definitions that were read.
    pub task_definitions: usize,
    /// Tags of services that have opted in, and references of task definitions, that do not parse.
    pub mistakes: BTreeSet<(ServiceId, String)>,
    /// The line of each service that a change affects or a request names.
    pub services: Services,
    /// Everything that people are notified of, if there is an event bus.
    pub notices: Notices,
    /// The number of self-tests that arrived, and were decided about.
    pub self_tests: usize,
    /// The messages that are redelivered: their work is not all done, and is in no other message.
    pub redelivered: BTreeSet<MessageIndex>,
    /// The services that are left to a redelivery.
    pub left_to_redelivery: BTreeSet<ServiceId>,
    /// True if a restart was started.
    pub has_started: bool,
    /// The number of messages that were sent for later.
    pub sent: usize,
    /// The error, if the services could not be listed.
    pub error: Option<Error>,
    /// The number of changes that would restart too many services.
    pub refused_changes: usize,
}

/// An error before anything was started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The services that watch could not be listed.
    #[error("cannot list the services that watch: {0}")]
    ListingFailed(#[from] aws::Error),
}

impl Error {
    /// True if the listing may succeed later with nobody's help.
    pub(super) fn passes(&self) -> bool {
        let Self::ListingFailed(error) = self;
        error.kind.passes()
    }
}

impl Reconciled {
    pub(super) fn of(listing: Listing<Watching>, own: Option<&AccountRegion>) -> Self {
        let Listing { found, is_whole } = listing;
        let part = || {
            let listed = found.len();
            format!("the services that watch, {listed} of them: {REPEATED_TOKEN}")
        };
        let mistakes = found.iter().flat_map(|listed| {
            let mistakes = listed.tags.mistakes();
            mistakes.map(|mistake| (listed.id.clone(), mistake.to_string()))
        });
        Self {
            incomplete: (!is_whole).then(part).into_iter().collect(),
            mistakes: mistakes.collect(),
            home: home(own, &found),
            watching: found,
            ..Self::default()
        }
    }

    pub(super) fn take_sent(&mut self, sent: Sent) {
        self.sent += sent.messages;
        self.redelivered.extend(sent.redelivered);
    }
}

/// The account and Region of the function's own ARN. Emulators of Lambda invent one: if no listed
/// service is there, the account and Region of the services count.
fn home(own: Option<&AccountRegion>, watching: &Watching) -> AccountRegion {
    let is_there = |home: &&AccountRegion| {
        watching.is_empty() || watching.iter().any(|listed| listed.home == **home)
    };
    let services = || watching.iter().next().map(|listed| &listed.home);
    own.filter(is_there)
        .or_else(services)
        .cloned()
        .unwrap_or_default()
}
