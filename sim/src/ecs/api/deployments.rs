use serde::Deserialize;
use serde_json::json;

use super::super::history::{EndedBy, HistoryStatus};
use super::super::hook::HookStatus;
use super::super::state::Ecs;
use super::super::{deployment, lifecycle};
use crate::error::{ApiError, ApiResult};
use crate::shared::Shared;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StopServiceDeployment {
    service_deployment_arn: String,
    stop_type: Option<String>,
}

/// Rolls the running deployment back, with or without rollbacks in its configuration.
pub(super) fn stop(ecs: &mut Ecs, shared: &mut Shared, input: &StopServiceDeployment) -> ApiResult {
    if input
        .stop_type
        .as_deref()
        .is_some_and(|kind| kind != "ROLLBACK")
    {
        return Err(ApiError::invalid_parameter(
            "The stop type must be ROLLBACK.",
        ));
    }
    let id = service_of(ecs, &input.service_deployment_arn)?;
    if !deployment::request_rollback(ecs.service_mut(&id)?, &shared.clock, EndedBy::Stop) {
        return Err(ApiError::new(
            "ConflictException",
            "The service deployment has ended.",
        ));
    }
    shared.reconcile_later(id);
    Ok(json!({ "serviceDeploymentArn": input.service_deployment_arn }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ContinueServiceDeployment {
    service_deployment_arn: String,
    hook_id: String,
    action: Option<String>,
}

/// Continues the running deployment from a PAUSE hook, or rolls it back.
pub(super) fn resume(
    ecs: &mut Ecs,
    shared: &mut Shared,
    input: &ContinueServiceDeployment,
) -> ApiResult {
    let continues = match input.action.as_deref() {
        None | Some("CONTINUE") => true,
        Some("ROLLBACK") => false,
        Some(_) => {
            return Err(ApiError::invalid_parameter(
                "The action must be CONTINUE or ROLLBACK.",
            ));
        }
    };
    let id = service_of(ecs, &input.service_deployment_arn)?;
    if !lifecycle::act(
        ecs.service_mut(&id)?,
        &mut shared.clock,
        &input.hook_id,
        continues,
    ) {
        return Err(ApiError::invalid_parameter(
            "The hook does not await an action.",
        ));
    }
    shared.reconcile_later(id);
    Ok(json!({ "serviceDeploymentArn": input.service_deployment_arn }))
}

/// The service, `cluster/name`, that has this as its newest deployment; only that one can be
/// stopped or continued.
fn service_of(ecs: &Ecs, arn: &str) -> ApiResult<String> {
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
    let found = ecs.services.get(service).ok_or_else(not_found)?;
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

impl Ecs {
    /// A person stops the running deployment: it is rolled back.
    pub(crate) fn stop_deployment(&mut self, shared: &mut Shared, id: &str) -> ApiResult {
        let service_deployment_arn = self.newest_deployment(shared, id)?;
        let input = StopServiceDeployment {
            service_deployment_arn,
            stop_type: None,
        };
        stop(self, shared, &input)
    }

    /// A person continues the deployment that stands at a PAUSE hook, or has it rolled back.
    pub(crate) fn act_on_hook(&mut self, shared: &mut Shared, id: &str, action: &str) -> ApiResult {
        let newest = self.service(id)?.history.last();
        let open = newest.filter(|newest| newest.status == HistoryStatus::InProgress);
        let hook = open.and_then(|newest| {
            let mut runs = newest.hooks.iter();
            runs.find(|run| run.status == HookStatus::AwaitingAction)
        });
        let input = ContinueServiceDeployment {
            hook_id: hook.map(|run| run.id.clone()).unwrap_or_default(),
            service_deployment_arn: self.newest_deployment(shared, id)?,
            action: Some(action.to_owned()),
        };
        resume(self, shared, &input)
    }

    fn newest_deployment(&self, shared: &Shared, id: &str) -> ApiResult<String> {
        let newest = self.service(id)?.history.last();
        let newest = newest.map(|newest| newest.id.as_str()).unwrap_or_default();
        let path = format!("service-deployment/{id}/{newest}");
        Ok(shared.config.arn("ecs", &path))
    }
}
