//! Changes: the kind of a change of a key, its time, and its source.

mod scope;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::key::Key;

pub use scope::Scope;
use scope::Unions;

/// The kind of a change. The order is that of precedence: within one second a write beats a
/// deletion, and a label beats nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// A label moved to another version of a parameter. Its newest version is the same as before.
    Labelled,
    /// The key was deleted.
    Deleted,
    /// The key has a new version.
    Written,
}

/// One key that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The key.
    pub key: Key,
    /// The instant *t*: a deployment covers the change only if it was created after it.
    pub at: Timestamp,
    /// The kind of the change.
    pub kind: ChangeKind,
    /// The version that the change made, if known.
    pub version: Option<String>,
    /// The version before it, if known, so that a person can go back.
    pub previous: Option<String>,
    /// An object's entity tag.
    pub etag: Option<String>,
    /// The one who changed it, if known.
    pub by: Option<String>,
    /// True if the owner of the key tagged it to restart nothing.
    pub ignored: bool,
    /// True if its metadata was read.
    pub enriched: bool,
    /// True if another event named the same second for this key. A time of the source may then be
    /// that of either.
    pub shares_second: bool,
    /// A note about everything that could not be read of it.
    pub note: Option<String>,
    /// The id of its event.
    pub event: String,
    /// The source of its event, one of [`SOURCES`]; empty if unknown.
    pub source: &'static str,
    /// The services that it is planned for.
    pub scope: Scope,
}

impl Change {
    /// A change without its version, author and event.
    #[must_use]
    pub fn new(key: Key, at: Timestamp, kind: ChangeKind, event: &str) -> Self {
        Self {
            key,
            at,
            kind,
            version: None,
            previous: None,
            etag: None,
            by: None,
            ignored: false,
            enriched: false,
            shares_second: false,
            note: None,
            event: event.to_owned(),
            source: "",
            scope: Scope::All,
        }
    }

    /// Adds a note about something that could not be read.
    pub fn note(&mut self, note: &str) {
        self.note = Some(match self.note.take() {
            Some(known) => format!("{known}; {note}"),
            None => note.to_owned(),
        });
    }

    /// Takes the time of the source itself, which was read at `read_at`:
    ///
    /// * A later time moves the change later.
    /// * A time within the second of the event is exact, if no replica can lag any more, and
    ///   if no other event named that second.
    /// * No time moves the change before that second: a source that lags has the time of the
    ///   version before.
    pub fn date(&mut self, at: Timestamp, read_at: Timestamp) {
        let is_exact = self.has_whole_second()
            && self.is_in_second(at)
            && !self.shares_second
            && read_at >= self.exact_from();
        if at >= self.at || is_exact {
            self.at = at;
        }
    }

    /// The instant from which the source's own time is exact.
    #[must_use]
    pub fn exact_from(&self) -> Timestamp {
        self.at
            .saturating_add(REPLICAS_LAG)
            .unwrap_or(Timestamp::MAX)
    }

    /// True if only the second of the change is known. Its source may know more: a deployment of
    /// that second may have read the change.
    #[must_use]
    pub fn has_whole_second(&self) -> bool {
        self.at.subsec_nanosecond() == 0
    }

    /// True if an instant lies in the second that the change's event names.
    #[must_use]
    pub fn is_in_second(&self, at: Timestamp) -> bool {
        at.as_second() == self.second() && at.subsec_nanosecond() != 0
    }

    /// The second that its event names.
    fn second(&self) -> i64 {
        if self.has_whole_second() {
            self.at.as_second().saturating_sub(1)
        } else {
            self.at.as_second()
        }
    }

    /// True if the key of this deletion was written again: metadata has a time of writing that is
    /// not before the second of the deletion.
    #[must_use]
    pub fn was_undone(&self, written_at: Timestamp) -> bool {
        self.kind == ChangeKind::Deleted && written_at.as_second() >= self.second()
    }

    /// True if the key is certainly gone: its metadata was read without an error, and does not show
    /// it.
    #[must_use]
    pub fn is_surely_gone(&self) -> bool {
        self.kind == ChangeKind::Deleted && self.enriched && self.note.is_none()
    }

    /// True if both are of one event.
    fn has_event_of(&self, other: &Self) -> bool {
        self.event == other.event
            && self.source != REQUEST
            && !["", SWEEP].contains(&self.event.as_str())
    }

    /// Adds the fields of another event about the same version: each of the two may lack some.
    fn completed_by(mut self, other: Self) -> Self {
        if let Some(alternative) = other.key.alternative() {
            self.key = self.key.with_alternative(&alternative);
        }
        if self.version.is_some() && other.version.is_some() && self.version != other.version {
            return self;
        }
        let key = if self.key.suffix().is_none() {
            self.key.with_suffix(other.key.suffix())
        } else {
            self.key
        };
        Self {
            key,
            version: self.version.or(other.version),
            etag: self.etag.or(other.etag),
            by: self.by.or(other.by),
            ..self
        }
    }

    /// True if this change of a key is kept, and not the other:
    ///
    /// * of one event that was delivered twice, the enriched one;
    /// * otherwise a write or a deletion, since a label that moves later must not hide it;
    /// * otherwise the later one.
    fn beats(&self, other: &Self) -> bool {
        if self.has_event_of(other) && self.enriched != other.enriched {
            return self.enriched;
        }
        let rank = |change: &Self| (change.kind != ChangeKind::Labelled, change.at, change.kind);
        rank(self) > rank(other)
    }
}

/// The scopes of changes, each list once.
pub fn distinct<'a>(
    changes: impl IntoIterator<Item = &'a Change>,
) -> impl Iterator<Item = &'a Scope> {
    let lists: BTreeMap<_, _> = changes
        .into_iter()
        .map(|change| (change.scope.list_id(), &change.scope))
        .collect();
    lists.into_values()
}

/// The source of a change that a person requests.
pub const REQUEST: &str = "request";

/// The sources of changes: those of events as AWS writes them, and people.
pub const SOURCES: [&str; 6] = [
    "aws.ssm",
    "aws.secretsmanager",
    "aws.s3",
    "aws:s3",
    "aws.appconfig",
    REQUEST,
];

/// The one of [`SOURCES`] that has this name; empty if there is none.
#[must_use]
pub fn known_source(name: &str) -> &'static str {
    SOURCES
        .into_iter()
        .find(|known| *known == name)
        .unwrap_or_default()
}

/// The id of the event of a change that the sweep found.
pub const SWEEP: &str = "sweep";

/// The time after a write for which a replica may still answer with the version before it.
const REPLICAS_LAG: SignedDuration = SignedDuration::from_secs(2);

/// The instant *t* of an event's time, which several services send in whole seconds. The change may
/// have come at any moment of that second: only a deployment created after its end has certainly
/// read it. A time ahead of `clock`, the time at which the message was sent, becomes `clock`: a
/// wrong clock must not hide a later change.
#[must_use]
pub fn end_of_event_time(time: Timestamp, clock: Timestamp) -> Timestamp {
    let time = time.min(clock);
    if time.subsec_nanosecond() == 0 {
        end_of_second(time)
    } else {
        time
    }
}

/// The instant *t* that was computed before `clock`: at the latest the end of the second of `clock`.
#[must_use]
pub fn not_ahead_of(t: Timestamp, clock: Timestamp) -> Timestamp {
    t.min(end_of_second(clock))
}

/// The end of the second of a time: the instant *t* of an exact time that an event in whole seconds
/// may also describe.
#[must_use]
pub fn end_of_second(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second().saturating_add(1)).unwrap_or(Timestamp::MAX)
}

/// The last change of each key, with the scopes of all its changes: of thirty writes only the newest
/// must be read.
#[must_use]
pub fn coalesce(changes: impl IntoIterator<Item = Change>) -> BTreeMap<Key, Change> {
    let mut newest: BTreeMap<Key, Change> = BTreeMap::new();
    let mut unions = Unions::default();
    for change in changes {
        let newer = match newest.remove(&change.key) {
            None => change,
            Some(other) => newer_of(change, other, &mut unions),
        };
        newest.insert(newer.key.clone(), newer);
    }
    newest
}

fn newer_of(mut one: Change, mut other: Change, unions: &mut Unions) -> Change {
    let scopes = [&mut one, &mut other].map(|change| std::mem::take(&mut change.scope));
    let [scope, other_scope] = scopes;
    let scope = unions.of(scope, other_scope);
    let has_label = [&one, &other]
        .iter()
        .any(|change| change.kind == ChangeKind::Labelled);
    let is_same_second = !has_label && one.second() == other.second();
    let are_several = one.shares_second || other.shares_second || !one.has_event_of(&other);
    let newer = if one.beats(&other) {
        one.completed_by(other)
    } else {
        other.completed_by(one)
    };
    Change {
        scope,
        shares_second: newer.shares_second || (is_same_second && are_several),
        ..newer
    }
}
