//! What changed, when, and how the function came to know.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::arn::ServiceId;
use super::key::Key;

/// What happened to a key. The order is the order of weight: within one second a write beats a
/// deletion, and a label beats nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// A label moved to another version of a parameter; its newest version is the one it was.
    Labelled,
    /// The key is gone.
    Deleted,
    /// The key has a new version.
    Written,
}

/// Which of the services that listen to a change are to be looked at. Changes that mean the same
/// services share the list of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// All of them: it was just told.
    #[default]
    All,
    /// Those that were not looked at before.
    AllExcept(Arc<BTreeSet<ServiceId>>),
    /// Those about which something is left to do.
    Only(Arc<BTreeSet<ServiceId>>),
}

impl Scope {
    /// These services and no other.
    #[must_use]
    pub fn only(these: BTreeSet<ServiceId>) -> Self {
        Self::Only(Arc::new(these))
    }

    /// All services but these.
    #[must_use]
    pub fn all_except(others: BTreeSet<ServiceId>) -> Self {
        Self::AllExcept(Arc::new(others))
    }

    /// Whether a service is one of them.
    #[must_use]
    pub fn includes(&self, id: &ServiceId) -> bool {
        match self {
            Self::All => true,
            Self::AllExcept(others) => !others.contains(id),
            Self::Only(these) => these.contains(id),
        }
    }

    /// Whether a service is one of them by name.
    #[must_use]
    pub fn names(&self, id: &ServiceId) -> bool {
        matches!(self, Self::Only(these) if these.contains(id))
    }

    /// The services that either includes.
    fn or(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::All, _) | (_, Self::All) => Self::All,
            (Self::AllExcept(one), Self::AllExcept(other)) => Self::all_except(&**one & &**other),
            (Self::Only(one), Self::Only(other)) => Self::only(&**one | &**other),
            (Self::AllExcept(others), Self::Only(these))
            | (Self::Only(these), Self::AllExcept(others)) => {
                Self::all_except(&**others - &**these)
            }
        }
    }

    /// Where its list is in memory: changes that share their list have the same place, and are told
    /// apart from others by it at no cost.
    #[must_use]
    pub fn list_id(&self) -> usize {
        match self {
            Self::All => 0,
            Self::AllExcept(services) | Self::Only(services) => Arc::as_ptr(services).addr(),
        }
    }
}

/// The lists of services that changes mean, each once.
pub fn distinct<'a>(
    changes: impl IntoIterator<Item = &'a Change>,
) -> impl Iterator<Item = &'a Scope> {
    let lists: BTreeMap<_, _> = changes
        .into_iter()
        .map(|change| (change.scope.list_id(), &change.scope))
        .collect();
    lists.into_values()
}

/// Joins lists of services, the same two once: a thousand changes that two messages tell share one
/// list afterwards, as they did before.
#[derive(Default)]
struct Joined {
    /// By where the two were, with the two themselves, so that no other comes to lie there.
    known: BTreeMap<(usize, usize), [Scope; 3]>,
}

impl Joined {
    fn or(&mut self, one: Scope, other: Scope) -> Scope {
        if one == other {
            return one;
        }
        let [_, _, both] = self
            .known
            .entry((one.list_id(), other.list_id()))
            .or_insert_with(|| {
                let both = one.or(&other);
                [one, other, both]
            });
        both.clone()
    }
}

/// One key that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What changed.
    pub key: Key,
    /// The instant *t* that a deployment must have been created after to have read the change.
    pub at: Timestamp,
    /// What happened to it.
    pub kind: ChangeKind,
    /// The version that the change made, where known.
    pub version: Option<String>,
    /// The version before it, where known, so that a person can go back.
    pub previous: Option<String>,
    /// An object's entity tag.
    pub etag: Option<String>,
    /// Who changed it, where known.
    pub by: Option<String>,
    /// Whether the owner of the key wants nobody to be restarted for it.
    pub ignored: bool,
    /// Whether metadata was asked about it.
    pub enriched: bool,
    /// Whether another event named the same second for this key: which of them a source tells of
    /// is not known then.
    pub shares_second: bool,
    /// What could not be enriched of it.
    pub note: Option<String>,
    /// The id of the event that told of it.
    pub event: String,
    /// Who sent that event, one of [`SOURCES`]; empty where that is not known.
    pub source: &'static str,
    /// For which services it is to be looked at.
    pub scope: Scope,
}

impl Change {
    /// A change of which no more is known.
    #[must_use]
    pub fn new(key: Key, at: Timestamp, kind: ChangeKind, event: &str) -> Self {
        let event = event.to_owned();
        let (version, previous, etag, by, note) = (None, None, None, None, None);
        let (ignored, enriched, shares_second, source, scope) =
            (false, false, false, "", Scope::All);
        Self {
            key,
            at,
            kind,
            version,
            previous,
            etag,
            by,
            ignored,
            enriched,
            shares_second,
            note,
            event,
            source,
            scope,
        }
    }

    /// Keeps what else was enriched of it, beside what is known already.
    pub fn note(&mut self, note: &str) {
        let note = self
            .note
            .take()
            .map_or_else(|| note.to_owned(), |known| format!("{known}; {note}"));
        self.note = Some(note);
    }

    /// Takes the time that the source itself tells, which was asked for at `asked_at`. A later one
    /// moves the change later. One within the event's own second is exact, where it was told so
    /// late that no replica lags, and where no other event named that second. None moves it before
    /// that second: a source may lag, and tell of the version before.
    pub fn is_dated(&mut self, told: Timestamp, asked_at: Timestamp) {
        let is_exact = self.has_whole_second()
            && self.is_in_second(told)
            && !self.shares_second
            && asked_at >= self.tells_exactly_from();
        if told >= self.at || is_exact {
            self.at = told;
        }
    }

    /// From when on the source's own time is exact.
    #[must_use]
    pub fn tells_exactly_from(&self) -> Timestamp {
        self.at
            .saturating_add(REPLICAS_LAG)
            .unwrap_or(Timestamp::MAX)
    }

    /// Whether all that is known of its time is the second, which a source may tell better: whoever
    /// deployed in that second may have read the change.
    #[must_use]
    pub fn has_whole_second(&self) -> bool {
        self.at.subsec_nanosecond() == 0
    }

    /// Whether an instant lies in the second that the change's event names.
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

    /// Whether metadata knows of something that was written at `told`, which is not before the
    /// second of this deletion: it was written again.
    #[must_use]
    pub fn was_undone(&self, told: Timestamp) -> bool {
        self.kind == ChangeKind::Deleted && told.as_second() >= self.second()
    }

    /// Whether the key is gone for all that can be known: metadata was asked, and left nothing
    /// open.
    #[must_use]
    pub fn is_surely_gone(&self) -> bool {
        self.kind == ChangeKind::Deleted && self.enriched && self.note.is_none()
    }

    /// Whether one event told of both.
    fn is_told_with(&self, other: &Self) -> bool {
        self.event == other.event
            && self.source != REQUEST
            && !["", SWEEP].contains(&self.event.as_str())
    }

    /// Takes what an event about the same version knows more: two roads tell of one change, each in
    /// part.
    fn completed_by(mut self, other: Self) -> Self {
        if let Some(perhaps) = other.key.alternative() {
            self.key = self.key.with_alternative(&perhaps);
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

    /// A label that moves after a write must not hide the write; and what was enriched of an event is
    /// not forgotten where that comes again.
    fn beats(&self, other: &Self) -> bool {
        if self.is_told_with(other) && self.enriched != other.enriched {
            return self.enriched;
        }
        let told = |change: &Self| (change.kind != ChangeKind::Labelled, change.at, change.kind);
        told(self) > told(other)
    }
}

/// The source of a change that a person's request tells.
pub const REQUEST: &str = "request";

/// Who tells of changes: the sources of events as AWS writes them, and people.
pub const SOURCES: [&str; 6] = [
    "aws.ssm",
    "aws.secretsmanager",
    "aws.s3",
    "aws:s3",
    "aws.appconfig",
    REQUEST,
];

/// The one of [`SOURCES`] that has this name; empty where none has it.
#[must_use]
pub fn known_source(name: &str) -> &'static str {
    SOURCES
        .into_iter()
        .find(|known| *known == name)
        .unwrap_or_default()
}

/// The id of the event of a change that the sweep found.
pub const SWEEP: &str = "sweep";

/// How long after a write an answer of a replica may not know of it.
const REPLICAS_LAG: SignedDuration = SignedDuration::from_secs(2);

/// The instant *t* of an event time. Several services tell whole seconds: the change may have come
/// at any moment of that second, so only a deployment created after its end is certain to have read
/// it. A time ahead of `clock`, when the message was sent, is that instant: a clock that goes wrong
/// must hide no later change.
#[must_use]
pub fn end_of_event_time(told: Timestamp, clock: Timestamp) -> Timestamp {
    let told = told.min(clock);
    if told.subsec_nanosecond() == 0 {
        end_of_second(told)
    } else {
        told
    }
}

/// The instant *t* that somebody worked out before `clock`: it may be the end of the second that
/// `clock` is in, and no later.
#[must_use]
pub fn not_ahead_of(t: Timestamp, clock: Timestamp) -> Timestamp {
    t.min(end_of_second(clock))
}

/// The instant *t* of a time that a source tells exactly, where an event of whole seconds may tell
/// of the same change.
#[must_use]
pub fn end_of_second(told: Timestamp) -> Timestamp {
    Timestamp::from_second(told.as_second().saturating_add(1)).unwrap_or(Timestamp::MAX)
}

/// The last change of each key: of thirty writes only the newest must have been read, by all that
/// any of them is to be looked at for.
#[must_use]
pub fn coalesce(changes: impl IntoIterator<Item = Change>) -> BTreeMap<Key, Change> {
    let mut newest: BTreeMap<Key, Change> = BTreeMap::new();
    let mut joined = Joined::default();
    for mut change in changes {
        let newer = match newest.remove(&change.key) {
            None => change,
            Some(mut other) => {
                let scope = joined.or(
                    std::mem::take(&mut change.scope),
                    std::mem::take(&mut other.scope),
                );
                let is_label = [&change, &other]
                    .iter()
                    .any(|one| one.kind == ChangeKind::Labelled);
                let meet = !is_label && change.second() == other.second();
                let shares_second = meet
                    && (change.shares_second
                        || other.shares_second
                        || !change.is_told_with(&other));
                let newer = if change.beats(&other) {
                    change.completed_by(other)
                } else {
                    other.completed_by(change)
                };
                Change {
                    scope,
                    shares_second: newer.shares_second || shares_second,
                    ..newer
                }
            }
        };
        newest.insert(newer.key.clone(), newer);
    }
    newest
}

#[cfg(test)]
mod tests;
