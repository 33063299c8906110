use serde::Deserialize;
use serde_json::json;

use super::super::history::{EndedBy, HistoryStatus};
use super::super::{deployment, lifecycle};
use crate::error::{ApiError, ApiResult};
use crate::job::Job;
use crate::world::World;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StopServiceDeployment {
    service_deployment_arn: String,
    stop_type: Option<String>,
}

/// Rolls the deployment under way back, whatever its configuration says of rollbacks.
pub(super) fn stop(world: &mut World, input: &StopServiceDeployment) -> ApiResult {
    if input
        .stop_type
        .as_deref()
        .is_some_and(|kind| kind != "ROLLBACK")
    {
        return Err(ApiError::invalid_parameter(
            "The stop type must be ROLLBACK.",
        ));
    }
    let id = service_of(world, &input.service_deployment_arn)?;
    let clock = &mut world.clock;
    if !deployment::request_rollback(world.ecs.service_mut(&id)?, clock, EndedBy::Stop) {
        return Err(ApiError::new(
            "ConflictException",
            "The service deployment has ended.",
        ));
    }
    clock.after(world.config.scheduler_delay, Job::Reconcile(id));
    Ok(json!({ "serviceDeploymentArn": input.service_deployment_arn }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ContinueServiceDeployment {
    service_deployment_arn: String,
    hook_id: String,
    action: Option<String>,
}

/// Lets the deployment under way go on from a PAUSE hook, or rolls it back.
pub(super) fn go_on(world: &mut World, input: &ContinueServiceDeployment) -> ApiResult {
    let goes_on = match input.action.as_deref() {
        None | Some("CONTINUE") => true,
        Some("ROLLBACK") => false,
        Some(_) => {
            return Err(ApiError::invalid_parameter(
                "The action must be CONTINUE or ROLLBACK.",
            ));
        }
    };
    let id = service_of(world, &input.service_deployment_arn)?;
    let clock = &mut world.clock;
    if !lifecycle::act(world.ecs.service_mut(&id)?, clock, &input.hook_id, goes_on) {
        return Err(ApiError::invalid_parameter(
            "The hook does not await an action.",
        ));
    }
    clock.after(world.config.scheduler_delay, Job::Reconcile(id));
    Ok(json!({ "serviceDeploymentArn": input.service_deployment_arn }))
}

/// The service, `cluster/name`, whose newest deployment this is; only that one can be stopped or
/// continued.
fn service_of(world: &World, arn: &str) -> ApiResult<String> {
    let not_found = || {
        ApiError::new(
            "ServiceDeploymentNotFoundException",
            "The service deployment ARN that you specified doesn't exist.",
        )
    };
    let (service, id) = arn
        .split_once(":service-deployment/")
        .and_then(|(_, path)| path.rsplit_once('/'))
        .ok_or_else(not_found)?;
    let found = world.ecs.services.get(service).ok_or_else(not_found)?;
    let is_known = found.history.iter().any(|deployment| deployment.id == id);
    let is_newest = found.history.last().is_some_and(|newest| newest.id == id);
    match (is_known, is_newest) {
        (false, _) => Err(not_found()),
        (true, false) => Err(ApiError::new(
            "ConflictException",
            "The service deployment has ended.",
        )),
        (true, true) => Ok(service.to_owned()),
    }
}

impl World {
    /// A person stops the deployment under way: it is rolled back.
    pub(crate) fn stop_deployment(&mut self, id: &str) -> ApiResult {
        let service_deployment_arn = self.newest_deployment(id)?;
        stop(
            self,
            &StopServiceDeployment {
                service_deployment_arn,
                stop_type: None,
            },
        )
    }

    /// A person continues the deployment that stands at a PAUSE hook, or has it rolled back.
    pub(crate) fn act_on_hook(&mut self, id: &str, action: &str) -> ApiResult {
        let service_deployment_arn = self.newest_deployment(id)?;
        let open = self
            .ecs
            .service(id)?
            .history
            .last()
            .filter(|newest| newest.status == HistoryStatus::InProgress);
        let hook = open.and_then(|newest| {
            newest
                .hooks
                .iter()
                .find(|run| run.status == lifecycle::HookStatus::AwaitingAction)
        });
        let hook_id = hook.map(|run| run.id.clone()).unwrap_or_default();
        go_on(
            self,
            &ContinueServiceDeployment {
                service_deployment_arn,
                hook_id,
                action: Some(action.to_owned()),
            },
        )
    }

    fn newest_deployment(&self, id: &str) -> ApiResult<String> {
        let service = self.ecs.service(id)?;
        let newest = service
            .history
            .last()
            .map(|newest| newest.id.as_str())
            .unwrap_or_default();
        Ok(self
            .config
            .arn("ecs", &format!("service-deployment/{id}/{newest}")))
    }
}
