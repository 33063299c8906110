//! The kinds of services: blue/green, DAEMON, Express Mode and ECS Anywhere.

use std::time::Duration;

use aws_sdk_ecs::types::{Deployment, Service};
use sim::{EndedBy, service};

use crate::{account, described, ecs, newest, restart};

const MINUTE: Duration = Duration::from_mins(1);

fn running_counts(service: &Service) -> Vec<i32> {
    service
        .deployments()
        .iter()
        .map(Deployment::running_count)
        .collect()
}

#[tokio::test(start_paused = true)]
async fn blue_green_keeps_the_old_tasks_until_the_new_ones_have_baked() {
    let account = account();
    account.add(service("web/api").blue_green(5 * MINUTE));

    restart(&account, "web/api").await;
    account.run_for(4 * MINUTE).await;

    let api = described(&account).await;
    assert_eq!(running_counts(&api), [2, 2]);
    let mut deployments = api.deployments().iter();
    assert!(deployments.all(|deployment| deployment.rollout_state().is_none()));
    let configuration = api.deployment_configuration().unwrap();
    assert_eq!(configuration.strategy().unwrap().as_str(), "BLUE_GREEN");
    assert_eq!(configuration.bake_time_in_minutes(), Some(5));

    account.run_for(2 * MINUTE).await;
    let after = account.service("web/api").unwrap();
    assert!(after.is_steady() && after.kept_its_floor(), "{after:#?}");
    assert_eq!(after.history[0].status, "SUCCESSFUL");
}

#[tokio::test(start_paused = true)]
async fn blue_green_that_fails_goes_back_at_once() {
    let account = account();
    account.add(
        service("web/api")
            .desired(2)
            .blue_green(5 * MINUTE)
            .circuit_breaker(true)
            .failing_next(3),
    );
    let before = account.service("web/api").unwrap();

    restart(&account, "web/api").await;
    account.settle().await;

    let after = account.service("web/api").unwrap();
    assert_eq!(after.deployments[0].id, before.deployments[0].id);
    assert_eq!(
        (
            after.history[0].status,
            after.is_steady(),
            after.lowest_running
        ),
        ("ROLLBACK_SUCCESSFUL", true, 2)
    );
}

#[tokio::test(start_paused = true)]
async fn a_daemon_stops_before_it_starts() {
    let account = account();
    account.add(service("web/agent").daemon(3));

    restart(&account, "web/agent").await;
    account.settle().await;

    let seen = account.service("web/agent").unwrap();
    assert!(seen.is_steady());
    assert_eq!((seen.lowest_running, seen.floor), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn an_express_service_names_no_task_definition_and_shifts_as_a_canary() {
    let account = account();
    account.add(service("web/api").express());
    let started = restart(&account, "web/api").await;
    account.run_for(5 * MINUTE).await;

    let api = described(&account).await;

    assert_eq!(api.task_definition(), None);
    assert_eq!(api.resource_management_type().unwrap().as_str(), "ECS");
    let deployments = api.deployments();
    assert!(deployments.iter().all(|deployment| {
        deployment.task_definition().is_some() && deployment.rollout_state().is_none()
    }));
    assert_eq!(running_counts(&api), [2, 2]);
    assert_eq!(started.deployments()[0].id(), deployments[0].id());
    let configuration = api.deployment_configuration().unwrap();
    let canary = configuration.canary_configuration().unwrap();
    assert_eq!(configuration.strategy().unwrap().as_str(), "CANARY");
    assert_eq!(canary.canary_percent(), Some(5.0));
    assert!(configuration.alarms().unwrap().rollback());
}

#[tokio::test(start_paused = true)]
async fn an_express_deployment_takes_two_steps_of_three_minutes() {
    let account = account();
    account.add(service("web/api").express());

    restart(&account, "web/api").await;
    account.settle().await;

    let after = account.service("web/api").unwrap();
    assert!(after.is_steady() && after.kept_its_floor());
    let ended = newest(&account);
    let took = ended.finished_at.unwrap().duration_since(ended.created_at);
    assert!((6..9).contains(&took.as_mins()), "{took}");
}

#[tokio::test(start_paused = true)]
async fn an_express_service_is_not_deleted_by_delete_service() {
    let account = account();
    account.add(service("web/api").express());

    let call = ecs(&account)
        .delete_service()
        .cluster("web")
        .service("api")
        .force(true);
    let refused = call.send().await.unwrap_err().into_service_error();

    let message = refused.to_string();
    assert!(message.contains("DeleteExpressGatewayService"), "{message}");
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

    let api = described(&account).await;
    assert_eq!(api.launch_type().unwrap().as_str(), "EXTERNAL");
    assert_eq!(api.platform_version(), None);
    let controller = api.deployment_controller().unwrap();
    assert_eq!(controller.r#type().as_str(), "ECS");
    assert_eq!(api.resource_management_type().unwrap().as_str(), "CUSTOMER");
    assert_eq!(newest(&account).status, "SUCCESSFUL");
    assert_eq!(api.deployments().len(), 1);
}
