//! The function's log for people: the table of decisions, then problems and other lines of
//! interest.

use std::fmt;

use crate::log::{Entry, Row};
use crate::table::Table;

/// The log of one or more invocations.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
    others: Vec<String>,
}

impl Report {
    /// Adds one line of the log.
    pub(crate) fn add(&mut self, entry: Entry) {
        match entry {
            Entry::Service(row) => self.rows.push(row),
            Entry::Summary(counts) => self.others.push(format!("summary: {counts}")),
            Entry::Ignored(event) => self.others.push(format!("ignored: {event}")),
            Entry::Problem(text) => self.others.push(text),
            Entry::Other => {}
        }
    }
}

impl Report {
    /// The decisions, in the order of the log.
    pub(crate) fn into_rows(self) -> Vec<Row> {
        self.rows
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
