//! The changes for which services seem to be stale, and the reads that make them certain.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, stream};
use jiff::Timestamp;

use super::metadata::IN_FLIGHT;
use crate::aws::{Aws, Error, Listing, REPEATED_TOKEN};
use crate::clock::{Clock, Deadline};
use crate::domain::arn::ServiceId;
use crate::domain::change::{Change, Scope, coalesce, end_of_second, not_ahead_of};
use crate::domain::history::OldestTask;
use crate::domain::index::TermIndex;
use crate::domain::key::{CURRENT, Key, Kind};
use crate::domain::service::Service;
use crate::domain::watch::Match;
use crate::settings::Settings;

/// Makes candidates certain.
#[derive(Clone, Copy, Debug)]
pub(super) struct Verifier<'a> {
    pub(super) aws: &'a Aws,
    pub(super) settings: &'a Settings,
    pub(super) clock: &'a Clock,
    pub(super) deadline: Deadline,
}

/// A change, and the services that seem to be stale for it.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) change: Change,
    /// The cause for which none of them is restarted, if there is one.
    pub(super) only_reported: Option<Cause>,
    pub(super) services: BTreeSet<ServiceId>,
}

/// The cause for which a stale service is reported and not restarted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cause {
    /// The change is older than `RELOADER_SWEEP_SINCE`.
    TooOld,
    /// The secret was modified, but its current version was not.
    PerhapsUnchanged,
    /// The list of ignored keys could not be read.
    PerhapsIgnored,
}

impl Cause {
    /// True if its services run on an old value for certain.
    pub(super) fn is_certain(self) -> bool {
        match self {
            Self::TooOld => true,
            Self::PerhapsUnchanged | Self::PerhapsIgnored => false,
        }
    }

    pub(super) fn text(self) -> &'static str {
        match self {
            Self::TooOld => "it changed before RELOADER_SWEEP_SINCE",
            Self::PerhapsUnchanged => {
                "the secret was modified since, but its current version was not: perhaps a label \
                 moved, or only its description changed"
            }
            Self::PerhapsIgnored => "the list of ignored keys could not be read",
        }
    }
}

/// The services without a good deployment since a change.
pub(super) fn of(changes: BTreeMap<Key, Change>, services: &[Service]) -> Vec<Candidate> {
    let terms = services.iter().enumerate();
    let terms = terms.flat_map(|(place, one)| one.watched().map(move |term| (place, term)));
    let terms: TermIndex = terms.collect();
    let candidate = |change: Change| {
        let is_stale = |service: &&Service| {
            !service.is_fresh(change.at) && service.match_of(&change.key) == Match::Watched
        };
        let watching = terms.candidates(&change.key).into_iter();
        let watching = watching.filter_map(|place| services.get(place));
        let stale = watching.filter(is_stale);
        Candidate {
            services: stale.map(|service| service.id.clone()).collect(),
            change,
            only_reported: None,
        }
    };
    let candidates = changes.into_values().map(candidate);
    candidates
        .filter(|candidate| !candidate.services.is_empty())
        .collect()
}

/// The changes, each for its own services alone.
pub(super) fn changes(candidates: Vec<Candidate>) -> BTreeMap<Key, Change> {
    coalesce(candidates.into_iter().map(|candidate| Change {
        scope: Scope::only(candidate.services),
        ..candidate.change
    }))
}

impl Verifier<'_> {
    /// The candidates without those whose key its owner wants ignored. If that cannot be read,
    /// they are only reported.
    pub(super) async fn without_ignored(
        &self,
        mut candidates: Vec<Candidate>,
        errors: &mut Vec<String>,
    ) -> Vec<Candidate> {
        let may_be_ignored = |candidate: &Candidate| {
            matches!(candidate.change.key.kind(), Kind::Parameter | Kind::Secret)
        };
        if !candidates.iter().any(may_be_ignored) {
            return candidates;
        }
        let (prefix, now) = (&self.settings.tag_prefix, self.clock.now());
        let by = self.deadline.share(2);
        match self.aws.tagging.ignored_keys(prefix, now, by).await {
            Ok(ignored) => {
                if !ignored.is_whole {
                    errors.push(format!("the list of ignored keys: {REPEATED_TOKEN}"));
                }
                candidates.retain(|one| !ignored.found.contains(&one.change.key.thing()));
            }
            Err(error) => {
                errors.push(format!("the list of ignored keys: {error}"));
                for candidate in candidates.iter_mut().filter(|one| may_be_ignored(one)) {
                    candidate.only_reported = Some(Cause::PerhapsIgnored);
                }
            }
        }
        candidates
    }

    /// Dates secrets exactly: the version of a secret changed when it was created, or when a
    /// rotation moved it. A service that is newer than that, and older than the secret's last
    /// modification, is only reported.
    pub(super) async fn date_secrets(
        &self,
        candidates: Vec<Candidate>,
        rotated_at: &BTreeMap<Key, Timestamp>,
        services: &[Service],
        errors: &mut Vec<String>,
    ) -> Vec<Candidate> {
        let (secrets, mut dated): (Vec<_>, Vec<_>) = candidates
            .into_iter()
            .partition(|candidate| candidate.change.key.kind() == Kind::Secret);
        for (candidate, created) in self.created(secrets).await {
            let key = &candidate.change.key;
            let created = match created {
                Ok(Some(created)) => not_ahead_of(end_of_second(created), self.clock.now()),
                Ok(None) => {
                    errors.push(format!("{key}: no version has the label"));
                    continue;
                }
                Err(error) => {
                    errors.push(format!("{key}: {error}"));
                    continue;
                }
            };
            let rotated = rotated_at.get(key);
            let at = rotated.map_or(created, |rotated| created.max(*rotated));
            dated.extend(candidate.dated(at, services));
        }
        let now = self.clock.now();
        for candidate in &mut dated {
            let age = now.duration_since(candidate.change.at);
            let is_old = (age > self.settings.sweep_since).then_some(Cause::TooOld);
            candidate.only_reported = candidate.only_reported.or(is_old);
        }
        dated
    }

    /// The creation of the version that the services read, of each secret.
    async fn created(
        &self,
        secrets: Vec<Candidate>,
    ) -> Vec<(Candidate, Result<Option<Timestamp>, Error>)> {
        let by = self.deadline.share(2);
        let asked = stream::iter(secrets).map(|candidate| async move {
            let key = &candidate.change.key;
            let (path, stage) = (key.path(), key.stage().unwrap_or(CURRENT));
            let created = self.aws.secrets.version_created_at(path, stage, by).await;
            (candidate, created)
        });
        asked.buffered(IN_FLIGHT).collect().await
    }

    /// The candidates, with only those services that have a task which is not younger than the
    /// change. The tasks of services that may be restarted are read first.
    pub(super) async fn verify_tasks(
        &self,
        mut candidates: Vec<Candidate>,
        services: &mut [Service],
        errors: &mut Vec<String>,
    ) -> Vec<Candidate> {
        candidates.sort_by_key(|candidate| candidate.only_reported.is_some());
        let oldest = self.oldest_tasks(&candidates).await;
        errors.extend(oldest.iter().filter_map(|(id, task)| match task {
            Ok(task) if task.is_whole => None,
            Ok(_) => Some(format!("the tasks of {id}: {REPEATED_TOKEN}")),
            Err(error) => Some(format!("the tasks of {id}: {error}")),
        }));
        for service in services {
            // A task that is missing in the listing may be older. The listing is not repeated.
            if let Some(Ok(task)) = oldest.get(&service.id) {
                service.oldest_task = if task.is_whole {
                    OldestTask::CreatedAt(task.found)
                } else {
                    OldestTask::Unreadable(REPEATED_TOKEN.to_owned())
                };
            }
        }
        for candidate in &mut candidates {
            let t = candidate.change.at;
            candidate.services.retain(|id| {
                let task = oldest.get(id).and_then(|task| task.as_ref().ok());
                let created_at = task.and_then(|task| task.found);
                created_at.is_some_and(|created_at| created_at <= t)
            });
        }
        candidates.retain(|candidate| !candidate.services.is_empty());
        candidates
    }

    /// The creation of the oldest task of each service, in the order of the candidates.
    async fn oldest_tasks(
        &self,
        candidates: &[Candidate],
    ) -> BTreeMap<ServiceId, Result<Listing<Option<Timestamp>>, Error>> {
        let by = self.deadline.share(2);
        let mut known = BTreeSet::new();
        let ids = candidates.iter().flat_map(|candidate| &candidate.services);
        let wanted: Vec<_> = ids.filter(|id| known.insert(*id)).cloned().collect();
        let oldest = stream::iter(wanted).map(|id| async move {
            let oldest = self.aws.ecs.oldest_task(&id, by).await;
            (id, oldest)
        });
        oldest.buffered(IN_FLIGHT).collect().await
    }
}

impl Candidate {
    /// The candidate with its change at the exact time; and a second one, only reported, with the
    /// services that are fresh at that time.
    fn dated(self, at: Timestamp, services: &[Service]) -> [Self; 2] {
        let is_fresh = |id: &ServiceId| {
            let mut services = services.iter();
            services.any(|service| service.id == *id && service.is_fresh(at))
        };
        let (newer, older): (BTreeSet<_>, BTreeSet<_>) =
            self.services.iter().cloned().partition(is_fresh);
        let change = Change {
            at,
            ..self.change.clone()
        };
        [
            Self {
                change,
                only_reported: self.only_reported,
                services: older,
            },
            Self {
                only_reported: Some(Cause::PerhapsUnchanged),
                services: newer,
                ..self
            },
        ]
    }
}
