//! The record of one history, and the questions of the promises about it.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use sim::{Account, StaleTask};

use crate::choices::Choices;
use crate::function::{End, Function};
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

/// An object whose key may be taken for a form-URL-encoded one, and its decoded form, which nobody
/// ever writes.
pub(crate) const ENCODED: &str = "s3:config/a%2Bb";
pub(crate) const DECODED: &str = "s3:config/a+b";

/// A key whose owner wants it ignored.
pub(crate) const IGNORED: &str = "ssm:/app/ignored";

/// The time from the start of a rotation to the move of the label.
pub(crate) const ROTATION: Duration = Duration::from_secs(6);
pub(crate) const SECRET: &str = "secret:prod/s";

/// A tag of a key reaches the index after a minute at most, the function believes its list of
/// ignored keys for one more, and an invocation takes two.
const IGNORED_LATE: SignedDuration = SignedDuration::from_mins(5);

/// A change that a person reported in a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim {
    pub(crate) requested_at: Timestamp,
    pub(crate) at: Timestamp,
    pub(crate) thing: &'static str,
    /// The limit that the person gave, if it takes effect.
    pub(crate) max_services: Option<usize>,
}

/// A time in which the owner of a key wants it ignored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ignoring {
    pub(crate) thing: &'static str,
    pub(crate) from: Timestamp,
    pub(crate) until: Option<Timestamp>,
}

/// The record of one history.
pub(crate) struct History {
    pub(crate) account: Account,
    /// Random numbers for choices that were added later, so that a seed still does what it did.
    pub(crate) aside: Rng,
    pub(crate) function: Arc<Function>,
    pub(crate) choices: Choices,
    pub(crate) subjects: Vec<Subject>,
    /// The start: everything happened later.
    pub(crate) began_at: Timestamp,
    /// Changes, and their instants: each may need a restart.
    pub(crate) writes: Vec<(Timestamp, &'static str)>,
    /// The instants at which an old version of the secret became the current one.
    pub(crate) moved: Option<Timestamp>,
    /// Changes that persons reported: these may need restarts, too.
    pub(crate) claims: Vec<Claim>,
    /// Changes of dry runs.
    pub(crate) dry_runs: Vec<(Timestamp, &'static str)>,
    pub(crate) deletions: Vec<(Timestamp, &'static str)>,
    /// Keys that are gone now.
    pub(crate) deleted: BTreeSet<&'static str>,
    pub(crate) ignored: Vec<Ignoring>,
    /// Malformed messages.
    pub(crate) malformed: Vec<&'static str>,
    /// The instants at which persons requested the restart of a service.
    pub(crate) requests: Vec<(Timestamp, String)>,
    /// Times in which faults are injected.
    pub(crate) troubles: Vec<Span>,
    /// The lines about services when everything was delivered, before the last sweeps.
    pub(crate) lines_by_then: Vec<Value>,
    /// The instant of these lines.
    pub(crate) delivered_at: Timestamp,
    /// Stale tasks at that time.
    pub(crate) stale_by_then: Vec<StaleTask>,
    pub(crate) last_sweep_at: Timestamp,
    /// The bodies of the messages that are left in the queue after forty days: a rollout that does
    /// not end may hold a service for longer.
    pub(crate) left: Vec<String>,
    /// True if the history did not settle.
    pub(crate) stormy: bool,
    /// Everything that was done, in words.
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
    /// The account's record, at the end of the history.
    pub(crate) fn record(&self) -> &Record {
        self.record.get_or_init(|| Record::of(self))
    }

    pub(crate) fn ended_at(&self) -> Timestamp {
        self.account.now()
    }

    pub(crate) fn subject(&self, name: &str) -> Option<&Subject> {
        self.subjects.iter().find(|subject| subject.name == name)
    }

    /// True if a change of a line belongs to a dry run.
    pub(crate) fn is_dry_run(&self, change: &Value) -> bool {
        let is_named = |(at, thing): &(Timestamp, &str)| {
            change["key"] == **thing && change["changed_at"] == at.to_string()
        };
        self.dry_runs.iter().any(is_named)
    }

    /// The instants at which tasks wrote a thing. Only the account knows them.
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

    /// The last change of a thing before an instant.
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

    /// Changes, including those that persons reported, as far as they were known at an instant.
    pub(crate) fn asked_changes(
        &self,
        by: Timestamp,
    ) -> impl Iterator<Item = (Timestamp, &'static str)> + '_ {
        self.changes_with(by, |_| true)
    }

    /// The same, without those that a person reported in an invocation that was lost: nothing brings
    /// them again.
    pub(crate) fn heard_changes(
        &self,
        by: Timestamp,
    ) -> impl Iterator<Item = (Timestamp, &'static str)> + '_ {
        let was_lost = |claim: &Claim| {
            self.record().ran.iter().any(|ran| {
                ran.from == claim.requested_at
                    && ran.request_id == "direct"
                    && ran.end != End::Answered
            })
        };
        self.changes_with(by, move |claim| !was_lost(claim))
    }

    fn changes_with<'a>(
        &'a self,
        by: Timestamp,
        counts: impl Fn(&Claim) -> bool + 'a,
    ) -> impl Iterator<Item = (Timestamp, &'static str)> + 'a {
        let claims = self
            .claims
            .iter()
            .filter(move |claim| claim.requested_at <= by && counts(claim))
            .map(|claim| (claim.at, claim.thing));
        let writes = self.writes.iter().copied();
        writes.filter(move |(at, _)| *at <= by).chain(claims)
    }

    /// The instants of all changes for which a service may be restarted.
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

    /// True if the tag to ignore a key may have been set when its change was decided, at the latest
    /// at the instant `by`.
    pub(crate) fn was_ignored(&self, thing: &str, written: Timestamp, by: Timestamp) -> bool {
        let reaches =
            |until: Option<Timestamp>| until.is_none_or(|until| written <= until + IGNORED_LATE);
        self.ignored.iter().any(|ignoring| {
            ignoring.thing == thing && ignoring.from <= by && reaches(ignoring.until)
        })
    }

    /// The first instant after a change at which the tag to ignore its key was set.
    pub(crate) fn ignored_after(&self, thing: &str, written: Timestamp) -> Option<Timestamp> {
        let ignored = self.ignored.iter().filter(|one| one.thing == thing);
        ignored
            .map(|one| one.from)
            .filter(|from| *from > written)
            .min()
    }

    /// True if the function must have known that a key is ignored when it restarted a service.
    pub(crate) fn was_surely_ignored(&self, thing: &str, restarted: Timestamp) -> bool {
        self.ignored.iter().any(|ignoring| {
            ignoring.thing == thing
                && ignoring.from + IGNORED_LATE <= restarted
                && ignoring.until.is_none_or(|end| restarted <= end)
        })
    }

    /// The number of services that a change of a thing reaches.
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
