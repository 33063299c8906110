//! When what services watch changed last, as metadata tells it.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join3;
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use tokio::time::Instant;

use super::IN_FLIGHT;
use crate::aws::{IN_A_CIRCLE, ListedObjects, ListedParameter, ListedSecret};
use crate::domain::arn::AccountRegion;
use crate::domain::change::{Change, ChangeKind, SWEEP, end_of_second, not_ahead_of};
use crate::domain::key::{Key, Kind};
use crate::domain::service::Service;
use crate::domain::watch::Term;
use crate::reconcile::Reconciler;

/// What is to be compared.
#[derive(Debug, Default)]
pub(super) struct Subjects {
    keys: BTreeSet<Key>,
    /// What each term means that names one secret: an ARN may mean two.
    secrets: BTreeSet<Vec<Key>>,
    /// Everything below these paths.
    prefixes: BTreeSet<(Kind, String)>,
}

/// What metadata told.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) changes: Vec<Change>,
    /// When a rotation moved the current version of a secret last.
    pub(super) rotated_at: BTreeMap<Key, Timestamp>,
    /// How many keys were looked at; what lies below two prefixes is counted twice.
    pub(super) keys: usize,
    /// What could not be looked at, and why.
    pub(super) sweep_errors: Vec<String>,
}

/// Everything that the services watch in the account and Region `home`; what is elsewhere, or has
/// no metadata to ask, is named.
pub(super) fn subjects(
    services: &[Service],
    home: &AccountRegion,
    sweep_errors: &mut Vec<String>,
) -> Subjects {
    let mut subjects = Subjects::default();
    let mut elsewhere = BTreeSet::new();
    for service in services {
        let Some(watch) = &service.tags.watch else {
            continue;
        };
        for term in watch.terms.iter().chain(service.followed()) {
            if term.is_prefix() {
                match term.prefix(home) {
                    Some(path) => _ = subjects.prefixes.insert((term.kind(), path.to_owned())),
                    None => {
                        _ = elsewhere.insert(format!(
                            "a prefix that {} watches in another account or Region",
                            service.id
                        ));
                    }
                }
            } else {
                let (here, there): (Vec<_>, Vec<_>) = Term::keys(term, home)
                    .partition(|key| key.is_at(home) && key.kind() != Kind::Profile);
                if term.kind() == Kind::Secret && !here.is_empty() {
                    subjects.secrets.insert(here.clone());
                }
                subjects.keys.extend(here);
                elsewhere.extend(there.iter().map(|key| match key.kind() {
                    Kind::Profile => format!("{key}: AppConfig is not asked"),
                    Kind::Parameter | Kind::Object | Kind::Secret => {
                        format!("{}: it is in another account or Region", key.arn())
                    }
                }));
            }
        }
    }
    sweep_errors.extend(elsewhere);
    subjects
}

impl Reconciler<'_> {
    /// Asks when everything changed that is to be compared. Objects that were written before
    /// `since` are older than every service.
    pub(super) async fn last_changes(
        &self,
        subjects: &Subjects,
        home: &AccountRegion,
        since: Timestamp,
    ) -> Found {
        let by = self.share_of_what_is_left(2);
        let (parameters, secrets, objects) = Box::pin(join3(
            self.parameters(subjects, home, by),
            self.secrets(subjects, home, by),
            self.objects(subjects, home, since, by),
        ))
        .await;
        parameters
            .and(secrets)
            .and(objects)
            .not_ahead_of(self.clock.now())
    }

    async fn parameters(&self, subjects: &Subjects, home: &AccountRegion, by: Instant) -> Found {
        let (mut found, asked_at) = (Found::default(), self.clock.now());
        let prefixes: BTreeSet<_> = subjects.prefixes_of(Kind::Parameter).collect();
        // A listing that does not end leaves time for the names.
        let below = self.aws.ssm.describe_below(&prefixes, halfway(by)).await;
        for (name, told) in &below.found {
            found.described(Key::parameter(home.clone(), name), told, asked_at);
        }
        found.sweep_errors.extend(
            below
                .failed
                .iter()
                .map(|(path, error)| format!("ssm:/{path}: {error}")),
        );

        let exact: Vec<_> = subjects
            .of_kind(Kind::Parameter)
            .filter(|key| !below.found.contains_key(key.path()))
            .collect();
        let paths: Vec<_> = exact.iter().map(|key| key.path()).collect();
        let alone = self.aws.ssm.describe(&paths, by).await;
        for key in exact {
            match (alone.found.get(key.path()), alone.failed.get(key.path())) {
                (Some(told), _) => found.described(key.clone(), told, asked_at),
                (None, Some(cause)) => found.sweep_errors.push(format!("{key}: {cause}")),
                (None, None) => found.sweep_errors.push(format!("{key}: {}", unknown(key))),
            }
        }
        found
    }

    /// When secrets were modified: whether their versions changed then is asked for those alone
    /// that look stale.
    async fn secrets(&self, subjects: &Subjects, home: &AccountRegion, by: Instant) -> Found {
        let mut found = Found::default();
        let exact: BTreeSet<_> = subjects.of_kind(Kind::Secret).collect();
        let prefixes: Vec<_> = subjects.prefixes_of(Kind::Secret).collect();
        if exact.is_empty() && prefixes.is_empty() {
            return found;
        }
        let listed = match self.aws.secrets.list(by).await {
            Ok(listed) => listed,
            Err(error) => {
                found.sweep_errors.push(format!("all secrets: {error}"));
                return found;
            }
        };
        if !listed.is_whole {
            found
                .sweep_errors
                .push(format!("all secrets: {IN_A_CIRCLE}"));
        }
        for ListedSecret {
            name,
            arn,
            changed_at,
            rotated_at,
        } in listed.found
        {
            let Some(at) = changed_at.into_iter().chain(rotated_at).max() else {
                continue;
            };
            let secret = Key::secret(home.clone(), &name);
            let staged = exact
                .iter()
                .filter(|key| key.is_the_thing_of(&secret))
                .map(|key| Key::clone(key));
            let below = prefixes
                .iter()
                .any(|prefix| name.starts_with(*prefix))
                .then(|| secret.clone());
            for key in staged.chain(below).collect::<BTreeSet<_>>() {
                if let Some(rotated_at) = rotated_at.filter(|_| key.stage().is_none()) {
                    found
                        .rotated_at
                        .insert(key.clone(), end_of_second(rotated_at));
                }
                // Who refers to a secret of this name that was deleted reads nothing of this one.
                found.told(key.with_suffix(arn.rsplit('-').next()), at);
            }
        }
        if listed.is_whole {
            let failed_listings = found.failed_listings(&subjects.secrets);
            found.sweep_errors.extend(failed_listings);
        }
        found
    }

    async fn objects(
        &self,
        subjects: &Subjects,
        home: &AccountRegion,
        since: Timestamp,
        by: Instant,
    ) -> Found {
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
        let (mut found, mut whole) = (Found::default(), Vec::new());
        for (path, listed) in listings {
            let bucket = path.split('/').next().unwrap_or_default();
            match listed {
                Ok(ListedObjects {
                    number,
                    modified_at,
                    is_cut_off,
                    is_in_a_circle,
                }) => {
                    found.keys += number - modified_at.len();
                    for (name, at) in &modified_at {
                        found.told(Key::object(&home.partition, bucket, name), *at);
                    }
                    if is_cut_off {
                        found
                            .sweep_errors
                            .push(format!("s3:{path}: it holds more than {number} objects"));
                    } else if is_in_a_circle {
                        found.sweep_errors.push(format!("s3:{path}: {IN_A_CIRCLE}"));
                    } else {
                        whole.push(path);
                    }
                }
                Err(error) => found.sweep_errors.push(format!("s3:{path}: {error}")),
            }
        }

        let is_listed = |key: &&Key| whole.iter().any(|path| key.path().starts_with(path));
        let exact: Vec<_> = subjects
            .of_kind(Kind::Object)
            .filter(|key| !is_listed(key))
            .cloned()
            .collect();
        let exact = stream::iter(exact).map(|key| async move {
            let mut found = Found::default();
            let Some((bucket, name)) = key.path().split_once('/') else {
                return found;
            };
            match self.aws.s3.modified_at(bucket, name, by).await {
                Ok(Some(at)) => found.told(key.clone(), at),
                Ok(None) => found
                    .sweep_errors
                    .push(format!("{key}: there is no such object")),
                Err(error) => found.sweep_errors.push(format!("{key}: {error}")),
            }
            found
        });
        exact
            .buffered(IN_FLIGHT)
            .fold(found, async |all, some| all.and(some))
            .await
    }
}

/// An instant between now and another.
fn halfway(by: Instant) -> Instant {
    let now = Instant::now();
    now + by.saturating_duration_since(now) / 2
}

/// Why metadata tells nothing of a parameter.
fn unknown(key: &Key) -> &'static str {
    if key.path().starts_with("aws/service/") {
        "DescribeParameters tells nothing of AWS's public parameters, and no event comes from them"
    } else {
        "DescribeParameters does not know it: no such parameter, or a new one"
    }
}

impl Subjects {
    fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Key> {
        self.keys.iter().filter(move |key| key.kind() == kind)
    }

    fn prefixes_of(&self, kind: Kind) -> impl Iterator<Item = &str> {
        self.prefixes
            .iter()
            .filter(move |(of, _)| *of == kind)
            .map(|(_, path)| path.as_str())
    }
}

impl Found {
    fn and(mut self, other: Self) -> Self {
        self.changes.extend(other.changes);
        self.rotated_at.extend(other.rotated_at);
        self.keys += other.keys;
        self.sweep_errors.extend(other.sweep_errors);
        self
    }

    /// Of terms, each with the secrets that it may mean, those that mean none which was listed, in
    /// words.
    fn failed_listings(&self, terms: &BTreeSet<Vec<Key>>) -> Vec<String> {
        let known: BTreeSet<_> = self.changes.iter().map(|change| &change.key).collect();
        let unknown = terms
            .iter()
            .filter(|keys| keys.iter().all(|key| !known.contains(key)))
            .filter_map(|keys| keys.first());
        unknown
            .map(|key| {
                format!(
                    "{key}: ListSecrets does not list it: no such secret, a new one, or one \
                     deleted"
                )
            })
            .collect()
    }

    /// What metadata tells of the future is now.
    fn not_ahead_of(mut self, now: Timestamp) -> Self {
        let changed = self.changes.iter_mut().map(|change| &mut change.at);
        changed
            .chain(self.rotated_at.values_mut())
            .for_each(|at| *at = not_ahead_of(*at, now));
        self
    }

    fn told(&mut self, key: Key, at: Timestamp) {
        self.keys += 1;
        self.changes.push(Change::new(
            key,
            end_of_second(at),
            ChangeKind::Written,
            SWEEP,
        ));
    }

    /// The source's own time is exact where it was told late enough.
    fn described(&mut self, key: Key, told: &ListedParameter, asked_at: Timestamp) {
        self.told(key, told.at);
        if let Some(change) = self.changes.last_mut() {
            change.is_dated(told.at, asked_at);
            change.version = Some(told.version.to_string());
            change.previous = (told.version > 1).then(|| (told.version - 1).to_string());
            change.by.clone_from(&told.by);
        }
    }
}
