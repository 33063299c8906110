use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::deployment::breaker_threshold;
use super::super::history::{EndedBy, HistoryStatus, Rollback, ServiceDeployment};
use super::super::hook::HookRun;
use super::super::model::EcsService;
use super::super::state::Ecs;
use super::describe::{configuration_json, platform};
use crate::config::AccountConfig;
use crate::error::{ApiError, ApiResult};
use crate::output::seconds;
use crate::page;
use crate::shared::Shared;

const MOST_DESCRIBED: usize = 20;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListServiceDeployments {
    cluster: Option<String>,
    service: String,
    #[serde(default)]
    status: Vec<String>,
    #[serde(default)]
    created_at: CreatedAt,
    max_results: Option<usize>,
    next_token: Option<String>,
}

/// Seconds since 1970.
#[derive(Default, Deserialize)]
struct CreatedAt {
    before: Option<f64>,
    after: Option<f64>,
}

impl CreatedAt {
    fn contains(&self, time: Timestamp) -> bool {
        let time = seconds(time);
        self.before.is_none_or(|end| time < end) && self.after.is_none_or(|start| time > start)
    }
}

/// Newest first.
pub(super) fn list(
    ecs: &mut Ecs,
    shared: &mut Shared,
    input: &ListServiceDeployments,
) -> ApiResult {
    let id = ecs.known_id(input.cluster.as_deref(), &input.service)?;
    let service = ecs.service(&id)?;
    let wanted = |deployment: &&ServiceDeployment| {
        (input.status.is_empty()
            || input
                .status
                .iter()
                .any(|status| status == deployment.status.name()))
            && input.created_at.contains(deployment.created_at)
    };
    let found: Vec<_> = service
        .history
        .iter()
        .rev()
        .filter(wanted)
        .map(|deployment| brief(&shared.config, service, deployment))
        .collect();
    let page = page::of(
        &found,
        input.max_results.unwrap_or(20).min(100),
        input.next_token.as_deref(),
    )?;
    Ok(json!({ "serviceDeployments": page.items, "nextToken": page.next }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeServiceDeployments {
    service_deployment_arns: Vec<String>,
}

pub(super) fn describe_deployments(
    ecs: &mut Ecs,
    shared: &mut Shared,
    input: &DescribeServiceDeployments,
) -> ApiResult {
    let arns = &input.service_deployment_arns;
    let (found, failures) = describe(
        ecs,
        shared,
        arns,
        "service-deployment",
        |config, service, id| {
            let deployment = service
                .history
                .iter()
                .find(|deployment| deployment.id == id)?;
            Some(whole(config, service, deployment))
        },
    )?;
    Ok(json!({ "serviceDeployments": found, "failures": failures }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeServiceRevisions {
    service_revision_arns: Vec<String>,
}

pub(super) fn describe_revisions(
    ecs: &mut Ecs,
    shared: &mut Shared,
    input: &DescribeServiceRevisions,
) -> ApiResult {
    let arns = &input.service_revision_arns;
    let (found, failures) = describe(
        ecs,
        shared,
        arns,
        "service-revision",
        |config, service, id| {
            let deployment = service
                .history
                .iter()
                .find(|deployment| deployment.target_revision == id)?;
            let mut fields = json!({
                "serviceRevisionArn": arn(config, service, "service-revision", id),
                "serviceArn": service.arn,
                "clusterArn": config.arn("ecs", &format!("cluster/{}", service.cluster)),
                "taskDefinition": deployment.task_definition,
                "createdAt": seconds(deployment.created_at),
                "launchType": service.launch_type.name(),
                "loadBalancers": [],
                "serviceRegistries": [],
                "containerImages": [],
                "guardDutyEnabled": false,
            });
            if let Some(fields) = fields.as_object_mut() {
                fields.extend(platform(service.launch_type, "1.4.0"));
            }
            Some(fields)
        },
    )?;
    Ok(json!({ "serviceRevisions": found, "failures": failures }))
}

type Found = (Vec<Value>, Vec<Value>);

/// Describes each `arn:…:KIND/cluster/service/id`, up to twenty at once.
fn describe(
    ecs: &Ecs,
    shared: &Shared,
    arns: &[String],
    kind: &str,
    find: impl Fn(&AccountConfig, &EcsService, &str) -> Option<Value>,
) -> ApiResult<Found> {
    if arns.len() > MOST_DESCRIBED {
        return Err(ApiError::invalid_parameter(
            "The number of ARNs cannot be more than 20.",
        ));
    }
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for arn in arns {
        let parts = arn
            .split_once(&format!(":{kind}/"))
            .and_then(|(_, path)| path.rsplit_once('/'));
        let described =
            parts.and_then(|(service, id)| find(&shared.config, ecs.services.get(service)?, id));
        match described {
            Some(described) => found.push(described),
            None => failures.push(json!({ "arn": arn, "reason": "MISSING" })),
        }
    }
    Ok((found, failures))
}

fn arn(config: &AccountConfig, service: &EcsService, kind: &str, id: &str) -> String {
    config.arn("ecs", &format!("{kind}/{}/{id}", service.id))
}

fn brief(config: &AccountConfig, service: &EcsService, deployment: &ServiceDeployment) -> Value {
    Value::Object(common(config, service, deployment))
}

fn common(
    config: &AccountConfig,
    service: &EcsService,
    deployment: &ServiceDeployment,
) -> Map<String, Value> {
    let times = [
        ("createdAt", Some(deployment.created_at)),
        ("startedAt", deployment.started_at),
        ("finishedAt", deployment.finished_at),
    ];
    let texts = [
        (
            "serviceDeploymentArn",
            arn(config, service, "service-deployment", &deployment.id),
        ),
        ("serviceArn", service.arn.clone()),
        (
            "clusterArn",
            config.arn("ecs", &format!("cluster/{}", service.cluster)),
        ),
        (
            "targetServiceRevisionArn",
            arn(
                config,
                service,
                "service-revision",
                &deployment.target_revision,
            ),
        ),
        ("status", deployment.status.name().to_owned()),
    ];
    let times = times
        .into_iter()
        .filter_map(|(name, time)| Some((name.to_owned(), json!(seconds(time?)))));
    let texts = texts
        .into_iter()
        .map(|(name, text)| (name.to_owned(), json!(text)));
    let reason = (!deployment.reason.is_empty())
        .then(|| ("statusReason".to_owned(), json!(deployment.reason)));
    texts.chain(times).chain(reason).collect()
}

fn whole(config: &AccountConfig, service: &EcsService, deployment: &ServiceDeployment) -> Value {
    let revision = |id: &str| {
        json!({
            "arn": arn(config, service, "service-revision", id),
            "requestedTaskCount": service.desired,
            "runningTaskCount": running(service, id),
            "pendingTaskCount": 0,
        })
    };
    let sources = deployment.source_revisions.iter().map(|id| revision(id));
    let hooks = deployment.hooks.iter().map(hook_run_json);
    let mut fields = common(config, service, deployment);
    fields.remove("targetServiceRevisionArn");
    let more = [
        (
            "targetServiceRevision",
            revision(&deployment.target_revision),
        ),
        ("sourceServiceRevisions", sources.collect()),
        ("updatedAt", json!(seconds(deployment.updated_at))),
        ("deploymentConfiguration", configuration_json(service)),
        (
            "deploymentCircuitBreaker",
            breaker_json(service, deployment),
        ),
        ("alarms", alarms_json(service, deployment)),
        ("lifecycleHookDetails", hooks.collect()),
    ];
    fields.extend(more.map(|(name, value)| (name.to_owned(), value)));
    if let Some(rollback) = &deployment.rollback {
        let rollback = rollback_json(config, service, rollback);
        fields.insert("rollback".to_owned(), rollback);
    }
    if let Some(stage) = deployment.stage {
        fields.insert("lifecycleStage".to_owned(), json!(stage.name()));
    }
    if deployment.status == HistoryStatus::Stopped {
        let stopped = deployment.finished_at.map(|end| json!(seconds(end)));
        fields.extend(stopped.map(|end| ("stoppedAt".to_owned(), end)));
    }
    Value::Object(fields)
}

fn rollback_json(config: &AccountConfig, service: &EcsService, rollback: &Rollback) -> Value {
    json!({
        "reason": rollback.reason,
        "startedAt": seconds(rollback.started_at),
        "serviceRevisionArn": arn(config, service, "service-revision", &rollback.to_revision),
    })
}

fn hook_run_json(run: &HookRun) -> Value {
    let mut fields = json!({
        "hookId": run.id,
        "targetType": run.hook.target.name(),
        "status": run.status.name(),
        "expiresAt": seconds(run.expires_at),
        "timeoutAction": if run.hook.continues { "CONTINUE" } else { "ROLLBACK" },
    });
    if let (Some(arn), Some(fields)) = (run.hook.target.arn(), fields.as_object_mut()) {
        fields.insert("targetArn".to_owned(), json!(arn));
    }
    fields
}

fn running(service: &EcsService, revision: &str) -> usize {
    service
        .tasks
        .iter()
        .filter(|task| task.revision == revision && task.is_running())
        .count()
}

fn breaker_json(service: &EcsService, deployment: &ServiceDeployment) -> Value {
    let failures = service
        .deployments
        .iter()
        .find(|known| known.revision == deployment.target_revision);
    let status = monitor_status(
        deployment,
        service.circuit_breaker.is_some(),
        EndedBy::CircuitBreaker,
    );
    json!({
        "status": status,
        "failureCount": failures.map_or(0, |known| known.failed_tasks),
        "threshold": breaker_threshold(service.desired),
    })
}

fn alarms_json(service: &EcsService, deployment: &ServiceDeployment) -> Value {
    let names = service
        .alarms
        .as_ref()
        .map(|alarms| alarms.names.as_slice())
        .unwrap_or_default();
    let status = monitor_status(deployment, service.alarms.is_some(), EndedBy::Alarm);
    json!({
        "status": status,
        "alarmNames": names,
        "triggeredAlarmNames": deployment.triggered,
    })
}

/// The state of the circuit breaker or of the alarms; it is triggered if it ended the deployment.
fn monitor_status(deployment: &ServiceDeployment, is_on: bool, triggers: EndedBy) -> &'static str {
    match deployment.status {
        _ if !is_on => "DISABLED",
        _ if deployment.ended_by == Some(triggers) => "TRIGGERED",
        HistoryStatus::Pending | HistoryStatus::InProgress => "MONITORING",
        _ => "MONITORING_COMPLETE",
    }
}
