//! Deployments that are newer than the change, and those that a restart must not supersede.

use super::*;

/// A service whose only deployment, older than the change, runs.
fn running(set: impl Fn(&mut Service)) -> Service {
    let mut service = api();
    service.deployments[0].state = RolloutState::InProgress;
    set(&mut service);
    service
}

fn is_shifting(service: &mut Service) {
    service.deployment_strategy = DeploymentStrategy::Shifting;
}

fn has_no_history(service: &mut Service) {
    service.history = History::Unreadable("no answer".to_owned());
}

fn reason_at(service: &Service, now: &str) -> Reason {
    planned_at(service, now).reason
}

#[test]
fn a_service_deployed_before_the_change_is_stale() {
    let planned = planned(api());

    assert_eq!(
        (planned.reason, planned.not_before),
        (Reason::Stale, at("2026-01-31T10:00:02Z"))
    );
}

#[test]
fn a_service_that_watches_another_key_is_not_in_the_plan() {
    let changes = coalesce([change("/other", ChangeKind::Written)]);

    assert_eq!(
        plan(&changes, &[api()], &policy(), at(NOW)),
        Plan::default()
    );
}

#[test]
fn only_a_good_deployment_created_after_the_change_makes_fresh() {
    use RolloutState::{Completed, Failed, InProgress};
    for (created_at, state, then) in [
        ("2026-01-31T10:00:00.001Z", InProgress, Reason::Fresh),
        (CHANGED, Completed, Reason::Stale),
        ("2026-01-31T10:00:10Z", Failed, Reason::FailedAlready),
    ] {
        let service = redeployed(created_at, state);

        assert_eq!(reason(service), then, "{created_at} {state:?}");
    }
}

#[test]
fn a_failed_deployment_of_another_task_definition_says_nothing_about_the_value() {
    let mut service = api();
    service.deployments.push(Deployment {
        task_definition: "app:2".to_owned(),
        ..deployment("second", "2026-01-31T10:00:10Z", RolloutState::Failed)
    });

    assert_eq!(reason(service), Reason::Stale);
}

#[test]
fn the_history_shows_what_a_rollback_hides() {
    use ServiceDeploymentStatus::{RolledBack, RollingBack, Running, Stopped, Succeeded};
    for (status, ran, then) in [
        (RolledBack, Some("app:1"), Reason::FailedAlready),
        (RolledBack, Some("app:2"), Reason::Stale),
        (RolledBack, None, Reason::Stale),
        (RollingBack, None, Reason::DeploymentInProgress),
        (Succeeded, None, Reason::Fresh),
        (Stopped, None, Reason::Stale),
        (Running, None, Reason::Stale),
    ] {
        let service = Service {
            history: History::Read(vec![past(status, ran)]),
            ..api()
        };

        assert_eq!(reason(service), then, "{status:?} {ran:?}");
    }
}

#[test]
fn a_rolling_deployment_is_superseded_ten_minutes_after_the_change() {
    let rolling = running(|_| ());

    assert_eq!(
        [
            reason_at(&rolling, "2026-01-31T10:09:59Z"),
            reason_at(&rolling, "2026-01-31T10:10:00Z")
        ],
        [Reason::DeploymentInProgress, Reason::Stale]
    );
}

#[test]
fn a_rollback_and_what_may_be_one_are_never_superseded() {
    let rolls_back = running(|service| {
        service.deployments.push(Deployment {
            task_definition: "app:2".to_owned(),
            ..deployment("bad", "2026-01-30T11:00:00Z", RolloutState::Failed)
        });
    });
    let may_roll_back = running(has_no_history);

    for service in [rolls_back, may_roll_back] {
        let planned = planned_at(&service, A_DAY_LATER);
        assert_eq!(planned.reason, Reason::DeploymentInProgress);
        assert_eq!(planned.until, None);
    }
}

#[test]
fn a_shifting_deployment_is_never_superseded_although_its_state_may_be_unknown() {
    let unknown = running(|service| {
        is_shifting(service);
        service.deployments[0].state = RolloutState::Unknown;
    });
    let mut beside_another = unknown.clone();
    beside_another.deployments.push(deployment(
        "old",
        "2026-01-30T09:00:00Z",
        RolloutState::Unknown,
    ));
    let mut without_history = unknown.clone();
    has_no_history(&mut without_history);

    for (given, service, then) in [
        ("runs", running(is_shifting), Reason::DeploymentInProgress),
        (
            "stands beside another",
            beside_another,
            Reason::DeploymentInProgress,
        ),
        (
            "has no history",
            without_history,
            Reason::DeploymentInProgress,
        ),
        ("stands alone", unknown, Reason::Stale),
    ] {
        assert_eq!(reason_at(&service, A_DAY_LATER), then, "{given}");
    }
}

#[test]
fn a_failed_deployment_of_an_unknown_task_definition_is_reported_and_blocks_no_restart() {
    let past = PastDeployment {
        created_at: at("2026-01-31T10:30:00Z"),
        ..past(ServiceDeploymentStatus::RolledBack, None)
    };

    let planned = planned(Service {
        history: History::Read(vec![past]),
        ..api()
    });

    let detail = "its deployment history could not be read: the deployment of \
                  2026-01-31T10:30:00Z failed, perhaps for this change";
    assert_eq!(
        (planned.reason, planned.detail.as_deref()),
        (Reason::Stale, Some(detail))
    );
}

#[test]
fn a_requested_service_is_restarted_fresh_or_not_but_not_twice_in_a_minute() {
    let requested = |created_at| {
        let given = Given {
            service: redeployed(created_at, RolloutState::Completed),
            is_request: true,
            ..Given::default()
        };
        given.planned().reason
    };

    assert_eq!(requested("2026-01-31T09:59:00Z"), Reason::Stale);
    assert_eq!(requested("2026-01-31T10:00:00Z"), Reason::Fresh);
}

#[test]
fn a_deployment_with_hooks_and_one_that_bakes_are_never_superseded() {
    let hooks = running(|service| service.has_lifecycle_hooks = true);
    let bakes = running(|service| (service.bakes, service.deployments[0].is_whole) = (true, true));
    let rolls = running(|service| service.bakes = true);
    let whole = running(|service| service.deployments[0].is_whole = true);

    let reasons = [&hooks, &bakes, &rolls, &whole].map(|service| reason_at(service, A_DAY_LATER));

    assert_eq!(
        reasons,
        [
            Reason::DeploymentInProgress,
            Reason::DeploymentInProgress,
            Reason::Stale,
            Reason::Stale
        ]
    );
    let planned = planned_at(&hooks, A_DAY_LATER);
    assert_eq!(planned.until, None);
    assert!(planned.detail.unwrap().contains("lifecycle hooks"));
}

#[test]
fn a_service_with_hooks_whose_deployment_has_ended_is_restarted() {
    let service = Service {
        has_lifecycle_hooks: true,
        bakes: true,
        ..api()
    };

    assert_eq!(reason(service), Reason::Stale);
}
