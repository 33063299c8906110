//! The sweep: every watched key's last change is compared with every service that watches it. It
//! finds what no event told.

mod metadata;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use tokio::time::Instant;

use super::errand::Errand;
use super::{Findings, Reload};
use crate::aws::{IN_A_CIRCLE, Listed, Listing};
use crate::domain::arn::ServiceId;
use crate::domain::change::{Change, Whom, coalesce, end_of_second, not_ahead_of};
use crate::domain::history::OldestTask;
use crate::domain::key::{CURRENT, Key, Kind};
use crate::domain::outcome::{RestartResult, RolledOut};
use crate::domain::plan::{Planned, Policy, plan};
use crate::domain::reason::{Decision, Reason};
use crate::domain::service::{Deployment, RolloutState, Service, ServiceStatus};
use crate::domain::summary::{ChangeLines, ServiceLine};
use crate::domain::tags::Mode;
use crate::domain::watch::Listening;
use crate::event::Sweep;

use metadata::subjects;

/// Look-ups of one kind under way at once.
const IN_FLIGHT: usize = 8;

/// Why a stale service is not restarted, where that is not its owner's wish.
const TOO_OLD: &str = "it changed before RELOADER_SWEEP_SINCE";
const MAYBE: &str = "the secret was modified since, its current version was not: perhaps a label \
                     moved, or only its description changed";
const PERHAPS_IGNORED: &str = "whether the owner of the key wants it ignored could not be read";

/// A change that services look stale for, and why it restarts none of them, where it does not.
#[derive(Debug)]
struct Suspicion {
    change: Change,
    only_told: Option<&'static str>,
    services: BTreeSet<ServiceId>,
}

impl Reload<'_> {
    /// Looks at every service that has opted in, asks metadata when each key changed that one of
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
            .look_at(
                ids,
                &self.settings.tag_prefix,
                self.share_of_what_is_left(3),
            )
            .await;
        let mut unswept: Vec<_> = looks
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
        self.refer(&mut services, &mut unswept).await;

        let home = watching
            .first()
            .map(|listed| listed.home.clone())
            .unwrap_or_default();
        let subjects = subjects(&services, &home, &mut unswept);
        let fresh_since = services
            .iter()
            .filter_map(|service| fresh_since(service.primary()?))
            .min();
        let since = fresh_since.unwrap_or(Timestamp::MIN);
        let found = self.last_changes(&subjects, &home, since).await;
        unswept.extend(found.unswept);

        let suspicions = suspicions(coalesce(found.changes), &services);
        let suspicions = self.without_ignored(suspicions, &mut unswept).await;
        let suspicions = self
            .certain(suspicions, &found.rotated_at, &services, &mut unswept)
            .await;
        let confirmed = self.confirm(suspicions, &mut services, &mut unswept).await;

        let mut findings = Findings {
            keys: found.keys,
            unswept,
            ..Findings::default()
        };
        let changed = confirmed
            .iter()
            .filter(|suspicion| suspicion.only_told != Some(MAYBE));
        findings.stale = changed
            .flat_map(|suspicion| &suspicion.services)
            .collect::<BTreeSet<_>>()
            .len();
        let repair = sweep.repair.unwrap_or(self.settings.sweep_repairs);
        let (told, repaired): (Vec<_>, Vec<_>) = confirmed
            .into_iter()
            .partition(|suspicion| suspicion.only_told.is_some());
        let (mut lines, refused_changes) = self
            .repair(repair, repaired, services.clone(), looked_at)
            .await;
        findings.refused_changes = refused_changes;
        findings.unrepaired = lines.iter().filter(|line| is_unrepaired(line)).count();
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
    async fn refer(&self, services: &mut Vec<Service>, unswept: &mut Vec<String>) {
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
                    unswept.push(format!("what {} refers to: {error}", service.id));
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
        suspicions: Vec<Suspicion>,
        unswept: &mut Vec<String>,
    ) -> Vec<Suspicion> {
        let may_be_ignored = |suspicion: &Suspicion| {
            matches!(suspicion.change.key.kind(), Kind::Parameter | Kind::Secret)
        };
        if !suspicions.iter().any(may_be_ignored) {
            return suspicions;
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
                    unswept.push(format!("which keys are ignored: {IN_A_CIRCLE}"));
                }
                let is_ignored = |suspicion: &Suspicion| {
                    ignored
                        .found
                        .iter()
                        .any(|key| key.is_the_thing_of(&suspicion.change.key))
                };
                suspicions
                    .into_iter()
                    .filter(|suspicion| !is_ignored(suspicion))
                    .collect()
            }
            Err(error) => {
                unswept.push(format!("which keys are ignored: {error}"));
                let only_told =
                    |suspicion: &Suspicion| may_be_ignored(suspicion).then_some(PERHAPS_IGNORED);
                suspicions
                    .into_iter()
                    .map(|suspicion| Suspicion {
                        only_told: only_told(&suspicion),
                        ..suspicion
                    })
                    .collect()
            }
        }
    }

    /// What is certain: a secret's version changed when it was created, or when a rotation moved
    /// it. A service that is newer than that, and older than the secret's last modification, is
    /// only told of.
    async fn certain(
        &self,
        suspicions: Vec<Suspicion>,
        rotated_at: &BTreeMap<Key, Timestamp>,
        services: &[Service],
        unswept: &mut Vec<String>,
    ) -> Vec<Suspicion> {
        let (secrets, mut certain): (Vec<_>, Vec<_>) = suspicions
            .into_iter()
            .partition(|suspicion| suspicion.change.key.kind() == Kind::Secret);
        let by = self.share_of_what_is_left(2);
        let asked = stream::iter(secrets).map(|suspicion| async move {
            let key = &suspicion.change.key;
            let created = self
                .aws
                .secrets
                .version_created_at(key.path(), key.stage().unwrap_or(CURRENT), by)
                .await;
            (suspicion, created)
        });
        let asked: Vec<_> = asked.buffered(IN_FLIGHT).collect().await;
        for (suspicion, created) in asked {
            let key = &suspicion.change.key;
            let created = match created {
                Ok(Some(created)) => not_ahead_of(end_of_second(created), self.clock.now()),
                Ok(None) => {
                    unswept.push(format!("{key}: no version has the label"));
                    continue;
                }
                Err(error) => {
                    unswept.push(format!("{key}: {error}"));
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
                suspicion.services.iter().cloned().partition(is_fresh);
            let change = Change {
                at,
                ..suspicion.change.clone()
            };
            certain.push(Suspicion {
                change,
                only_told: suspicion.only_told,
                services: older,
            });
            certain.push(Suspicion {
                only_told: Some(MAYBE),
                services: newer,
                ..suspicion
            });
        }
        let now = self.clock.now();
        for suspicion in &mut certain {
            let is_old = now.duration_since(suspicion.change.at) > self.settings.sweep_since;
            suspicion.only_told = suspicion.only_told.or(is_old.then_some(TOO_OLD));
        }
        certain
    }

    /// Of what looks stale, the services that have a task which is not younger than the change;
    /// those first that may be restarted.
    async fn confirm(
        &self,
        mut suspicions: Vec<Suspicion>,
        services: &mut [Service],
        unswept: &mut Vec<String>,
    ) -> Vec<Suspicion> {
        let by = self.share_of_what_is_left(2);
        suspicions.sort_by_key(|suspicion| suspicion.only_told.is_some());
        let mut known = BTreeSet::new();
        let wanted: Vec<_> = suspicions
            .iter()
            .flat_map(|suspicion| &suspicion.services)
            .filter(|id| known.insert(*id))
            .cloned()
            .collect();
        let oldest = stream::iter(wanted).map(|id| async move {
            let oldest = self.aws.ecs.oldest_task(&id, by).await;
            (id, oldest)
        });
        let oldest: BTreeMap<_, _> = oldest.buffered(IN_FLIGHT).collect().await;
        unswept.extend(oldest.iter().filter_map(|(id, told)| match told {
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
        for suspicion in &mut suspicions {
            let t = suspicion.change.at;
            suspicion.services.retain(|id| matches!(oldest.get(id), Some(Ok(Listing { found: Some(created_at), .. })) if *created_at <= t));
        }
        suspicions.retain(|suspicion| !suspicion.services.is_empty());
        suspicions
    }

    /// Restarts what is stale, or tells of it; answers how many changes were refused whole as well.
    async fn repair(
        &self,
        repair: bool,
        stale: Vec<Suspicion>,
        services: Vec<Service>,
        looked_at: Instant,
    ) -> (Vec<ServiceLine>, usize) {
        let changes = changes(stale);
        let policy = Policy {
            notify_only: self.settings.notify_only || !repair,
            ..self.policy(&Errand::default())
        };
        let rolled = self.carry_out(&changes, services, &policy, looked_at).await;
        // The next sweep goes on with it.
        let mut told = ChangeLines::new(&changes);
        let lines = rolled
            .values()
            .map(|rolled| ServiceLine::decided(rolled, &mut told));
        let lines = lines
            .map(|line| ServiceLine {
                again: line.again && repair,
                ..line
            })
            .collect();
        let refused: BTreeSet<_> = rolled
            .values()
            .flat_map(|rolled| rolled.planned.refused_changes())
            .collect();
        (lines, refused.len())
    }

    /// A line a service, for the first of the reasons why nothing restarts it.
    fn tell(&self, told: Vec<Suspicion>, services: &[Service]) -> BTreeMap<ServiceId, ServiceLine> {
        let policy = Policy {
            notify_only: true,
            ..self.policy(&Errand::default())
        };
        let mut whys: BTreeMap<&'static str, Vec<Suspicion>> = BTreeMap::new();
        for suspicion in told {
            whys.entry(suspicion.only_told.unwrap_or_default())
                .or_default()
                .push(suspicion);
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
                let rolled = RolledOut {
                    planned: Planned {
                        detail: Some(detail),
                        ..planned
                    },
                    outcome: None,
                    seen: seen.clone(),
                };
                lines
                    .entry(seen.id.clone())
                    .or_insert_with(|| ServiceLine::decided(&rolled, &mut told));
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
fn suspicions(changes: BTreeMap<Key, Change>, services: &[Service]) -> Vec<Suspicion> {
    let suspicion = |change: Change| {
        let is_stale = |service: &&Service| {
            !service.is_fresh(change.at) && service.listens(&change.key) == Listening::Yes
        };
        let services = services
            .iter()
            .filter(is_stale)
            .map(|service| service.id.clone())
            .collect();
        Suspicion {
            change,
            only_told: None,
            services,
        }
    };
    changes
        .into_values()
        .map(suspicion)
        .filter(|suspicion| !suspicion.services.is_empty())
        .collect()
}

/// The changes, each for its own services alone.
fn changes(suspicions: Vec<Suspicion>) -> BTreeMap<Key, Change> {
    let change = |Suspicion {
                      change,
                      services,
                      only_told: _,
                  }| Change {
        whom: Whom::only(services),
        ..change
    };
    coalesce(suspicions.into_iter().map(change))
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
            .is_some_and(|result| result != RestartResult::Started)
}
