//! What the events do not tell: who changed what, when exactly, and whether what was deleted is
//! there again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join4;
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use tokio::time::{Instant, sleep_until};

use super::batch::Batch;
use super::{Reconciler, is_decided};
use crate::aws::{Error, IN_A_CIRCLE, ListedParameter};
use crate::domain::change::{Change, ChangeKind, end_of_second, not_ahead_of};
use crate::domain::key::{CURRENT, Key, Kind};
use crate::domain::service::Service;

/// What is merely good to know may keep a restart waiting this long: hardly longer than the change
/// settles anyway.
const PATIENCE: Duration = Duration::from_secs(3);

/// Look-ups of single things under way at once, and at most in one batch: nobody reads a hundred.
const IN_FLIGHT: usize = 8;
const AT_MOST: usize = 100;

/// What was told of each key, or why nothing was.
type LookUps<T> = BTreeMap<Key, Result<Option<T>, String>>;

impl Reconciler<'_> {
    /// Adds to changes of this account and Region what metadata tells: who, which version, when
    /// exactly, which version before, whether what was deleted was written again, and whether
    /// the owner of the key wants nobody to be restarted. Asks fifty parameters a call, one call a
    /// secret and an object, and one for the ignored keys. What is not told within three
    /// seconds is noted, and nothing waits for it.
    pub(super) async fn enrich(&self, mut changes: Vec<Change>) -> Vec<Change> {
        let by = self.until.min(Instant::now() + PATIENCE);
        let asked_at = self.clock.now();
        let of_kind = |kind| {
            changes
                .iter()
                .filter(move |change| change.key.kind() == kind)
        };
        let paths: Vec<_> = of_kind(Kind::Parameter)
            .map(|change| change.key.path().to_owned())
            .collect();
        let may_be_ignored = of_kind(Kind::Parameter)
            .chain(of_kind(Kind::Secret))
            .next()
            .is_some();
        let ignored = async {
            let listed = || {
                self.aws
                    .tagging
                    .ignored_keys(&self.settings.tag_prefix, self.clock.now(), by)
            };
            if may_be_ignored {
                Some(listed().await)
            } else {
                None
            }
        };
        let alone = changes
            .iter()
            .filter(|change| matches!(change.key.kind(), Kind::Secret | Kind::Object))
            .cloned();
        let (deleted, written): (Vec<_>, Vec<_>) =
            alone.partition(|change| change.kind == ChangeKind::Deleted);
        let paths: Vec<_> = paths.iter().map(String::as_str).collect();
        let (parameters, previous, found, ignored) = join4(
            self.aws.ssm.describe(&paths, by),
            self.previous_versions(written, by),
            self.written_at(deleted, by),
            ignored,
        )
        .await;

        let now = self.clock.now();
        for change in &mut changes {
            if change.key.kind() == Kind::Parameter {
                let path = change.key.path();
                match parameters
                    .found
                    .get(path)
                    .ok_or_else(|| parameters.failed.get(path))
                {
                    Ok(told) => complete(change, told, asked_at, now),
                    Err(None) if change.kind == ChangeKind::Deleted => {}
                    Err(cause) => {
                        let cause =
                            cause.map_or("DescribeParameters does not know it", String::as_str);
                        change.note(&format!("{} is not known: {cause}", unknown(change)));
                    }
                }
            }
            match found.get(&change.key) {
                Some(Ok(told)) => told
                    .iter()
                    .for_each(|told| is_written_again(change, *told, now)),
                Some(Err(cause)) => {
                    change.note(&format!("{} is not known: {cause}", unknown(change)));
                }
                None => {}
            }
            match previous.get(&change.key) {
                Some(Ok(version)) => change.previous.clone_from(version),
                Some(Err(cause)) => {
                    change.note(&format!("the version before is not known: {cause}"));
                }
                None => {}
            }
            match &ignored {
                Some(Ok(keys)) => {
                    change.ignored = keys
                        .found
                        .iter()
                        .any(|ignored| ignored.is_the_thing_of(&change.key));
                    if !change.ignored && !keys.is_whole {
                        change.note(&format!(
                            "whether its owner wants it ignored is not known: {IN_A_CIRCLE}"
                        ));
                    }
                }
                Some(Err(error)) => change.note(&format!(
                    "whether its owner wants it ignored is not known: {error}"
                )),
                None => {}
            }
        }
        changes
    }

    /// Asks once more when parameters were written whose events name a second in which a service
    /// that watches them was deployed, where the look-up came too early to be exact: what a
    /// pipeline writes and deploys within one second is not to be deployed again. Waits for three
    /// seconds at most, as long as a change settles, and costs one more call for fifty such
    /// parameters. Those of `asked_for` were just asked for, at `asked_at`.
    pub(super) async fn date_exactly(
        &self,
        batch: &mut Batch,
        services: &[Service],
        asked_for: &BTreeSet<Key>,
        asked_at: Timestamp,
    ) {
        let may_cover = |service: &Service, change: &Change| {
            let in_second = service
                .deployments
                .iter()
                .any(|deployment| change.is_in_second(deployment.created_at));
            in_second
                && change.scope.includes(&service.id)
                && is_decided(service.match_of(&change.key))
        };
        let is_in_doubt = |change: &&Change| {
            let is_parameter = change.enriched
                && change.kind == ChangeKind::Written
                && change.key.kind() == Kind::Parameter;
            let was_early =
                !asked_for.contains(&change.key) || asked_at < change.tells_exactly_from();
            let may_be_exact = change.has_whole_second() && !change.shares_second && was_early;
            is_parameter
                && may_be_exact
                && services.iter().any(|service| may_cover(service, change))
        };
        let in_doubt: Vec<_> = batch
            .changes
            .values()
            .filter(is_in_doubt)
            .cloned()
            .collect();
        let by = self.share_of_what_is_left(2);
        let Some(from) = in_doubt
            .iter()
            .map(Change::tells_exactly_from)
            .max()
            .map(|from| self.clock.instant(from))
        else {
            return;
        };
        if from >= by {
            return;
        }
        sleep_until(from).await;
        let asked_at = self.clock.now();
        let paths: Vec<_> = in_doubt.iter().map(|change| change.key.path()).collect();
        let parameters = self
            .aws
            .ssm
            .describe(&paths, by.min(Instant::now() + PATIENCE))
            .await;
        let now = self.clock.now();
        let dated = in_doubt.iter().filter_map(|change| {
            let (mut change, told) = (change.clone(), parameters.found.get(change.key.path())?);
            // A newer write has an event of its own.
            change.is_dated(told.at.min(now).min(change.at), asked_at);
            Some(change)
        });
        batch.take_enriched(dated.collect());
    }

    /// The versions before, of secrets and of objects whose events tell theirs.
    async fn previous_versions(&self, changes: Vec<Change>, by: Instant) -> LookUps<String> {
        let look_up = |(place, change): (usize, Change)| async move {
            let version = change.version.as_deref();
            let told = match (
                change.key.kind(),
                change.key.path().split_once('/'),
                version,
            ) {
                _ if place >= AT_MOST => Err(too_many()),
                (Kind::Secret, ..) if change.key.stage().is_none() => self
                    .aws
                    .secrets
                    .previous_version(change.key.path(), version, by)
                    .await
                    .map_err(|error| error.to_string()),
                (Kind::Object, Some((bucket, key)), Some(version)) => self
                    .aws
                    .s3
                    .previous_version(bucket, key, version, by)
                    .await
                    .map_err(|error| error.to_string()),
                _ => return None,
            };
            Some((change.key, told))
        };
        let told = stream::iter(changes.into_iter().enumerate())
            .map(look_up)
            .buffered(IN_FLIGHT);
        told.filter_map(async |told| told).collect().await
    }

    /// When secrets and objects that were deleted were written last, where they are there: in a
    /// bucket that the role may list, and among the secrets of the account.
    async fn written_at(&self, deleted: Vec<Change>, by: Instant) -> LookUps<Timestamp> {
        let look_up = |(place, change): (usize, Change)| async move {
            let mut told = if place < AT_MOST {
                Ok(None)
            } else {
                return (change.key, Err(too_many()));
            };
            for key in std::iter::once(change.key.clone()).chain(change.key.alternative()) {
                let found = match (key.kind(), key.path().split_once('/')) {
                    (Kind::Object, Some((bucket, name))) => {
                        self.aws.s3.modified_at(bucket, name, by).await
                    }
                    _ => self.secret_written_at(&change, by).await,
                };
                told = match (told, found) {
                    (Ok(told), Ok(found)) => Ok(told.max(found)),
                    (Err(cause), _) => Err(cause),
                    (_, Err(error)) => Err(error.to_string()),
                };
            }
            (change.key, told)
        };
        stream::iter(deleted.into_iter().enumerate())
            .map(look_up)
            .buffered(IN_FLIGHT)
            .collect()
            .await
    }

    /// The current version of a secret that is there again may be older than the last change of
    /// anything of it.
    async fn secret_written_at(
        &self,
        deleted: &Change,
        by: Instant,
    ) -> Result<Option<Timestamp>, Error> {
        let name = deleted.key.path();
        let changed = self.aws.secrets.changed_at(name, by).await?;
        if !changed.is_some_and(|changed| deleted.was_undone(changed)) {
            return Ok(changed);
        }
        let created = self
            .aws
            .secrets
            .version_created_at(name, CURRENT, by)
            .await?;
        Ok(created
            .filter(|created| deleted.was_undone(*created))
            .or(changed))
    }
}

/// Why one more is not looked up.
fn too_many() -> String {
    format!("only the first {AT_MOST} changes are looked up")
}

/// What nobody knows where metadata could not be asked.
fn unknown(change: &Change) -> &'static str {
    match change.kind {
        ChangeKind::Deleted => "whether it was written again",
        ChangeKind::Written | ChangeKind::Labelled => "who changed it, and which version it is,",
    }
}

/// Takes what Parameter Store, asked at `asked_at`, told before `now`. Of what was deleted it may
/// for a while tell what was there before.
fn complete(change: &mut Change, told: &ListedParameter, asked_at: Timestamp, now: Timestamp) {
    if change.kind == ChangeKind::Deleted && !change.was_undone(told.at) {
        return;
    }
    change.kind = ChangeKind::Written;
    change.version = Some(told.version.to_string());
    change.previous = (told.version > 1).then(|| (told.version - 1).to_string());
    change.by.clone_from(&told.by);
    change.is_dated(told.at.min(now), asked_at);
}

/// What was deleted is there, and was written at `told`, as its source tells it to the second.
fn is_written_again(change: &mut Change, told: Timestamp, now: Timestamp) {
    if change.was_undone(told) {
        change.kind = ChangeKind::Written;
        (change.version, change.etag, change.by) = (None, None, None);
        change.at = change.at.max(not_ahead_of(end_of_second(told), now));
    }
}
