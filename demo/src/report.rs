//! The function's log for people: the table of decisions, then problems and other lines of
//! interest.

use std::fmt;

use crate::log::{Entry, Row};
use crate::table::Table;

const SUMMARY: &str = "summary: ";

/// The log of one or more invocations.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
    others: Vec<String>,
}

impl Report {
    /// Adds one line of the log. A decision that repeats the last one about its service is left
    /// out.
    pub(crate) fn add(&mut self, entry: Entry) {
        match entry {
            Entry::Service(row) => {
                let mut before = self.rows.iter().rev();
                let last = before.find(|known| known.service == row.service);
                if last.is_none_or(|last| !last.is_repeated_by(&row)) {
                    self.rows.push(row);
                }
            }
            Entry::Summary(counts) => self.others.push(format!("{SUMMARY}{counts}")),
            Entry::Ignored(event) => self.others.push(format!("ignored: {event}")),
            Entry::Problem(text) => self.others.push(text),
            Entry::Other => {}
        }
    }
}

impl Report {
    /// The restarts, the refusals and the services that are left alone: without the holds in
    /// between, without the words of the notices, and without the counts of each invocation.
    pub(crate) fn news(mut self) -> Self {
        self.rows
            .retain(|row| row.decision != "hold" && row.reason != "fresh");
        for row in self.rows.iter_mut().filter(|row| row.decision == "refuse") {
            row.detail.clear();
        }
        self.others.retain(|other| !other.starts_with(SUMMARY));
        self
    }

    /// The decisions, in the order of the log.
    pub(crate) fn rows(&self) -> &[Row] {
        &self.rows
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.rows.is_empty() {
            writeln!(f, "No service is affected.")?;
        } else {
            write!(f, "{}", Table(&self.rows))?;
        }
        self.others
            .iter()
            .try_for_each(|text| writeln!(f, "{text}"))
    }
}
