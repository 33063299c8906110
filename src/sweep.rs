//! The sweep: every watched key's last change is compared with every service that watches it. It
//! finds what no event reported.

mod candidates;
mod metadata;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use crate::aws::DescribedAt;
use crate::domain::arn::{AccountRegion, ServiceId};
use crate::domain::backoff::Attempt;
use crate::domain::batch::Batch;
use crate::domain::change::{Change, coalesce};
use crate::domain::deployment::{Deployment, RolloutState};
use crate::domain::ended::Causes;
use crate::domain::key::Key;
use crate::domain::plan::{Plan, plan};
use crate::domain::policy::Policy;
use crate::domain::reason::{Decision, Reason};
use crate::domain::resolution::{FollowUp, Remaining, Resolution, Resolutions};
use crate::domain::service::{Service, ServiceStatus};
use crate::domain::start::{Executed, StartResult};
use crate::domain::tags::Mode;
use crate::domain::watching::Watching;
use crate::event;
use crate::reconcile::{Reconciled, Reconciler, note_unread};
use crate::report::notices::Notices;
use crate::report::v1::Services;

use candidates::{Candidate, Cause, Verifier};
use metadata::{Metadata, subjects};

/// Compares everything that is watched.
#[derive(Clone, Copy, Debug)]
struct Sweep<'a> {
    reconciler: &'a Reconciler<'a>,
    /// The account and Region that bare terms mean.
    home: &'a AccountRegion,
}

/// The services that a sweep compares.
#[derive(Debug)]
struct Described {
    services: Vec<Service>,
    /// The instants at which they were described.
    at: DescribedAt,
    /// Those that could not be described, or whose references could not be read.
    unread: BTreeSet<ServiceId>,
}

/// The findings of a sweep.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// The number of keys that were compared.
    pub keys: usize,
    /// Services with a task that is older than a change which it reads.
    pub stale: usize,
    /// Those of them that should have been restarted, and could not be.
    pub still_stale: usize,
    /// Keys, services and listings that could not be compared, each with its error.
    pub errors: Vec<String>,
    /// Changes that were refused, since they would restart too many services.
    pub refused_changes: usize,
    /// The number of messages that were sent for later.
    pub sent: usize,
}

/// The lines and notices of an invocation, to which a sweep adds its own.
struct Results<'a> {
    services: &'a mut Services,
    notices: &'a mut Notices,
}

impl Sweep<'_> {
    /// Compares all services with the keys that they watch, and restarts the stale ones by the same
    /// plan as for any other change. Only what waits for its window is deferred, and the rollouts
    /// that were started, to follow them: the next sweep finds the other services that are left.
    ///
    /// Calls: ceil(S/100) + ceil(S/10) for the services; one for each task definition that is not
    /// known yet, for fifty parameters or paths of them, for a hundred secrets, for each object,
    /// and for each page below a prefix that is watched; one for the ignored keys; one for each
    /// secret that seems to be newer than a service; and two for a hundred tasks of each service
    /// that seems to be stale.
    async fn run(
        &self,
        request: event::Sweep,
        watching: &Watching,
        results: &mut Results<'_>,
    ) -> Findings {
        let mut findings = Findings::default();
        let mut described = self.describe(watching, &mut findings).await;
        let candidates = self
            .candidates(&mut described.services, &mut findings)
            .await;
        findings.stale = stale(&candidates);
        let repairs = request
            .repair
            .unwrap_or(self.reconciler.settings.sweep_repairs);
        let (reported, repaired): (Vec<_>, Vec<_>) = candidates
            .into_iter()
            .partition(|candidate| candidate.only_reported.is_some());
        let changes = candidates::changes(repaired);
        let mut policy = self.policy(!repairs);
        note_unread(&mut policy, changes.keys(), watching, &described.unread);
        let (compared, described_at) = (described.services.clone(), &described.at);
        let restarts = self.reconciler.restarts();
        let executed = restarts
            .carry_out(&changes, compared, &policy, described_at)
            .await;
        self.repaired(repairs, &changes, executed, results, &mut findings)
            .await;
        self.report(reported, &described.services, results);
        findings
    }

    /// The services that run tasks, with their references.
    async fn describe(&self, watching: &Watching, findings: &mut Findings) -> Described {
        let ids: BTreeSet<_> = watching.iter().map(|listed| &listed.id).collect();
        let described = self.reconciler.discovery().describe_services(ids).await;
        let unread = described.unread.iter();
        findings
            .errors
            .extend(unread.map(|(id, error)| format!("{id}: {error}")));
        let mut unread: BTreeSet<_> = described.unread.iter().map(|(id, _)| id.clone()).collect();
        let mut services = described.services;
        services.retain(|service| {
            service.status == ServiceStatus::Active
                && service.desired > 0
                && service.tags.mode != Mode::Off
        });
        let before: BTreeSet<_> = services.iter().map(|service| service.id.clone()).collect();
        self.read_references(&mut services, findings).await;
        let read: BTreeSet<_> = services.iter().map(|service| service.id.clone()).collect();
        unread.extend(before.difference(&read).cloned());
        Described {
            services,
            at: described.described_at,
            unread,
        }
    }

    /// The limits of the function. A sweep that only reports restarts nothing.
    fn policy(&self, only_reports: bool) -> Policy {
        let policy = self.reconciler.policy(&Batch::default());
        Policy {
            notify_only: policy.notify_only || only_reports,
            ..policy
        }
    }

    /// Reads the references of the services that say `auto`. A service whose references cannot be
    /// read is not compared.
    async fn read_references(&self, services: &mut Vec<Service>, findings: &mut Findings) {
        let wanted = services
            .iter()
            .filter(|service| service.says_auto())
            .filter_map(|service| service.task_definition.clone());
        let by = self.reconciler.deadline.share(2);
        let read = self
            .reconciler
            .aws
            .ecs
            .references(wanted.collect(), by)
            .await;
        services.retain_mut(|service| {
            let definition = service.task_definition.as_ref();
            match definition.map(|arn| read.get(arn)) {
                Some(Some(Ok(references))) => service.references = Some(references.clone()),
                Some(Some(Err(error))) => {
                    let what = format!("the references of {}: {error}", service.id);
                    findings.errors.push(what);
                    return false;
                }
                // Without a task set it has no task definition yet, and so no references.
                None => service.references = Some(Arc::default()),
                Some(None) => {}
            }
            true
        });
    }

    /// The changes that services have not read, each with these services.
    async fn candidates(
        &self,
        services: &mut [Service],
        findings: &mut Findings,
    ) -> Vec<Candidate> {
        let subjects = subjects(services, self.home, &mut findings.errors);
        let fresh_since = services
            .iter()
            .filter_map(|service| fresh_since(service.primary()?))
            .min();
        let since = fresh_since.unwrap_or(Timestamp::MIN);
        let Reconciler {
            aws,
            settings,
            clock,
            deadline,
            ..
        } = *self.reconciler;
        let metadata = Metadata {
            aws,
            clock,
            deadline,
            home: self.home,
        };
        let found = metadata.last_changes(&subjects, since).await;
        findings.keys = found.keys;
        findings.errors.extend(found.errors);

        let candidates = candidates::of(coalesce(found.changes), services);
        let errors = &mut findings.errors;
        let verifier = Verifier {
            aws,
            settings,
            clock,
            deadline,
        };
        let candidates = verifier.without_ignored(candidates, errors).await;
        let candidates = verifier
            .date_secrets(candidates, &found.rotated_at, services, errors)
            .await;
        verifier.verify_tasks(candidates, services, errors).await
    }

    /// Takes the services that were restarted, or would be.
    async fn repaired(
        &self,
        repairs: bool,
        changes: &BTreeMap<Key, Change>,
        executed: BTreeMap<ServiceId, Executed>,
        results: &mut Results<'_>,
        findings: &mut Findings,
    ) {
        let refused: BTreeSet<_> = executed
            .values()
            .flat_map(|executed| executed.planned.refused_changes())
            .collect();
        findings.refused_changes = refused.len();
        let mut resolutions: Resolutions = executed
            .into_iter()
            .map(|(id, executed)| (id, self.resolution(executed, changes, repairs)))
            .collect();
        findings.sent = self
            .reconciler
            .defer_of_sweep(changes, &mut resolutions)
            .await;
        findings.still_stale = resolutions
            .values()
            .filter(|one| is_still_stale(one))
            .count();
        self.add(changes, resolutions.into_values().collect(), results);
    }

    /// Adds the records of services to the lines, and to the notices if there is an event bus.
    fn add(
        &self,
        changes: &BTreeMap<Key, Change>,
        resolutions: Vec<Resolution>,
        results: &mut Results<'_>,
    ) {
        if self.reconciler.settings.event_bus.is_some() {
            results.notices.add_swept(changes, &resolutions);
        }
        results.services.add(changes, None, None, resolutions);
    }

    /// The record of a service. Work that is left is left to the next sweep, if that repairs.
    fn resolution(
        &self,
        executed: Executed,
        changes: &BTreeMap<Key, Change>,
        repairs: bool,
    ) -> Resolution {
        let following = self.reconciler.following_for(Causes {
            changes,
            older: &[],
            request: None,
        });
        let resolution = Resolution::of(executed, Attempt::default(), &following);
        let is_left = matches!(resolution.remaining(), Some(Remaining::Restart(_))) && repairs;
        Resolution {
            follow_up: if is_left {
                FollowUp::LeftToSweep
            } else {
                FollowUp::Done
            },
            ..resolution
        }
    }

    /// Reports the services that are stale and not restarted: one record a service, with the first
    /// of the causes.
    fn report(&self, reported: Vec<Candidate>, described: &[Service], results: &mut Results<'_>) {
        let policy = self.policy(true);
        let mut by_cause: BTreeMap<Cause, Vec<Candidate>> = BTreeMap::new();
        for candidate in reported {
            let cause = candidate.only_reported.unwrap_or(Cause::TooOld);
            by_cause.entry(cause).or_default().push(candidate);
        }
        let mut known: BTreeSet<ServiceId> = results.services.ids().cloned().collect();
        for (cause, candidates) in by_cause {
            let changes = candidates::changes(candidates);
            let mut plan = plan(&changes, described, &policy, self.reconciler.clock.now());
            let executed = described.iter().filter_map(|seen| of_plan(&mut plan, seen));
            let resolutions: Vec<_> = executed
                .filter(|executed| known.insert(executed.seen.id.clone()))
                .map(|executed| Resolution {
                    notes: vec![cause.text().to_owned()],
                    ..self.resolution(executed, &changes, false)
                })
                .collect();
            if cause.is_certain() {
                self.add(&changes, resolutions, results);
            } else {
                results.services.add(&changes, None, None, resolutions);
            }
        }
    }
}

/// Runs the sweep that an inbox requests, if there is one. Two requests at once make one sweep.
pub async fn sweep(
    reconciler: &Reconciler<'_>,
    request: event::Sweep,
    done: &mut Reconciled,
) -> Findings {
    let Reconciled {
        watching,
        home,
        services,
        notices,
        incomplete,
        sent,
        ..
    } = done;
    let sweep = Sweep { reconciler, home };
    let mut results = Results { services, notices };
    let mut findings = Box::pin(sweep.run(request, watching, &mut results)).await;
    findings.errors.extend(incomplete.iter().cloned());
    *sent += findings.sent;
    findings
}

fn of_plan(plan: &mut Plan, seen: &Service) -> Option<Executed> {
    let planned = plan.services.remove(&seen.id)?;
    (planned.reason != Reason::Fresh).then(|| Executed {
        planned,
        start: None,
        seen: seen.clone(),
    })
}

/// The services that are stale for a change that is certain.
fn stale(candidates: &[Candidate]) -> usize {
    let certain = candidates
        .iter()
        .filter(|candidate| candidate.only_reported != Some(Cause::PerhapsUnchanged));
    let services: BTreeSet<_> = certain.flat_map(|candidate| &candidate.services).collect();
    services.len()
}

/// The second before which everything was written that a service's newest deployment has certainly
/// read; [`Timestamp::MIN`] if that deployment failed.
fn fresh_since(primary: &Deployment) -> Option<Timestamp> {
    let failed = primary.state == RolloutState::Failed;
    if failed {
        Some(Timestamp::MIN)
    } else {
        Timestamp::from_second(primary.created_at.as_second()).ok()
    }
}

/// True if a stale service was not restarted, against the will of its owner and of the function's
/// settings.
fn is_still_stale(resolution: &Resolution) -> bool {
    let Ok(planned) = &resolution.planned else {
        return true;
    };
    let is_wanted = matches!(
        planned.reason,
        Reason::Paused | Reason::OutsideWindow | Reason::Rejected | Reason::WaitingForOrder
    );
    let decision = planned.reason.decision();
    let is_left = matches!(decision, Decision::Hold | Decision::Refuse) && !is_wanted;
    let start = resolution.start.as_ref();
    is_left || start.is_some_and(|start| !matches!(start, StartResult::Started { .. }))
}
