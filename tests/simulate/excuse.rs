//! What may excuse a break of a promise: data, of which each kind is counted, and may not happen
//! more often than its ceiling.

use std::collections::BTreeMap;
use std::fmt;

/// The kinds, with the promise that each is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// 1: a person, a hook or its time-out ended the restart that read the newest version.
    EndedOnPurpose,
    /// 1: a deployment alarm ended the restart that read the newest version.
    EndedByAlarm,
    /// 1: the tasks of the newest deployment wrote the key themselves at their start, as those of
    /// each further one would.
    WritesItself,
    /// 8: somebody else deployed the service while its rollback ran, of which Amazon ECS then shows
    /// nothing but a deployment that another superseded.
    SupersededInRollback,
    /// 8: the deployment history could not be read, which never blocks a restart.
    HistoryUnread,
}

impl Kind {
    pub(crate) const ALL: [Self; 5] = [
        Self::EndedOnPurpose,
        Self::EndedByAlarm,
        Self::WritesItself,
        Self::SupersededInRollback,
        Self::HistoryUnread,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::EndedOnPurpose => "1: ended on purpose",
            Self::EndedByAlarm => "1: ended by an alarm",
            Self::WritesItself => "1: writes its own configuration",
            Self::SupersededInRollback => "8: superseded while it was rolled back",
            Self::HistoryUnread => "8: history not read",
        }
    }

    /// The most that are believed of a thousand histories.
    fn ceiling(self) -> usize {
        match self {
            Self::EndedOnPurpose => 250,
            Self::EndedByAlarm => 60,
            Self::WritesItself => 3,
            Self::SupersededInRollback => 1,
            Self::HistoryUnread => 2,
        }
    }

    /// The most that are believed of so many histories; few of them may be unlike the many.
    fn believed(self, histories: u64) -> usize {
        const BY_CHANCE: usize = 5;
        BY_CHANCE
            + usize::try_from(histories)
                .unwrap_or(usize::MAX)
                .saturating_mul(self.ceiling())
                / 1000
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One break that is excused.
#[derive(Clone, Debug)]
pub(crate) struct Excuse {
    pub(crate) kind: Kind,
    /// What it excuses.
    pub(crate) what: String,
    /// The call or the event of the account that proves it.
    pub(crate) proof: String,
}

impl fmt::Display for Excuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, what, proof } = self;
        write!(f, "excused, {kind}: {what}, by {proof}")
    }
}

/// How often each kind was needed.
#[derive(Debug, Default)]
pub(crate) struct Tally(BTreeMap<Kind, usize>);

impl Tally {
    pub(crate) fn count(&mut self, excuses: &[Excuse]) {
        for excuse in excuses {
            *self.0.entry(excuse.kind).or_default() += 1;
        }
    }

    /// One line a kind: how often it was needed, and how often it may be.
    pub(crate) fn lines(&self, histories: u64) -> Vec<String> {
        let line = |kind: Kind| {
            format!(
                "{:>9}  excuse {kind} (at most {})",
                self.times(kind),
                kind.believed(histories)
            )
        };
        Kind::ALL.into_iter().map(line).collect()
    }

    /// The kinds that were needed too often.
    pub(crate) fn too_often(&self, histories: u64) -> Vec<Kind> {
        Kind::ALL
            .into_iter()
            .filter(|kind| self.times(*kind) > kind.believed(histories))
            .collect()
    }

    fn times(&self, kind: Kind) -> usize {
        self.0.get(&kind).copied().unwrap_or_default()
    }
}
