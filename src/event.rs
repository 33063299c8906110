//! Payloads become changes. Each thing that a payload tells is a change, a wish of a person, what
//! was left to do, a sweep, something to ignore for a named reason, or malformed.

mod appconfig;
mod envelope;
mod manual;
mod s3;
mod secrets;
mod ssm;

use std::collections::BinaryHeap;

use jiff::Timestamp;

use crate::domain::change::{Change, Scope, distinct};
use crate::domain::defer::DeferredWork;
use crate::domain::queue::Queue;
use crate::domain::reason::IgnoredReason;
use crate::domain::summary::IgnoredEvent;
use crate::domain::text::bounded;
use crate::json::Malformed;

pub use manual::{Manual, Sweep};

/// What one invocation was handed.
#[derive(Debug, PartialEq)]
pub struct Inbox {
    /// Whether Lambda polled it from a queue and wants to know which messages to keep.
    pub from_queue: bool,
    /// One a queue message; otherwise one in all.
    pub messages: Vec<Message>,
}

/// What succeeds or fails together.
#[derive(Debug, PartialEq)]
pub struct Message {
    /// The queue's message id.
    pub id: Option<String>,
    /// Who sent it to the queue: the id of a user, of a role and its session, or of an account of
    /// AWS's own.
    pub sender: Option<String>,
    /// What it tells.
    pub contents: Vec<Content>,
}

impl Message {
    /// Whether it tells of anything that is to be done, and that nobody else goes on with: what one
    /// sweep cannot do, the next one does.
    #[must_use]
    pub fn asks(&self) -> bool {
        self.contents.iter().any(|told| match told {
            Content::Changed(_) | Content::Request(_) | Content::DeferredWork(_) => true,
            Content::Sweep(_) | Content::Ignored(_) | Content::Malformed(_) | Content::TooMuch => {
                false
            }
        })
    }
}

/// One thing that a message tells.
#[derive(Debug, PartialEq)]
pub enum Content {
    /// A key changed.
    Changed(Box<Change>),
    /// A person asks for restarts.
    Request(Manual),
    /// What an earlier invocation left to do.
    DeferredWork(Box<DeferredWork>),
    /// Everything is to be compared.
    Sweep(Sweep),
    /// Well formed, and nothing to act on.
    Ignored(IgnoredEvent),
    /// Not what it should be.
    Malformed(Malformed),
    /// More than there is room for in this batch: the queue is to keep it.
    TooMuch,
}

impl Content {
    /// How much room it takes.
    fn weight(&self) -> usize {
        match self {
            Self::Request(manual) => manual.weight(),
            Self::DeferredWork(again) => {
                let lists = distinct(&again.changes).map(|scope| match scope {
                    Scope::All => 0,
                    Scope::AllExcept(services) | Scope::Only(services) => services.len(),
                });
                again.changes.len()
                    + again.attempts.len()
                    + again
                        .request
                        .as_ref()
                        .map_or(0, |request| request.services.len())
                    + lists.sum::<usize>()
            }
            Self::Changed(_) | Self::Sweep(_) | Self::Ignored(_) | Self::Malformed(_) => 1,
            Self::TooMuch => 0,
        }
    }
}

/// Most changes, services and other things that the messages of one batch tell together: some
/// twenty messages that are as long as they may be.
const MOST_TOLD: usize = 20_000;

/// The messages of a batch, as far as there is room for what they tell: the heaviest come again
/// later, so that nobody's flood takes the memory that other messages need.
fn with_room(messages: impl Iterator<Item = Message>) -> Vec<Message> {
    let (mut kept, mut weights, mut weight): (Vec<Message>, BinaryHeap<_>, usize) =
        (Vec::new(), BinaryHeap::new(), 0);
    for message in messages {
        let of_message = message.contents.iter().map(Content::weight).sum::<usize>();
        weight += of_message;
        weights.push((of_message, kept.len()));
        kept.push(message);
        while weight > MOST_TOLD
            && let Some((heaviest, place)) = weights.pop()
            && let Some(message) = kept.get_mut(place)
        {
            message.contents = vec![Content::TooMuch];
            weight -= heaviest;
        }
    }
    kept
}

fn changed(change: Change) -> Content {
    Content::Changed(Box::new(change))
}

/// Characters of an event's name that are told: the names of foreign events may be anything.
const LONGEST_NAME: usize = 100;

fn ignored(event: impl Into<String>, reason: IgnoredReason) -> Content {
    let event: String = event.into();
    Content::Ignored(IgnoredEvent {
        event: bounded(&event).chars().take(LONGEST_NAME).collect(),
        reason,
    })
}

/// Reads a payload. `now` is when a manual invocation that tells no time was made. What an earlier
/// invocation left to do is read from messages of the queue `own` alone: whoever may invoke the
/// function, or write to a topic that it listens to, must not tell it that.
#[must_use]
pub fn decode(payload: &str, now: Timestamp, own: Option<&Queue>) -> Inbox {
    envelope::open(payload, now, own)
}
