mod ended;
mod waiting;

use super::*;
use crate::domain::arn::AccountRegion;
use crate::domain::change::coalesce;
use crate::domain::change::{Change, ChangeKind};
use crate::domain::deployment::{Deployment, DeploymentStrategy, RolloutState};
use crate::domain::history::{
    EndedBy, History, OldestTask, PastDeployment, ServiceDeploymentStatus,
};
use crate::domain::reference::References;
use crate::domain::service::{Controller, Service, ServiceStatus};
use crate::domain::tags::Tags;
use jiff::SignedDuration;
use std::collections::BTreeSet;

const NOW: &str = "2026-01-31T10:00:30Z";
const CHANGED: &str = "2026-01-31T10:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn home() -> AccountRegion {
    AccountRegion::of_region("123456789012", "eu-west-1")
}

fn deployment(id: &str, created_at: &str, state: RolloutState) -> Deployment {
    Deployment {
        id: id.to_owned(),
        primary: false,
        created_at: at(created_at),
        task_definition: "app:1".to_owned(),
        state,
        running: 0,
        is_whole: false,
    }
}

/// A steady service that watches `ssm:/app/` and was deployed the day before.
fn service(name: &str, tags: &[(&str, &str)]) -> Service {
    let watch = [("reloader:watch", "ssm:/app/")];
    Service {
        id: ServiceId {
            cluster: "web".to_owned(),
            name: name.to_owned(),
        },
        home: home(),
        status: ServiceStatus::Active,
        controller: Controller::Ecs,
        deployment_strategy: DeploymentStrategy::Rolling,
        has_lifecycle_hooks: false,
        bakes: false,
        created_at: None,
        desired: 2,
        deployments: vec![Deployment {
            primary: true,
            ..deployment("first", "2026-01-30T10:00:00Z", RolloutState::Completed)
        }],
        task_definition: Some("app:1".to_owned()),
        references: None,
        own_references: References::default(),
        tags: Tags::parse("reloader", watch.iter().chain(tags).copied()),
        events: Vec::new(),
        history: History::NotAsked,
        oldest_task: OldestTask::NotAsked,
        followed: None,
        has_waited_to_settle: false,
    }
}

/// A deployment of ten seconds after the change, of which `ran` is what it ran.
fn past(status: ServiceDeploymentStatus, ran: Option<&str>) -> PastDeployment {
    PastDeployment {
        id: Some("ecs-svc/7".to_owned()),
        created_at: at("2026-01-31T10:00:10Z"),
        finished_at: None,
        status,
        status_reason: None,
        task_definition: ran.map(str::to_owned),
        ended_by: EndedBy::NotAsked,
        approval: None,
        stage: None,
        at_hook: false,
    }
}

fn api() -> Service {
    service("api", &[])
}

/// [`api`], with a newer deployment of the same task definition.
fn redeployed(created_at: &str, state: RolloutState) -> Service {
    let mut service = api();
    service.deployments[0].primary = false;
    service.deployments.push(Deployment {
        primary: true,
        ..deployment("second", created_at, state)
    });
    service
}

fn policy() -> Policy {
    Policy {
        notify_only: false,
        dry_run: false,
        max_services: 100,
        ignored_max_services: None,
        settle: SignedDuration::from_secs(2),
        max_settle_wait: SignedDuration::from_secs(60),
        min_interval: SignedDuration::ZERO,
        restarts_per_hour: 6,
        max_in_flight: 50,
        named: BTreeSet::new(),
        asked_at: at(NOW),
    }
}

fn change(name: &str, kind: ChangeKind) -> Change {
    Change::new(Key::parameter(home(), name), at(CHANGED), kind, "e")
}

fn written() -> BTreeMap<Key, Change> {
    coalesce([change("/app/x", ChangeKind::Written)])
}

fn planned(service: Service) -> Planned {
    let id = service.id.clone();
    plan(&written(), &[service], &policy(), at(NOW))
        .services
        .remove(&id)
        .unwrap()
}

fn reason(service: Service) -> Reason {
    planned(service).reason
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
fn a_service_that_does_not_listen_is_not_in_the_plan() {
    let changes = coalesce([change("/other", ChangeKind::Written)]);

    assert_eq!(
        plan(&changes, &[api()], &policy(), at(NOW)),
        Plan::default()
    );
}

#[test]
fn only_a_good_deployment_created_after_the_change_makes_fresh() {
    let with = |created_at, state| reason(redeployed(created_at, state));

    assert_eq!(
        with("2026-01-31T10:00:00.001Z", RolloutState::InProgress),
        Reason::Fresh
    );
    assert_eq!(with(CHANGED, RolloutState::Completed), Reason::Stale);
    assert_eq!(
        with("2026-01-31T10:00:10Z", RolloutState::Failed),
        Reason::FailedAlready
    );
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
fn the_history_tells_what_a_rollback_hides() {
    let with = |status, ran: Option<&str>| {
        reason(Service {
            history: History::Read(vec![past(status, ran)]),
            ..api()
        })
    };

    assert_eq!(
        with(ServiceDeploymentStatus::RolledBack, Some("app:1")),
        Reason::FailedAlready
    );
    assert_eq!(
        with(ServiceDeploymentStatus::RolledBack, Some("app:2")),
        Reason::Stale
    );
    assert_eq!(
        with(ServiceDeploymentStatus::RolledBack, None),
        Reason::Stale
    );
    assert_eq!(
        with(ServiceDeploymentStatus::RollingBack, None),
        Reason::DeploymentInProgress
    );
    assert_eq!(
        with(ServiceDeploymentStatus::Succeeded, None),
        Reason::Fresh
    );
    assert_eq!(with(ServiceDeploymentStatus::Stopped, None), Reason::Stale);
    assert_eq!(with(ServiceDeploymentStatus::Running, None), Reason::Stale);
}

#[test]
fn the_history_of_a_stale_service_is_asked_once_the_change_is_a_minute_old() {
    let services = [api()];
    let unsure = |now: &str| {
        plan(&written(), &services, &policy(), at(now))
            .evidence_needed(&written(), &services, &policy(), at(now))
            .len()
    };

    assert_eq!(
        (
            unsure("2026-01-31T10:01:00Z"),
            unsure("2026-01-31T10:01:01Z")
        ),
        (0, 1)
    );
}

#[test]
fn a_rollback_and_a_shifting_deployment_are_never_superseded_and_a_rolling_one_is_after_ten_minutes()
 {
    let mut running = api();
    running.deployments[0].state = RolloutState::InProgress;
    let mut rolling_back = running.clone();
    rolling_back.deployments.push(Deployment {
        task_definition: "app:2".to_owned(),
        ..deployment("bad", "2026-01-30T11:00:00Z", RolloutState::Failed)
    });
    let mut untold = Service {
        deployment_strategy: DeploymentStrategy::Shifting,
        ..api()
    };
    untold.deployments[0].state = RolloutState::Unknown;
    untold.deployments.push(deployment(
        "old",
        "2026-01-30T09:00:00Z",
        RolloutState::Unknown,
    ));
    let shifting = Service {
        deployment_strategy: DeploymentStrategy::Shifting,
        ..running.clone()
    };
    let unread = |service: &Service| Service {
        history: History::Unreadable("no answer".to_owned()),
        ..service.clone()
    };
    let mut alone = untold.clone();
    alone.deployments.truncate(1);

    let after = |now: &str, service: &Service| {
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
        .reason
    };
    assert_eq!(
        [
            after("2026-01-31T10:09:59Z", &running),
            after("2026-01-31T10:10:00Z", &running)
        ],
        [Reason::DeploymentInProgress, Reason::Stale]
    );
    let held = [
        rolling_back,
        shifting,
        untold,
        unread(&running),
        unread(&alone),
    ]
    .map(|service| after("2026-02-01T10:00:00Z", &service));
    assert_eq!(held, [Reason::DeploymentInProgress; 5]);
    assert_eq!(after("2026-02-01T10:00:00Z", &alone), Reason::Stale);
}

#[test]
fn a_deployment_that_failed_with_what_could_not_be_read_blocks_nothing_and_is_told() {
    let past = PastDeployment {
        created_at: at("2026-01-31T10:30:00Z"),
        ..past(ServiceDeploymentStatus::RolledBack, None)
    };
    let unsure = Service {
        history: History::Read(vec![past]),
        ..service("api", &[])
    };

    let planned = planned(unsure);

    let detail = "its deployment history could not be read: the deployment of \
                  2026-01-31T10:30:00Z failed, perhaps for this change";
    assert_eq!(
        (planned.reason, planned.detail.as_deref()),
        (Reason::Stale, Some(detail))
    );
}

#[test]
fn the_owners_wish_comes_before_what_would_be_done() {
    for (tags, expected) in [
        ([("reloader:mode", "off")], Reason::Off),
        ([("reloader:mode", "notify")], Reason::Notify),
    ] {
        let planned = planned(service("api", &tags));

        assert_eq!(
            (planned.reason, planned.would_be),
            (expected, Some(Reason::Stale))
        );
    }
}

#[test]
fn a_dry_run_tells_each_decision_and_takes_none() {
    let policy = Policy {
        dry_run: true,
        ..policy()
    };

    let plan = plan(
        &written(),
        &[api(), service("paused", &[("reloader:pause", "true")])],
        &policy,
        at(NOW),
    );

    let told: Vec<_> = plan
        .services
        .values()
        .map(|planned| (planned.reason, planned.would_be))
        .collect();
    assert_eq!(
        told,
        [
            (Reason::DryRun, Some(Reason::Stale)),
            (Reason::DryRun, Some(Reason::Paused))
        ]
    );
    assert_eq!(plan.restarts().count(), 0);
}

#[test]
fn what_the_key_itself_says_comes_before_the_wish() {
    let changes = coalesce([change("/app/x", ChangeKind::Deleted)]);

    let plan = plan(
        &changes,
        &[service("api", &[("reloader:mode", "notify")])],
        &policy(),
        at(NOW),
    );

    assert_eq!(
        plan.services
            .values()
            .map(|planned| planned.reason)
            .collect::<Vec<_>>(),
        [Reason::Deleted]
    );
}

#[test]
fn of_several_changes_the_one_that_got_furthest_decides() {
    let changes = coalesce([
        change("/app/gone", ChangeKind::Deleted),
        change("/app/x", ChangeKind::Written),
        change("/app/y", ChangeKind::Labelled),
    ]);

    let plan = plan(&changes, &[api()], &policy(), at(NOW));

    let planned = plan.services.values().next().unwrap();
    assert_eq!(planned.reason, Reason::Stale);
    assert_eq!(
        planned.asked_by.values().copied().collect::<Vec<_>>(),
        [Reason::Deleted, Reason::Stale, Reason::LabelOnly]
    );
}

#[test]
fn a_change_that_reaches_too_far_restarts_nobody_and_another_still_does() {
    let changes = coalesce([
        change("/app/x", ChangeKind::Written),
        change("/web/y", ChangeKind::Written),
    ]);
    let both = service("both", &[("reloader:watch/2", "ssm:/web/")]);
    let policy = Policy {
        max_services: 2,
        ..policy()
    };

    let plan = plan(
        &changes,
        &[api(), service("worker", &[]), both],
        &policy,
        at(NOW),
    );

    let told: Vec<_> = plan
        .services
        .iter()
        .map(|(id, planned)| (id.name.as_str(), planned.reason))
        .collect();
    assert_eq!(
        told,
        [
            ("api", Reason::BlastRadius),
            ("both", Reason::Stale),
            ("worker", Reason::BlastRadius)
        ]
    );
}

#[test]
fn services_whose_owners_want_nothing_do_not_widen_the_reach() {
    let off = |name| service(name, &[("reloader:mode", "off")]);
    let policy = Policy {
        max_services: 1,
        ..policy()
    };

    let plan = plan(
        &written(),
        &[api(), off("one"), off("two")],
        &policy,
        at(NOW),
    );

    assert_eq!(
        plan.restarts()
            .map(|(id, _)| id.name.as_str())
            .collect::<Vec<_>>(),
        ["api"]
    );
}

#[test]
fn a_named_service_is_restarted_whatever_its_freshness_but_not_twice_in_a_minute() {
    let named = |created_at: &str| {
        let service = redeployed(created_at, RolloutState::Completed);
        let policy = Policy {
            named: BTreeSet::from([service.id.clone()]),
            ..policy()
        };
        plan(&BTreeMap::new(), &[service], &policy, at(NOW))
            .services
            .into_values()
            .next()
            .unwrap()
            .reason
    };

    assert_eq!(
        (named("2026-01-31T09:59:00Z"), named("2026-01-31T10:00:00Z")),
        (Reason::Stale, Reason::Fresh)
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
    let with = |controller, strategy: Option<&'static str>| {
        let tags: Vec<_> = strategy
            .map(|strategy| ("reloader:strategy", strategy))
            .into_iter()
            .collect();
        reason(Service {
            controller,
            ..service("api", &tags)
        })
    };

    assert_eq!(with(Controller::Ecs, Some("deploy")), Reason::Stale);
    assert_eq!(
        with(Controller::Ecs, Some("code-deploy")),
        Reason::UnsupportedController
    );
    assert_eq!(with(Controller::CodeDeploy, None), Reason::NotSupportedYet);
    assert_eq!(
        with(Controller::CodeDeploy, Some("deploy")),
        Reason::UnsupportedController
    );
    assert_eq!(
        with(Controller::External, None),
        Reason::UnsupportedController
    );
    assert_eq!(
        with(Controller::External, Some("stop-tasks")),
        Reason::NotSupportedYet
    );
}

#[test]
fn a_sixth_active_deployment_is_not_asked_for() {
    let mut service = api();
    service.deployments.extend((2..=5).map(|hour| {
        deployment(
            "older",
            &format!("2026-01-30T0{hour}:00:00Z"),
            RolloutState::InProgress,
        )
    }));

    assert_eq!(reason(service), Reason::TooManyDeployments);
}
