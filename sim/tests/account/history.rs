//! The deployment history, as `ListServiceDeployments` and its siblings show it.

use std::time::Duration;

use aws_sdk_ecs::primitives::DateTime;
use aws_sdk_ecs::types::{CreatedAt, ServiceDeploymentStatus};
use sim::service;

use crate::{account, described_deployment, ecs, restart};

#[tokio::test(start_paused = true)]
async fn a_breaker_rolls_back_to_the_old_deployment() {
    let account = account();
    let service = service("web/api").reading(["ssm:/app/db"]);
    account.add(service.circuit_breaker(true).failing_next(3));
    let old = account.service("web/api").unwrap().deployments[0].clone();

    restart(&account, "web/api").await;
    account.settle().await;

    let seen = account.service("web/api").unwrap();
    let primary = &seen.deployments[0];
    assert_eq!(
        (&primary.id, primary.created_at),
        (&old.id, old.created_at),
        "the old one is primary again"
    );
    assert_eq!(primary.rollout_state, "COMPLETED");
    let event = format!("rolling back to deployment {}.", old.id);
    assert!(seen.events.iter().any(|text| text.ends_with(&event)));
    assert!(seen.kept_its_floor());
}

#[tokio::test(start_paused = true)]
async fn the_history_alone_shows_a_rollback() {
    let account = account();
    let service = service("web/api").reading(["ssm:/app/db"]);
    account.add(service.circuit_breaker(true).failing_next(3));
    let old = account.service("web/api").unwrap().deployments[0]
        .id
        .clone();

    let started = restart(&account, "web/api").await;
    account.settle().await;

    let failed = described_deployment(&account).await;
    let revision = |id: &str| id.trim_start_matches("ecs-svc/").to_owned();
    let status = failed.status().unwrap();
    assert_eq!(status, &ServiceDeploymentStatus::RollbackSuccessful);
    let target = failed.target_service_revision().unwrap().arn().unwrap();
    assert!(target.ends_with(&revision(started.deployments()[0].id().unwrap())));
    let rollback = failed.rollback().unwrap().service_revision_arn();
    assert!(rollback.unwrap().ends_with(&revision(&old)));
}

#[tokio::test(start_paused = true)]
async fn while_it_rolls_back_the_failed_deployment_is_still_active() {
    let account = account();
    account.add(
        service("web/api")
            .desired(4)
            .percent(50, 100)
            .circuit_breaker(true)
            .failing_next(3),
    );

    restart(&account, "web/api").await;
    account.run_for(Duration::from_secs(45)).await;

    let seen = account.service("web/api").unwrap();
    assert_eq!(seen.history[0].status, "ROLLBACK_IN_PROGRESS");
    let states: Vec<_> = seen
        .deployments
        .iter()
        .map(|deployment| (deployment.status, deployment.rollout_state))
        .collect();
    assert_eq!(states, [("PRIMARY", "IN_PROGRESS"), ("ACTIVE", "FAILED")]);
}

#[tokio::test(start_paused = true)]
async fn a_breaker_without_rollback_leaves_a_failed_primary() {
    let account = account();
    account.add(
        service("web/api")
            .desired(2)
            .circuit_breaker(false)
            .failing(),
    );

    restart(&account, "web/api").await;
    account.settle().await;

    let seen = account.service("web/api").unwrap();
    let states: Vec<_> = seen
        .deployments
        .iter()
        .map(|deployment| (deployment.status, deployment.rollout_state))
        .collect();
    assert_eq!(states, [("PRIMARY", "FAILED"), ("ACTIVE", "COMPLETED")]);
    assert_eq!(seen.history[0].status, "STOPPED");
    assert_eq!(seen.running, 2);
}

#[tokio::test(start_paused = true)]
async fn a_bad_value_fails_only_those_who_read_it() {
    let account = account();
    account.add(
        service("web/api")
            .desired(1)
            .reading(["ssm:/app/db"])
            .circuit_breaker(true)
            .failing_when_reading("ssm:/app/db", 2),
    );

    restart(&account, "web/api").await;
    account.settle().await;
    account.put_parameter("/app/db");
    restart(&account, "web/api").await;
    account.settle().await;

    let statuses: Vec<_> = account
        .service("web/api")
        .unwrap()
        .history
        .iter()
        .map(|entry| entry.status)
        .collect();
    assert_eq!(
        statuses,
        ["ROLLBACK_SUCCESSFUL", "SUCCESSFUL", "SUCCESSFUL"]
    );
}

#[tokio::test(start_paused = true)]
async fn deployments_are_found_by_time_and_status_page_by_page() {
    let account = account();
    account.add(service("web/api").desired(1));
    let client = ecs(&account);
    for _ in 0..3 {
        restart(&account, "web/api").await;
        account.settle().await;
    }

    let since = DateTime::from_secs(account.now().as_second() - 600);
    let recent = client
        .list_service_deployments()
        .cluster("web")
        .service("api");
    let recent = recent
        .created_at(CreatedAt::builder().after(since).build())
        .max_results(2);
    let first = recent.clone().send().await.unwrap();
    let last = recent
        .set_next_token(first.next_token.clone())
        .send()
        .await
        .unwrap();
    assert_eq!(
        (
            first.service_deployments().len(),
            last.service_deployments().len()
        ),
        (2, 1),
        "the first deployment is an hour old"
    );
    assert_eq!(last.next_token(), None);

    let failed = client
        .list_service_deployments()
        .cluster("web")
        .service("api")
        .status(ServiceDeploymentStatus::RollbackFailed);
    assert!(
        failed
            .send()
            .await
            .unwrap()
            .service_deployments()
            .is_empty()
    );
}

#[tokio::test(start_paused = true)]
async fn a_revision_has_its_task_definition() {
    let account = account();
    account.add(service("web/api"));
    let client = ecs(&account);
    let started = restart(&account, "web/api").await;

    let listed = client
        .list_service_deployments()
        .cluster("web")
        .service("api")
        .send()
        .await
        .unwrap();
    let arn = listed.service_deployments()[0]
        .target_service_revision_arn()
        .unwrap();
    let described = client
        .describe_service_revisions()
        .service_revision_arns(arn)
        .send()
        .await
        .unwrap();

    assert_eq!(
        described.service_revisions()[0].task_definition(),
        started.task_definition()
    );
}
