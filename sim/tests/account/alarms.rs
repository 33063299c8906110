//! Alarms and the circuit breaker, which end deployments.

use std::time::Duration;

use aws_sdk_ecs::types::ServiceDeploymentRollbackMonitorsStatus as Monitor;
use sim::{EndedBy, service};

use crate::{account, described, described_deployment, newest, restart};

const MINUTE: Duration = Duration::from_mins(1);

#[tokio::test(start_paused = true)]
async fn a_service_shows_its_alarms() {
    let account = account();
    account.add(service("web/api").alarm("web-5xx", 5 * MINUTE));

    let described = described(&account).await;

    let configuration = described.deployment_configuration().unwrap();
    let alarms = configuration.alarms().unwrap();
    assert_eq!(alarms.alarm_names(), ["web-5xx"]);
    assert!(alarms.enable() && alarms.rollback());
}

#[tokio::test(start_paused = true)]
async fn a_rolling_deployment_bakes_while_its_alarms_are_watched() {
    let account = account();
    account.add(service("web/api").desired(2).alarm("web-5xx", 5 * MINUTE));

    restart(&account, "web/api").await;
    account.run_for(4 * MINUTE).await;

    let deployment = described_deployment(&account).await;
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

    let deployment = described_deployment(&account).await;
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
async fn the_circuit_breaker_that_was_triggered_is_shown_and_no_alarm() {
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

    let deployment = described_deployment(&account).await;
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
