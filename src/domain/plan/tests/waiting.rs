//! Deployments that are never superseded, and tasks that are newer than the change.

use super::*;
use crate::domain::history::{Approval, Needed};

const A_DAY_LATER: &str = "2026-02-01T10:00:00Z";

fn running(change: impl Fn(&mut Service)) -> Service {
    let mut service = api();
    service.deployments[0].state = RolloutState::InProgress;
    change(&mut service);
    service
}

fn planned_at(service: &Service, now: &str) -> Planned {
    plan(
        &written(),
        std::slice::from_ref(service),
        &policy(),
        at(now),
    )
    .services
    .into_values()
    .next()
    .unwrap()
}

#[test]
fn a_deployment_with_hooks_and_one_that_bakes_are_never_superseded() {
    let hooks = running(|service| service.has_lifecycle_hooks = true);
    let bakes = running(|service| (service.bakes, service.deployments[0].is_whole) = (true, true));
    let rolls = running(|service| service.bakes = true);
    let whole = running(|service| service.deployments[0].is_whole = true);

    let told =
        [&hooks, &bakes, &rolls, &whole].map(|service| planned_at(service, A_DAY_LATER).reason);

    assert_eq!(
        told,
        [
            Reason::DeploymentInProgress,
            Reason::DeploymentInProgress,
            Reason::Stale,
            Reason::Stale
        ]
    );
    assert_eq!(planned_at(&hooks, A_DAY_LATER).until, None);
    assert!(
        planned_at(&hooks, A_DAY_LATER)
            .detail
            .unwrap()
            .contains("lifecycle hooks")
    );
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
fn a_newer_deployment_that_stands_at_a_hook_is_told_with_hook_and_end() {
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
fn an_end_that_has_passed_is_no_time_to_look_again_at() {
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
fn the_hook_of_a_running_deployment_is_asked_for_and_no_other() {
    let needed = |service: Service| {
        let services = [service];
        let needed = plan(&written(), &services, &policy(), at(NOW)).evidence_needed(
            &written(),
            &services,
            &policy(),
            at(NOW),
        );
        needed.into_values().next()
    };
    let fresh = |has_lifecycle_hooks, state| Service {
        has_lifecycle_hooks,
        ..redeployed("2026-01-31T10:00:10Z", state)
    };

    let asked = Needed {
        history_since: Some(at(CHANGED)),
        has_hooks: true,
        oldest_task: false,
    };
    assert_eq!(needed(fresh(true, RolloutState::InProgress)), Some(asked));
    assert_eq!(needed(fresh(true, RolloutState::Completed)), None);
    assert_eq!(needed(fresh(false, RolloutState::InProgress)), None);
}

#[test]
fn a_service_of_which_every_task_is_newer_than_the_change_is_fresh() {
    let with = |oldest: OldestTask| {
        planned(Service {
            oldest_task: oldest,
            ..api()
        })
    };
    let created = |time| OldestTask::CreatedAt(Some(at(time)));

    assert_eq!(
        with(created("2026-01-31T10:00:00.001Z")).reason,
        Reason::Fresh
    );
    assert_eq!(with(created(CHANGED)).reason, Reason::Stale);
    assert_eq!(with(OldestTask::CreatedAt(None)).reason, Reason::Fresh);
    let unread = with(OldestTask::Unreadable("no answer".to_owned()));
    assert_eq!(
        unread.reason,
        Reason::Stale,
        "a failed read loses no change"
    );
    assert!(
        unread
            .detail
            .unwrap()
            .contains("could not be read: no answer")
    );
}

#[test]
fn the_oldest_task_is_asked_for_changes_older_than_ten_minutes_alone_and_for_no_request() {
    let asked = |policy: &Policy, changes: &BTreeMap<Key, Change>, now: &str| {
        let services = [api()];
        let needed = plan(changes, &services, policy, at(now)).evidence_needed(
            changes,
            &services,
            policy,
            at(now),
        );
        needed.values().any(|needed| needed.oldest_task)
    };
    let named = Policy {
        named: BTreeSet::from([api().id]),
        ..policy()
    };
    let younger = Change {
        at: at("2026-01-31T10:05:00Z"),
        ..change("/app/y", ChangeKind::Written)
    };
    let both = coalesce([change("/app/x", ChangeKind::Written), younger]);

    assert!(!asked(&policy(), &written(), "2026-01-31T10:10:00Z"));
    assert!(asked(&policy(), &written(), "2026-01-31T10:10:01Z"));
    assert!(
        !asked(&policy(), &both, "2026-01-31T10:10:01Z"),
        "the younger change asks for a restart"
    );
    assert!(!asked(&named, &written(), "2026-01-31T10:10:01Z"));
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
