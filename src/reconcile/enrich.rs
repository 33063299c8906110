//! Completes the changes of events by metadata: the author, the exact time, the versions, and for a
//! deleted key if it was written again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join4;
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use tokio::time::{Instant, sleep_until};

use super::discover::is_decided;
use crate::aws::{Aws, DescribedParameters, Error, IgnoredKeys, ListedParameter, REPEATED_TOKEN};
use crate::clock::{Clock, Deadline};
use crate::domain::batch::Batch;
use crate::domain::change::{Change, ChangeKind, end_of_second, not_ahead_of};
use crate::domain::key::{CURRENT, Key, Kind};
use crate::domain::service::Service;

/// The longest time that a restart waits for metadata, which is useful but not necessary. It is
/// hardly longer than the change needs to settle.
const ENRICH_TIMEOUT: Duration = Duration::from_secs(3);

/// The reads of single keys at once, and the most in one batch: nobody reads a hundred lines.
const IN_FLIGHT: usize = 8;
const AT_MOST: usize = 100;

/// The answer for each key, or the error.
type LookUps<T> = BTreeMap<Key, Result<Option<T>, String>>;

/// Completes changes by the metadata of their keys.
#[derive(Clone, Copy, Debug)]
pub(super) struct Enricher<'a> {
    pub(super) aws: &'a Aws,
    pub(super) tag_prefix: &'a str,
    pub(super) clock: &'a Clock,
    pub(super) deadline: Deadline,
}

/// The metadata of some changes.
struct Metadata {
    read_at: Timestamp,
    parameters: DescribedParameters,
    /// The versions before.
    previous: LookUps<String>,
    /// The last writes of keys that were deleted.
    written: LookUps<Timestamp>,
    /// `None` if no key can be ignored.
    ignored: Option<Result<Arc<IgnoredKeys>, Error>>,
}

impl Enricher<'_> {
    /// Completes changes of this account and Region by metadata: the author, the version, the exact
    /// time, the version before, if a deleted key was written again, and if its owner wants the key
    /// ignored. One call reads fifty parameters, one secret or one object; one more reads the
    /// ignored keys. An answer that takes longer than three seconds is noted as missing, and
    /// nothing waits for it.
    pub(super) async fn enrich(&self, mut changes: Vec<Change>) -> Vec<Change> {
        let metadata = self.ask(&changes).await;
        let now = self.clock.now();
        for change in &mut changes {
            metadata.complete(change, now);
        }
        changes
    }

    async fn ask(&self, changes: &[Change]) -> Metadata {
        let by = self.deadline.until.min(Instant::now() + ENRICH_TIMEOUT);
        let read_at = self.clock.now();
        let of_kinds = |kinds: &'static [Kind]| {
            let of_kind = move |change: &&Change| kinds.contains(&change.key.kind());
            changes.iter().filter(of_kind)
        };
        let paths: Vec<_> = of_kinds(&[Kind::Parameter])
            .map(|change| change.key.path())
            .collect();
        let (deleted, written): (Vec<_>, Vec<_>) = of_kinds(&[Kind::Secret, Kind::Object])
            .cloned()
            .partition(|change| change.kind == ChangeKind::Deleted);
        let may_be_ignored = of_kinds(&[Kind::Parameter, Kind::Secret]).next().is_some();
        let ignored = async {
            let listing = || self.aws.tagging.ignored_keys(self.tag_prefix, read_at, by);
            if may_be_ignored {
                Some(listing().await)
            } else {
                None
            }
        };
        let (parameters, previous, written, ignored) = join4(
            self.aws.ssm.describe(&paths, by),
            self.previous_versions(written, by),
            self.written_at(deleted, by),
            ignored,
        )
        .await;
        Metadata {
            read_at,
            parameters,
            previous,
            written,
            ignored,
        }
    }

    /// Reads once more what may have changed since a change was held which restarts a service now.
    /// Others go before the services of the changes `in_order`.
    pub(super) async fn read_again(
        &self,
        batch: &mut Batch,
        restarting: &BTreeSet<Key>,
        in_order: &BTreeSet<Key>,
        services: &[Service],
    ) {
        self.read_ignored(batch, restarting).await;
        self.date_again(batch, in_order, services).await;
    }

    /// Asks once more which keys are ignored, for held changes that restart a service now: the
    /// owner may have tagged the key meanwhile. A listing that succeeded is used for a
    /// minute.
    async fn read_ignored(&self, batch: &mut Batch, keys: &BTreeSet<Key>) {
        let may_be_ignored = |key: &&Key| matches!(key.kind(), Kind::Parameter | Kind::Secret);
        let keys: Vec<_> = keys.iter().filter(may_be_ignored).collect();
        if keys.is_empty() {
            return;
        }
        let by = self.deadline.until.min(Instant::now() + ENRICH_TIMEOUT);
        let (tagging, now) = (&self.aws.tagging, self.clock.now());
        let ignored = tagging.ignored_keys(self.tag_prefix, now, by).await;
        for key in keys {
            if let Some(change) = batch.changes.get_mut(key) {
                complete_ignored(change, &ignored);
            }
        }
    }

    /// Reads parameters once more whose held changes restart a service before which others go. A
    /// newer version moves its change later: the service must not read a version that those before
    /// it have not taken yet. One call for fifty parameters. What cannot be read stays as it was.
    async fn date_again(&self, batch: &mut Batch, keys: &BTreeSet<Key>, services: &[Service]) {
        let is_here = |key: &Key| services.iter().any(|service| key.is_at(&service.home));
        let is_parameter = |key: &&Key| key.kind() == Kind::Parameter && is_here(key);
        let keys: Vec<_> = keys.iter().filter(is_parameter).collect();
        if keys.is_empty() {
            return;
        }
        let by = self.deadline.until.min(Instant::now() + ENRICH_TIMEOUT);
        let read_at = self.clock.now();
        let paths: Vec<_> = keys.iter().map(|key| key.path()).collect();
        let parameters = self.aws.ssm.describe(&paths, by).await;
        let now = self.clock.now();
        for key in keys {
            let listed = parameters.found.get(key.path());
            if let Some((change, listed)) = batch.changes.get_mut(key).zip(listed)
                && listed.at.min(now) > change.at
            {
                complete(change, listed, read_at, now);
            }
        }
    }

    /// Reads parameters a second time if a service that watches them was deployed in the second of
    /// the write, and the first read came too early to be exact: a pipeline that writes and deploys
    /// within one second is not followed by a needless restart. Waits for three seconds at most, as
    /// long as a change settles, and costs one more call for fifty such parameters. The keys in
    /// `read_keys` were read before, at `read_at`.
    pub(super) async fn date_exactly(
        &self,
        batch: &mut Batch,
        services: &[Service],
        read_keys: &BTreeSet<Key>,
        read_at: Timestamp,
    ) {
        let was_early =
            |change: &Change| !read_keys.contains(&change.key) || read_at < change.exact_from();
        let changes = batch.changes.values();
        let in_doubt: Vec<_> = changes
            .filter(|change| is_in_doubt(change, services) && was_early(change))
            .cloned()
            .collect();
        let by = self.deadline.share(2);
        let exact_from = in_doubt.iter().map(Change::exact_from).max();
        let Some(exact_from) = exact_from.map(|from| self.clock.instant(from)) else {
            return;
        };
        if exact_from >= by {
            return;
        }
        sleep_until(exact_from).await;
        let read_at = self.clock.now();
        let paths: Vec<_> = in_doubt.iter().map(|change| change.key.path()).collect();
        let by = by.min(Instant::now() + ENRICH_TIMEOUT);
        let parameters = self.aws.ssm.describe(&paths, by).await;
        let now = self.clock.now();
        let dated = in_doubt.into_iter().filter_map(|mut change| {
            let listed = parameters.found.get(change.key.path())?;
            // A newer write has an event of its own.
            change.date(listed.at.min(now).min(change.at), read_at);
            Some(change)
        });
        batch.take_enriched(dated.collect());
    }

    /// The versions before, as far as they can be read within three seconds.
    pub(super) async fn previous_of(&self, changes: Vec<Change>) -> BTreeMap<Key, String> {
        let by = self.deadline.until.min(Instant::now() + ENRICH_TIMEOUT);
        let read = self.previous_versions(changes, by).await.into_iter();
        read.filter_map(|(key, read)| Some((key, read.ok().flatten()?)))
            .collect()
    }

    /// The versions before, of secrets and of objects whose events name theirs.
    async fn previous_versions(&self, changes: Vec<Change>, by: Instant) -> LookUps<String> {
        let look_up = |(place, change): (usize, Change)| async move {
            let version = change.version.as_deref();
            let key = &change.key;
            let answer = match (key.kind(), key.path().split_once('/'), version) {
                _ if place >= AT_MOST => return Some((change.key, Err(too_many()))),
                (Kind::Secret, ..) if key.stage().is_none() => {
                    let secrets = &self.aws.secrets;
                    secrets.previous_version(key.path(), version, by).await
                }
                (Kind::Object, Some((bucket, name)), Some(version)) => {
                    let s3 = &self.aws.s3;
                    s3.previous_version(bucket, name, version, by).await
                }
                _ => return None,
            };
            Some((change.key, answer.map_err(|error| error.to_string())))
        };
        let answers = stream::iter(changes.into_iter().enumerate())
            .map(look_up)
            .buffered(IN_FLIGHT);
        answers.filter_map(async |answer| answer).collect().await
    }

    /// The last write of secrets and objects that were deleted, if they exist again: in a bucket
    /// that the role may list, and among the secrets of the account.
    async fn written_at(&self, deleted: Vec<Change>, by: Instant) -> LookUps<Timestamp> {
        let look_up = |(place, change): (usize, Change)| async move {
            if place >= AT_MOST {
                return (change.key, Err(too_many()));
            }
            let mut newest = Ok(None);
            for key in std::iter::once(change.key.clone()).chain(change.key.alternative()) {
                let found = match (key.kind(), key.path().split_once('/')) {
                    (Kind::Object, Some((bucket, name))) => {
                        self.aws.s3.modified_at(bucket, name, by).await
                    }
                    _ => self.secret_written_at(&change, by).await,
                };
                newest = match (newest, found) {
                    (Ok(newest), Ok(found)) => Ok(newest.max(found)),
                    (Err(message), _) => Err(message),
                    (_, Err(error)) => Err(error.to_string()),
                };
            }
            (change.key, newest)
        };
        stream::iter(deleted.into_iter().enumerate())
            .map(look_up)
            .buffered(IN_FLIGHT)
            .collect()
            .await
    }

    /// The last change of a secret that exists again may be newer than its current version.
    async fn secret_written_at(
        &self,
        deleted: &Change,
        by: Instant,
    ) -> Result<Option<Timestamp>, Error> {
        let (secrets, name) = (&self.aws.secrets, deleted.key.path());
        let changed = secrets.changed_at(name, by).await?;
        if !changed.is_some_and(|changed| deleted.was_undone(changed)) {
            return Ok(changed);
        }
        let created = secrets.version_created_at(name, CURRENT, by).await?;
        Ok(created
            .filter(|created| deleted.was_undone(*created))
            .or(changed))
    }
}

impl Metadata {
    /// Completes one change.
    fn complete(&self, change: &mut Change, now: Timestamp) {
        if change.key.kind() == Kind::Parameter {
            self.complete_parameter(change, now);
        }
        match self.written.get(&change.key) {
            Some(Ok(Some(at))) => is_written_again(change, *at, now),
            Some(Err(message)) => change.note(&unknown(change, message)),
            Some(Ok(None)) | None => {}
        }
        match self.previous.get(&change.key) {
            Some(Ok(version)) => change.previous.clone_from(version),
            Some(Err(message)) => {
                change.note(&format!("the version before is not known: {message}"));
            }
            None => {}
        }
        if let Some(ignored) = &self.ignored {
            complete_ignored(change, ignored);
        }
    }

    fn complete_parameter(&self, change: &mut Change, now: Timestamp) {
        let path = change.key.path();
        let failed = self.parameters.failed.get(path);
        match (self.parameters.found.get(path), failed) {
            (Some(listed), _) => complete(change, listed, self.read_at, now),
            (None, None) if change.kind == ChangeKind::Deleted => {}
            (None, failed) => {
                let message = failed.map_or("DescribeParameters does not know it", String::as_str);
                change.note(&unknown(change, message));
            }
        }
    }
}

/// Takes whether the owner of the key wants it ignored.
fn complete_ignored(change: &mut Change, ignored: &Result<Arc<IgnoredKeys>, Error>) {
    let not_known = |why: &str| format!("it is not known if its owner wants it ignored: {why}");
    match ignored {
        Ok(keys) => {
            change.ignored = keys.found.contains(&change.key.thing());
            if !change.ignored && !keys.is_whole {
                change.note(&not_known(REPEATED_TOKEN));
            }
        }
        Err(error) => change.note(&not_known(&error.to_string())),
    }
}

/// True if only the second of a parameter's write is known, and a service that watches it was
/// deployed in the same second.
fn is_in_doubt(change: &Change, services: &[Service]) -> bool {
    let is_parameter = change.enriched
        && change.kind == ChangeKind::Written
        && change.key.kind() == Kind::Parameter;
    let may_cover = |service: &Service| {
        let mut deployments = service.deployments.iter();
        deployments.any(|deployment| change.is_in_second(deployment.created_at))
            && is_decided(service, change)
    };
    let may_be_exact = change.has_whole_second() && !change.shares_second;
    is_parameter && may_be_exact && services.iter().any(may_cover)
}

/// The message for a key beyond the limit of a batch.
fn too_many() -> String {
    format!("only the metadata of the first {AT_MOST} changes is read")
}

/// The note for a change whose metadata could not be read.
fn unknown(change: &Change, message: &str) -> String {
    match change.kind {
        ChangeKind::Deleted => format!("it is not known if it was written again: {message}"),
        ChangeKind::Written | ChangeKind::Labelled => {
            format!("its author and its version are not known: {message}")
        }
    }
}

/// Completes a change by the description of its parameter, read at `read_at`. For a while,
/// Parameter Store may still describe a deleted parameter as it was before.
fn complete(change: &mut Change, listed: &ListedParameter, read_at: Timestamp, now: Timestamp) {
    if change.kind == ChangeKind::Deleted && !change.was_undone(listed.at) {
        return;
    }
    change.kind = ChangeKind::Written;
    change.version = Some(listed.version.to_string());
    change.previous = (listed.version > 1).then(|| (listed.version - 1).to_string());
    change.by.clone_from(&listed.by);
    change.date(listed.at.min(now), read_at);
}

/// Takes note that a deleted key exists, and was written at `at`, which its source gives to the
/// second.
fn is_written_again(change: &mut Change, at: Timestamp, now: Timestamp) {
    if change.was_undone(at) {
        change.kind = ChangeKind::Written;
        (change.version, change.etag, change.by) = (None, None, None);
        change.at = change.at.max(not_ahead_of(end_of_second(at), now));
    }
}
