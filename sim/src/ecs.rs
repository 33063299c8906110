//! Amazon ECS: clusters, task definitions, services and the tasks that roll.

pub(crate) mod api;
pub(crate) mod builder;
mod deployment;
mod history;
mod lifecycle;
mod model;
mod names;
mod references;
mod scheduler;
pub(crate) mod task_definition;
mod tasks;
pub(crate) mod view;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::clockwork::Clockwork;
use crate::config::AccountConfig;
use crate::error::{ApiError, ApiResult};
use crate::tagging::Tags;
pub use history::EndedBy;
pub use lifecycle::{Approver, Hook, Stage};
pub(crate) use model::{EcsService, Read, Status, TaskId};

/// All of ECS in one account and Region.
#[derive(Debug, Default)]
pub(crate) struct Ecs {
    /// By name.
    clusters: BTreeMap<String, Tags>,
    /// By family, oldest revision first.
    task_definitions: BTreeMap<String, Vec<TaskDefinition>>,
    /// By `cluster/name`.
    services: BTreeMap<String, EcsService>,
    /// Services whose deployments were forced, in order.
    restarted: Vec<String>,
}

/// A revision of a task definition, kept as it was registered.
#[derive(Debug)]
struct TaskDefinition {
    arn: String,
    revision: usize,
    registered_at: Timestamp,
    content: Map<String, Value>,
}

impl Ecs {
    pub(crate) fn service(&self, id: &str) -> ApiResult<&EcsService> {
        self.services.get(id).ok_or_else(service_not_found)
    }

    /// `cluster/name` of every service that is not gone, in order.
    pub(crate) fn service_ids(&self) -> impl Iterator<Item = &String> {
        self.services
            .iter()
            .filter(|(_, service)| service.status != Status::Inactive)
            .map(|(id, _)| id)
    }

    pub(crate) fn restarted(&self) -> &[String] {
        &self.restarted
    }

    fn service_mut(&mut self, id: &str) -> ApiResult<&mut EcsService> {
        self.services.get_mut(id).ok_or_else(service_not_found)
    }

    /// The revision that a family, `family:revision` or ARN stands for; a family alone is its
    /// newest.
    fn task_definition(&self, reference: &str) -> Option<&TaskDefinition> {
        let name = reference
            .rsplit_once("task-definition/")
            .map_or(reference, |(_, name)| name);
        let (family, revision) = match name.split_once(':') {
            Some((family, revision)) => (family, Some(revision.parse::<usize>().ok()?)),
            None => (name, None),
        };
        let revisions = self.task_definitions.get(family)?;
        match revision {
            Some(revision) => revisions.get(revision.checked_sub(1)?),
            None => revisions.last(),
        }
    }

    /// Adds a revision to a family; answers its ARN.
    fn register(
        &mut self,
        config: &AccountConfig,
        family: &str,
        content: Map<String, Value>,
        registered_at: Timestamp,
    ) -> String {
        let revisions = self.task_definitions.entry(family.to_owned()).or_default();
        let revision = revisions.len() + 1;
        let arn = config.arn("ecs", &format!("task-definition/{family}:{revision}"));
        revisions.push(TaskDefinition {
            arn: arn.clone(),
            revision,
            registered_at,
            content,
        });
        arn
    }

    /// What the tasks of a task definition read, and the Service Connect proxy beside their
    /// containers.
    fn references_of(
        &self,
        config: &AccountConfig,
        arn: &str,
        service_connect: Option<&Value>,
    ) -> Vec<Read> {
        self.task_definition(arn)
            .map(|definition| references::of(&definition.content, service_connect, config))
            .unwrap_or_default()
    }

    /// What is due for one service: its scheduler looks at it.
    pub(crate) fn reconcile(&mut self, clock: &mut Clockwork, service: &str) {
        self.with_service(service, |service| scheduler::reconcile(service, clock));
    }

    /// A hook of a service has answered, or its time is up.
    pub(crate) fn hook_ends(&mut self, clock: &mut Clockwork, service: &str, hook: &str) {
        self.with_service(service, |service| {
            lifecycle::hook_ends(service, clock, hook);
        });
    }

    /// A person acts on a hook of a service, where it still awaits that.
    pub(crate) fn person_acts(
        &mut self,
        clock: &mut Clockwork,
        service: &str,
        hook: &str,
        goes_on: bool,
    ) {
        self.with_service(service, |service| {
            lifecycle::act(service, clock, hook, goes_on);
            scheduler::reconcile(service, clock);
        });
    }

    /// An alarm of a service goes off.
    pub(crate) fn alarm_triggers(&mut self, clock: &mut Clockwork, service: &str) {
        self.with_service(service, |service| {
            deployment::alarm_triggers(service, clock);
            scheduler::reconcile(service, clock);
        });
    }

    pub(crate) fn task_reads(&mut self, task: &TaskId, read: &Read, found: Vec<(String, u64)>) {
        self.with_service(&task.service, |service| {
            tasks::reads(service, &task.task, read, found);
        });
    }

    /// Answers the parameter that the task writes now, if it does.
    pub(crate) fn task_starts(&mut self, clock: &mut Clockwork, task: &TaskId) -> Option<String> {
        tasks::starts(self.services.get_mut(&task.service)?, clock, &task.task)
    }

    pub(crate) fn task_healthy(&mut self, clock: &mut Clockwork, task: &TaskId) {
        self.with_service(&task.service, |service| {
            tasks::becomes_healthy(service, clock, &task.task);
        });
    }

    pub(crate) fn task_stops(&mut self, clock: &mut Clockwork, task: &TaskId) {
        self.with_service(&task.service, |service| {
            tasks::has_stopped(service, clock, &task.task);
        });
    }

    fn with_service(&mut self, service: &str, act: impl FnOnce(&mut EcsService)) {
        if let Some(service) = self.services.get_mut(service) {
            act(service);
        }
    }
}

fn service_not_found() -> ApiError {
    ApiError::new("ServiceNotFoundException", "Service not found.")
}

fn cluster_not_found() -> ApiError {
    ApiError::new("ClusterNotFoundException", "Cluster not found.")
}
