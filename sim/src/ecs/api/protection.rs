//! Task scale-in protection: protected tasks are stopped neither by a deployment nor by a scale-in.
//! "Protect your Amazon ECS tasks from being terminated by scale-in events", Amazon ECS Developer
//! Guide.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::model::{EcsService, Task};
use super::super::names;
use super::super::state::Ecs;
use crate::config::AccountConfig;
use crate::error::{ApiError, ApiResult};
use crate::job::Job;
use crate::output::seconds;
use crate::shared::Shared;

/// Two hours, unless the caller says otherwise; 48 hours at most.
const DEFAULT_MINUTES: u64 = 120;
const MOST_MINUTES: u64 = 2880;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateTaskProtection {
    cluster: Option<String>,
    tasks: Vec<String>,
    protection_enabled: bool,
    expires_in_minutes: Option<u64>,
}

pub(super) fn update(
    ecs: &mut Ecs,
    shared: &mut Shared,
    input: &UpdateTaskProtection,
) -> ApiResult {
    let minutes = input.expires_in_minutes.unwrap_or(DEFAULT_MINUTES);
    if !(1..=MOST_MINUTES).contains(&minutes) {
        return Err(ApiError::invalid_parameter(
            "expiresInMinutes must be between 1 and 2880.",
        ));
    }
    let lasts = input
        .protection_enabled
        .then(|| Duration::from_mins(minutes));
    let cluster = names::cluster_name(input.cluster.as_deref());
    let (mut protected, mut failures) = (Vec::new(), Vec::new());
    for reference in &input.tasks {
        let id = names::task_id(reference);
        let mut services = ecs.services.values_mut();
        let service = services.find(|service| {
            service.cluster == cluster && service.tasks.iter().any(|task| task.id == id)
        });
        let Some(service) = service else {
            let arn = shared.config.arn("ecs", &format!("task/{cluster}/{id}"));
            failures.push(json!({ "arn": arn, "reason": "TASK_NOT_VALID" }));
            continue;
        };
        protect(service, shared, id, lasts);
        let task = service.tasks.iter().find(|task| task.id == id);
        protected.extend(task.map(|task| task_json(&shared.config, service, task)));
    }
    Ok(json!({ "protectedTasks": protected, "failures": failures }))
}

/// Protects a task for this long, or no longer. The scheduler works on its service when the
/// protection ends.
fn protect(service: &mut EcsService, shared: &mut Shared, id: &str, lasts: Option<Duration>) {
    let until = lasts.map(|lasts| shared.clock.now + lasts);
    let reconcile = Job::Reconcile(service.id.clone());
    shared.clock.after(lasts.unwrap_or_default(), reconcile);
    if let Some(task) = service.task_mut(id) {
        task.protected_until = until;
    }
}

fn task_json(config: &AccountConfig, service: &EcsService, task: &Task) -> Value {
    json!({
        "taskArn": super::tasks::arn(config, service, task),
        "protectionEnabled": task.protected_until.is_some(),
        "expirationDate": task.protected_until.map(seconds),
    })
}

impl Ecs {
    /// The tasks that a service runs now protect themselves for this long.
    pub(crate) fn protect_tasks(
        &mut self,
        shared: &mut Shared,
        id: &str,
        lasts: Duration,
    ) -> ApiResult<()> {
        let service = self.service_mut(id)?;
        let tasks: Vec<_> = service.tasks.iter().map(|task| task.id.clone()).collect();
        for task in tasks {
            protect(service, shared, &task, Some(lasts));
        }
        Ok(())
    }
}
