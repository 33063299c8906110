//! The changes of a service's line.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use crate::domain::arn::AccountRegion;
use crate::domain::change::Change;
use crate::domain::key::Key;
use crate::domain::plan::{Planned, Reasons};
use crate::domain::reason::Reason;
use crate::domain::service::Service;
use crate::domain::shared::Memo;
use crate::domain::text::bounded;

/// The changes of a service that are written; the others are counted: a log line has a limit.
pub const MOST_CHANGES: usize = 20;

/// One change that affects a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChangeLine {
    /// A watch term of the service; an ARN if the key is elsewhere.
    pub key: String,
    /// A deployment must have been created after this instant.
    pub changed_at: Timestamp,
    /// The reason that this change alone would give.
    pub reason: Reason,
    /// Its version, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The version before it, if known: the one to go back to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
    /// An object's entity tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// The person or role that changed it, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed_by: Option<String>,
    /// A note about metadata that could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The id of the event.
    pub event_id: String,
}

impl ChangeLine {
    fn new(change: &Change, reason: Reason, seen: &Service) -> Self {
        let shown = |text: &Option<String>| text.as_deref().map(bounded);
        Self {
            key: bounded(&seen.meant(&change.key).seen_from(&seen.home)),
            changed_at: change.at,
            reason,
            version: shown(&change.version),
            previous: shown(&change.previous),
            etag: shown(&change.etag),
            changed_by: shown(&change.by),
            note: change.note.clone(),
            event_id: bounded(&change.event),
        }
    }
}

/// Makes the lines of the changes of one batch, equal ones once.
#[derive(Debug)]
pub(super) struct ChangeLines<'a> {
    pub(super) changes: &'a BTreeMap<Key, Change>,
    /// The lines by the account and Region of the service, and by the keys that it means.
    known: Memo<Reasons, (AccountRegion, Vec<Key>), Arc<[ChangeLine]>>,
}

impl<'a> ChangeLines<'a> {
    pub(super) fn new(changes: &'a BTreeMap<Key, Change>) -> Self {
        Self {
            changes,
            known: Memo::default(),
        }
    }

    pub(super) fn of(&mut self, planned: &Planned, seen: &Service) -> Arc<[ChangeLine]> {
        let written = || planned.asked_by.iter().take(MOST_CHANGES);
        let meant = written().map(|(key, _)| seen.meant(key)).collect();
        let line = |(key, reason): (&Key, &Reason)| {
            Some(ChangeLine::new(self.changes.get(key)?, *reason, seen))
        };
        self.known
            .get(&planned.asked_by, (seen.home.clone(), meant), || {
                written().filter_map(line).collect()
            })
    }
}
