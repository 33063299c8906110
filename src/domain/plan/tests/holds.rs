//! Holds: approvals, pauses, budgets and controllers.

use super::*;
use crate::domain::history::Approval;
use crate::domain::tags::Strategy;

fn standing(expires_at: &str) -> Service {
    let approval = Approval {
        hook: "ecs-pause-1".to_owned(),
        deployment: "arn:aws:ecs:eu-west-1:123456789012:service-deployment/web/api/1".to_owned(),
        expires_at: Some(at(expires_at)),
    };
    let past = PastDeployment {
        approval: Some(approval),
        ..past(ServiceDeploymentStatus::Running, Some("app:1"))
    };
    let service = redeployed("2026-01-31T10:00:10Z", RolloutState::InProgress);
    Service {
        has_lifecycle_hooks: true,
        history: History::Read(vec![past]),
        ..service
    }
}

#[test]
fn a_newer_deployment_that_stands_at_a_hook_is_reported_with_hook_and_end() {
    let planned = planned(standing("2026-02-01T10:00:10Z"));

    assert_eq!(
        (planned.reason, planned.until),
        (Reason::AwaitingApproval, Some(at("2026-02-01T10:00:10Z")))
    );
    let detail = planned.detail.unwrap();
    assert!(
        detail.contains("ecs-pause-1, which expires at 2026-02-01T10:00:10Z")
            && detail.contains("service-deployment/web/api/1"),
        "{detail}"
    );
}

#[test]
fn an_end_that_has_passed_is_no_time_to_plan_again_at() {
    assert_eq!(
        planned_at(&standing("2026-01-31T11:00:00Z"), "2026-01-31T11:00:01Z").until,
        None
    );
}

#[test]
fn a_deployment_that_is_older_than_the_change_awaits_nothing_for_it() {
    let changes = coalesce([Change {
        at: at("2026-01-31T10:00:20Z"),
        ..change("/app/x", ChangeKind::Written)
    }]);

    let plan = plan(
        &changes,
        &[standing("2026-02-01T10:00:10Z")],
        &policy(),
        at(NOW),
    );

    assert_eq!(
        plan.services
            .values()
            .map(|planned| planned.reason)
            .collect::<Vec<_>>(),
        [Reason::DeploymentInProgress]
    );
}

#[test]
fn a_restart_of_what_a_rollback_brought_back_counts_for_the_budget() {
    let was = |time: &str, status, ran| PastDeployment {
        created_at: at(&format!("2026-01-31T{time}:00Z")),
        ..past(status, Some(ran))
    };
    let by_pipeline = [
        was("08:40", ServiceDeploymentStatus::Stopped, "app:2"),
        was("08:44", ServiceDeploymentStatus::RolledBack, "app:2"),
    ];
    let by_us = [
        was("09:40", ServiceDeploymentStatus::Succeeded, "app:1"),
        was("09:47", ServiceDeploymentStatus::Succeeded, "app:1"),
    ];
    let service = Service {
        history: History::Read(by_pipeline.into_iter().chain(by_us).collect()),
        ..api()
    };
    let policy = Policy {
        restarts_per_hour: 2,
        ..policy()
    };

    let planned = plan(&written(), &[service], &policy, at("2026-01-31T10:01:00Z"))
        .services
        .into_values()
        .next()
        .unwrap();

    assert_eq!(
        (planned.reason, planned.until),
        (Reason::RestartBudget, Some(at("2026-01-31T10:40:00Z")))
    );
}

/// A wrong deployment superseded a restart and was rolled back: the service shows neither.
#[test]
fn the_interval_counts_from_a_deployment_that_the_history_alone_shows() {
    let restart = PastDeployment {
        created_at: at("2026-01-31T09:58:00Z"),
        ..past(ServiceDeploymentStatus::Stopped, Some("app:1"))
    };
    let by_mistake = PastDeployment {
        created_at: at("2026-01-31T09:59:00Z"),
        ..past(ServiceDeploymentStatus::RolledBack, Some("app:2"))
    };
    let mut given = Given::default();
    given.policy.min_interval = SignedDuration::from_mins(5);
    given.service.history = History::Read(vec![by_mistake, restart]);

    let planned = given.planned();

    assert_eq!(
        (planned.reason, planned.until),
        (Reason::MinInterval, Some(at("2026-01-31T10:03:00Z")))
    );
}

#[test]
fn a_pause_ends_at_its_instant() {
    let paused = |until| reason(service("api", &[("reloader:pause", until)]));

    assert_eq!(
        (paused("true"), paused("2026-01-31T10:00:31Z"), paused(NOW)),
        (Reason::Paused, Reason::Paused, Reason::Stale)
    );
}

#[test]
fn each_controller_takes_its_own_strategy_only() {
    use Strategy::{CodeDeploy, Deploy, HotReload, StopTasks};
    for (controller, strategy, then) in [
        (Controller::Ecs, None, Reason::Stale),
        (Controller::Ecs, Some(Deploy), Reason::Stale),
        (
            Controller::Ecs,
            Some(CodeDeploy),
            Reason::UnsupportedController,
        ),
        (Controller::Ecs, Some(StopTasks), Reason::NotSupportedYet),
        (Controller::Ecs, Some(HotReload), Reason::NotSupportedYet),
        (Controller::CodeDeploy, None, Reason::NotSupportedYet),
        (
            Controller::CodeDeploy,
            Some(CodeDeploy),
            Reason::NotSupportedYet,
        ),
        (
            Controller::CodeDeploy,
            Some(Deploy),
            Reason::UnsupportedController,
        ),
        (Controller::External, None, Reason::UnsupportedController),
        (
            Controller::External,
            Some(StopTasks),
            Reason::NotSupportedYet,
        ),
    ] {
        let mut given = Given::default();
        given.service.controller = controller;
        given.service.tags.strategy = strategy;

        assert_eq!(given.planned().reason, then, "{controller} {strategy:?}");
    }
}
