//! The messages of one invocation.

use std::collections::BinaryHeap;

use super::content::Content;

/// The payload of one invocation.
#[derive(Debug, PartialEq)]
pub struct Inbox {
    /// True if Lambda polled it from a queue, and asks which messages the queue is to keep.
    pub from_queue: bool,
    /// The messages of the queue; one message for a direct invocation.
    pub messages: Vec<Message>,
}

/// Contents that succeed or fail together.
#[derive(Debug, PartialEq)]
pub struct Message {
    /// The queue's message id.
    pub id: Option<String>,
    /// The sender, as the queue knows it: the id of a user, of a role and its session, or of an
    /// account of AWS's own.
    pub sender: Option<String>,
    /// Everything in it.
    pub contents: Vec<Content>,
}

impl Message {
    /// True if its work is lost without this message, if the services cannot be listed. A sweep is
    /// not: the next one does its work. Notices need no services.
    #[must_use]
    pub fn has_work(&self) -> bool {
        self.contents.iter().any(|content| match content {
            Content::Changed(_) | Content::Request(_) => true,
            Content::DeferredWork(work) => work.is_planned(),
            Content::Sweep(_) | Content::Ignored(_) | Content::Malformed(_) | Content::TooMuch => {
                false
            }
        })
    }
}

/// The most changes, services and other entries in the messages of one batch: as many as some
/// twenty of the longest messages have.
const MOST_ENTRIES: usize = 20_000;

/// Keeps the contents of as many messages as there is room for. The heaviest messages are left out
/// and redelivered, so that a flood from one sender takes no memory that other messages need.
pub(super) fn within_room(messages: impl Iterator<Item = Message>) -> Vec<Message> {
    let mut kept: Vec<Message> = Vec::new();
    let (mut weights, mut total) = (BinaryHeap::new(), 0);
    for message in messages {
        let weight = message.contents.iter().map(Content::weight).sum::<usize>();
        total += weight;
        weights.push((weight, kept.len()));
        kept.push(message);
        while total > MOST_ENTRIES
            && let Some((heaviest, index)) = weights.pop()
            && let Some(message) = kept.get_mut(index)
        {
            message.contents = vec![Content::TooMuch];
            total -= heaviest;
        }
    }
    kept
}
