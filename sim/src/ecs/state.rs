//! All of ECS in one account: clusters, task definitions, services.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::model::{EcsService, Status};
use super::{names, references};
use crate::config::AccountConfig;
use crate::error::{ApiError, ApiResult};
use crate::job::Read;
use crate::tags::Tags;

/// All of ECS in one account and Region.
#[derive(Debug, Default)]
pub(crate) struct Ecs {
    /// By name.
    pub(super) clusters: BTreeMap<String, Tags>,
    /// By family, oldest revision first.
    task_definitions: BTreeMap<String, Vec<TaskDefinition>>,
    /// By `cluster/name`.
    pub(super) services: BTreeMap<String, EcsService>,
    /// Services whose deployments were forced, in order.
    pub(super) restarted: Vec<String>,
}

/// A revision of a task definition, kept as it was registered.
#[derive(Debug)]
pub(super) struct TaskDefinition {
    pub(super) arn: String,
    pub(super) revision: usize,
    pub(super) registered_at: Timestamp,
    pub(super) content: Map<String, Value>,
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

    /// The id of a service that exists, in a cluster that exists.
    pub(super) fn known_id(&self, cluster: Option<&str>, service: &str) -> ApiResult<String> {
        let id = names::service_id(cluster, service);
        let cluster = id.split('/').next().unwrap_or_default();
        if !self.clusters.contains_key(cluster) {
            return Err(cluster_not_found());
        }
        self.service(&id)?;
        Ok(id)
    }

    pub(crate) fn restarted(&self) -> &[String] {
        &self.restarted
    }

    pub(super) fn service_mut(&mut self, id: &str) -> ApiResult<&mut EcsService> {
        self.services.get_mut(id).ok_or_else(service_not_found)
    }

    /// The revision that a family, `family:revision` or ARN names; a family alone names its newest.
    pub(super) fn task_definition(&self, reference: &str) -> Option<&TaskDefinition> {
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

    /// Adds a revision to a family; returns its ARN.
    pub(crate) fn register(
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

    /// The references of a task definition, and of the Service Connect proxy beside its containers.
    pub(crate) fn references_of(
        &self,
        config: &AccountConfig,
        arn: &str,
        service_connect: Option<&Value>,
    ) -> Vec<Read> {
        self.task_definition(arn)
            .map(|definition| references::of(&definition.content, service_connect, config))
            .unwrap_or_default()
    }
}

pub(super) fn service_not_found() -> ApiError {
    ApiError::new("ServiceNotFoundException", "Service not found.")
}

pub(super) fn cluster_not_found() -> ApiError {
    ApiError::new("ClusterNotFoundException", "Cluster not found.")
}
