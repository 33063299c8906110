//! The log lines: flat JSON with a timestamp, a level and the request id.

use std::io;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::ser::Formatter;

use super::telemetry::Level;
use super::v1::{Counts, MoreServices, Summary};
use crate::domain::reason::Decision;
use crate::domain::received::ReceivedChange;
use crate::domain::text::{is_plain, is_shown};

/// Compact JSON that a terminal shows as it is: all characters that would move the cursor, end the
/// line or change the direction of the text are escaped, in names and values.
pub(super) struct Shown;

impl Formatter for Shown {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        if is_plain(fragment) {
            return out.write_all(fragment.as_bytes());
        }
        let mut rest = fragment;
        while let Some((place, hidden)) = rest
            .char_indices()
            .find(|(_, character)| !is_shown(*character))
        {
            let (before, after) = rest.split_at(place);
            // All of these characters have four hexadecimal digits.
            write!(out, "{before}\\u{:04x}", u32::from(hidden))?;
            rest = after.strip_prefix(hidden).unwrap_or_default();
        }
        out.write_all(rest.as_bytes())
    }
}

/// The members with which every line begins.
#[derive(Serialize)]
pub(super) struct Line<'a, T> {
    pub(super) timestamp: Timestamp,
    pub(super) level: Level,
    pub(super) message: &'a str,
    pub(super) request_id: &'a str,
    #[serde(flatten)]
    pub(super) fields: &'a T,
}

/// The summary without its lists: those have lines of their own.
#[derive(Serialize)]
pub(super) struct Counted<'a> {
    version: u32,
    #[serde(flatten)]
    counts: &'a Counts,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    /// Lines for which there was no room.
    #[serde(skip_serializing_if = "Option::is_none")]
    lines_left_out: Option<usize>,
}

impl<'a> Counted<'a> {
    pub(super) fn of(summary: &'a Summary, left_out: usize) -> Self {
        let lines_left_out = Some(left_out).filter(|left_out| *left_out > 0);
        Self {
            version: summary.version,
            counts: &summary.counts,
            error: summary.error.as_deref(),
            lines_left_out,
        }
    }
}

#[derive(Serialize)]
pub(super) struct Missing<'a> {
    pub(super) what: &'a str,
}

/// Lines that were too many for one invocation.
#[derive(Serialize)]
pub(super) struct LeftOut<'a> {
    /// The message of those lines.
    pub(super) kind: &'a str,
    /// The number of lines that were left out.
    pub(super) more: usize,
}

#[derive(Serialize)]
pub(super) struct MistakeLine<'a> {
    pub(super) service: String,
    pub(super) mistake: &'a str,
}

#[derive(Serialize)]
pub(super) struct UnusableArnLine<'a> {
    pub(super) resource: &'a str,
    pub(super) mistake: &'a str,
}

/// A change that a service watches is information. Any other is `DEBUG`: it helps to find a fault.
pub(super) fn change_level(change: &ReceivedChange) -> Level {
    if change.is_notable() {
        Level::Info
    } else {
        Level::Debug
    }
}

/// The level of services that are written together.
pub(super) fn services_level(services: &MoreServices) -> Level {
    match services.decision {
        Decision::Refuse | Decision::Hold if !services.repeated => Level::Warn,
        Decision::Refuse | Decision::Hold | Decision::Skip | Decision::Restart => Level::Info,
    }
}

pub(super) fn summary_level(summary: &Summary) -> Level {
    let listings = if summary.incomplete.is_empty() {
        Level::Info
    } else {
        Level::Warn
    };
    let levels = summary.lines.services.iter().map(|line| line.level);
    let services = levels.max().unwrap_or(Level::Info).max(listings);
    if summary.counts.malformed > 0 || summary.error.is_some() {
        Level::Error
    } else {
        services
    }
}
