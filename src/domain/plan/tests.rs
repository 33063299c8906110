//! The plan, in sentences.
//!
//! * `reasons`: every reason, and every pair of reasons, of one change or request;
//! * `several`: several changes of one service, and limits over several services;
//! * `order`: the services that go before others;
//! * `deployments`, `tasks`, `ended`, `holds`: the rules about the state of a service;
//! * `evidence`: the reads that are needed before a decision stands.

mod deployments;
mod ended;
mod evidence;
mod holds;
mod order;
mod reasons;
mod several;
mod tasks;

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::*;
use crate::domain::arn::AccountRegion;
use crate::domain::change::{ChangeKind, coalesce};
use crate::domain::deployment::{Deployment, DeploymentStrategy, RolloutState};
use crate::domain::history::{
    EndedBy, History, OldestTask, PastDeployment, ServiceDeploymentStatus,
};
use crate::domain::reference::References;
use crate::domain::service::{Controller, ServiceStatus};
use crate::domain::tags::Tags;
use crate::domain::term::Term;

const CHANGED: &str = "2026-01-31T10:00:00Z";
const NOW: &str = "2026-01-31T10:00:30Z";
const A_DAY_LATER: &str = "2026-02-01T10:00:00Z";

/// One service and one trigger. By default the service is steady, watches `ssm:/app/`, was deployed
/// the day before, and `ssm:/app/x` was written half a minute ago.
struct Given {
    service: Service,
    others: Vec<Service>,
    change: Change,
    /// The trigger is a request, not the change.
    is_request: bool,
    policy: Policy,
}

impl Default for Given {
    fn default() -> Self {
        Self {
            service: api(),
            others: Vec::new(),
            change: change("/app/x", ChangeKind::Written),
            is_request: false,
            policy: policy(),
        }
    }
}

impl Given {
    fn planned(self) -> Planned {
        let Self {
            service,
            others,
            change,
            is_request,
            mut policy,
        } = self;
        let id = service.id.clone();
        if is_request {
            policy.named.insert(id.clone());
        }
        let changes = coalesce((!is_request).then_some(change));
        let services: Vec<_> = [service].into_iter().chain(others).collect();
        let mut plan = plan(&changes, &services, &policy, at(NOW));
        plan.services.remove(&id).unwrap()
    }

    fn add_past(&mut self, past: PastDeployment) {
        let mut history = self.service.history.read().to_vec();
        history.push(past);
        self.service.history = History::Read(history);
    }

    fn end_newer_deployment(&mut self, by: EndedBy) {
        self.add_past(PastDeployment {
            ended_by: by,
            ..past(ServiceDeploymentStatus::RolledBack, Some("app:1"))
        });
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn home() -> AccountRegion {
    AccountRegion::of_region("123456789012", "eu-west-1")
}

fn deployment(id: &str, created_at: &str, state: RolloutState) -> Deployment {
    Deployment {
        id: id.to_owned(),
        primary: false,
        created_at: at(created_at),
        task_definition: "app:1".to_owned(),
        state,
        running: 0,
        is_whole: false,
    }
}

/// A steady service that watches `ssm:/app/` and was deployed the day before.
fn service(name: &str, tags: &[(&str, &str)]) -> Service {
    let watch = [("reloader:watch", "ssm:/app/")];
    Service {
        id: ServiceId {
            cluster: "web".to_owned(),
            name: name.to_owned(),
        },
        home: home(),
        status: ServiceStatus::Active,
        controller: Controller::Ecs,
        deployment_strategy: DeploymentStrategy::Rolling,
        has_lifecycle_hooks: false,
        bakes: false,
        created_at: None,
        desired: 2,
        deployments: vec![Deployment {
            primary: true,
            ..deployment("first", "2026-01-30T10:00:00Z", RolloutState::Completed)
        }],
        task_definition: Some("app:1".to_owned()),
        references: None,
        own_references: References::default(),
        tags: Tags::parse("reloader", watch.iter().chain(tags).copied()),
        events: Vec::new(),
        history: History::NotAsked,
        oldest_task: OldestTask::NotAsked,
        rollout_tasks: BTreeMap::new(),
        followed_rollout: None,
        has_waited_to_settle: false,
    }
}

/// A deployment of ten seconds after the change, of the task definition `ran`.
fn past(status: ServiceDeploymentStatus, ran: Option<&str>) -> PastDeployment {
    PastDeployment {
        id: Some("ecs-svc/7".to_owned()),
        created_at: at("2026-01-31T10:00:10Z"),
        finished_at: None,
        status,
        status_reason: None,
        task_definition: ran.map(str::to_owned),
        ended_by: EndedBy::NotAsked,
        approval: None,
        stage: None,
        at_hook: false,
    }
}

fn api() -> Service {
    service("api", &[])
}

/// [`api`], with a newer deployment of the same task definition.
fn redeployed(created_at: &str, state: RolloutState) -> Service {
    let mut service = api();
    service.deployments[0].primary = false;
    service.deployments.push(Deployment {
        primary: true,
        ..deployment("second", created_at, state)
    });
    service
}

fn policy() -> Policy {
    Policy {
        notify_only: false,
        dry_run: false,
        max_services: 100,
        ignored_max_services: None,
        settle: SignedDuration::from_secs(2),
        max_settle_wait: SignedDuration::from_secs(60),
        min_interval: SignedDuration::ZERO,
        restarts_per_hour: 6,
        max_in_flight: 50,
        quiet: SignedDuration::from_mins(1),
        canary: false,
        outcome_deadline: SignedDuration::from_mins(30),
        unread: BTreeMap::new(),
        named: BTreeSet::new(),
        requested_at: at(NOW),
    }
}

fn change(name: &str, kind: ChangeKind) -> Change {
    Change::new(Key::parameter(home(), name), at(CHANGED), kind, "e")
}

fn written() -> BTreeMap<Key, Change> {
    coalesce([change("/app/x", ChangeKind::Written)])
}

fn planned(service: Service) -> Planned {
    let given = Given {
        service,
        ..Given::default()
    };
    given.planned()
}

fn planned_at(service: &Service, now: &str) -> Planned {
    let services = std::slice::from_ref(service);
    let mut plan = plan(&written(), services, &policy(), at(now));
    plan.services.remove(&service.id).unwrap()
}

fn reason(service: Service) -> Reason {
    planned(service).reason
}
