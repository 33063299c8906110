//! Rollouts: floor and ceiling, the reads of tasks, superseding, and deployments that are stuck.

use std::time::Duration;

use sim::service;

use crate::{account, described, ecs, restart};

#[tokio::test(start_paused = true)]
async fn a_rollout_replaces_every_task_and_never_goes_below_the_floor() {
    let account = account();
    account.add(service("web/api").desired(4).percent(75, 125));
    let before = account.service("web/api").unwrap();

    let started = restart(&account, "web/api").await;
    account.settle().await;

    let after = account.service("web/api").unwrap();
    assert_eq!(after.deployments.len(), 1);
    assert_eq!(
        after.deployments[0].id,
        started.deployments()[0].id().unwrap()
    );
    assert_eq!(after.deployments[0].rollout_state, "COMPLETED");
    assert!(
        after
            .tasks
            .iter()
            .all(|task| before.tasks.iter().all(|old| old.id != task.id))
    );
    assert_eq!((after.lowest_running, after.floor), (3, 3));
    assert!(after.is_steady());
}

#[tokio::test(start_paused = true)]
async fn a_rollout_never_goes_above_the_ceiling() {
    let account = account();
    account.add(service("web/api").desired(3).percent(100, 150));

    restart(&account, "web/api").await;

    let mut most = 0;
    for _ in 0..300 {
        account.run_for(Duration::from_secs(1)).await;
        let seen = account.service("web/api").unwrap();
        most = most.max(seen.running + seen.pending);
    }
    assert_eq!(most, 4);
    assert!(account.service("web/api").unwrap().is_steady());
}

#[tokio::test(start_paused = true)]
async fn while_it_rolls_both_deployments_are_described() {
    let account = account();
    account.add(service("web/api").desired(2));

    let started = restart(&account, "web/api").await;
    account.run_for(Duration::from_secs(10)).await;

    let api = described(&account).await;
    let deployments = api.deployments();
    let [primary, active] = deployments else {
        panic!("{deployments:#?}")
    };
    assert_eq!(primary.status(), Some("PRIMARY"));
    assert_eq!(primary.rollout_state().unwrap().as_str(), "IN_PROGRESS");
    assert_eq!((primary.running_count(), primary.pending_count()), (0, 2));
    assert_eq!(active.status(), Some("ACTIVE"));
    assert_eq!(active.rollout_state().unwrap().as_str(), "COMPLETED");
    assert_eq!(active.running_count(), 2);
    assert_eq!(
        primary.rollout_state_reason().unwrap(),
        format!(
            "ECS deployment {} in progress.",
            started.deployments()[0].id().unwrap()
        )
    );
}

#[tokio::test(start_paused = true)]
async fn events_have_the_words_of_ecs() {
    let account = account();
    account.add(service("web/api").desired(1));

    restart(&account, "web/api").await;
    account.settle().await;

    let seen = account.service("web/api").unwrap();
    let (new, deployment) = (&seen.tasks[0].id, &seen.deployments[0].id);
    let [steady, completed, stopped, started] = seen.events.as_slice() else {
        panic!("{:#?}", seen.events)
    };
    assert_eq!(
        *started,
        format!("(service api) has started 1 tasks: (task {new}).")
    );
    assert!(stopped.starts_with("(service api) has stopped 1 running tasks: (task "));
    assert_eq!(steady, "(service api) has reached a steady state.");
    assert_eq!(
        *completed,
        format!("(service api) (deployment {deployment}) deployment completed.")
    );
}

#[tokio::test(start_paused = true)]
async fn tasks_read_between_their_creation_and_their_start() {
    let account = account();
    account.add(
        service("web/api")
            .desired(1)
            .reading(["ssm:/app/db"])
            .task_seconds(20.0, 10.0, 10.0),
    );

    restart(&account, "web/api").await;
    account.run_for(Duration::from_millis(1_500)).await;
    account.put_parameter("/app/db");
    account.run_for(Duration::from_secs(25)).await;
    account.put_parameter("/app/db");
    account.settle().await;

    let task = &account.service("web/api").unwrap().tasks[0];
    assert_eq!(
        task.read["ssm:/app/db"], 2,
        "written after its creation, before it was read"
    );
    let stale = account.stale_tasks();
    assert_eq!((stale[0].read, stale[0].current), (2, 3));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_watches_a_path_reads_all_below_it() {
    let account = account();
    account.put_parameter("/app/a");
    account.put_parameter("/app2/b");
    account.add(
        service("web/api")
            .desired(1)
            .watching("ssm:/app/ s3:settings/app/"),
    );
    account.put_object("settings", "app/web.yaml");

    restart(&account, "web/api").await;
    account.settle().await;

    let task = &account.service("web/api").unwrap().tasks[0];
    let read: Vec<_> = task
        .read
        .iter()
        .map(|(thing, version)| (thing.as_str(), *version))
        .collect();
    assert_eq!(read, [("s3:settings/app/web.yaml", 1), ("ssm:/app/a", 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_second_restart_supersedes_the_first() {
    let account = account();
    account.add(service("web/api").desired(2));

    let first = restart(&account, "web/api").await;
    account.run_for(Duration::from_secs(35)).await;
    let second = restart(&account, "web/api").await;
    account.settle().await;

    let seen = account.service("web/api").unwrap();
    let newest: Vec<_> = seen
        .history
        .iter()
        .take(2)
        .map(|entry| (entry.deployment.as_str(), entry.status))
        .collect();
    let (first, second) = (
        first.deployments()[0].id().unwrap(),
        second.deployments()[0].id().unwrap(),
    );
    assert_eq!(newest, [(second, "SUCCESSFUL"), (first, "STOPPED")]);
    assert!(seen.tasks.iter().all(|task| task.deployment == second));
    assert!(seen.kept_its_floor());
}

#[tokio::test(start_paused = true)]
async fn a_deployment_without_room_says_so_once_and_stays_in_progress() {
    let account = account();
    account.add(service("web/api").desired(1).percent(100, 100));

    restart(&account, "web/api").await;
    account.run_for(Duration::from_hours(1)).await;

    let seen = account.service("web/api").unwrap();
    assert_eq!(seen.deployments[0].rollout_state, "IN_PROGRESS");
    assert_eq!(seen.events.len(), 1);
    assert!(seen.events[0].starts_with(
        "(service api) was unable to stop or start tasks during a deployment because of"
    ));
}

#[tokio::test(start_paused = true)]
async fn a_service_without_tasks_completes_at_once() {
    let account = account();
    account.add(service("web/api").desired(0));

    restart(&account, "web/api").await;
    account.run_for(Duration::from_secs(2)).await;

    assert_eq!(
        account.service("web/api").unwrap().deployments[0].rollout_state,
        "COMPLETED"
    );
}

#[tokio::test(start_paused = true)]
async fn tasks_that_fail_are_started_again_ever_more_slowly_and_break_no_floor() {
    let account = account();
    account.add(service("web/api").desired(1).failing_next(4));

    restart(&account, "web/api").await;
    account.settle().await;

    let seen = account.service("web/api").unwrap();
    assert_eq!(seen.deployments[0].rollout_state, "COMPLETED");
    assert_eq!(seen.deployments[0].failed_tasks, 4);
    assert!(
        seen.events
            .iter()
            .any(|event| event.contains("is unable to consistently start tasks successfully."))
    );
    assert!(seen.kept_its_floor());
}

#[tokio::test(start_paused = true)]
async fn a_task_whose_parameter_is_gone_does_not_start() {
    let account = account();
    account.add(
        service("web/api")
            .desired(1)
            .reading(["ssm:/app/db"])
            .circuit_breaker(false),
    );
    account.delete_parameter("/app/db");

    restart(&account, "web/api").await;
    account.settle().await;

    let seen = account.service("web/api").unwrap();
    assert_eq!(seen.deployments[0].rollout_state, "FAILED");
    assert_eq!(seen.running, 1, "the old task still runs");
}

#[tokio::test(start_paused = true)]
async fn scaling_out_and_in_is_no_downtime() {
    let account = account();
    account.add(service("web/api").desired(1));
    let client = ecs(&account);

    client
        .update_service()
        .cluster("web")
        .service("api")
        .desired_count(4)
        .send()
        .await
        .unwrap();
    account.settle().await;
    let out = account.service("web/api").unwrap();
    client
        .update_service()
        .cluster("web")
        .service("api")
        .desired_count(2)
        .send()
        .await
        .unwrap();
    account.settle().await;
    let back = account.service("web/api").unwrap();

    assert_eq!((out.running, back.running), (4, 2));
    assert_eq!(back.deployments.len(), 1, "scaling makes no deployment");
    assert!(back.kept_its_floor());
}

#[tokio::test(start_paused = true)]
async fn stopping_a_task_by_hand_ignores_the_floor_and_is_remembered() {
    let account = account();
    account.add(service("web/api").desired(2));
    let task = account.service("web/api").unwrap().tasks[0].id.clone();

    ecs(&account)
        .stop_task()
        .cluster("web")
        .task(&task)
        .reason("by hand")
        .send()
        .await
        .unwrap();
    account.settle().await;

    let seen = account.service("web/api").unwrap();
    assert_eq!(seen.running, 2, "replaced");
    assert_eq!(seen.events[0], "(service api) has reached a steady state.");
    assert_eq!((seen.lowest_running, seen.floor), (1, 2));
    assert!(!seen.kept_its_floor());
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_makes_the_same_history() {
    let history = async || {
        let account = account();
        account.add(
            service("web/api")
                .desired(3)
                .watching("ssm:/app/")
                .failing_next(2),
        );
        account.put_parameter("/app/db");
        restart(&account, "web/api").await;
        account.settle().await;
        format!("{:?}", account.service("web/api").unwrap())
    };

    assert_eq!(history().await, history().await);
}

#[tokio::test(start_paused = true)]
async fn a_service_scales_to_nothing_and_back() {
    let account = account();
    account.add(service("web/api").desired(3));

    account.scale("web/api", 0);
    account.settle().await;
    assert_eq!(account.service("web/api").unwrap().running, 0);

    account.scale("web/api", 4);
    account.settle().await;
    let after = account.service("web/api").unwrap();
    assert!(after.is_steady() && after.kept_its_floor() && after.running == 4);
    assert_eq!(after.history.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn tasks_write_a_parameter_when_they_start() {
    let account = account();
    account.add(
        service("web/api")
            .desired(2)
            .reading(["ssm:/seen"])
            .writing("/seen", 3),
    );

    account.force("web/api");
    account.settle().await;
    assert_eq!(account.stale_tasks().len(), 2);

    account.force("web/api");
    account.settle().await;
    assert_eq!(account.put_parameter("/seen"), 5);
}

#[tokio::test(start_paused = true)]
async fn writes_of_a_parameter_are_known_by_any_writer() {
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
