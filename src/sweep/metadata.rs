//! The last changes of the keys that services watch, from metadata.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join3;
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use tokio::time::Instant;

use crate::aws::{Aws, ListedObjects, ListedParameter, ListedSecret, REPEATED_TOKEN};
use crate::clock::{Clock, Deadline};
use crate::domain::arn::AccountRegion;
use crate::domain::change::{Change, ChangeKind, SWEEP, end_of_second, not_ahead_of};
use crate::domain::key::{Key, Kind};
use crate::domain::service::Service;
use crate::domain::term::Term;

/// The reads of one kind at once.
pub(super) const IN_FLIGHT: usize = 8;

/// Reads the last changes from metadata.
#[derive(Clone, Copy, Debug)]
pub(super) struct Metadata<'a> {
    pub(super) aws: &'a Aws,
    pub(super) clock: &'a Clock,
    pub(super) deadline: Deadline,
    /// The account and Region that bare terms mean.
    pub(super) home: &'a AccountRegion,
}

/// Everything that is to be compared.
#[derive(Debug, Default)]
pub(super) struct Subjects {
    keys: BTreeSet<Key>,
    /// The secrets that each term may mean: an ARN may mean two.
    secrets: BTreeSet<Vec<Key>>,
    /// The paths of prefixes.
    prefixes: BTreeSet<(Kind, String)>,
}

/// The answers of metadata.
#[derive(Debug, Default)]
pub(super) struct LastChanges {
    pub(super) changes: Vec<Change>,
    /// The time at which a rotation moved the current version of a secret last.
    pub(super) rotated_at: BTreeMap<Key, Timestamp>,
    /// The number of keys that were compared; a key below two prefixes counts twice.
    pub(super) keys: usize,
    /// Keys and listings that could not be compared, each with its error.
    pub(super) errors: Vec<String>,
}

/// Everything that services watch in the account and Region `home`. Keys that are elsewhere, or
/// have no metadata, go into `errors`.
pub(super) fn subjects(
    services: &[Service],
    home: &AccountRegion,
    errors: &mut Vec<String>,
) -> Subjects {
    let mut subjects = Subjects::default();
    let mut elsewhere = BTreeSet::new();
    for service in services {
        for term in service.watched() {
            if !term.is_prefix() {
                elsewhere.extend(subjects.add(term, home));
            } else if let Some(path) = term.prefix(home) {
                let prefix = (term.kind(), path.to_owned());
                subjects.prefixes.insert(prefix);
            } else {
                elsewhere.insert(format!(
                    "a prefix that {} watches in another account or Region",
                    service.id
                ));
            }
        }
    }
    errors.extend(elsewhere);
    subjects
}

impl Subjects {
    /// Adds the keys that a term names. Returns errors for those whose metadata cannot be read.
    fn add(&mut self, term: &Term, home: &AccountRegion) -> Vec<String> {
        let can_be_asked = |key: &Key| key.is_at(home) && key.kind() != Kind::Profile;
        let (here, there): (Vec<_>, Vec<_>) = term.keys(home).partition(can_be_asked);
        if term.kind() == Kind::Secret && !here.is_empty() {
            self.secrets.insert(here.clone());
        }
        self.keys.extend(here);
        let why = |key: Key| match key.kind() {
            Kind::Profile => format!("{key}: a sweep does not read AppConfig"),
            Kind::Parameter | Kind::Object | Kind::Secret => {
                format!("{}: it is in another account or Region", key.arn())
            }
        };
        there.into_iter().map(why).collect()
    }

    fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Key> {
        self.keys.iter().filter(move |key| key.kind() == kind)
    }

    fn prefixes_of(&self, kind: Kind) -> impl Iterator<Item = &str> {
        let of_kind = self.prefixes.iter().filter(move |(of, _)| *of == kind);
        of_kind.map(|(_, path)| path.as_str())
    }
}

impl Metadata<'_> {
    /// Reads the last change of everything that is to be compared. Objects that were written before
    /// `since` are left out: every service is newer.
    pub(super) async fn last_changes(&self, subjects: &Subjects, since: Timestamp) -> LastChanges {
        let by = self.deadline.share(2);
        let (parameters, secrets, objects) = Box::pin(join3(
            self.parameters(subjects, by),
            self.secrets(subjects, by),
            self.objects(subjects, since, by),
        ))
        .await;
        let all = parameters.and(secrets).and(objects);
        all.not_ahead_of(self.clock.now())
    }

    async fn parameters(&self, subjects: &Subjects, by: Instant) -> LastChanges {
        let (mut last, read_at) = (LastChanges::default(), self.clock.now());
        let prefixes: BTreeSet<_> = subjects.prefixes_of(Kind::Parameter).collect();
        // A listing that does not end leaves time for the names.
        let ssm = &self.aws.ssm;
        let below = ssm.describe_below(&prefixes, halfway(by)).await;
        for (name, listed) in &below.found {
            last.add_parameter(Key::parameter(self.home.clone(), name), listed, read_at);
        }
        let failed = below.failed.iter();
        last.errors
            .extend(failed.map(|(path, error)| format!("ssm:/{path}: {error}")));

        let exact: Vec<_> = subjects
            .of_kind(Kind::Parameter)
            .filter(|key| !below.found.contains_key(key.path()))
            .collect();
        let paths: Vec<_> = exact.iter().map(|key| key.path()).collect();
        let alone = ssm.describe(&paths, by).await;
        for key in exact {
            match (alone.found.get(key.path()), alone.failed.get(key.path())) {
                (Some(listed), _) => last.add_parameter(key.clone(), listed, read_at),
                (None, Some(error)) => last.errors.push(format!("{key}: {error}")),
                (None, None) => last.errors.push(format!("{key}: {}", unknown(key))),
            }
        }
        last
    }

    /// The last modification of secrets. The times of their versions are read later, for those
    /// secrets alone whose services seem to be stale.
    async fn secrets(&self, subjects: &Subjects, by: Instant) -> LastChanges {
        let mut last = LastChanges::default();
        let exact: BTreeSet<_> = subjects.of_kind(Kind::Secret).collect();
        let prefixes: Vec<_> = subjects.prefixes_of(Kind::Secret).collect();
        if exact.is_empty() && prefixes.is_empty() {
            return last;
        }
        let listed = match self.aws.secrets.list(by).await {
            Ok(listed) => listed,
            Err(error) => {
                last.errors.push(format!("all secrets: {error}"));
                return last;
            }
        };
        for secret in &listed.found {
            let key = Key::secret(self.home.clone(), &secret.name);
            let from_first = exact.range::<Key, _>(&key..).copied().cloned();
            let staged = from_first.take_while(|exact| exact.thing() == key);
            let is_below = prefixes
                .iter()
                .any(|prefix| secret.name.starts_with(*prefix));
            let below = is_below.then(|| key.clone());
            last.add_secret(staged.chain(below).collect(), secret);
        }
        if listed.is_whole {
            let unlisted = last.unlisted(&subjects.secrets);
            last.errors.extend(unlisted);
        } else {
            last.errors.push(format!("all secrets: {REPEATED_TOKEN}"));
        }
        last
    }

    async fn objects(&self, subjects: &Subjects, since: Timestamp, by: Instant) -> LastChanges {
        let paths: Vec<_> = subjects
            .prefixes_of(Kind::Object)
            .map(str::to_owned)
            .collect();
        let listings = stream::iter(paths).map(|path| async move {
            let (bucket, prefix) = path.split_once('/').unwrap_or((path.as_str(), ""));
            let listed = self.aws.s3.modified_below(bucket, prefix, since, by).await;
            (path, listed)
        });
        let listings: Vec<_> = listings.buffered(IN_FLIGHT).collect().await;
        let (mut last, mut whole) = (LastChanges::default(), Vec::new());
        for (path, listed) in listings {
            let added = match listed {
                Ok(listed) => last.add_objects(&self.home.partition, &path, listed),
                Err(error) => Err(error.to_string()),
            };
            match added {
                Ok(()) => whole.push(path),
                Err(error) => last.errors.push(format!("s3:{path}: {error}")),
            }
        }
        let is_listed = |key: &&Key| whole.iter().any(|path| key.path().starts_with(path));
        let exact: Vec<_> = subjects
            .of_kind(Kind::Object)
            .filter(|key| !is_listed(key))
            .cloned()
            .collect();
        let exact = stream::iter(exact).map(|key| self.object(key, by));
        exact
            .buffered(IN_FLIGHT)
            .fold(last, async |all, some| all.and(some))
            .await
    }

    async fn object(&self, key: Key, by: Instant) -> LastChanges {
        let mut last = LastChanges::default();
        let Some((bucket, name)) = key.path().split_once('/') else {
            return last;
        };
        match self.aws.s3.modified_at(bucket, name, by).await {
            Ok(Some(at)) => last.add(key.clone(), at),
            Ok(None) => last.errors.push(format!("{key}: there is no such object")),
            Err(error) => last.errors.push(format!("{key}: {error}")),
        }
        last
    }
}

/// The instant in the middle between now and another.
fn halfway(by: Instant) -> Instant {
    let now = Instant::now();
    now + by.saturating_duration_since(now) / 2
}

/// The text for a parameter that metadata does not know.
fn unknown(key: &Key) -> &'static str {
    if key.path().starts_with("aws/service/") {
        "DescribeParameters does not describe AWS's public parameters, and they have no events"
    } else {
        "DescribeParameters does not know it: no such parameter, or a new one"
    }
}

impl LastChanges {
    fn and(mut self, other: Self) -> Self {
        self.changes.extend(other.changes);
        self.rotated_at.extend(other.rotated_at);
        self.keys += other.keys;
        self.errors.extend(other.errors);
        self
    }

    /// An error for each term that means none of the listed secrets. Each term comes with the
    /// secrets that it may mean.
    fn unlisted(&self, terms: &BTreeSet<Vec<Key>>) -> Vec<String> {
        let known: BTreeSet<_> = self.changes.iter().map(|change| &change.key).collect();
        let unknown = terms
            .iter()
            .filter(|keys| keys.iter().all(|key| !known.contains(key)))
            .filter_map(|keys| keys.first());
        let why = "ListSecrets does not list it: no such secret, a new one, or one deleted";
        unknown.map(|key| format!("{key}: {why}")).collect()
    }

    /// A time ahead of the clock is now.
    fn not_ahead_of(mut self, now: Timestamp) -> Self {
        let changed = self.changes.iter_mut().map(|change| &mut change.at);
        changed
            .chain(self.rotated_at.values_mut())
            .for_each(|at| *at = not_ahead_of(*at, now));
        self
    }

    fn add(&mut self, key: Key, at: Timestamp) {
        self.keys += 1;
        let change = Change::new(key, end_of_second(at), ChangeKind::Written, SWEEP);
        self.changes.push(change);
    }

    /// Adds a parameter. The source's own time is exact if it was read late enough.
    fn add_parameter(&mut self, key: Key, listed: &ListedParameter, read_at: Timestamp) {
        self.add(key, listed.at);
        if let Some(change) = self.changes.last_mut() {
            change.date(listed.at, read_at);
            change.version = Some(listed.version.to_string());
            change.previous = (listed.version > 1).then(|| (listed.version - 1).to_string());
            change.by.clone_from(&listed.by);
        }
    }

    /// Adds a secret for each of the keys that mean it.
    fn add_secret(&mut self, keys: BTreeSet<Key>, secret: &ListedSecret) {
        let ListedSecret {
            name: _,
            arn,
            changed_at,
            rotated_at,
        } = secret;
        let Some(at) = changed_at.iter().chain(rotated_at).max() else {
            return;
        };
        for key in keys {
            if let Some(rotated_at) = rotated_at.filter(|_| key.stage().is_none()) {
                let rotated_at = end_of_second(rotated_at);
                self.rotated_at.insert(key.clone(), rotated_at);
            }
            // A service that refers to a deleted secret of the same name does not read this one.
            self.add(key.with_suffix(arn.rsplit('-').next()), *at);
        }
    }

    /// Adds the objects below a path; an error if only a part was listed.
    fn add_objects(
        &mut self,
        partition: &str,
        path: &str,
        listed: ListedObjects,
    ) -> Result<(), String> {
        let ListedObjects {
            number,
            modified_at,
            is_cut_off,
            has_repeated_token,
        } = listed;
        let bucket = path.split('/').next().unwrap_or_default();
        self.keys += number - modified_at.len();
        for (name, at) in &modified_at {
            self.add(Key::object(partition, bucket, name), *at);
        }
        if is_cut_off {
            Err(format!("it holds more than {number} objects"))
        } else if has_repeated_token {
            Err(REPEATED_TOKEN.to_owned())
        } else {
            Ok(())
        }
    }
}
