//! Lifecycle hooks, and the persons who end a deployment.

use std::time::Duration;

use aws_sdk_ecs::types::{
    DeploymentLifecycleHookStatus as HookStatus,
    ServiceDeploymentRollbackMonitorsStatus as Monitor, ServiceDeploymentStatus,
};
use sim::{Approver, EndedBy, Hook, Stage, service};

use crate::{account, described, described_deployment, ecs, newest, restart};

const MINUTE: Duration = Duration::from_mins(1);

#[tokio::test(start_paused = true)]
async fn a_pause_hook_stops_a_rolling_deployment_before_its_first_task() {
    let account = account();
    account.add(service("web/api").hook(Hook::pause(Stage::PreScaleUp)));
    let before = account.service("web/api").unwrap();

    restart(&account, "web/api").await;
    account.run_for(30 * MINUTE).await;

    let deployment = described_deployment(&account).await;
    assert_eq!(deployment.status().unwrap().as_str(), "IN_PROGRESS");
    let stage = deployment.lifecycle_stage().unwrap();
    assert_eq!(stage.as_str(), "PRE_SCALE_UP");
    let seen = account.service("web/api").unwrap();
    assert_eq!(seen.deployments[0].rollout_state, "IN_PROGRESS");
    let tasks = before.tasks.iter().zip(&seen.tasks);
    assert!(tasks.into_iter().all(|(before, now)| before.id == now.id));
}

#[tokio::test(start_paused = true)]
async fn a_pause_hook_awaits_an_action_for_a_day() {
    let account = account();
    account.add(service("web/api").hook(Hook::pause(Stage::PreScaleUp)));

    restart(&account, "web/api").await;
    account.run_for(MINUTE).await;

    let deployment = described_deployment(&account).await;
    let [hook] = deployment.lifecycle_hook_details() else {
        panic!("{deployment:#?}")
    };
    assert_eq!(hook.status(), Some(&HookStatus::AwaitingAction));
    assert_eq!(hook.target_type().unwrap().as_str(), "PAUSE");
    assert_eq!(hook.target_arn(), None);
    assert_eq!(hook.timeout_action().unwrap().as_str(), "ROLLBACK");
    let created = deployment.created_at().unwrap().secs();
    let wait = hook.expires_at().unwrap().secs() - created;
    assert!((24 * 3600..24 * 3600 + 5).contains(&wait));
}

#[tokio::test(start_paused = true)]
async fn a_deployment_that_is_continued_at_its_hook_succeeds() {
    let account = account();
    account.add(service("web/api").hook(Hook::pause(Stage::PreScaleUp)));
    restart(&account, "web/api").await;
    account.run_for(MINUTE).await;

    let deployment = described_deployment(&account).await;
    let hook = deployment.lifecycle_hook_details()[0].hook_id();
    let call = ecs(&account)
        .continue_service_deployment()
        .service_deployment_arn(deployment.service_deployment_arn().unwrap())
        .hook_id(hook.unwrap());
    call.send().await.unwrap();
    account.settle().await;

    let ended = newest(&account);
    assert_eq!(
        (ended.status, ended.hooks[0].status),
        ("SUCCESSFUL", "SUCCEEDED")
    );
    assert_eq!(ended.ended_by, None);
    let after = account.service("web/api").unwrap();
    assert!(after.is_steady() && after.kept_its_floor());
}

#[tokio::test(start_paused = true)]
async fn a_service_shows_its_hooks() {
    let account = account();
    let pause = Hook::pause(Stage::PreScaleUp);
    account.add(
        service("web/api")
            .hook(pause.expiring_after(10 * MINUTE).continuing())
            .hook(Hook::lambda(Stage::PostScaleUp, MINUTE, true)),
    );

    let described = described(&account).await;

    let configuration = described.deployment_configuration().unwrap();
    let [pause, lambda] = configuration.lifecycle_hooks() else {
        panic!("{configuration:#?}")
    };
    assert_eq!(pause.target_type().unwrap().as_str(), "PAUSE");
    assert_eq!(lambda.target_type().unwrap().as_str(), "AWS_LAMBDA");
    assert_eq!(
        (pause.hook_target_arn(), lambda.hook_target_arn().is_some()),
        (None, true)
    );
    let timeout = pause.timeout_configuration().unwrap();
    assert_eq!(timeout.timeout_in_minutes(), Some(10));
    assert_eq!(timeout.action().unwrap().as_str(), "CONTINUE");
    assert_eq!(pause.lifecycle_stages()[0].as_str(), "PRE_SCALE_UP");
    assert!(configuration.alarms().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_person_rejects_a_deployment_at_its_hook() {
    let account = account();
    let hook = Hook::pause(Stage::PreScaleUp);
    account.add(service("web/api").circuit_breaker(true).hook(hook));
    let before = account.service("web/api").unwrap();
    restart(&account, "web/api").await;
    account.run_for(MINUTE).await;

    account.reject("web/api");
    assert_eq!(newest(&account).status, "ROLLBACK_REQUESTED");
    account.settle().await;

    let deployment = described_deployment(&account).await;
    let status = deployment.status().unwrap();
    assert_eq!(status, &ServiceDeploymentStatus::RollbackSuccessful);
    let breaker = deployment.deployment_circuit_breaker().unwrap();
    assert_eq!(breaker.status().unwrap(), &Monitor::MonitoringComplete);
    let alarms = deployment.alarms().unwrap();
    assert_eq!(alarms.status().unwrap(), &Monitor::Disabled);
    let old = before.deployments[0].id.trim_start_matches("ecs-svc/");
    let target = deployment.rollback().unwrap().service_revision_arn();
    assert!(target.unwrap().ends_with(old));
    let after = account.service("web/api").unwrap();
    assert_eq!(after.history[0].ended_by, Some(EndedBy::Rejection));
    assert_eq!(after.deployments.len(), 1);
    assert_eq!(after.deployments[0].id, before.deployments[0].id);
    let is_old = |id: &String| before.tasks.iter().any(|old| old.id == *id);
    assert!(
        after.tasks.iter().all(|task| is_old(&task.id)),
        "no task was started"
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
async fn a_time_out_may_continue_the_deployment() {
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
async fn a_lambda_hook_continues_a_deployment_or_fails_it() {
    for (succeeds, ended) in [
        (true, ("SUCCESSFUL", None)),
        (false, ("ROLLBACK_SUCCESSFUL", Some(EndedBy::Hook))),
    ] {
        let account = account();
        account.add(service("web/api").hook(Hook::lambda(Stage::PreScaleUp, 2 * MINUTE, succeeds)));

        restart(&account, "web/api").await;
        account.run_for(MINUTE).await;
        assert_eq!(
            described_deployment(&account)
                .await
                .lifecycle_hook_details()[0]
                .status()
                .unwrap(),
            &HookStatus::InProgress
        );
        account.settle().await;

        assert_eq!((newest(&account).status, newest(&account).ended_by), ended);
    }
}

#[tokio::test(start_paused = true)]
async fn a_newer_deployment_voids_the_approval() {
    let account = account();
    account.add(service("web/api").hook(Hook::pause(Stage::PreScaleUp)));
    restart(&account, "web/api").await;
    account.run_for(MINUTE).await;
    let stopped = described_deployment(&account).await;

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
    let service = service("web/api").desired(4).percent(50, 100);
    account.add(service.reading(["ssm:/app/db"]));
    restart(&account, "web/api").await;
    account.run_for(Duration::from_secs(20)).await;
    let deployment = described_deployment(&account).await;
    let arn = deployment.service_deployment_arn().unwrap();

    let client = ecs(&account);
    let stop = client.stop_service_deployment().service_deployment_arn(arn);
    stop.clone().send().await.unwrap();
    assert_eq!(newest(&account).status, "ROLLBACK_REQUESTED");
    account.run_for(Duration::from_secs(5)).await;
    assert_eq!(newest(&account).status, "ROLLBACK_IN_PROGRESS");
    account.settle().await;

    let ended = newest(&account);
    assert_eq!(ended.status, "ROLLBACK_SUCCESSFUL");
    assert_eq!(ended.ended_by, Some(EndedBy::Stop));
    let shown = described_deployment(&account).await;
    assert_eq!(shown.status_reason().unwrap(), ended.status_reason);
    assert!(!ended.status_reason.is_empty());
    let refused = stop.send().await.unwrap_err().into_service_error();
    assert!(refused.is_conflict_exception(), "{refused}");
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
async fn a_person_at_a_hook_acts_in_time_or_forgets_it() {
    struct Case {
        approves: f64,
        rejects: f64,
        ended: (&'static str, Option<EndedBy>),
    }
    let rolled_back = "ROLLBACK_SUCCESSFUL";
    for case in [
        Case {
            approves: 1.0,
            rejects: 0.0,
            ended: ("SUCCESSFUL", None),
        },
        Case {
            approves: 0.0,
            rejects: 1.0,
            ended: (rolled_back, Some(EndedBy::Rejection)),
        },
        Case {
            approves: 0.0,
            rejects: 0.0,
            ended: (rolled_back, Some(EndedBy::HookTimeout)),
        },
    ] {
        let account = account();
        let hook = Hook::pause(Stage::PreScaleUp).expiring_after(60 * MINUTE);
        let approver = Approver {
            approves: case.approves,
            rejects: case.rejects,
            within: 20 * MINUTE,
        };
        account.add(service("web/api").hook(hook.attended_by(approver)));

        restart(&account, "web/api").await;
        account.settle().await;

        let ended = newest(&account);
        assert_eq!((ended.status, ended.ended_by), case.ended);
    }
}
