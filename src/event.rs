//! Reads payloads into messages, and messages into contents: changes, requests, deferred work,
//! sweeps, events that are ignored for a named reason, and malformed text.

mod appconfig;
mod content;
mod envelope;
mod eventbridge;
mod inbox;
mod manual;
mod payload;
mod s3;
mod secrets;
mod ssm;

use jiff::Timestamp;

use crate::domain::queue::Queue;

pub use content::Content;
pub use inbox::{Inbox, Message};
pub use manual::{Manual, Sweep};

/// Reads a payload that arrived at `now`. Deferred work is read from messages of the queue `own`
/// alone: nobody who may invoke the function, or write to a topic that it is subscribed to, can
/// send it.
#[must_use]
pub fn decode(payload: &str, now: Timestamp, own: Option<&Queue>) -> Inbox {
    envelope::open(payload, now, own)
}
