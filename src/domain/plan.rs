//! Who is restarted: one pure function, and the plan that it makes.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::arn::ServiceId;
use super::change::{Change, ChangeKind};
use super::key::Key;
use super::reason::{Decision, Reason};
use super::service::{Controller, History, Service, ServiceStatus};
use super::tags::{Mode, Pause, Strategy};
use super::watch::Listening;

/// A service named by a manual invocation counts as fresh where its last deployment was created this long before it was asked, or later,
/// so that neither a repeated call nor a message that comes again restarts it twice.
const JUST_RESTARTED: SignedDuration = SignedDuration::from_secs(60);

/// A change older than this may already have been tried and rolled back, so the deployment history is asked before a restart.
const YOUNG: SignedDuration = SignedDuration::from_secs(60);

/// Amazon ECS: "5 active deployments exist, unable to create new deployment."
const MOST_DEPLOYMENTS: usize = 5;

/// What the function, and the invocation, allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Decide and tell, restart nothing (`RELOADER_MODE`).
    pub notify_only: bool,
    /// The same, asked for by this invocation.
    pub dry_run: bool,
    /// Most services that one change may restart.
    pub max_services: usize,
    /// How long after a change a restart may start, so that every replica of the store has it.
    pub settle: SignedDuration,
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

/// What is to be done about one service.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// Why, and so what.
    pub reason: Reason,
    /// What would have been done, where `reason` is only that nobody wants it done.
    pub otherwise: Option<Reason>,
    /// What a person needs to know beyond the reason.
    pub detail: Option<String>,
    /// The changes that concern it, each with the reason that it alone would give.
    pub asked_by: BTreeMap<Key, Reason>,
    /// A restart may start at this instant.
    pub not_before: Timestamp,
}

impl Plan {
    /// The services that are to be restarted.
    pub fn restarts(&self) -> impl Iterator<Item = (&ServiceId, &Planned)> {
        self.services.iter().filter(|(_, planned)| planned.reason.decision() == Decision::Restart)
    }

    /// The services whose deployment history is to be read before they are restarted, each with the instant from which on: where the change
    /// is older than a minute, it may have been tried; where a deployment runs, it may be a rollback, which only the history tells for sure.
    #[must_use]
    pub fn unsure(&self, changes: &BTreeMap<Key, Change>, services: &[Service], now: Timestamp) -> BTreeMap<ServiceId, Timestamp> {
        let asked = |service: &&Service| service.history == History::NotAsked;
        let unsure = services.iter().filter(asked).filter_map(|service| {
            let planned = self.services.get(&service.id)?;
            if ![Some(planned.reason), planned.otherwise].contains(&Some(Reason::Stale)) {
                return None;
            }
            let stale = planned.asked_by.iter().filter(|(_, reason)| **reason == Reason::Stale);
            let oldest = stale.filter_map(|(key, _)| changes.get(key)).map(|change| change.at).min();
            let tried = oldest.filter(|oldest| now.duration_since(*oldest) > YOUNG);
            // What is rolled back was created after the deployment that is primary again.
            let rolled_back = service.primary().filter(|_| service.is_rolling()).map(|primary| primary.created_at);
            let since = tried.into_iter().chain(rolled_back).min()?;
            Some((service.id.clone(), since))
        });
        unsure.collect()
    }
}

/// Decides. No I/O, no clock, no randomness: the same look gives the same plan.
pub fn plan(changes: &BTreeMap<Key, Change>, services: &[Service], policy: &Policy, now: Timestamp) -> Plan {
    let mut asked: BTreeMap<&ServiceId, BTreeMap<Key, Reason>> = BTreeMap::new();
    for service in services {
        for (key, change) in changes {
            if let Some(reason) = judge_change(service, change, now) {
                asked.entry(&service.id).or_default().insert(key.clone(), reason);
            }
        }
    }
    let reached = reach(&asked, changes, services);
    let mut plan = Plan::default();
    for service in services {
        let mut asked_by = asked.remove(&service.id).unwrap_or_default();
        for (key, reason) in &mut asked_by {
            if *reason > Reason::BlastRadius && reached.get(key).is_some_and(|reached| *reached > policy.max_services) {
                *reason = Reason::BlastRadius;
            }
        }
        let named = policy.named.contains(&service.id).then(|| judge_named(service, policy.asked_at, now));
        if let Some(reason) = asked_by.values().copied().chain(named).max() {
            let stale = asked_by.iter().filter(|(_, reason)| **reason == Reason::Stale).filter_map(|(key, _)| changes.get(key));
            let last = stale.map(|change| change.at).max();
            let wish = wish(service, policy).filter(|_| reason.yields_to_wishes());
            let planned = Planned {
                detail: detail(service, reason, &asked_by, &reached, policy),
                reason: wish.unwrap_or(reason),
                otherwise: wish.is_some().then_some(reason),
                not_before: last.and_then(|at| at.saturating_add(policy.settle).ok()).unwrap_or(now),
                asked_by,
            };
            plan.services.insert(service.id.clone(), planned);
        }
    }
    plan
}

/// How many services each change would restart, now or later; those whose task definitions could not be read may be among them. Services
/// whose owners want nothing done do not count.
fn reach(
    asked: &BTreeMap<&ServiceId, BTreeMap<Key, Reason>>,
    changes: &BTreeMap<Key, Change>,
    services: &[Service],
) -> BTreeMap<Key, usize> {
    let mut reached = BTreeMap::new();
    for service in services.iter().filter(|service| service.tags.mode == Mode::Auto) {
        let asked = asked.get(&service.id);
        let stale = asked.into_iter().flatten().filter(|(_, reason)| **reason > Reason::BlastRadius).map(|(key, _)| key);
        let unknown = changes.keys().filter(|key| service.listens(key) == Listening::AskTaskDefinition);
        for key in stale.chain(unknown) {
            *reached.entry(key.clone()).or_default() += 1;
        }
    }
    reached
}

/// `None` where the service does not listen to the key.
fn judge_change(service: &Service, change: &Change, now: Timestamp) -> Option<Reason> {
    let lost = change.kind == ChangeKind::Deleted && service.refers_to(&change.key);
    let key_alone = match (service.listens(&change.key), change.kind) {
        (Listening::Excluded, _) => Some(Reason::Excluded),
        _ if lost && !change.ignored => Some(Reason::Deleted),
        // Where a task definition could not be read, the caller tells of it.
        (Listening::No | Listening::AskTaskDefinition, _) => return None,
        (Listening::Pinned, _) => Some(Reason::Pinned),
        _ if change.ignored => Some(Reason::IgnoredKey),
        (Listening::Yes, ChangeKind::Labelled) => Some(Reason::LabelOnly),
        (Listening::Yes, ChangeKind::Deleted) => Some(Reason::Deleted),
        (Listening::Yes, ChangeKind::Written) => None,
    };
    let reason = key_alone
        .or_else(|| unfit(service))
        .or_else(|| (service.desired == 0).then_some(Reason::NoTasks))
        .or_else(|| service.is_fresh(change.at).then_some(Reason::Fresh))
        .or_else(|| service.failed_since(change.at).then_some(Reason::FailedAlready))
        .or_else(|| hold(service, now));
    Some(reason.unwrap_or(Reason::Stale))
}

fn judge_named(service: &Service, asked_at: Timestamp, now: Timestamp) -> Reason {
    let just_now = asked_at.saturating_sub(JUST_RESTARTED).unwrap_or(asked_at);
    unfit(service)
        .or_else(|| (service.desired == 0).then_some(Reason::NoTasks))
        .or_else(|| service.is_fresh(just_now).then_some(Reason::Fresh))
        .or_else(|| service.failed_since(asked_at).then_some(Reason::FailedAlready))
        .or_else(|| hold(service, now))
        .unwrap_or(Reason::Stale)
}

/// Why a service cannot be restarted at all.
fn unfit(service: &Service) -> Option<Reason> {
    let tags = &service.tags;
    if service.status != ServiceStatus::Active {
        Some(Reason::Inactive)
    } else if tags.watch.is_none() || !tags.invalid.is_empty() {
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
        (Some(Strategy::CodeDeploy), _) | (None, Controller::CodeDeploy) => Some("the strategy code-deploy"),
        (Some(Strategy::Deploy) | None, Controller::Ecs | Controller::External | Controller::CodeDeploy) => None,
    };
    strategy
        .or_else(|| (tags.order != 0).then_some("an order"))
        .or_else(|| tags.min_interval.is_some().then_some("a minimum interval of its own"))
        .or_else(|| tags.window.is_some().then_some("a window"))
}

/// Why a restart has to wait.
fn hold(service: &Service, now: Timestamp) -> Option<Reason> {
    let paused = match service.tags.pause {
        Some(Pause::UntilRemoved) => true,
        Some(Pause::Until(end)) => now < end,
        None => false,
    };
    if paused {
        Some(Reason::Paused)
    } else if service.must_not_be_superseded() {
        Some(Reason::DeploymentInProgress)
    } else if service.deployments.len() >= MOST_DEPLOYMENTS {
        Some(Reason::TooManyDeployments)
    } else {
        None
    }
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

fn detail(
    service: &Service,
    reason: Reason,
    asked_by: &BTreeMap<Key, Reason>,
    reached: &BTreeMap<Key, usize>,
    policy: &Policy,
) -> Option<String> {
    match reason {
        Reason::InvalidTag if service.tags.watch.is_none() => Some("the service has not opted in: it has no watch tag".to_owned()),
        Reason::InvalidTag => Some(service.tags.invalid.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")),
        Reason::UnsupportedController => Some(format!("its deployment controller is {}", service.controller)),
        Reason::NotSupportedYet => {
            let what = match (service.controller, service.tags.strategy) {
                (Controller::External, _) => "the strategy stop-tasks",
                _ => unsupported_yet(service).unwrap_or("what its tags ask for"),
            };
            Some(format!("this version does not support {what}"))
        }
        Reason::BlastRadius => asked_by.iter().find(|(_, reason)| **reason == Reason::BlastRadius).map(|(key, _)| {
            let services = reached.get(key).copied().unwrap_or_default();
            format!("{key} would restart {services} services; at most {} may be", policy.max_services)
        }),
        Reason::Paused => match service.tags.pause {
            Some(Pause::Until(end)) => Some(format!("until {end}")),
            Some(Pause::UntilRemoved) | None => Some("until the pause tag is removed".to_owned()),
        },
        Reason::Excluded
        | Reason::Pinned
        | Reason::IgnoredKey
        | Reason::LabelOnly
        | Reason::Deleted
        | Reason::Inactive
        | Reason::Off
        | Reason::Notify
        | Reason::DryRun
        | Reason::NoTasks
        | Reason::Fresh
        | Reason::FailedAlready
        | Reason::DeploymentInProgress
        | Reason::TooManyDeployments => None,
        Reason::Stale => match &service.history {
            History::Unreadable(cause) => Some(format!("its deployment history could not be read: {cause}")),
            History::NotAsked | History::Read(_) => None,
        },
    }
}

#[cfg(test)]
mod tests;
