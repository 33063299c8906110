//! The simulation's own record: deployments that calls started, tasks that failed, and replicas that
//! lag.

use std::time::Duration;

use sim::{service, task_definition};

use crate::{account, restart};

#[tokio::test(start_paused = true)]
async fn a_recorded_call_names_the_deployment_that_it_started() {
    let account = account();
    account.add(service("web/api"));

    let started = restart(&account, "web/api").await;

    let calls = account.calls();
    let call = calls.last().unwrap();
    assert_eq!(call.operation, "UpdateService");
    assert_eq!(call.deployment.as_deref(), started.deployments()[0].id());
    assert!(call.deployment.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_deployment_remembers_the_keys_that_its_tasks_missed_and_the_values_that_they_read() {
    let account = account();
    account.put_parameter("/app/a");
    let definition = task_definition().secret("TYPO", "/app/typo");
    account.add(service("web/api").watching("ssm:/app/a"));
    account.add(service("web/other").watching("ssm:/app/a"));
    account.deploy("web/api", definition);
    account.run_for(Duration::from_mins(2)).await;

    let failed = account.service("web/api").unwrap().history;
    let other = account.service("web/other").unwrap().history;
    let failure = &failed[0].failures[0];
    assert_eq!(failure.missing, ["ssm:/app/typo"]);
    assert_eq!(failure.read.get("ssm:/app/a"), Some(&1));
    assert!(other.iter().all(|past| past.failures.is_empty()));
}

#[tokio::test(start_paused = true)]
async fn tasks_that_fail_with_one_value_start_with_the_next() {
    let account = account();
    account.put_parameter("/app/a");
    account.add(
        service("web/api")
            .desired(1)
            .watching("ssm:/app/a")
            .failing_while_reading("ssm:/app/a", 2..3),
    );
    account.put_parameter("/app/a");
    restart(&account, "web/api").await;
    account.run_for(Duration::from_mins(3)).await;
    let failures = account.service("web/api").unwrap().history[0]
        .failures
        .len();

    account.put_parameter("/app/a");
    account.run_for(Duration::from_hours(1)).await;

    assert!(failures > 0);
    assert!(account.stale_tasks().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_lags_hands_out_the_version_before_the_newest() {
    let account = account();
    account.put_parameter("/app/a");
    account.add(service("web/api").watching("ssm:/app/a"));
    account.run_for(Duration::from_mins(1)).await;
    account.set_parameter_replica_lag(Duration::from_mins(2));
    account.put_parameter("/app/a");

    restart(&account, "web/api").await;
    account.settle().await;
    let early = account.stale_tasks();
    account.run_for(Duration::from_mins(2)).await;
    restart(&account, "web/api").await;
    account.settle().await;

    assert!(!early.is_empty());
    assert!(account.stale_tasks().is_empty());
}
