//! Tasks that outlive a deployment, or keep it from its end: early success, protection, draining;
//! and the tasks that have stopped.

use std::time::Duration;

use aws_sdk_ecs::types::{DeploymentEarlySuccessCriteria, DesiredStatus, Task};
use sim::{Account, Service, service};

use crate::{account, described, ecs, newest, restart};

const MINUTE: Duration = Duration::from_mins(1);

/// Four tasks, which take a minute to stop.
fn draining_slowly() -> Service {
    service("web/api").desired(4).task_seconds(10.0, 10.0, 60.0)
}

/// The tasks of `web/api` with this desired status.
async fn tasks(account: &Account, desired: DesiredStatus) -> Vec<Task> {
    let client = ecs(account);
    let list = client
        .list_tasks()
        .cluster("web")
        .service_name("api")
        .desired_status(desired);
    let arns = list.send().await.unwrap().task_arns.unwrap();
    if arns.is_empty() {
        return Vec::new();
    }
    let describe = client.describe_tasks().cluster("web").set_tasks(Some(arns));
    describe.send().await.unwrap().tasks.unwrap()
}

async fn criteria(account: &Account) -> DeploymentEarlySuccessCriteria {
    let service = described(account).await;
    let configuration = service.deployment_configuration.unwrap();
    configuration.early_success_criteria.unwrap()
}

#[tokio::test(start_paused = true)]
async fn with_a_deferred_cleanup_a_deployment_is_successful_while_old_tasks_drain() {
    let account = account();
    account.add(draining_slowly().early_success(50, true));

    restart(&account, "web/api").await;
    account.run_for(Duration::from_secs(30)).await;

    let draining = tasks(&account, DesiredStatus::Stopped).await;
    let statuses: Vec<_> = draining.iter().map(|task| task.last_status()).collect();
    assert_eq!(newest(&account).status, "SUCCESSFUL");
    assert_eq!(statuses, [Some("DEACTIVATING"); 4]);
    let criteria = criteria(&account).await;
    let cleanup = criteria.source_service_revision_cleanup().unwrap();
    assert_eq!(
        (
            criteria.enable(),
            criteria.healthy_percent(),
            cleanup.as_str()
        ),
        (true, Some(50), "DEFERRED")
    );
}

#[tokio::test(start_paused = true)]
async fn with_a_blocking_cleanup_and_without_criteria_the_old_tasks_are_gone_first() {
    for service in [
        draining_slowly().early_success(50, false),
        draining_slowly(),
    ] {
        let account = account();
        account.add(service);

        restart(&account, "web/api").await;
        account.run_for(MINUTE).await;
        let early = newest(&account).status;
        account.run_for(MINUTE).await;

        assert_eq!(
            (early, newest(&account).status),
            ("IN_PROGRESS", "SUCCESSFUL")
        );
    }
}

#[tokio::test(start_paused = true)]
async fn half_of_the_tasks_are_enough_if_the_criteria_say_so() {
    let account = account();
    // One new task at a time.
    let slow = draining_slowly().percent(50, 125);
    account.add(slow.clone().early_success(50, true));

    restart(&account, "web/api").await;
    while newest(&account).status != "SUCCESSFUL" {
        account.run_for(Duration::from_secs(1)).await;
    }

    let revision = newest(&account).deployment;
    let tasks = account.service("web/api").unwrap().tasks;
    let healthy = tasks
        .iter()
        .filter(|task| task.deployment == revision && task.healthy && !task.stopping);
    assert!((2..4).contains(&healthy.count()), "{tasks:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_protected_task_is_stopped_when_its_protection_ends() {
    let account = account();
    account.add(draining_slowly());
    account.protect_tasks("web/api", 30 * MINUTE);

    restart(&account, "web/api").await;
    account.run_for(29 * MINUTE).await;
    let protected = (newest(&account).status, described(&account).await);
    account.run_for(3 * MINUTE).await;

    let deployments = protected.1.deployments();
    assert_eq!((protected.0, deployments.len()), ("IN_PROGRESS", 2));
    assert_eq!(deployments[1].running_count(), 4);
    assert_eq!(newest(&account).status, "SUCCESSFUL");
}

#[tokio::test(start_paused = true)]
async fn a_protection_that_is_cleared_ends_at_once() {
    let account = account();
    account.add(draining_slowly());
    let client = ecs(&account);
    let arns: Vec<_> = tasks(&account, DesiredStatus::Running)
        .await
        .into_iter()
        .filter_map(|task| task.task_arn)
        .collect();
    let update = || {
        client
            .update_task_protection()
            .cluster("web")
            .set_tasks(Some(arns.clone()))
    };
    let enabled = update().protection_enabled(true).send().await.unwrap();

    restart(&account, "web/api").await;
    account.run_for(10 * MINUTE).await;
    let before = newest(&account).status;
    update().protection_enabled(false).send().await.unwrap();
    account.run_for(3 * MINUTE).await;

    let first = &enabled.protected_tasks()[0];
    let lasts = first.expiration_date().unwrap().secs() - account.now().as_second();
    assert!(
        first.protection_enabled() && lasts > 100 * 60,
        "two hours by default"
    );
    assert_eq!(
        (before, newest(&account).status),
        ("IN_PROGRESS", "SUCCESSFUL")
    );
    let unknown = client
        .update_task_protection()
        .cluster("web")
        .tasks("0123456789abcdef0123456789abcdef")
        .protection_enabled(true);
    let unknown = unknown.send().await.unwrap();
    assert_eq!(unknown.failures()[0].reason(), Some("TASK_NOT_VALID"));
}

#[tokio::test(start_paused = true)]
async fn a_stopped_task_says_why_it_stopped() {
    let account = account();
    account.add(service("web/api").failing_next(1));

    restart(&account, "web/api").await;
    account.run_for(10 * MINUTE).await;

    let stopped = tasks(&account, DesiredStatus::Stopped).await;
    let code = |task: &Task| task.stop_code().unwrap().as_str().to_owned();
    let failed: Vec<_> = stopped
        .iter()
        .filter(|task| code(task) == "EssentialContainerExited")
        .collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].containers()[0].exit_code(), Some(1));
    let others = stopped.iter().filter(|task| task.containers().is_empty());
    assert!(
        others
            .map(code)
            .all(|code| code == "ServiceSchedulerInitiated")
    );
}
