//! Who is restarted: one pure function, and the plan that it makes.

mod detail;
mod evidence;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::arn::ServiceId;
use super::change::{Change, ChangeKind, distinct};
use super::history::Ended;
use super::hold::{hold, patience_ends};
use super::key::Key;
use super::reason::{Decision, Reason};
use super::service::{Controller, Service, ServiceStatus};
use super::shared::{Found, Shared};
use super::tags::{Mode, Strategy};
use super::watch::Match;

/// A service named by a manual invocation counts as fresh where its last deployment was created
/// this long before it was asked, or later, so that neither a repeated call nor a message that
/// comes again restarts it twice.
const JUST_RESTARTED: SignedDuration = SignedDuration::from_secs(60);

/// What the function, and the invocation, allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Decide and tell, restart nothing (`RELOADER_MODE`).
    pub notify_only: bool,
    /// The same, asked for by this invocation.
    pub dry_run: bool,
    /// Most services that one change may restart.
    pub max_services: usize,
    /// More, asked for by a message that may not raise it.
    pub asked_in_vain: Option<usize>,
    /// How long after a change a restart may start, so that every replica of the store has it.
    pub settle: SignedDuration,
    /// How long the invocation may itself wait for that; what settles later is held.
    pub patience: SignedDuration,
    /// Least time between two deployments of a service, where its tag says nothing else.
    pub min_interval: SignedDuration,
    /// Most restarts of a service within an hour.
    pub restarts_per_hour: usize,
    /// Most rollouts of one change at once.
    pub max_in_flight: usize,
    /// Services that a manual invocation names: restarted whatever their freshness says.
    pub named: BTreeSet<ServiceId>,
    /// When that was asked.
    pub asked_at: Timestamp,
}

/// What is to be done, and nothing left to choose.
#[must_use = "a plan does nothing until it is rolled out"]
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// One entry a service that a change concerns.
    pub services: BTreeMap<ServiceId, Planned>,
}

/// The reason that each of some changes would give alone.
pub type Reasons = BTreeMap<Key, Reason>;

/// What is to be done about one service.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// Why, and so what.
    pub reason: Reason,
    /// What would have been done, where `reason` is only that nobody wants it done.
    pub would_be: Option<Reason>,
    /// What a person needs to know beyond the reason.
    pub detail: Option<String>,
    /// The changes that concern it, each with the reason that it alone would give. Services that
    /// are concerned alike share them.
    pub asked_by: Arc<Reasons>,
    /// Whether a request names it, beside or instead of a change.
    pub requested: bool,
    /// A restart may start at this instant.
    pub not_before: Timestamp,
    /// When a hold ends, or is to be looked at at the latest, where that is known.
    pub until: Option<Timestamp>,
    /// The deployment that ended for what asks, where that is why nothing is started.
    pub ended: Option<Ended>,
}

impl Plan {
    /// The services that are to be restarted.
    pub fn restarts(&self) -> impl Iterator<Item = (&ServiceId, &Planned)> {
        self.services
            .iter()
            .filter(|(_, planned)| planned.reason.decision() == Decision::Restart)
    }
}

impl Planned {
    /// The changes that restart nobody, since they reach too far; none where nobody wants a
    /// restart.
    pub fn refused_changes(&self) -> impl Iterator<Item = &Key> {
        let refused = self
            .asked_by
            .iter()
            .filter(|(_, reason)| self.would_be.is_none() && **reason == Reason::BlastRadius);
        refused.map(|(key, _)| key)
    }
}

/// Decides. No I/O, no clock, no randomness: the same look gives the same plan.
pub fn plan(
    changes: &BTreeMap<Key, Change>,
    services: &[Service],
    policy: &Policy,
    now: Timestamp,
) -> Plan {
    let mut shared = Shared::default();
    let mut judged: BTreeMap<&ServiceId, Arc<Reasons>> = BTreeMap::new();
    for service in services {
        let mut known = BTreeMap::new();
        let mut judge = |change: &Change| {
            judge_change(service, change, |t| {
                *known
                    .entry(t)
                    .or_insert_with(|| judge_at(service, t, policy, now))
            })
        };
        let reasons = changes
            .iter()
            .filter_map(|(key, change)| Some((key.clone(), judge(change)?)));
        judged.insert(&service.id, shared.share(reasons.collect()));
    }
    let reached = reach(&judged, changes, services);
    let running = running(&judged, services, policy, now);
    let lists: Vec<_> = distinct(changes.values()).collect();
    let mut asked = Found::default();
    let mut plan = Plan::default();
    for service in services {
        let reasons = judged.remove(&service.id).unwrap_or_default();
        // Which changes a service is to be looked at for depends on these lists alone.
        let included: Vec<_> = lists
            .iter()
            .map(|scope| scope.includes(&service.id))
            .collect();
        let asked_by = asked.of(&reasons, included, || {
            shared.share(asking(service, &reasons, changes, &reached, policy))
        });
        let named = policy
            .named
            .contains(&service.id)
            .then(|| judge_named(service, policy, now));
        if let Some(reason) = asked_by.values().copied().chain(named).max() {
            let planned = Planned {
                requested: named.is_some(),
                ..settle(service, reason, asked_by, changes, policy, now)
            };
            let request = wish(service, policy).filter(|_| planned.reason.yields_to_mode());
            let planned = Planned {
                detail: detail::of(service, &planned, changes, &reached, policy),
                would_be: request.is_some().then_some(planned.reason),
                reason: request.unwrap_or(planned.reason),
                ..planned
            };
            plan.services.insert(service.id.clone(), planned);
        }
    }
    limit_in_flight(&mut plan, running, policy);
    plan
}

/// The changes that a service is to be looked at for, those that would restart too many services
/// refused.
fn asking(
    service: &Service,
    judged: &Reasons,
    changes: &BTreeMap<Key, Change>,
    reached: &BTreeMap<Key, usize>,
    policy: &Policy,
) -> Reasons {
    let asking = judged.iter().filter(|(key, _)| {
        changes
            .get(key)
            .is_some_and(|change| change.scope.includes(&service.id))
    });
    let limited = asking.map(|(key, reason)| {
        let too_many = *reason > Reason::BlastRadius
            && reached
                .get(key)
                .is_some_and(|reached| *reached > policy.max_services);
        (
            key.clone(),
            if too_many {
                Reason::BlastRadius
            } else {
                *reason
            },
        )
    });
    limited.collect()
}

/// A restart that the invocation cannot wait for is held until the newest of its changes has
/// settled.
fn settle(
    service: &Service,
    reason: Reason,
    asked_by: Arc<Reasons>,
    changes: &BTreeMap<Key, Change>,
    policy: &Policy,
    now: Timestamp,
) -> Planned {
    let stale = asked_by
        .iter()
        .filter(|(_, reason)| **reason == Reason::Stale)
        .filter_map(|(key, _)| changes.get(key));
    let settled = stale
        .map(|change| change.at)
        .max()
        .and_then(|at| at.saturating_add(policy.settle).ok())
        .unwrap_or(now);
    let reason = if reason == Reason::Stale && settled.duration_since(now) > policy.patience {
        Reason::Settling
    } else {
        reason
    };
    let asking: Vec<_> = asked_by
        .iter()
        .filter(|(_, asked)| **asked == reason)
        .filter_map(|(key, _)| Some(changes.get(key)?.at))
        .collect();
    // Nothing asks but a person.
    let t = asking.iter().copied().min().unwrap_or(policy.asked_at);
    let until = match reason {
        Reason::Settling => Some(settled),
        Reason::AwaitingApproval => {
            let approval = service.approval_since(
                asking
                    .iter()
                    .copied()
                    .min()
                    .unwrap_or_else(|| just_before(policy.asked_at)),
            );
            approval
                .and_then(|approval| approval.expires_at)
                .filter(|expires_at| *expires_at > now)
        }
        Reason::DeploymentInProgress => {
            let waiting = asked_by
                .iter()
                .filter(|(_, reason)| **reason == Reason::DeploymentInProgress);
            waiting
                .filter_map(|(key, _)| patience_ends(service, changes.get(key)?.at))
                .min()
        }
        _ => {
            let t = asked_by
                .keys()
                .next()
                .and_then(|key| changes.get(key))
                .map(|change| change.at);
            hold(service, t, policy, now)
                .filter(|hold| hold.reason == reason)
                .and_then(|hold| hold.until)
        }
    };
    let ended = if matches!(reason, Reason::FailedAlready | Reason::Rejected) {
        service.ended_since(t)
    } else {
        None
    };
    Planned {
        reason,
        would_be: None,
        detail: None,
        asked_by,
        requested: false,
        not_before: settled,
        until,
        ended,
    }
}

/// How many rollouts of each change run, whoever is asked to look at them; nothing stands for a
/// person's request.
fn running(
    judged: &BTreeMap<&ServiceId, Arc<Reasons>>,
    services: &[Service],
    policy: &Policy,
    now: Timestamp,
) -> BTreeMap<Option<Key>, usize> {
    let mut running = BTreeMap::new();
    for service in services.iter().filter(|service| service.is_rolling()) {
        let covered = judged
            .get(&service.id)
            .into_iter()
            .flat_map(|reasons| &**reasons)
            .filter(|(_, reason)| reason.is_covered());
        let is_wished =
            policy.named.contains(&service.id) && judge_named(service, policy, now).is_covered();
        for asked in covered
            .map(|(key, _)| Some(key.clone()))
            .chain(is_wished.then_some(None))
        {
            *running.entry(asked).or_default() += 1;
        }
    }
    running
}

/// Holds the restarts of a change that has as many rollouts under way as are allowed, its restarts
/// before them among them.
fn limit_in_flight(plan: &mut Plan, mut running: BTreeMap<Option<Key>, usize>, policy: &Policy) {
    for (id, planned) in plan
        .services
        .iter_mut()
        .filter(|(_, planned)| planned.reason == Reason::Stale)
    {
        let stale = planned
            .asked_by
            .iter()
            .filter(|(_, reason)| **reason == Reason::Stale)
            .map(|(key, _)| Some(key.clone()));
        let asked = stale.chain(policy.named.contains(id).then_some(None));
        if asked.clone().any(|key| {
            running
                .get(&key)
                .is_some_and(|running| *running >= policy.max_in_flight)
        }) {
            planned.detail = Some(format!(
                "{} rollouts of this change run at once",
                policy.max_in_flight
            ));
            planned.reason = Reason::InFlightLimit;
        } else {
            asked.for_each(|key| *running.entry(key).or_default() += 1);
        }
    }
}

/// How many services each change would restart, now or later, whoever is asked to look at them;
/// those whose task definitions could not be read may be among them. Services whose owners want
/// nothing done do not count.
fn reach(
    judged: &BTreeMap<&ServiceId, Arc<Reasons>>,
    changes: &BTreeMap<Key, Change>,
    services: &[Service],
) -> BTreeMap<Key, usize> {
    let mut reached: BTreeMap<Key, usize> = BTreeMap::new();
    let mut alike: BTreeMap<usize, (&Reasons, usize)> = BTreeMap::new();
    for service in services
        .iter()
        .filter(|service| service.tags.mode == Mode::Auto)
    {
        if let Some(reasons) = judged.get(&service.id) {
            alike
                .entry(Arc::as_ptr(reasons).addr())
                .or_insert((reasons, 0))
                .1 += 1;
        }
        let unknown = changes
            .keys()
            .filter(|_| service.may_need_its_task_definition());
        for key in unknown.filter(|key| service.match_of(key) == Match::NeedsTaskDefinition) {
            *reached.entry(key.clone()).or_default() += 1;
        }
    }
    for (reasons, services) in alike.into_values() {
        for (key, _) in reasons
            .iter()
            .filter(|(_, reason)| **reason > Reason::BlastRadius)
        {
            *reached.entry(key.clone()).or_default() += services;
        }
    }
    reached
}

/// `None` where the service does not listen to the key. `judge_at` tells what else the instant of
/// the change alone decides.
fn judge_change(
    service: &Service,
    change: &Change,
    judge_at: impl FnOnce(Timestamp) -> Reason,
) -> Option<Reason> {
    let lost = change.kind == ChangeKind::Deleted && service.refers_to(&change.key);
    let key_alone = match (service.match_of(&change.key), change.kind) {
        (Match::Excluded, _) => Some(Reason::Excluded),
        _ if lost && !change.ignored => Some(Reason::Deleted),
        // What was held, and is gone, has an end that is told.
        (Match::None, _) if is_gone(service) && change.scope.names(&service.id) => {
            Some(Reason::Inactive)
        }
        // Where a task definition could not be read, the caller tells of it.
        (Match::None | Match::NeedsTaskDefinition, _) => return None,
        (Match::Pinned, _) => Some(Reason::Pinned),
        _ if change.ignored => Some(Reason::IgnoredKey),
        (Match::Watched, ChangeKind::Labelled) => Some(Reason::LabelOnly),
        (Match::Watched, ChangeKind::Deleted) => Some(Reason::Deleted),
        (Match::Watched, ChangeKind::Written) => None,
    };
    Some(key_alone.unwrap_or_else(|| judge_at(change.at)))
}

/// What a change at `t` gives whose key alone decides nothing.
fn judge_at(service: &Service, t: Timestamp, policy: &Policy, now: Timestamp) -> Reason {
    unfit(service)
        .or_else(|| (service.desired == 0).then_some(Reason::NoTasks))
        .or_else(|| service.approval_since(t).map(|_| Reason::AwaitingApproval))
        .or_else(|| service.is_fresh(t).then_some(Reason::Fresh))
        .or_else(|| service.ended_since(t).map(|ended| ended.reason()))
        // After what ended: the tasks of a rollback are new too, and the end of the rollout must be
        // told.
        .or_else(|| service.is_renewed_since(t).then_some(Reason::Fresh))
        .or_else(|| hold(service, Some(t), policy, now).map(|hold| hold.reason))
        .unwrap_or(Reason::Stale)
}

fn judge_named(service: &Service, policy: &Policy, now: Timestamp) -> Reason {
    let just_now = just_before(policy.asked_at);
    named_in_vain(service)
        .or_else(|| unfit(service))
        .or_else(|| (service.desired == 0).then_some(Reason::NoTasks))
        .or_else(|| {
            service
                .approval_since(just_now)
                .map(|_| Reason::AwaitingApproval)
        })
        .or_else(|| service.is_fresh(just_now).then_some(Reason::Fresh))
        .or_else(|| {
            service
                .ended_since(policy.asked_at)
                .map(|ended| ended.reason())
        })
        .or_else(|| hold(service, None, policy, now).map(|hold| hold.reason))
        .unwrap_or(Reason::Stale)
}

fn is_gone(service: &Service) -> bool {
    matches!(
        service.status,
        ServiceStatus::Inactive | ServiceStatus::Missing
    )
}

/// Why a request cannot mean a service that it names.
fn named_in_vain(service: &Service) -> Option<Reason> {
    match service.status {
        ServiceStatus::Draining | ServiceStatus::Inactive => Some(Reason::Inactive),
        ServiceStatus::Missing => Some(Reason::NoSuchService),
        ServiceStatus::Active => service.tags.watch.is_none().then_some(Reason::NotOptedIn),
    }
}

fn just_before(asked_at: Timestamp) -> Timestamp {
    asked_at.saturating_sub(JUST_RESTARTED).unwrap_or(asked_at)
}

/// Why a service cannot be restarted at all.
fn unfit(service: &Service) -> Option<Reason> {
    let tags = &service.tags;
    if service.status != ServiceStatus::Active {
        Some(Reason::Inactive)
    } else if !tags.invalid.is_empty() {
        Some(Reason::InvalidTag)
    } else {
        match (service.controller, tags.strategy) {
            (Controller::External, Some(Strategy::StopTasks)) => Some(Reason::NotSupportedYet),
            (Controller::External, _)
            | (Controller::CodeDeploy, Some(Strategy::Deploy))
            | (Controller::Ecs, Some(Strategy::CodeDeploy)) => Some(Reason::UnsupportedController),
            _ => unsupported_yet(service).map(|_| Reason::NotSupportedYet),
        }
    }
}

/// The first thing that the service asks for and this version does not do.
fn unsupported_yet(service: &Service) -> Option<&'static str> {
    let tags = &service.tags;
    let strategy = match (tags.strategy, service.controller) {
        (Some(Strategy::StopTasks), _) => Some("the strategy stop-tasks"),
        (Some(Strategy::HotReload), _) => Some("the strategy hot-reload"),
        (Some(Strategy::CodeDeploy), _) | (None, Controller::CodeDeploy) => {
            Some("the strategy code-deploy")
        }
        (
            Some(Strategy::Deploy) | None,
            Controller::Ecs | Controller::External | Controller::CodeDeploy,
        ) => None,
    };
    strategy.or_else(|| (tags.order != 0).then_some("an order"))
}

/// Who wants nothing done.
fn wish(service: &Service, policy: &Policy) -> Option<Reason> {
    if service.tags.mode == Mode::Off {
        Some(Reason::Off)
    } else if service.tags.mode == Mode::Notify || policy.notify_only {
        Some(Reason::Notify)
    } else {
        policy.dry_run.then_some(Reason::DryRun)
    }
}

#[cfg(test)]
mod tests;
