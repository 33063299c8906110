//! What the events do not tell: who changed what, and when exactly.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join3;
use futures_util::{StreamExt, stream};
use tokio::time::Instant;

use super::Reload;
use crate::aws::{Described, IN_A_CIRCLE};
use crate::domain::change::{Change, ChangeKind};
use crate::domain::key::{Key, Kind};

/// What is merely good to know may keep a restart waiting this long: hardly longer than the change settles anyway.
const PATIENCE: Duration = Duration::from_secs(3);

/// Look-ups of previous versions under way at once, and at most in one errand: nobody reads a hundred.
const IN_FLIGHT: usize = 8;
const PREVIOUS_AT_MOST: usize = 100;

impl Reload<'_> {
    /// Adds to changes of this account and Region what metadata tells: who, which version, when exactly, which version before, and whether the
    /// owner of the key wants nobody to be restarted. Asks fifty parameters a call, one call a secret and an object, and one for the ignored
    /// keys. What is not told within three seconds is noted, and nothing waits for it.
    pub(super) async fn learn(&self, mut changes: Vec<Change>) -> Vec<Change> {
        let by = self.until.min(Instant::now() + PATIENCE);
        let of_kind = |kind| changes.iter().filter(move |change| change.key.kind() == kind);
        let paths: Vec<_> = of_kind(Kind::Parameter).map(|change| change.key.path().to_owned()).collect();
        let may_be_ignored = of_kind(Kind::Parameter).chain(of_kind(Kind::Secret)).next().is_some();
        let ignored = async {
            let listed = || self.aws.tagging.ignored_keys(&self.settings.tag_prefix, self.clock.now(), by);
            if may_be_ignored { Some(listed().await) } else { None }
        };
        let written: Vec<_> = changes.iter().filter(|change| change.kind == ChangeKind::Written).cloned().collect();
        let paths: Vec<_> = paths.iter().map(String::as_str).collect();
        let (parameters, previous, ignored) = join3(self.aws.ssm.describe(&paths, by), self.previous_versions(written, by), ignored).await;

        for change in &mut changes {
            if change.key.kind() == Kind::Parameter && change.kind == ChangeKind::Written {
                let path = change.key.path();
                match parameters.found.get(path).ok_or_else(|| parameters.failed.get(path)) {
                    Ok(told) => complete(change, told),
                    Err(cause) => {
                        let cause = cause.map_or("DescribeParameters does not know it", String::as_str);
                        change.note(&format!("who changed it, and which version it is, is not known: {cause}"));
                    }
                }
            }
            match previous.get(&change.key) {
                Some(Ok(version)) => change.previous.clone_from(version),
                Some(Err(cause)) => change.note(&format!("the version before is not known: {cause}")),
                None => {}
            }
            match &ignored {
                Some(Ok(keys)) => {
                    change.ignored = keys.found.iter().any(|ignored| ignored.is_the_thing_of(&change.key));
                    if !change.ignored && !keys.is_whole {
                        change.note(&format!("whether its owner wants it ignored is not known: {IN_A_CIRCLE}"));
                    }
                }
                Some(Err(error)) => change.note(&format!("whether its owner wants it ignored is not known: {error}")),
                None => {}
            }
        }
        changes
    }

    /// The versions before, of secrets and of objects whose events tell theirs.
    async fn previous_versions(&self, changes: Vec<Change>, by: Instant) -> BTreeMap<Key, Result<Option<String>, String>> {
        let look_up = |(place, change): (usize, Change)| async move {
            let version = change.version.as_deref();
            let told = match (change.key.kind(), change.key.path().split_once('/'), version) {
                _ if place >= PREVIOUS_AT_MOST => Some(Err(format!("only the first {PREVIOUS_AT_MOST} changes are looked up"))),
                (Kind::Secret, ..) if change.key.stage().is_none() => {
                    Some(self.aws.secrets.previous_version(change.key.path(), version, by).await.map_err(|error| error.to_string()))
                }
                (Kind::Object, Some((bucket, key)), Some(version)) => {
                    Some(self.aws.s3.previous_version(bucket, key, version, by).await.map_err(|error| error.to_string()))
                }
                _ => None,
            };
            told.map(|told| (change.key, told))
        };
        let of_versions = changes.into_iter().filter(|change| matches!(change.key.kind(), Kind::Secret | Kind::Object));
        let told = stream::iter(of_versions.enumerate()).map(look_up).buffered(IN_FLIGHT);
        told.filter_map(async |told| told).collect().await
    }
}

/// A source may move a change later, never earlier: a look-up may lag behind the event.
fn complete(change: &mut Change, told: &Described) {
    change.version = Some(told.version.to_string());
    change.previous = (told.version > 1).then(|| (told.version - 1).to_string());
    change.by.clone_from(&told.by);
    change.at = change.at.max(told.at);
}
