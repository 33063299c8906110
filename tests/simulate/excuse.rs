//! Excuses: data, each proved by one call or one event of the account.
//!
//! A proof explains one restart, or what is owed to one service, and nothing else. Each kind is
//! counted, and may not exceed its ceiling.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::promises::Breach;

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal, at most $ceiling:literal,)+) => {
        /// The kinds of excuses, and the promises of each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Kind {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Kind {
            pub(crate) const ALL: &[Self] = &[$(Self::$name),+];

            fn name(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }

            /// The ceiling in a thousand histories.
            fn ceiling(self) -> usize {
                match self { $(Self::$name => $ceiling),+ }
            }
        }
    };
}

kinds! {
    /// A person, a hook or its time-out ended the restart that read the newest version.
    EndedOnPurpose = "1: ended on purpose", at most 220,
    /// A deployment alarm ended the restart that read the newest version.
    EndedByAlarm = "1: ended by an alarm", at most 55,
    /// Tasks of the newest deployment read a value with which they fail.
    BadValue = "1: its tasks fail with the value", at most 50,
    /// Tasks of the newest deployment missed a key that was deleted, or never existed.
    MissedKey = "1: its tasks missed a key", at most 10,
    /// The tasks of the newest deployment wrote the key themselves when they started, and tasks of
    /// another deployment would do the same.
    WritesItself = "1: writes its own configuration", at most 8,
    /// The event of a label that moved was lost, and no API shows when a label moved.
    LabelMoved = "1: the event of a moved label was lost", at most 3,
    /// The task read a replica without the newest version, in a deployment that did not come from
    /// the change.
    ReplicaLag = "1: read from a replica that lagged", at most 12,
    /// The change is older than `RELOADER_SWEEP_SINCE`, and its event was lost.
    OlderThanSweep = "1: older than the sweep reaches", at most 30,
    /// Something without a known end held the restart for `RELOADER_HOLD_LIMIT`.
    HoldLimit = "1: held longer than the limit", at most 40,
    /// The change reaches more services than `RELOADER_MAX_SERVICES`.
    TooManyServices = "1: reaches more services than allowed", at most 40,
    /// A deployment that may not be superseded still ran when the history ended.
    StillHeld = "1: still held at the end", at most 1,
    /// IAM denied the restart, which is not tried again.
    Denied = "1: denied by IAM", at most 15,
    /// Somebody else deployed the service after this process had described it.
    Raced = "4: raced", at most 230,
    /// A person requested this restart.
    Requested = "4: requested", at most 25,
    /// The deployment history could not be read, which never blocks a restart.
    HistoryUnread = "3, 4 and 8: history not read", at most 40,
    /// Where a change returns for some of its services, the others count only if the process knows
    /// that they are affected.
    Uncounted = "4: a service that says `auto` was not counted", at most 1,
    /// The list of ignored keys could not be read.
    IgnoredUnread = "3: ignored keys not read", at most 4,
    /// An object was written whose key, form-URL-decoded, is a key that the service watches. It is
    /// not proved that AWS sends the key unencoded.
    DecodedKey = "3: the decoded form of a key", at most 130,
    /// Somebody else deployed the service while its rollback ran. Amazon ECS then shows only a
    /// deployment that another one superseded.
    SupersededInRollback = "8: superseded while it was rolled back", at most 1,
}

impl Kind {
    /// The ceiling in this number of histories. It is higher for few histories, which may differ
    /// from the average.
    fn believed(self, histories: u64) -> usize {
        const BY_CHANCE: usize = 5;
        BY_CHANCE
            + usize::try_from(histories)
                .unwrap_or(usize::MAX)
                .saturating_mul(self.ceiling())
                / 1000
    }

    /// An excuse of this kind.
    pub(crate) fn by(self, proof: impl Into<String>) -> Excuse {
        Excuse {
            kind: self,
            proof: proof.into(),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An excuse: a kind, and its proof.
#[derive(Clone, Debug)]
pub(crate) struct Excuse {
    pub(crate) kind: Kind,
    /// The call or the event of the account that proves it.
    proof: String,
}

impl fmt::Display for Excuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, by {}", self.kind, self.proof)
    }
}

/// The excuses of one history, and the restart, or the owed restart, that each proof explains.
#[derive(Default)]
pub(crate) struct Ledger {
    /// The restart, or the owed restart, by the proof that explains it.
    explained: BTreeMap<(Kind, String), String>,
    /// The kinds, with the restarts for which they were needed: a restart that breaks two promises
    /// needs one excuse.
    needed: BTreeSet<(Kind, String)>,
}

impl Ledger {
    /// The breach, unless it is excused. A proof that explained another restart already excuses
    /// nothing.
    pub(crate) fn settle(&mut self, breach: Breach) -> Option<Breach> {
        let Some(excuse) = &breach.excuse else {
            return Some(breach);
        };
        let key = (excuse.kind, excuse.proof.clone());
        let explained = self
            .explained
            .entry(key)
            .or_insert_with(|| breach.about.clone());
        if *explained == breach.about {
            self.needed.insert((excuse.kind, breach.about));
            return None;
        }
        let what = format!("{breach}, which explained {explained} already");
        Some(Breach {
            what,
            excuse: None,
            ..breach
        })
    }

    pub(crate) fn kinds(&self) -> impl Iterator<Item = Kind> {
        self.needed.iter().map(|(kind, _)| *kind)
    }
}

/// The number of uses of each kind.
#[derive(Debug, Default)]
pub(crate) struct Tally(BTreeMap<Kind, usize>);

impl Tally {
    pub(crate) fn count(&mut self, kinds: impl IntoIterator<Item = Kind>) {
        for kind in kinds {
            *self.0.entry(kind).or_default() += 1;
        }
    }

    /// One line a kind: the number of its uses, and its ceiling.
    pub(crate) fn lines(&self, histories: u64) -> Vec<String> {
        let line = |kind: &Kind| {
            format!(
                "{:>9}  excuse {kind} (at most {})",
                self.times(*kind),
                kind.believed(histories)
            )
        };
        Kind::ALL.iter().map(line).collect()
    }

    /// The kinds above their ceiling.
    pub(crate) fn too_often(&self, histories: u64) -> Vec<Kind> {
        let all = Kind::ALL.iter().copied();
        all.filter(|kind| self.times(*kind) > kind.believed(histories))
            .collect()
    }

    fn times(&self, kind: Kind) -> usize {
        self.0.get(&kind).copied().unwrap_or_default()
    }
}
