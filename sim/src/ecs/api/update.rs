use serde::Deserialize;
use serde_json::{Value, json};

use super::super::builder::Controller;
use super::super::model::{EcsService, Status};
use super::super::task_definition::TaskDefinition;
use super::super::{cluster_not_found, deployment, names, scheduler};
use super::describe::service_json;
use crate::clockwork::Clockwork;
use crate::error::{ApiError, ApiResult};
use crate::job::Job;
use crate::world::World;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateService {
    cluster: Option<String>,
    service: String,
    desired_count: Option<usize>,
    task_definition: Option<String>,
    service_connect_configuration: Option<Value>,
    #[serde(default)]
    force_new_deployment: bool,
}

pub(super) fn update(world: &mut World, input: &UpdateService) -> ApiResult {
    let id = known_id(world, input.cluster.as_deref(), &input.service)?;
    let reference = input.task_definition.as_deref();
    let definition = match reference {
        Some(reference) => {
            let found = world
                .ecs
                .task_definition(reference)
                .map(|definition| definition.arn.clone());
            Some(
                found
                    .ok_or_else(|| ApiError::new("ClientException", "TaskDefinition not found."))?,
            )
        }
        None => None,
    };
    let target = definition
        .as_ref()
        .unwrap_or(&world.ecs.service(&id)?.task_definition);
    let known = world.ecs.service(&id)?.service_connect.as_ref();
    let service_connect = input
        .service_connect_configuration
        .as_ref()
        .or(known)
        .cloned();
    let references = world
        .ecs
        .references_of(&world.config, target, service_connect.as_ref());
    let clock = &mut world.clock;
    let service = world
        .ecs
        .services
        .get_mut(&id)
        .ok_or_else(super::super::service_not_found)?;
    if service.status != Status::Active {
        return Err(ApiError::new(
            "ServiceNotActiveException",
            "Service was not ACTIVE.",
        ));
    }
    refuse_foreign_controller(
        service.controller,
        input.force_new_deployment,
        definition.is_some(),
    )?;

    let new_definition = definition.filter(|arn| *arn != service.task_definition);
    if input.force_new_deployment
        || new_definition.is_some()
        || service_connect != service.service_connect
    {
        let before = (
            service.task_definition.clone(),
            service.service_connect.clone(),
        );
        service.task_definition = new_definition.unwrap_or_else(|| before.0.clone());
        service.service_connect = service_connect;
        let started = deployment::start(service, clock, references);
        started.inspect_err(|_| (service.task_definition, service.service_connect) = before)?;
    }
    if let Some(desired) = input.desired_count {
        service.desired = desired;
        service.guard.floor = service.guard.floor.min(service.floor());
    }
    if input.force_new_deployment {
        world.ecs.restarted.push(id.clone());
    }
    clock.after(world.config.scheduler_delay, Job::Reconcile(id.clone()));
    let described = service_json(&world.config, world.ecs.service(&id)?, true);
    Ok(json!({ "service": described }))
}

impl World {
    /// Registers another revision of a service's task definition, and deploys it.
    pub(crate) fn deploy(&mut self, id: &str, definition: TaskDefinition) -> ApiResult {
        let service = self.ecs.service(id)?;
        let (cluster, name) = (service.cluster.clone(), service.name.clone());
        let revision = self.ecs.register(
            &self.config,
            &name,
            definition.into_content(),
            self.clock.now,
        );
        let input = UpdateService {
            task_definition: Some(revision),
            ..UpdateService::of(cluster, name)
        };
        update(self, &input)
    }

    /// Forces a deployment of what runs already.
    pub(crate) fn force(&mut self, id: &str) -> ApiResult {
        let service = self.ecs.service(id)?;
        let input = UpdateService {
            force_new_deployment: true,
            ..UpdateService::of(service.cluster.clone(), service.name.clone())
        };
        update(self, &input)
    }

    /// Wants another number of tasks.
    pub(crate) fn scale(&mut self, id: &str, desired: usize) -> ApiResult {
        let service = self.ecs.service(id)?;
        let input = UpdateService {
            desired_count: Some(desired),
            ..UpdateService::of(service.cluster.clone(), service.name.clone())
        };
        update(self, &input)
    }
}

impl UpdateService {
    fn of(cluster: String, service: String) -> Self {
        Self {
            cluster: Some(cluster),
            service,
            desired_count: None,
            task_definition: None,
            service_connect_configuration: None,
            force_new_deployment: false,
        }
    }
}

/// AWS's own words, articles included.
fn refuse_foreign_controller(
    controller: Controller,
    force: bool,
    task_definition: bool,
) -> ApiResult<()> {
    let hint = match controller {
        Controller::Ecs => return Ok(()),
        Controller::CodeDeploy => " Use AWS CodeDeploy to trigger a new deployment.",
        Controller::External => "",
    };
    let name = controller.name();
    if force {
        return Err(ApiError::invalid_parameter(format!(
            "Cannot force a new deployment on services with a {name} deployment controller.{hint}"
        )));
    }
    if task_definition {
        return Err(ApiError::invalid_parameter(format!(
            "Unable to update task definition on services with a {name} deployment \
             controller.{hint}"
        )));
    }
    Ok(())
}

#[derive(Deserialize)]
pub(super) struct DeleteService {
    cluster: Option<String>,
    service: String,
    #[serde(default)]
    force: bool,
}

pub(super) fn delete(world: &mut World, input: &DeleteService) -> ApiResult {
    let id = known_id(world, input.cluster.as_deref(), &input.service)?;
    let service = world.ecs.service_mut(&id)?;
    if service.status != Status::Active {
        return Err(super::super::service_not_found());
    }
    if service.express {
        let arn = &service.arn;
        return Err(ApiError::invalid_parameter(format!(
            "{arn} has ResourceManagementType=ECS use DeleteExpressGatewayService to delete"
        )));
    }
    if service.desired > 0 && !input.force {
        return Err(ApiError::invalid_parameter(
            "The service cannot be stopped while it is scaled above 0.",
        ));
    }
    service.delete(&mut world.clock);
    let described = service_json(&world.config, world.ecs.service(&id)?, true);
    Ok(json!({ "service": described }))
}

impl EcsService {
    /// Drains the service; it is inactive once its last task has stopped.
    pub(in crate::ecs) fn delete(&mut self, clock: &mut Clockwork) {
        self.status = Status::Draining;
        self.desired = 0;
        self.guard.floor = 0;
        scheduler::reconcile(self, clock);
    }
}

/// The id of a service that exists, in a cluster that exists.
pub(super) fn known_id(world: &World, cluster: Option<&str>, service: &str) -> ApiResult<String> {
    let id = names::service_id(cluster, service);
    let cluster = id.split('/').next().unwrap_or_default();
    if !world.ecs.clusters.contains_key(cluster) {
        return Err(cluster_not_found());
    }
    world.ecs.service(&id)?;
    Ok(id)
}
