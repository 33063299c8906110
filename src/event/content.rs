//! The contents of messages.

use super::manual::{Manual, Sweep};
use crate::domain::change::{Change, Scope, distinct, known_source};
use crate::domain::deferred_work::DeferredWork;
use crate::domain::reason::IgnoredReason;
use crate::domain::received::IgnoredEvent;
use crate::domain::text::bounded;
use crate::json::Malformed;

/// One part of the contents of a message.
#[derive(Debug, PartialEq)]
pub enum Content {
    /// A key changed.
    Changed(Box<Change>),
    /// A person requests restarts.
    Request(Manual),
    /// Work that an earlier invocation deferred.
    DeferredWork(Box<DeferredWork>),
    /// A sweep.
    Sweep(Sweep),
    /// An event that is well formed, and changes nothing.
    Ignored(IgnoredEvent),
    /// Text that is malformed.
    Malformed(Malformed),
    /// A message for which this batch has no room: the queue keeps it.
    TooMuch,
}

impl Content {
    /// The number of entries in it.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Request(manual) => manual.weight(),
            Self::DeferredWork(deferred) => weight(deferred),
            Self::Changed(_) | Self::Sweep(_) | Self::Ignored(_) | Self::Malformed(_) => 1,
            Self::TooMuch => 0,
        }
    }
}

fn weight(deferred: &DeferredWork) -> usize {
    let lists = distinct(&deferred.changes).map(|scope| match scope {
        Scope::All => 0,
        Scope::AllExcept(services) | Scope::Only(services) => services.len(),
    });
    let request = deferred.request.as_ref();
    deferred.changes.len()
        + deferred.attempts.len()
        + deferred.notices.len()
        + request.map_or(0, |request| request.services.len())
        + lists.sum::<usize>()
}

pub(super) fn changed(change: Change) -> Content {
    Content::Changed(Box::new(change))
}

/// The longest name of an event that is shown, in characters: the names of foreign events may be
/// anything.
const LONGEST_NAME: usize = 100;

pub(super) fn ignored(event: impl Into<String>, reason: IgnoredReason) -> Content {
    let event: String = event.into();
    Content::Ignored(IgnoredEvent {
        event: bounded(&event).chars().take(LONGEST_NAME).collect(),
        reason,
    })
}

/// The contents; one `Malformed` if they could not be read.
pub(super) fn or_malformed(contents: Result<Vec<Content>, Malformed>) -> Vec<Content> {
    contents.unwrap_or_else(|malformed| vec![Content::Malformed(malformed)])
}

/// The contents, each malformed part changed.
pub(super) fn map_malformed(
    contents: Vec<Content>,
    of: impl Fn(Malformed) -> Malformed,
) -> Vec<Content> {
    let map = |content| match content {
        Content::Malformed(malformed) => Content::Malformed(of(malformed)),
        content => content,
    };
    contents.into_iter().map(map).collect()
}

/// The contents, each change with the source of its event.
pub(super) fn from_source(source: &str, mut contents: Vec<Content>) -> Vec<Content> {
    for content in &mut contents {
        if let Content::Changed(change) = content {
            change.source = known_source(source);
        }
    }
    contents
}

/// The contents, each request with the sender of its message.
pub(super) fn sent_by(sender: Option<&str>, mut contents: Vec<Content>) -> Vec<Content> {
    for content in &mut contents {
        if let Content::Request(manual) = content {
            manual.request.sender = sender.map(str::to_owned);
        }
    }
    contents
}
