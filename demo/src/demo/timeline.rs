//! The timelines of the demo: what changed, what was seen of the services, and when the function
//! was invoked.

mod page;
mod scale;
mod seen;

use std::collections::BTreeMap;

use jiff::Timestamp;
use sim::ServiceView;

use self::page::page;
use self::seen::{Change, Reader, Seen};
use crate::clock;
use crate::fleet::{FLEET, Member};
use crate::log::Row;

/// The record of a demo, for a page with a timeline of each change.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    seen: Seen,
    changes: Vec<Changed>,
    invoked_at: Vec<Timestamp>,
}

/// A version of a key that somebody wrote.
#[derive(Debug)]
struct Changed {
    key: String,
    version: u64,
    at: Timestamp,
}

impl Timeline {
    /// Somebody has just changed a key.
    pub(super) fn changed(&mut self, key: &str) {
        let mut before = self.changes.iter().rev();
        let last = before.find(|changed| changed.key == key);
        self.changes.push(Changed {
            key: key.to_owned(),
            // The account begins with the first version of everything.
            version: 1 + last.map_or(1, |last| last.version),
            at: clock::now(),
        });
    }

    /// The function has just been invoked.
    pub(super) fn invoked(&mut self) {
        self.invoked_at.push(clock::now());
    }

    /// A service as it is now.
    pub(super) fn see(&mut self, member: &Member, view: &ServiceView) {
        self.seen.add(view, member.floor(), clock::now());
    }

    /// The page, with the decisions that the function logged.
    pub(super) fn page(&self, rows: &[Row]) -> String {
        let changes = self.changes.iter();
        let changes: Vec<_> = changes.map(|changed| self.change(changed, rows)).collect();
        page(&self.seen, &changes)
    }

    fn change(&self, changed: &Changed, rows: &[Row]) -> Change {
        let Changed { key, version, at } = changed;
        let (version, at) = (*version, *at);
        let mut later = self.changes.iter();
        let next = later.find(|later| later.key == *key && later.version > version);
        let until = next.map_or_else(clock::now, |next| next.at);
        let is_about = |row: &&Row| {
            let written_at = row.at.parse::<Timestamp>();
            row.changes.iter().any(|changed| changed == key)
                && written_at.is_ok_and(|written| at <= written && written < until)
        };
        let decided = rows.iter().filter(is_about);
        let decided_at = decided
            .clone()
            .filter_map(|row| row.at.parse::<Timestamp>().ok())
            .min();
        let mut heard = self.invoked_at.iter().copied();
        let heard_at =
            decided_at.and_then(|end| heard.rfind(|heard| at <= *heard && *heard <= end));
        let last: BTreeMap<&str, &Row> = decided.map(|row| (row.service.as_str(), row)).collect();
        let readers = FLEET.iter().filter(|member| member.reads_key(key));
        Change {
            key: key.clone(),
            version,
            at,
            until,
            heard_at,
            decided_at,
            services: readers
                .map(|member| Reader {
                    name: member.name.to_owned(),
                    held_by: last.get(member.name).map(|row| words(row)),
                })
                .collect(),
        }
    }
}

/// The decision about a service in words.
fn words(row: &Row) -> String {
    match (row.decision.as_str(), row.reason.as_str()) {
        (_, "failed-already") => "✖ rolled back, still served by the old tasks".to_owned(),
        (_, "order-halted") => "spared: a service that goes before it failed".to_owned(),
        (_, "notify") => "only reported: its owner wants no restart".to_owned(),
        ("hold", reason) => format!("◷ held: {reason}"),
        (decision, reason) => format!("{decision}: {reason}"),
    }
}
