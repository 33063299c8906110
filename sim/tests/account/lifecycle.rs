//! Lifecycle hooks, alarms, and those who end a deployment; Express Mode and ECS Anywhere.

use std::time::Duration;

use aws_sdk_ecs::types::{
    DeploymentLifecycleHookAction, DeploymentLifecycleHookStatus,
    DeploymentLifecycleHookTargetType, ResourceManagementType, ServiceDeployment,
    ServiceDeploymentRollbackMonitorsStatus as Monitor, ServiceDeploymentStatus,
};
use sim::{Account, Approver, EndedBy, Fault, HistoryView, Hook, Stage, service};

use crate::{account, ecs, restart};

const MINUTE: Duration = Duration::from_mins(1);

/// The newest service deployment as `DescribeServiceDeployments` tells it.
async fn described(account: &Account) -> ServiceDeployment {
    let client = ecs(account);
    let listed = client
        .list_service_deployments()
        .cluster("web")
        .service("api")
        .send()
        .await
        .unwrap();
    let arn = listed.service_deployments()[0]
        .service_deployment_arn()
        .unwrap();
    let described = client
        .describe_service_deployments()
        .service_deployment_arns(arn)
        .send()
        .await
        .unwrap();
    described.service_deployments()[0].clone()
}

fn newest(account: &Account) -> HistoryView {
    account.service("web/api").unwrap().history[0].clone()
}

#[tokio::test(start_paused = true)]
async fn a_pause_hook_stops_a_rolling_deployment_before_its_first_task() {
    let account = account();
    account.add(
        service("web/api")
            .desired(2)
            .hook(Hook::pause(Stage::PreScaleUp)),
    );
    let before = account.service("web/api").unwrap();

    restart(&account, "web/api").await;
    account.run_for(30 * MINUTE).await;

    let deployment = described(&account).await;
    assert_eq!(
        deployment.status().unwrap(),
        &ServiceDeploymentStatus::InProgress
    );
    assert_eq!(
        deployment.lifecycle_stage().unwrap().as_str(),
        "PRE_SCALE_UP"
    );
    let [hook] = deployment.lifecycle_hook_details() else {
        panic!("{deployment:#?}")
    };
    assert_eq!(
        hook.status().unwrap(),
        &DeploymentLifecycleHookStatus::AwaitingAction
    );
    assert_eq!(
        hook.target_type().unwrap(),
        &DeploymentLifecycleHookTargetType::Pause
    );
    assert_eq!(
        (hook.target_arn(), hook.timeout_action().unwrap()),
        (None, &DeploymentLifecycleHookAction::Rollback)
    );
    let created = deployment.created_at().unwrap().secs();
    assert!((24 * 3600..24 * 3600 + 5).contains(&(hook.expires_at().unwrap().secs() - created)));
    let seen = account.service("web/api").unwrap();
    assert_eq!(seen.deployments[0].rollout_state, "IN_PROGRESS");
    assert!(
        before
            .tasks
            .iter()
            .zip(&seen.tasks)
            .all(|(before, now)| before.id == now.id)
    );

    let client = ecs(&account);
    let arn = deployment.service_deployment_arn().unwrap();
    client
        .continue_service_deployment()
        .service_deployment_arn(arn)
        .hook_id(hook.hook_id().unwrap())
        .send()
        .await
        .unwrap();
    account.settle().await;

    let after = account.service("web/api").unwrap();
    assert_eq!(
        (
            after.history[0].status,
            after.history[0].ended_by,
            after.history[0].hooks[0].status
        ),
        ("SUCCESSFUL", None, "SUCCEEDED")
    );
    assert!(after.is_steady() && after.kept_its_floor());
}

#[tokio::test(start_paused = true)]
async fn a_service_tells_of_its_hooks_and_its_alarms() {
    let account = account();
    let lambda = Hook::lambda(Stage::PostScaleUp, MINUTE, true);
    account.add(
        service("web/api")
            .hook(
                Hook::pause(Stage::PreScaleUp)
                    .expiring_after(10 * MINUTE)
                    .continuing(),
            )
            .hook(lambda),
    );
    account.add(service("web/watched").alarm("web-5xx", 5 * MINUTE));

    let seen = ecs(&account)
        .describe_services()
        .cluster("web")
        .services("api")
        .services("watched")
        .send()
        .await
        .unwrap();

    let configuration = seen.services()[0].deployment_configuration().unwrap();
    let [pause, lambda] = configuration.lifecycle_hooks() else {
        panic!("{configuration:#?}")
    };
    assert_eq!(
        (
            pause.target_type().unwrap().as_str(),
            lambda.target_type().unwrap().as_str()
        ),
        ("PAUSE", "AWS_LAMBDA")
    );
    assert_eq!(
        (pause.hook_target_arn(), lambda.hook_target_arn().is_some()),
        (None, true)
    );
    let timeout = pause.timeout_configuration().unwrap();
    assert_eq!(
        (
            timeout.timeout_in_minutes(),
            timeout.action().unwrap().as_str()
        ),
        (Some(10), "CONTINUE")
    );
    assert_eq!(pause.lifecycle_stages()[0].as_str(), "PRE_SCALE_UP");
    assert!(configuration.alarms().is_none());
    let alarms = seen.services()[1]
        .deployment_configuration()
        .unwrap()
        .alarms()
        .unwrap();
    assert_eq!(
        (alarms.alarm_names(), alarms.enable(), alarms.rollback()),
        (["web-5xx".to_owned()].as_slice(), true, true)
    );
}

#[tokio::test(start_paused = true)]
async fn a_person_rejects_a_deployment_at_its_hook() {
    let account = account();
    account.add(
        service("web/api")
            .desired(2)
            .circuit_breaker(true)
            .hook(Hook::pause(Stage::PreScaleUp)),
    );
    let before = account.service("web/api").unwrap();
    restart(&account, "web/api").await;
    account.run_for(MINUTE).await;

    account.reject("web/api");
    assert_eq!(newest(&account).status, "ROLLBACK_REQUESTED");
    account.settle().await;

    let deployment = described(&account).await;
    assert_eq!(
        deployment.status().unwrap(),
        &ServiceDeploymentStatus::RollbackSuccessful
    );
    assert_eq!(
        deployment
            .deployment_circuit_breaker()
            .unwrap()
            .status()
            .unwrap(),
        &Monitor::MonitoringComplete
    );
    assert_eq!(
        deployment.alarms().unwrap().status().unwrap(),
        &Monitor::Disabled
    );
    let old = before.deployments[0].id.trim_start_matches("ecs-svc/");
    assert!(
        deployment
            .rollback()
            .unwrap()
            .service_revision_arn()
            .unwrap()
            .ends_with(old)
    );
    let after = account.service("web/api").unwrap();
    assert_eq!(
        (after.history[0].ended_by, after.deployments.len()),
        (Some(EndedBy::Rejection), 1)
    );
    assert_eq!(after.deployments[0].id, before.deployments[0].id);
    assert!(
        after
            .tasks
            .iter()
            .all(|task| before.tasks.iter().any(|old| old.id == task.id)),
        "nothing had been started"
    );
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_nobody_acts_on_ends_by_itself() {
    let account = account();
    account
        .add(service("web/api").hook(Hook::pause(Stage::PostScaleUp).expiring_after(10 * MINUTE)));
    restart(&account, "web/api").await;

    account.run_for(9 * MINUTE).await;
    assert_eq!(
        (newest(&account).status, newest(&account).stage),
        ("IN_PROGRESS", Some("POST_SCALE_UP"))
    );
    account.settle().await;

    let ended = newest(&account);
    assert_eq!(
        (ended.status, ended.ended_by, ended.hooks[0].status),
        (
            "ROLLBACK_SUCCESSFUL",
            Some(EndedBy::HookTimeout),
            "TIMED_OUT"
        )
    );
    assert!(ended.ended_by.unwrap().is_a_decision());
}

#[tokio::test(start_paused = true)]
async fn a_time_out_may_let_the_deployment_go_on() {
    let account = account();
    account.add(
        service("web/api").hook(
            Hook::pause(Stage::PreScaleUp)
                .expiring_after(10 * MINUTE)
                .continuing(),
        ),
    );

    restart(&account, "web/api").await;
    account.settle().await;

    let ended = newest(&account);
    assert_eq!(
        (ended.status, ended.ended_by, ended.hooks[0].status),
        ("SUCCESSFUL", None, "TIMED_OUT")
    );
}

#[tokio::test(start_paused = true)]
async fn a_lambda_hook_lets_a_deployment_go_on_or_fails_it() {
    for (succeeds, status, by) in [
        (true, "SUCCESSFUL", None),
        (false, "ROLLBACK_SUCCESSFUL", Some(EndedBy::Hook)),
    ] {
        let account = account();
        account.add(service("web/api").hook(Hook::lambda(Stage::PreScaleUp, 2 * MINUTE, succeeds)));

        restart(&account, "web/api").await;
        account.run_for(MINUTE).await;
        assert_eq!(
            described(&account).await.lifecycle_hook_details()[0]
                .status()
                .unwrap(),
            &DeploymentLifecycleHookStatus::InProgress
        );
        account.settle().await;

        assert_eq!(
            (newest(&account).status, newest(&account).ended_by),
            (status, by)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_newer_deployment_voids_the_approval() {
    let account = account();
    account.add(service("web/api").hook(Hook::pause(Stage::PreScaleUp)));
    restart(&account, "web/api").await;
    account.run_for(MINUTE).await;
    let stopped = described(&account).await;

    restart(&account, "web/api").await;
    account.run_for(MINUTE).await;

    let history = account.service("web/api").unwrap().history;
    assert_eq!(
        (history[1].status, history[1].ended_by),
        ("STOPPED", Some(EndedBy::NewDeployment))
    );
    assert_eq!(
        (history[1].hooks[0].status, history[0].hooks[0].status),
        ("FAILED", "AWAITING_ACTION")
    );
    let call = ecs(&account)
        .continue_service_deployment()
        .service_deployment_arn(stopped.service_deployment_arn().unwrap());
    assert!(call.hook_id(&history[1].hooks[0].id).send().await.is_err());
    account.approve("web/api");
    account.settle().await;
    assert_eq!(newest(&account).status, "SUCCESSFUL");
}

#[tokio::test(start_paused = true)]
async fn a_person_stops_a_deployment_which_is_rolled_back() {
    let account = account();
    account.add(
        service("web/api")
            .desired(4)
            .percent(50, 100)
            .reading(["ssm:/app/db"]),
    );
    restart(&account, "web/api").await;
    account.run_for(Duration::from_secs(20)).await;
    let arn = described(&account)
        .await
        .service_deployment_arn()
        .unwrap()
        .to_owned();

    let client = ecs(&account);
    client
        .stop_service_deployment()
        .service_deployment_arn(&arn)
        .send()
        .await
        .unwrap();
    assert_eq!(newest(&account).status, "ROLLBACK_REQUESTED");
    account.run_for(Duration::from_secs(5)).await;
    assert_eq!(newest(&account).status, "ROLLBACK_IN_PROGRESS");
    account.settle().await;

    let ended = newest(&account);
    assert_eq!(
        (ended.status, ended.ended_by),
        ("ROLLBACK_SUCCESSFUL", Some(EndedBy::Stop))
    );
    let listed = client
        .list_service_deployments()
        .cluster("web")
        .service("api")
        .send()
        .await
        .unwrap();
    assert_eq!(
        listed.service_deployments()[0].status_reason().unwrap(),
        ended.status_reason
    );
    assert!(!ended.status_reason.is_empty());
    let refused = client
        .stop_service_deployment()
        .service_deployment_arn(&arn)
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    assert!(refused.is_conflict_exception(), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn a_rolling_deployment_bakes_while_its_alarms_are_watched() {
    let account = account();
    account.add(service("web/api").desired(2).alarm("web-5xx", 5 * MINUTE));

    restart(&account, "web/api").await;
    account.run_for(4 * MINUTE).await;

    let deployment = described(&account).await;
    assert_eq!(deployment.lifecycle_stage().unwrap().as_str(), "BAKE_TIME");
    assert_eq!(
        deployment.alarms().unwrap().status().unwrap(),
        &Monitor::Monitoring
    );
    let seen = account.service("web/api").unwrap();
    assert_eq!(
        (
            seen.deployments.len(),
            seen.running,
            seen.deployments[0].rollout_state
        ),
        (1, 2, "IN_PROGRESS")
    );
    assert!(seen.history[0].baking_since.is_some());

    account.settle().await;
    let seen = account.service("web/api").unwrap();
    assert_eq!(
        (seen.deployments[0].rollout_state, seen.history[0].status),
        ("COMPLETED", "SUCCESSFUL")
    );
}

#[tokio::test(start_paused = true)]
async fn an_alarm_that_goes_off_rolls_the_deployment_back() {
    let account = account();
    account.add(
        service("web/api")
            .desired(2)
            .circuit_breaker(true)
            .alarm("web-5xx", 5 * MINUTE),
    );
    let before = account.service("web/api").unwrap();
    restart(&account, "web/api").await;
    account.run_for(3 * MINUTE).await;

    account.trigger_alarm("web/api");
    account.settle().await;

    let deployment = described(&account).await;
    let alarms = deployment.alarms().unwrap();
    assert_eq!(
        (alarms.status().unwrap(), alarms.triggered_alarm_names()),
        (&Monitor::Triggered, ["web-5xx".to_owned()].as_slice())
    );
    assert_eq!(
        deployment
            .deployment_circuit_breaker()
            .unwrap()
            .status()
            .unwrap(),
        &Monitor::MonitoringComplete
    );
    assert_eq!(
        (newest(&account).status, newest(&account).ended_by),
        ("ROLLBACK_SUCCESSFUL", Some(EndedBy::Alarm))
    );
    let after = account.service("web/api").unwrap();
    assert_eq!(after.deployments[0].id, before.deployments[0].id);
    assert!(after.is_steady() && after.kept_its_floor());
    assert!(
        after
            .tasks
            .iter()
            .all(|task| before.tasks.iter().all(|old| old.id != task.id)),
        "all old tasks had been replaced"
    );
}

#[tokio::test(start_paused = true)]
async fn the_circuit_breaker_alone_is_told_as_triggered_where_it_was() {
    let account = account();
    account.add(
        service("web/api")
            .desired(2)
            .circuit_breaker(true)
            .alarm("web-5xx", MINUTE)
            .failing_next(3),
    );

    restart(&account, "web/api").await;
    account.settle().await;

    let deployment = described(&account).await;
    assert_eq!(
        deployment
            .deployment_circuit_breaker()
            .unwrap()
            .status()
            .unwrap(),
        &Monitor::Triggered
    );
    assert_eq!(
        deployment.alarms().unwrap().status().unwrap(),
        &Monitor::MonitoringComplete
    );
    assert_eq!(newest(&account).ended_by, Some(EndedBy::CircuitBreaker));
}

#[tokio::test(start_paused = true)]
async fn a_blue_green_deployment_stops_at_its_hook_before_traffic_goes_over() {
    let account = account();
    account.add(
        service("web/api")
            .desired(2)
            .blue_green(5 * MINUTE)
            .hook(Hook::pause(Stage::PostScaleUp)),
    );
    restart(&account, "web/api").await;

    account.run_for(60 * MINUTE).await;
    let seen = account.service("web/api").unwrap();
    assert_eq!(
        (
            seen.running,
            newest(&account).stage,
            newest(&account).baking_since
        ),
        (4, Some("POST_SCALE_UP"), None)
    );
    account.approve("web/api");
    account.run_for(2 * MINUTE).await;
    assert_eq!(newest(&account).stage, Some("BAKE_TIME"));
    account.settle().await;

    assert_eq!(
        (newest(&account).status, newest(&account).stage),
        ("SUCCESSFUL", Some("CLEAN_UP"))
    );
    assert!(account.service("web/api").unwrap().is_steady());
}

#[tokio::test(start_paused = true)]
async fn while_a_deployment_stands_at_a_hook_the_old_one_is_kept_up() {
    let account = account();
    account.add(
        service("web/api")
            .desired(2)
            .hook(Hook::pause(Stage::PreScaleUp)),
    );
    let old = account.service("web/api").unwrap().deployments[0]
        .id
        .clone();
    restart(&account, "web/api").await;
    account.run_for(MINUTE).await;

    account.scale("web/api", 3);
    account.run_for(2 * MINUTE).await;
    let out = account.service("web/api").unwrap();
    assert_eq!(
        (
            out.running,
            out.tasks.iter().all(|task| task.deployment == old)
        ),
        (3, true)
    );
    account.scale("web/api", 0);
    account.run_for(2 * MINUTE).await;
    account.scale("web/api", 1);
    account.run_for(2 * MINUTE).await;

    let back = account.service("web/api").unwrap();
    assert_eq!((back.running, back.tasks[0].deployment == old), (1, true));
    assert_eq!(newest(&account).hooks[0].status, "AWAITING_ACTION");
}

#[tokio::test(start_paused = true)]
async fn update_service_may_find_more_deployments_than_describe_services_shows() {
    let account = account();
    account.add(service("web/api"));
    account.inject(Fault::too_many_deployments().target("web/api").times(1));

    let call = ecs(&account)
        .update_service()
        .cluster("web")
        .service("api")
        .force_new_deployment(true);
    let refused = call.send().await.unwrap_err().into_service_error();

    assert!(refused.is_invalid_parameter_exception());
    assert_eq!(
        refused.meta().message(),
        Some("5 active deployments exist, unable to create new deployment.")
    );
    assert_eq!(account.service("web/api").unwrap().deployments.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_express_service_names_no_task_definition_and_shifts_as_a_canary() {
    let account = account();
    account.add(service("web/api").desired(2).express());
    let started = restart(&account, "web/api").await;
    account.run_for(5 * MINUTE).await;

    let seen = ecs(&account)
        .describe_services()
        .cluster("web")
        .services("api")
        .send()
        .await
        .unwrap();
    let api = &seen.services()[0];
    assert_eq!(
        (api.task_definition(), api.resource_management_type()),
        (None, Some(&ResourceManagementType::Ecs))
    );
    assert!(
        api.deployments()
            .iter()
            .all(|deployment| deployment.task_definition().is_some()
                && deployment.rollout_state().is_none())
    );
    assert_eq!(
        api.deployments()
            .iter()
            .map(aws_sdk_ecs::types::Deployment::running_count)
            .collect::<Vec<_>>(),
        [2, 2]
    );
    let configuration = api.deployment_configuration().unwrap();
    let canary = configuration.canary_configuration().unwrap();
    assert_eq!(
        (
            configuration.strategy().unwrap().as_str(),
            canary.canary_percent()
        ),
        ("CANARY", Some(5.0))
    );
    assert!(configuration.alarms().unwrap().rollback());
    assert_eq!(started.deployments()[0].id(), api.deployments()[0].id());

    account.settle().await;
    let after = account.service("web/api").unwrap();
    assert!(after.is_steady() && after.kept_its_floor());
    let took = after.history[0]
        .finished_at
        .unwrap()
        .duration_since(after.history[0].created_at);
    assert!((6..9).contains(&took.as_mins()), "{took}");
    let refused = ecs(&account)
        .delete_service()
        .cluster("web")
        .service("api")
        .force(true)
        .send()
        .await
        .unwrap_err();
    assert!(
        refused
            .into_service_error()
            .to_string()
            .contains("DeleteExpressGatewayService")
    );
}

#[tokio::test(start_paused = true)]
async fn an_express_deployment_is_rolled_back_by_its_alarm() {
    let account = account();
    account.add(service("web/api").desired(1).express());
    restart(&account, "web/api").await;
    account.run_for(3 * MINUTE).await;

    account.trigger_alarm("web/api");
    account.settle().await;

    assert_eq!(
        (newest(&account).status, newest(&account).ended_by),
        ("ROLLBACK_SUCCESSFUL", Some(EndedBy::Alarm))
    );
    assert!(account.service("web/api").unwrap().kept_its_floor());
}

#[tokio::test(start_paused = true)]
async fn a_service_of_ecs_anywhere_has_the_launch_type_external_and_rolls_as_any_other() {
    let account = account();
    account.add(service("web/api").desired(1).anywhere());

    restart(&account, "web/api").await;
    account.settle().await;

    let seen = ecs(&account)
        .describe_services()
        .cluster("web")
        .services("api")
        .send()
        .await
        .unwrap();
    let api = &seen.services()[0];
    assert_eq!(
        (api.launch_type().unwrap().as_str(), api.platform_version()),
        ("EXTERNAL", None)
    );
    assert_eq!(
        api.deployment_controller().unwrap().r#type().as_str(),
        "ECS"
    );
    assert_eq!(
        api.resource_management_type(),
        Some(&ResourceManagementType::Customer)
    );
    assert_eq!(
        (newest(&account).status, api.deployments().len()),
        ("SUCCESSFUL", 1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_person_who_looks_after_a_hook_acts_in_time_or_forgets_it() {
    for (approves, rejects, status, by) in [
        (1.0, 0.0, "SUCCESSFUL", None),
        (0.0, 1.0, "ROLLBACK_SUCCESSFUL", Some(EndedBy::Rejection)),
        (0.0, 0.0, "ROLLBACK_SUCCESSFUL", Some(EndedBy::HookTimeout)),
    ] {
        let account = account();
        let approver = Approver {
            approves,
            rejects,
            within: 20 * MINUTE,
        };
        account.add(
            service("web/api").hook(
                Hook::pause(Stage::PreScaleUp)
                    .expiring_after(60 * MINUTE)
                    .attended_by(approver),
            ),
        );

        restart(&account, "web/api").await;
        account.settle().await;

        assert_eq!(
            (newest(&account).status, newest(&account).ended_by),
            (status, by)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn writes_of_a_parameter_are_known_whoever_made_them() {
    let account = account();
    account.add(service("web/api").desired(1).writing("/own", 1));
    account.put_parameter("/own");

    restart(&account, "web/api").await;
    account.settle().await;

    let started_at = account.service("web/api").unwrap().tasks[0]
        .started_at
        .unwrap();
    assert_eq!(
        account.parameter_writes("/own"),
        [account.parameter_writes("/own")[0], started_at]
    );
    assert!(account.parameter_writes("/other").is_empty());
}
