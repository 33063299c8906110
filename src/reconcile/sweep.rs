//! The sweep: every watched key's last change is compared with every service that watches it. It
//! finds what no event told.

mod metadata;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use tokio::time::Instant;

use super::batch::Batch;
use super::{Findings, Reconciler};
use crate::aws::{IN_A_CIRCLE, Listed, Listing};
use crate::domain::arn::ServiceId;
use crate::domain::change::{Change, Scope, coalesce, end_of_second, not_ahead_of};
use crate::domain::deployment::{Deployment, RolloutState};
use crate::domain::history::OldestTask;
use crate::domain::key::{CURRENT, Key, Kind};
use crate::domain::plan::{Planned, plan};
use crate::domain::policy::Policy;
use crate::domain::reason::{Decision, Reason};
use crate::domain::service::{Service, ServiceStatus};
use crate::domain::start::{Executed, ResultCode};
use crate::domain::summary::{ChangeLines, ServiceLine};
use crate::domain::tags::Mode;
use crate::domain::watch::Match;
use crate::event::Sweep;

use metadata::subjects;

/// Look-ups of one kind under way at once.
const IN_FLIGHT: usize = 8;

/// Why a stale service is not restarted, where that is not its owner's request.
const TOO_OLD: &str = "it changed before RELOADER_SWEEP_SINCE";
const MAYBE: &str = "the secret was modified since, its current version was not: perhaps a label \
                     moved, or only its description changed";
const PERHAPS_IGNORED: &str = "whether the owner of the key wants it ignored could not be read";

/// A change that services look stale for, and why it restarts none of them, where it does not.
#[derive(Debug)]
struct Candidate {
    change: Change,
    only_told: Option<&'static str>,
    services: BTreeSet<ServiceId>,
}

impl Reconciler<'_> {
    /// Describes every service that has opted in, asks metadata when each key changed that one of
    /// them watches, and has the tasks of what looks stale tell when they were created. Costs
    /// ceil(S/100) + ceil(S/10) calls for the services, one a task definition that is not known
    /// yet, one for fifty parameters or paths of them, a hundred secrets and each object, one a
    /// page for what is watched by its prefix, one for the ignored keys, one for each secret
    /// that looks newer than a service, and for each service that looks stale two for a hundred
    /// tasks. Restarts what is stale, under the same plan as any other change, and sends
    /// nothing for later: the next sweep finds what is left.
    pub(super) async fn sweep(
        &self,
        sweep: Sweep,
        watching: &[Listed],
    ) -> (Vec<ServiceLine>, Findings) {
        let ids: BTreeSet<_> = watching.iter().map(|listed| &listed.id).collect();
        let looks = self
            .aws
            .ecs
            .describe_services(
                ids,
                &self.settings.tag_prefix,
                self.share_of_what_is_left(3),
            )
            .await;
        let mut sweep_errors: Vec<_> = looks
            .unread
            .iter()
            .map(|(id, error)| format!("{id}: {error}"))
            .collect();
        let mut services = looks.services;
        services.retain(|service| {
            service.status == ServiceStatus::Active
                && service.desired > 0
                && service.tags.mode != Mode::Off
        });
        let looked_at = Instant::now();
        self.read_task_definitions(&mut services, &mut sweep_errors)
            .await;

        let home = watching
            .first()
            .map(|listed| listed.home.clone())
            .unwrap_or_default();
        let subjects = subjects(&services, &home, &mut sweep_errors);
        let fresh_since = services
            .iter()
            .filter_map(|service| fresh_since(service.primary()?))
            .min();
        let since = fresh_since.unwrap_or(Timestamp::MIN);
        let found = self.last_changes(&subjects, &home, since).await;
        sweep_errors.extend(found.sweep_errors);

        let candidates = candidates(coalesce(found.changes), &services);
        let candidates = self.without_ignored(candidates, &mut sweep_errors).await;
        let candidates = self
            .date_secrets(candidates, &found.rotated_at, &services, &mut sweep_errors)
            .await;
        let confirmed = self
            .verify_tasks(candidates, &mut services, &mut sweep_errors)
            .await;

        let mut findings = Findings {
            keys: found.keys,
            sweep_errors,
            ..Findings::default()
        };
        let changed = confirmed
            .iter()
            .filter(|candidate| candidate.only_told != Some(MAYBE));
        findings.stale = changed
            .flat_map(|candidate| &candidate.services)
            .collect::<BTreeSet<_>>()
            .len();
        let repair = sweep.repair.unwrap_or(self.settings.sweep_repairs);
        let (told, repaired): (Vec<_>, Vec<_>) = confirmed
            .into_iter()
            .partition(|candidate| candidate.only_told.is_some());
        let (mut lines, refused_changes) = self
            .repair(repair, repaired, services.clone(), looked_at)
            .await;
        findings.refused_changes = refused_changes;
        findings.still_stale = lines.iter().filter(|line| is_unrepaired(line)).count();
        let known: BTreeSet<_> = lines.iter().map(|line| line.service.clone()).collect();
        lines.extend(
            self.tell(told, &services)
                .into_values()
                .filter(|line| !known.contains(&line.service)),
        );
        (lines, findings)
    }

    /// The references of the services that say `auto`; a service of which they cannot be read is
    /// not swept.
    async fn read_task_definitions(
        &self,
        services: &mut Vec<Service>,
        sweep_errors: &mut Vec<String>,
    ) {
        let wanted = services
            .iter()
            .filter(|service| service.says_auto())
            .filter_map(|service| service.task_definition.clone());
        let told = self
            .aws
            .ecs
            .references(wanted.collect(), self.share_of_what_is_left(2))
            .await;
        services.retain_mut(|service| {
            match service.task_definition.as_ref().map(|arn| told.get(arn)) {
                Some(Some(Ok(references))) => service.references = Some(references.clone()),
                Some(Some(Err(error))) => {
                    sweep_errors.push(format!("what {} refers to: {error}", service.id));
                    return false;
                }
                // Without a task set of its own, it refers to nothing yet.
                None => service.references = Some(Arc::default()),
                Some(None) => {}
            }
            true
        });
    }

    /// What no owner of a key wants ignored, as far as that can be told.
    async fn without_ignored(
        &self,
        candidates: Vec<Candidate>,
        sweep_errors: &mut Vec<String>,
    ) -> Vec<Candidate> {
        let may_be_ignored = |candidate: &Candidate| {
            matches!(candidate.change.key.kind(), Kind::Parameter | Kind::Secret)
        };
        if !candidates.iter().any(may_be_ignored) {
            return candidates;
        }
        let by = self.share_of_what_is_left(2);
        match self
            .aws
            .tagging
            .ignored_keys(&self.settings.tag_prefix, self.clock.now(), by)
            .await
        {
            Ok(ignored) => {
                if !ignored.is_whole {
                    sweep_errors.push(format!("which keys are ignored: {IN_A_CIRCLE}"));
                }
                let is_ignored = |candidate: &Candidate| {
                    ignored
                        .found
                        .iter()
                        .any(|key| key.is_the_thing_of(&candidate.change.key))
                };
                candidates
                    .into_iter()
                    .filter(|candidate| !is_ignored(candidate))
                    .collect()
            }
            Err(error) => {
                sweep_errors.push(format!("which keys are ignored: {error}"));
                let only_told =
                    |candidate: &Candidate| may_be_ignored(candidate).then_some(PERHAPS_IGNORED);
                candidates
                    .into_iter()
                    .map(|candidate| Candidate {
                        only_told: only_told(&candidate),
                        ..candidate
                    })
                    .collect()
            }
        }
    }

    /// What is certain: a secret's version changed when it was created, or when a rotation moved
    /// it. A service that is newer than that, and older than the secret's last modification, is
    /// only told of.
    async fn date_secrets(
        &self,
        candidates: Vec<Candidate>,
        rotated_at: &BTreeMap<Key, Timestamp>,
        services: &[Service],
        sweep_errors: &mut Vec<String>,
    ) -> Vec<Candidate> {
        let (secrets, mut certain): (Vec<_>, Vec<_>) = candidates
            .into_iter()
            .partition(|candidate| candidate.change.key.kind() == Kind::Secret);
        let by = self.share_of_what_is_left(2);
        let asked = stream::iter(secrets).map(|candidate| async move {
            let key = &candidate.change.key;
            let created = self
                .aws
                .secrets
                .version_created_at(key.path(), key.stage().unwrap_or(CURRENT), by)
                .await;
            (candidate, created)
        });
        let asked: Vec<_> = asked.buffered(IN_FLIGHT).collect().await;
        for (candidate, created) in asked {
            let key = &candidate.change.key;
            let created = match created {
                Ok(Some(created)) => not_ahead_of(end_of_second(created), self.clock.now()),
                Ok(None) => {
                    sweep_errors.push(format!("{key}: no version has the label"));
                    continue;
                }
                Err(error) => {
                    sweep_errors.push(format!("{key}: {error}"));
                    continue;
                }
            };
            let at = rotated_at
                .get(key)
                .map_or(created, |rotated| created.max(*rotated));
            let is_fresh = |id: &ServiceId| {
                services
                    .iter()
                    .any(|service| service.id == *id && service.is_fresh(at))
            };
            let (newer, older): (BTreeSet<_>, BTreeSet<_>) =
                candidate.services.iter().cloned().partition(is_fresh);
            let change = Change {
                at,
                ..candidate.change.clone()
            };
            certain.push(Candidate {
                change,
                only_told: candidate.only_told,
                services: older,
            });
            certain.push(Candidate {
                only_told: Some(MAYBE),
                services: newer,
                ..candidate
            });
        }
        let now = self.clock.now();
        for candidate in &mut certain {
            let is_old = now.duration_since(candidate.change.at) > self.settings.sweep_since;
            candidate.only_told = candidate.only_told.or(is_old.then_some(TOO_OLD));
        }
        certain
    }

    /// Of what looks stale, the services that have a task which is not younger than the change;
    /// those first that may be restarted.
    async fn verify_tasks(
        &self,
        mut candidates: Vec<Candidate>,
        services: &mut [Service],
        sweep_errors: &mut Vec<String>,
    ) -> Vec<Candidate> {
        let by = self.share_of_what_is_left(2);
        candidates.sort_by_key(|candidate| candidate.only_told.is_some());
        let mut known = BTreeSet::new();
        let wanted: Vec<_> = candidates
            .iter()
            .flat_map(|candidate| &candidate.services)
            .filter(|id| known.insert(*id))
            .cloned()
            .collect();
        let oldest = stream::iter(wanted).map(|id| async move {
            let oldest = self.aws.ecs.oldest_task(&id, by).await;
            (id, oldest)
        });
        let oldest: BTreeMap<_, _> = oldest.buffered(IN_FLIGHT).collect().await;
        sweep_errors.extend(oldest.iter().filter_map(|(id, told)| match told {
            Ok(told) if told.is_whole => None,
            Ok(_) => Some(format!("the tasks of {id}: {IN_A_CIRCLE}")),
            Err(error) => Some(format!("the tasks of {id}: {error}")),
        }));
        for service in services {
            // What is missing of a listing may be older, and is not asked for twice.
            match oldest.get(&service.id) {
                Some(Ok(Listing {
                    found,
                    is_whole: true,
                })) => service.oldest_task = OldestTask::CreatedAt(*found),
                Some(Ok(_)) => service.oldest_task = OldestTask::Unreadable(IN_A_CIRCLE.to_owned()),
                Some(Err(_)) | None => {}
            }
        }
        for candidate in &mut candidates {
            let t = candidate.change.at;
            candidate.services.retain(|id| matches!(oldest.get(id), Some(Ok(Listing { found: Some(created_at), .. })) if *created_at <= t));
        }
        candidates.retain(|candidate| !candidate.services.is_empty());
        candidates
    }

    /// Restarts what is stale, or tells of it; answers how many changes were refused whole as well.
    async fn repair(
        &self,
        repair: bool,
        stale: Vec<Candidate>,
        services: Vec<Service>,
        looked_at: Instant,
    ) -> (Vec<ServiceLine>, usize) {
        let changes = changes(stale);
        let policy = Policy {
            notify_only: self.settings.notify_only || !repair,
            ..self.policy(&Batch::default())
        };
        let executed = self.carry_out(&changes, services, &policy, looked_at).await;
        // The next sweep goes on with it.
        let mut told = ChangeLines::new(&changes);
        let lines = executed
            .values()
            .map(|executed| ServiceLine::decided(executed, &mut told));
        let lines = lines
            .map(|line| ServiceLine {
                will_retry: line.will_retry && repair,
                ..line
            })
            .collect();
        let refused: BTreeSet<_> = executed
            .values()
            .flat_map(|executed| executed.planned.refused_changes())
            .collect();
        (lines, refused.len())
    }

    /// A line a service, for the first of the reasons why nothing restarts it.
    fn tell(&self, told: Vec<Candidate>, services: &[Service]) -> BTreeMap<ServiceId, ServiceLine> {
        let policy = Policy {
            notify_only: true,
            ..self.policy(&Batch::default())
        };
        let mut whys: BTreeMap<&'static str, Vec<Candidate>> = BTreeMap::new();
        for candidate in told {
            whys.entry(candidate.only_told.unwrap_or_default())
                .or_default()
                .push(candidate);
        }
        let mut lines = BTreeMap::new();
        for (why, told) in whys {
            let changes = changes(told);
            let mut plan = plan(&changes, services, &policy, self.clock.now());
            let mut told = ChangeLines::new(&changes);
            for seen in services {
                let Some(planned) = plan
                    .services
                    .remove(&seen.id)
                    .filter(|planned| planned.reason != Reason::Fresh)
                else {
                    continue;
                };
                let detail = planned
                    .detail
                    .iter()
                    .map(String::as_str)
                    .chain([why])
                    .collect::<Vec<_>>()
                    .join("; ");
                let executed = Executed {
                    planned: Planned {
                        detail: Some(detail),
                        ..planned
                    },
                    start: None,
                    seen: seen.clone(),
                };
                lines
                    .entry(seen.id.clone())
                    .or_insert_with(|| ServiceLine::decided(&executed, &mut told));
            }
        }
        lines
    }
}

/// What is older than this second is older than what a service reads; nothing is where its newest
/// deployment failed.
fn fresh_since(primary: &Deployment) -> Option<Timestamp> {
    let failed = primary.state == RolloutState::Failed;
    if failed {
        Some(Timestamp::MIN)
    } else {
        Timestamp::from_second(primary.created_at.as_second()).ok()
    }
}

/// The services that no good deployment made fresh since a change.
fn candidates(changes: BTreeMap<Key, Change>, services: &[Service]) -> Vec<Candidate> {
    let candidate = |change: Change| {
        let is_stale = |service: &&Service| {
            !service.is_fresh(change.at) && service.match_of(&change.key) == Match::Watched
        };
        let services = services
            .iter()
            .filter(is_stale)
            .map(|service| service.id.clone())
            .collect();
        Candidate {
            change,
            only_told: None,
            services,
        }
    };
    changes
        .into_values()
        .map(candidate)
        .filter(|candidate| !candidate.services.is_empty())
        .collect()
}

/// The changes, each for its own services alone.
fn changes(candidates: Vec<Candidate>) -> BTreeMap<Key, Change> {
    let change = |Candidate {
                      change,
                      services,
                      only_told: _,
                  }| Change {
        scope: Scope::only(services),
        ..change
    };
    coalesce(candidates.into_iter().map(change))
}

/// Whether a stale service was left as it is, although neither its owner nor the function's
/// settings want that.
fn is_unrepaired(line: &ServiceLine) -> bool {
    let is_wish = matches!(
        line.reason,
        Some(Reason::Paused | Reason::OutsideWindow | Reason::Rejected)
    );
    let is_left = matches!(line.decision, Some(Decision::Hold | Decision::Refuse)) && !is_wish;
    is_left
        || line
            .result
            .is_some_and(|result| result != ResultCode::Started)
}
