//! Version 1 of the JSON that one invocation writes: the answer of a direct invocation, the log
//! lines and the numbers of the metrics. It is made once, at the end, from the results of the
//! invocation, and no code reads it back.

mod change;
mod counts;
mod event;
mod rollout;
mod service;
mod services;

use serde::Serialize;

use crate::domain::default::is_default;
use crate::domain::received::{IgnoredEvent, MalformedEvent};

pub use change::{ChangeLine, MOST_CHANGES};
pub use counts::Counts;
pub use event::EventLine;
pub use rollout::{ApprovalLine, RestoreLine, RolledChange, RolloutLine, StoppedTaskLine};
pub use service::ServiceLine;
pub use services::{MOST_OF_A_REASON, MoreServices, ServiceLines, Services};

/// The version of the JSON; it grows when a field goes or changes its meaning.
pub const VERSION: u32 = 1;

/// The most bytes of the services in an answer, and the most entries of each other list. Lambda
/// takes an answer of 6 MB.
const MOST_BYTES: usize = 4_000_000;
const MOST_ENTRIES: usize = 1_000;

/// One invocation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// [`VERSION`].
    pub version: u32,
    /// Lambda's id of the invocation.
    pub request_id: String,
    /// The number of everything.
    #[serde(flatten)]
    pub counts: Counts,
    /// The error, if the services that watch could not be listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The services that a change affects or a request names.
    #[serde(flatten)]
    pub lines: ServiceLines,
    /// Events that were ignored.
    pub ignored_events: Vec<IgnoredEvent>,
    /// Events that could not be read.
    pub malformed_events: Vec<MalformedEvent>,
    /// Listings that were read in part, and used all the same.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub incomplete: Vec<String>,
    /// Keys, services and listings that a sweep could not compare, each with its error.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sweep_errors: Vec<String>,
    /// The number of entries for which there was no room.
    #[serde(skip_serializing_if = "is_default")]
    pub left_out: usize,
}

impl Summary {
    /// The same summary, cut to the length of an answer. The entries that are cut are counted.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        self.left_out = cut_bytes(&mut self.lines.services)
            + cut(&mut self.ignored_events)
            + cut(&mut self.malformed_events)
            + cut(&mut self.sweep_errors);
        self
    }
}

fn cut_bytes(lines: &mut Vec<ServiceLine>) -> usize {
    let mut bytes = 0;
    let fits = lines
        .iter()
        .take_while(|line| {
            bytes += serde_json::to_vec(line).map_or(0, |text| text.len());
            bytes <= MOST_BYTES
        })
        .count();
    let more = lines.len() - fits;
    lines.truncate(fits);
    more
}

fn cut<T>(list: &mut Vec<T>) -> usize {
    let more = list.len().saturating_sub(MOST_ENTRIES);
    list.truncate(MOST_ENTRIES);
    more
}
