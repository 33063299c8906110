//! All that happened in one history, and what the promises ask of it.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use sim::{Account, StaleTask};

use crate::choices::Choices;
use crate::function::Function;
use crate::happening::Happening;
use crate::holds::Span;
use crate::record::Record;
use crate::subject::{OWN, Subject};

pub(crate) const QUEUE: &str = "changes";
pub(crate) const QUEUE_URL: &str = "https://sqs.eu-west-1.amazonaws.com/123456789012/changes";

/// Things that change.
pub(crate) const THINGS: [&str; 9] = [
    "ssm:/app/a",
    "ssm:/app/b",
    "ssm:/app2/a",
    SECRET,
    "s3:config/app/x",
    "s3:config/other",
    IGNORED,
    "s3:config/app/x+y",
    ENCODED,
];

/// An object whose key may be taken for a form-URL-encoded one, and what that would be decoded:
/// nobody ever writes that.
pub(crate) const ENCODED: &str = "s3:config/a%2Bb";
pub(crate) const DECODED: &str = "s3:config/a+b";

/// Its owner wants nobody to be restarted for it.
pub(crate) const IGNORED: &str = "ssm:/app/ignored";

/// How long a rotation takes until the label moves.
pub(crate) const ROTATION: Duration = Duration::from_secs(6);
pub(crate) const SECRET: &str = "secret:prod/s";

/// A tag of a key reaches the index after a minute at most, the function believes its list of
/// ignored keys for one more, and an invocation takes two.
const IGNORED_LATE: SignedDuration = SignedDuration::from_mins(5);

/// What a person said was written, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim {
    pub(crate) requested_at: Timestamp,
    pub(crate) at: Timestamp,
    pub(crate) thing: &'static str,
    /// The limit that the person gave, where it takes effect.
    pub(crate) max_services: Option<usize>,
}

/// A time in which the owner of a key wants nobody to be restarted for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ignoring {
    pub(crate) thing: &'static str,
    pub(crate) from: Timestamp,
    pub(crate) until: Option<Timestamp>,
}

/// All that happened.
pub(crate) struct History {
    pub(crate) account: Account,
    /// Random numbers for choices that were added later: what a seed did before, it still does.
    pub(crate) aside: Rng,
    pub(crate) function: Arc<Function>,
    pub(crate) choices: Choices,
    pub(crate) subjects: Vec<Subject>,
    /// The first thing happened no earlier.
    pub(crate) began_at: Timestamp,
    /// Changes, and their instants: each may ask for a restart.
    pub(crate) writes: Vec<(Timestamp, &'static str)>,
    /// When a version of the secret was made the current one that was not new.
    pub(crate) moved: Option<Timestamp>,
    /// Changes that persons reported: those may ask for restarts, too.
    pub(crate) claims: Vec<Claim>,
    /// Changes that persons asked about only.
    pub(crate) dry_runs: Vec<(Timestamp, &'static str)>,
    pub(crate) deletions: Vec<(Timestamp, &'static str)>,
    /// Keys that are gone now.
    pub(crate) deleted: BTreeSet<&'static str>,
    pub(crate) ignored: Vec<Ignoring>,
    /// Messages that nobody can read.
    pub(crate) malformed: Vec<&'static str>,
    /// When a person asked for a service to be restarted.
    pub(crate) requests: Vec<(Timestamp, String)>,
    /// Times in which something goes wrong on purpose.
    pub(crate) troubles: Vec<Span>,
    /// The lines about services when everything was delivered, before the last sweeps.
    pub(crate) lines_by_then: Vec<Value>,
    /// When that was.
    pub(crate) delivered_at: Timestamp,
    /// Stale tasks at that time.
    pub(crate) stale_by_then: Vec<StaleTask>,
    pub(crate) last_sweep_at: Timestamp,
    /// It did not settle.
    pub(crate) stormy: bool,
    /// All that was done, in words.
    pub(crate) done: Vec<(Timestamp, String)>,
    pub(crate) happened: BTreeMap<Happening, usize>,
    /// The versions of the secret, oldest first.
    pub(crate) secrets: Vec<String>,
    pub(crate) record: OnceCell<Record>,
}

pub(crate) fn pick<T: Copy>(rng: &mut Rng, from: &[T]) -> T {
    from[rng.usize(..from.len())]
}

pub(crate) fn seconds(rng: &mut Rng, from: u64, to: u64) -> Duration {
    Duration::from_millis(rng.u64(from * 1000..=to * 1000))
}

impl History {
    /// The account's record, once nothing happens any more.
    pub(crate) fn record(&self) -> &Record {
        self.record.get_or_init(|| Record::of(self))
    }

    pub(crate) fn ended_at(&self) -> Timestamp {
        self.account.now()
    }

    pub(crate) fn subject(&self, name: &str) -> Option<&Subject> {
        self.subjects.iter().find(|subject| subject.name == name)
    }

    /// True where a change of a line is one that a person only asked about.
    pub(crate) fn is_dry_run(&self, change: &Value) -> bool {
        let is_named = |(at, thing): &(Timestamp, &str)| {
            change["key"] == **thing && change["changed_at"] == at.to_string()
        };
        self.dry_runs.iter().any(is_named)
    }

    /// When tasks wrote a thing, which only the account knows.
    pub(crate) fn own_writes(&self, thing: &str) -> Vec<Timestamp> {
        let name = thing
            .split_once(':')
            .filter(|_| thing == OWN)
            .map(|(_, name)| name);
        let written = name.map(|name| self.account.parameter_writes(name));
        let mut written = written.unwrap_or_default();
        written.retain(|at| *at >= self.began_at);
        written
    }

    /// When a thing last changed before an instant.
    pub(crate) fn last_write(&self, thing: &str, by: Timestamp) -> Option<Timestamp> {
        let of_persons = self
            .writes
            .iter()
            .filter(|(_, written)| *written == thing)
            .map(|(at, _)| *at);
        of_persons
            .chain(self.own_writes(thing))
            .filter(|at| *at < by)
            .max()
    }

    /// Changes, also those that persons reported, as far as they were known at an instant.
    pub(crate) fn asked_changes(
        &self,
        by: Timestamp,
    ) -> impl Iterator<Item = (Timestamp, &'static str)> + '_ {
        let claims = self
            .claims
            .iter()
            .filter(move |claim| claim.requested_at <= by)
            .map(|claim| (claim.at, claim.thing));
        self.writes
            .iter()
            .copied()
            .filter(move |(at, _)| *at <= by)
            .chain(claims)
    }

    /// When anything changed that a service may be restarted for.
    pub(crate) fn changes_until(
        &self,
        subject: &Subject,
        by: Timestamp,
    ) -> impl Iterator<Item = Timestamp> {
        let own = if subject.writes() {
            self.own_writes(OWN)
        } else {
            Vec::new()
        };
        self.asked_changes(by)
            .filter(|(_, thing)| subject.reads(thing) || subject.watches_decoded(thing))
            .map(|(at, _)| at)
            .chain(own.into_iter().filter(move |at| *at <= by))
    }

    /// When anything changed that a service watches, at any time.
    pub(crate) fn changes_of(&self, subject: &Subject) -> impl Iterator<Item = Timestamp> {
        let own = if subject.writes() {
            self.own_writes(OWN)
        } else {
            Vec::new()
        };
        self.asked_changes(Timestamp::MAX)
            .filter(|(_, thing)| subject.watches(thing))
            .map(|(at, _)| at)
            .chain(own)
    }

    /// True if the owner of a key may have wanted it ignored when a change of it was decided.
    pub(crate) fn was_ignored(&self, thing: &str, written: Timestamp) -> bool {
        let reaches =
            |until: Option<Timestamp>| until.is_none_or(|until| written <= until + IGNORED_LATE);
        self.ignored
            .iter()
            .any(|ignoring| ignoring.thing == thing && reaches(ignoring.until))
    }

    /// True if the function must have known that a key is ignored when it restarted a service.
    pub(crate) fn was_surely_ignored(&self, thing: &str, restarted: Timestamp) -> bool {
        self.ignored.iter().any(|ignoring| {
            ignoring.thing == thing
                && ignoring.from + IGNORED_LATE <= restarted
                && ignoring.until.is_none_or(|end| restarted <= end)
        })
    }

    /// How many services a change of a thing reaches.
    pub(crate) fn reached(&self, thing: &str) -> usize {
        self.subjects
            .iter()
            .filter(|subject| subject.mode.is_none() && subject.reads(thing))
            .count()
    }

    pub(crate) fn note(&mut self, what: impl Into<String>) {
        self.done.push((self.account.now(), what.into()));
    }
}
