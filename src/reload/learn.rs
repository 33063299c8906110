//! What the events do not tell: which services are concerned by their task definitions, and who changed what, when exactly.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join3;
use futures_util::{StreamExt, stream};
use tokio::time::Instant;

use super::{Errand, Performed, Reload, unread};
use crate::domain::change::{Change, ChangeKind};
use crate::domain::key::{Key, Kind};
use crate::domain::service::{Service, ServiceStatus};
use crate::domain::summary::ServiceLine;
use crate::domain::watch::Listening;

/// What is merely good to know may keep a restart waiting this long: hardly longer than the change settles anyway.
const PATIENCE: Duration = Duration::from_secs(3);

/// Look-ups of previous versions under way at once, and at most in one errand: nobody reads a hundred.
const IN_FLIGHT: usize = 8;
const PREVIOUS_AT_MOST: usize = 100;

impl Reload<'_> {
    /// Reads the task definitions that decide whether services are concerned: of those that say `auto` and whose terms do not name every change
    /// already. A service whose task definition cannot be read has its line at once.
    pub(super) async fn read_references(&self, errand: &Errand<'_>, services: &mut Vec<Service>, performed: &mut Performed) {
        let undecided = |service: &Service| {
            let listening = |key| service.tags.watch.as_ref().map(|watch| watch.listens(key, &service.home, None));
            service.status == ServiceStatus::Active && errand.changes.keys().any(|key| listening(key) == Some(Listening::AskTaskDefinition))
        };
        let wanted: BTreeMap<_, _> = services
            .iter()
            .filter(|service| undecided(service))
            .map(|service| (service.id.clone(), service.task_definition.clone()))
            .collect();
        let arns: BTreeSet<_> = wanted.values().flatten().cloned().collect();
        performed.task_definitions = arns.iter().filter(|arn| !self.aws.ecs.knows(arn)).count();
        let references = self.aws.ecs.references(arns, self.share_of_what_is_left(2)).await;
        services.retain_mut(|service| {
            let Some(arn) = wanted.get(&service.id) else { return true };
            match arn.as_ref().and_then(|arn| references.get(arn)) {
                Some(Ok(references)) => {
                    service.references = Some(references.clone());
                    performed.mistakes.extend(service.mistakes().map(|mistake| (service.id.clone(), mistake)));
                    true
                }
                Some(Err(error)) => {
                    performed.lines.push(ServiceLine::unread(&service.id, &unread(error)));
                    false
                }
                None => {
                    performed.lines.push(ServiceLine::unread(&service.id, &super::failed("Amazon ECS tells no task definition of it")));
                    false
                }
            }
        });
    }

    /// Adds to the changes that concern somebody what metadata tells: who, which version, when exactly, which version before, and whether the
    /// owner of the key wants nobody to be restarted. Asks fifty parameters a call, one call a secret and an object, and one for the ignored
    /// keys. What is not told within three seconds is noted, and nothing waits for it.
    pub(super) async fn learn(&self, errand: &mut Errand<'_>, services: &[Service]) {
        let concerns = |key: &Key| services.iter().any(|service| service.listens(key) != Listening::No);
        let keys: Vec<_> = errand
            .changes
            .values()
            .filter(|change| change.kind != ChangeKind::Labelled)
            .map(|change| change.key.clone())
            .filter(concerns)
            .collect();
        let Some(home) = services.first().map(|service| service.home.clone()) else { return };
        let by = self.until.min(Instant::now() + PATIENCE);

        // Of another account, or Region, metadata is not ours to read.
        let here: Vec<_> = keys.iter().filter(|key| key.is_at(&home)).collect();
        let paths: Vec<_> = here.iter().filter(|key| key.kind() == Kind::Parameter).map(|key| key.path()).collect();
        let versioned: Vec<_> =
            here.iter().filter_map(|key| errand.changes.get(*key)).filter(|change| change.kind == ChangeKind::Written).cloned().collect();
        let may_be_ignored = here.iter().any(|key| matches!(key.kind(), Kind::Parameter | Kind::Secret));
        let ignored =
            async { if may_be_ignored { Some(self.aws.tagging.ignored_keys(&self.settings.tag_prefix, by).await) } else { None } };
        let (parameters, previous, ignored) =
            join3(self.aws.ssm.describe(&paths, by), self.previous_versions(versioned, by), ignored).await;

        let (described, errors) = parameters;
        for key in keys {
            let Some(change) = errand.changes.get_mut(&key) else { continue };
            match described.get(key.path()).filter(|_| key.kind() == Kind::Parameter && key.is_at(&home)) {
                Some(told) => {
                    change.version = Some(told.version.to_string());
                    change.previous = (told.version > 1).then(|| (told.version - 1).to_string());
                    change.by.clone_from(&told.by);
                    // A source may move a change later, never earlier: a look-up may lag behind the event.
                    change.at = change.at.max(told.at);
                }
                None if key.kind() == Kind::Parameter && change.kind == ChangeKind::Written => {
                    let cause = errors.first().map_or_else(|| "DescribeParameters does not know it".to_owned(), ToString::to_string);
                    change.note(&format!("who changed it, and which version it is, is not known: {cause}"));
                }
                None => {}
            }
            match previous.get(&key) {
                Some(Ok(version)) => change.previous.clone_from(version),
                Some(Err(cause)) => change.note(&format!("the version before is not known: {cause}")),
                None => {}
            }
            match &ignored {
                Some(Ok(keys)) => change.ignored = keys.iter().any(|ignored| ignored.is_the_thing_of(&key)),
                Some(Err(error)) => change.note(&format!("whether its owner wants it ignored is not known: {error}")),
                None => {}
            }
        }
    }

    /// The versions before, of secrets and of objects whose events tell theirs.
    async fn previous_versions(&self, changes: Vec<Change>, by: Instant) -> BTreeMap<Key, Result<Option<String>, String>> {
        let look_up = |change: Change| async move {
            let told = match (change.key.kind(), change.key.path().split_once('/'), &change.version) {
                (Kind::Secret, ..) if change.key.stage().is_none() => Some(self.aws.secrets.previous_version(&change.key.arn(), by).await),
                (Kind::Object, Some((bucket, key)), Some(version)) => Some(self.aws.s3.previous_version(bucket, key, version, by).await),
                _ => None,
            };
            told.map(|told| (change.key, told.map_err(|error| error.to_string())))
        };
        let told = stream::iter(changes).take(PREVIOUS_AT_MOST).map(look_up).buffered(IN_FLIGHT);
        told.filter_map(async |told| told).collect().await
    }
}
