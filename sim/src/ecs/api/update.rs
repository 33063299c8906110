use serde::Deserialize;
use serde_json::{Value, json};

use super::super::model::Controller;
use super::super::model::{EcsService, Status};
use super::super::state::{Ecs, service_not_found};
use super::super::task_definition::TaskDefinition;
use super::super::{deployment, scheduler};
use super::describe::service_json;
use crate::clockwork::Clockwork;
use crate::error::{ApiError, ApiResult};
use crate::job::Read;
use crate::shared::Shared;

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

pub(super) fn update(ecs: &mut Ecs, shared: &mut Shared, input: &UpdateService) -> ApiResult {
    let id = ecs.known_id(input.cluster.as_deref(), &input.service)?;
    let target = target(ecs, shared, &id, input)?;
    let service = ecs.service_mut(&id)?;
    if service.status != Status::Active {
        return Err(ApiError::new(
            "ServiceNotActiveException",
            "Service was not ACTIVE.",
        ));
    }
    refuse_foreign_controller(
        service.controller,
        input.force_new_deployment,
        input.task_definition.is_some(),
    )?;
    if input.force_new_deployment
        || target.task_definition != service.task_definition
        || target.service_connect != service.service_connect
    {
        start(service, &mut shared.clock, target)?;
    }
    if let Some(desired) = input.desired_count {
        service.desired = desired;
        service.guard.floor = service.guard.floor.min(service.floor());
    }
    if input.force_new_deployment {
        ecs.restarted.push(id.clone());
    }
    shared.reconcile_later(id.clone());
    let described = service_json(&shared.config, ecs.service(&id)?, true);
    Ok(json!({ "service": described }))
}

/// The task definition and the Service Connect configuration that a service has from now on.
struct Target {
    task_definition: String,
    service_connect: Option<Value>,
    references: Vec<Read>,
}

fn target(ecs: &Ecs, shared: &Shared, id: &str, input: &UpdateService) -> ApiResult<Target> {
    let service = ecs.service(id)?;
    let task_definition = match &input.task_definition {
        Some(reference) => {
            let not_found = || ApiError::new("ClientException", "TaskDefinition not found.");
            let found = ecs.task_definition(reference).ok_or_else(not_found)?;
            found.arn.clone()
        }
        None => service.task_definition.clone(),
    };
    let service_connect = input
        .service_connect_configuration
        .as_ref()
        .or(service.service_connect.as_ref())
        .cloned();
    let references = ecs.references_of(&shared.config, &task_definition, service_connect.as_ref());
    Ok(Target {
        task_definition,
        service_connect,
        references,
    })
}

/// Starts a deployment of this target; without one the service stays as it was.
fn start(service: &mut EcsService, clock: &mut Clockwork, target: Target) -> ApiResult<()> {
    let definition = std::mem::replace(&mut service.task_definition, target.task_definition);
    let service_connect = std::mem::replace(&mut service.service_connect, target.service_connect);
    deployment::start(service, clock, target.references).inspect_err(|_| {
        service.task_definition = definition;
        service.service_connect = service_connect;
    })
}

impl Ecs {
    /// Registers another revision of a service's task definition, and deploys it.
    pub(crate) fn deploy(
        &mut self,
        shared: &mut Shared,
        id: &str,
        definition: TaskDefinition,
    ) -> ApiResult {
        let mut input = UpdateService::of(self.service(id)?);
        let (content, now) = (definition.into_content(), shared.clock.now);
        let revision = self.register(&shared.config, &input.service, content, now);
        input.task_definition = Some(revision);
        update(self, shared, &input)
    }

    /// Forces a deployment of the task definition that runs already.
    pub(crate) fn force(&mut self, shared: &mut Shared, id: &str) -> ApiResult {
        let mut input = UpdateService::of(self.service(id)?);
        input.force_new_deployment = true;
        update(self, shared, &input)
    }

    /// Changes the number of tasks.
    pub(crate) fn scale(&mut self, shared: &mut Shared, id: &str, desired: usize) -> ApiResult {
        let mut input = UpdateService::of(self.service(id)?);
        input.desired_count = Some(desired);
        update(self, shared, &input)
    }
}

impl UpdateService {
    /// A call that changes nothing.
    fn of(service: &EcsService) -> Self {
        Self {
            cluster: Some(service.cluster.clone()),
            service: service.name.clone(),
            desired_count: None,
            task_definition: None,
            service_connect_configuration: None,
            force_new_deployment: false,
        }
    }
}

/// Refuses a deployment that another controller has to make, in AWS's own words.
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

pub(super) fn delete(ecs: &mut Ecs, shared: &mut Shared, input: &DeleteService) -> ApiResult {
    let id = ecs.known_id(input.cluster.as_deref(), &input.service)?;
    let service = ecs.service_mut(&id)?;
    if service.status != Status::Active {
        return Err(service_not_found());
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
    scheduler::delete(service, &mut shared.clock);
    let described = service_json(&shared.config, ecs.service(&id)?, true);
    Ok(json!({ "service": described }))
}
