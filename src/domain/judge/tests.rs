//! `judge`, one row a situation: the sentence, the rollout as it was, the service as it is, and the
//! outcome.

mod older_tasks;

use std::collections::BTreeMap;

use super::*;
use crate::domain::arn::{AccountRegion, ServiceId};
use crate::domain::history::History;
use crate::domain::rollout_tasks::CountedTasks;
use crate::domain::tags::Tags;

const STARTED: &str = "2026-01-31T10:00:00Z";
const LIMITS: Limits = Limits {
    deadline: SignedDuration::from_mins(30),
    older_tasks: SignedDuration::from_hours(24),
};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn rollout() -> Rollout {
    Rollout::started("ecs-svc/2".to_owned(), at(STARTED))
}

fn shown(id: &str, primary: bool, state: RolloutState) -> Deployment {
    Deployment {
        id: id.to_owned(),
        primary,
        created_at: at(STARTED),
        task_definition: "api:1".to_owned(),
        state,
        running: 2,
        is_whole: true,
    }
}

fn service(deployments: Vec<Deployment>) -> Service {
    let id = ServiceId::from_path("web/api").unwrap();
    Service {
        status: ServiceStatus::Active,
        desired: 2,
        deployments,
        ..Service::gone(id, AccountRegion::default(), Tags::default())
    }
}

fn past(status: ServiceDeploymentStatus, ended_by: EndedBy) -> PastDeployment {
    PastDeployment {
        id: Some("ecs-svc/2".to_owned()),
        created_at: at(STARTED),
        finished_at: Some(at("2026-01-31T10:05:00Z")),
        status,
        status_reason: None,
        task_definition: None,
        ended_by,
        approval: None,
        stage: None,
        at_hook: false,
    }
}

fn with_history(past: PastDeployment) -> Service {
    let first = Deployment {
        created_at: at("2026-01-30T10:00:00Z"),
        ..shown("ecs-svc/1", true, RolloutState::Completed)
    };
    Service {
        history: History::Read(vec![past]),
        ..service(vec![first])
    }
}

/// The service, of which this many tasks are older than the change.
fn with_tasks(seen: Service, older: usize) -> Service {
    let tasks = CountedTasks {
        older,
        ..CountedTasks::default()
    };
    with_read(seen, RolloutTasks::Read(tasks))
}

fn with_read(seen: Service, tasks: RolloutTasks) -> Service {
    Service {
        rollout_tasks: BTreeMap::from([(rollout().id, tasks)]),
        ..seen
    }
}

/// The outcome at ten minutes, if no older task is left.
fn soon(seen: &Service) -> Option<Outcome> {
    let seen = with_tasks(seen.clone(), 0);
    judge(&rollout(), &seen, &LIMITS, at("2026-01-31T10:10:00Z"))
}

#[test]
fn the_description_says_how_a_shown_deployment_ended() {
    use RolloutState::{Completed, Failed, InProgress, Unknown};
    let (ours, other) = ("ecs-svc/2", "ecs-svc/1");
    let newer = shown("ecs-svc/3", true, InProgress);
    let table = [
        ("it runs", vec![shown(ours, true, InProgress)], None),
        (
            "it is complete",
            vec![shown(ours, true, Completed)],
            Some(Outcome::Completed),
        ),
        (
            "it failed, and nothing is rolled back",
            vec![shown(ours, true, Failed)],
            Some(Outcome::Failed),
        ),
        (
            "it failed, and the one before it is primary again",
            vec![shown(other, true, InProgress), shown(ours, false, Failed)],
            Some(Outcome::RolledBack),
        ),
        (
            "a newer one started while it ran",
            vec![newer.clone(), shown(ours, false, InProgress)],
            Some(Outcome::Superseded),
        ),
        (
            "a newer one started after it was complete",
            vec![newer, shown(ours, false, Completed)],
            Some(Outcome::Completed),
        ),
        (
            "Amazon ECS gives no state, and old tasks still run",
            vec![shown(ours, true, Unknown), shown(other, false, Unknown)],
            None,
        ),
        (
            "Amazon ECS gives no state, and it alone is left with all its tasks",
            vec![shown(ours, true, Unknown)],
            Some(Outcome::Completed),
        ),
    ];

    for (situation, deployments, outcome) in table {
        assert_eq!(soon(&service(deployments)), outcome, "{situation}");
    }
}

#[test]
fn the_history_says_how_a_deployment_ended_that_is_gone() {
    use EndedBy::{Decision, FailureDetection, NotAsked};
    use Outcome::{Completed, Failed, Rejected};
    use ServiceDeploymentStatus::{RolledBack, RollingBack, Running, Stopped, Succeeded};
    let back = Some(Outcome::RolledBack);
    let nobody = EndedBy::Unreadable("no answer".to_owned());
    let table = [
        ("it runs", Running, NotAsked, None),
        ("it succeeded", Succeeded, NotAsked, Some(Completed)),
        ("its alarm rang", RollingBack, FailureDetection, back),
        (
            "its circuit breaker opened",
            RolledBack,
            FailureDetection,
            back,
        ),
        ("nobody knows who ended it", RolledBack, nobody, back),
        (
            "a person rolled it back",
            RolledBack,
            Decision,
            Some(Rejected),
        ),
        ("a person stopped it", Stopped, Decision, Some(Rejected)),
        (
            "it stopped by itself",
            Stopped,
            FailureDetection,
            Some(Failed),
        ),
    ];

    for (situation, status, ended_by, outcome) in table {
        let seen = with_history(past(status, ended_by));
        assert_eq!(soon(&seen), outcome, "{situation}");
    }
}

#[test]
fn one_that_a_newer_deployment_stopped_is_superseded() {
    let newer = Deployment {
        created_at: at("2026-01-31T10:04:00Z"),
        ..shown("ecs-svc/3", true, RolloutState::InProgress)
    };
    let stopped = past(ServiceDeploymentStatus::Stopped, EndedBy::Decision);

    let seen = Service {
        deployments: vec![newer],
        ..with_history(stopped)
    };

    assert_eq!(soon(&seen), Some(Outcome::Superseded));
}

#[test]
fn the_rollout_of_a_deleted_service_is_superseded() {
    let seen = Service {
        status: ServiceStatus::Draining,
        ..service(vec![shown("ecs-svc/2", true, RolloutState::InProgress)])
    };

    assert_eq!(soon(&seen), Some(Outcome::Superseded));
}

#[test]
fn one_without_progress_until_the_deadline_is_timed_out_once() {
    let runs = Deployment {
        is_whole: false,
        running: 0,
        ..shown("ecs-svc/2", true, RolloutState::InProgress)
    };
    let seen = service(vec![runs]);
    let late = at("2026-01-31T10:30:00Z");

    let observed = rollout().observed(&seen, late);
    let reported = Rollout {
        timed_out: true,
        ..observed.clone()
    };

    assert_eq!(
        judge(&observed, &seen, &LIMITS, late),
        Some(Outcome::TimedOut)
    );
    assert_eq!(judge(&reported, &seen, &LIMITS, late), None);
}

#[test]
fn the_deadline_counts_from_the_last_new_task_or_stage() {
    let runs = Deployment {
        is_whole: false,
        running: 1,
        ..shown("ecs-svc/2", true, RolloutState::InProgress)
    };
    let seen = service(vec![runs]);
    let staged = Service {
        history: History::Read(vec![PastDeployment {
            stage: Some("SCALE_UP".to_owned()),
            ..past(ServiceDeploymentStatus::Running, EndedBy::NotAsked)
        }]),
        ..seen.clone()
    };

    let one_task = rollout().observed(&seen, at("2026-01-31T10:20:00Z"));
    let same = one_task.clone().observed(&seen, at("2026-01-31T10:40:00Z"));
    let next_stage = one_task
        .clone()
        .observed(&staged, at("2026-01-31T10:40:00Z"));

    let progress = [one_task, same, next_stage].map(|rollout| rollout.progress.at);
    let expected = [
        "2026-01-31T10:20:00Z",
        "2026-01-31T10:20:00Z",
        "2026-01-31T10:40:00Z",
    ];
    assert_eq!(progress, expected.map(at));
}

#[test]
fn bakes_steps_of_traffic_and_hooks_do_not_count_for_the_deadline() {
    let whole = service(vec![shown("ecs-svc/2", true, RolloutState::InProgress)]);
    let none = Deployment {
        is_whole: false,
        ..shown("ecs-svc/2", true, RolloutState::InProgress)
    };
    let hooked = PastDeployment {
        at_hook: true,
        ..past(ServiceDeploymentStatus::Running, EndedBy::NotAsked)
    };
    let table = [
        ("it drains old tasks", whole.clone(), STARTED),
        (
            "its alarms are watched",
            Service {
                bakes: true,
                ..whole.clone()
            },
            "2026-01-31T11:00:00Z",
        ),
        (
            "traffic shifts",
            Service {
                deployment_strategy: DeploymentStrategy::Shifting,
                ..whole
            },
            "2026-01-31T11:00:00Z",
        ),
        (
            "a hook runs",
            Service {
                history: History::Read(vec![hooked]),
                ..service(vec![none])
            },
            "2026-01-31T11:00:00Z",
        ),
    ];

    for (situation, seen, counts_from) in table {
        let known = Rollout {
            progress: Progress {
                running: 2,
                ..rollout().progress
            },
            ..rollout()
        };
        let observed = known.observed(&seen, at("2026-01-31T11:00:00Z"));
        assert_eq!(observed.progress.at, at(counts_from), "{situation}");
    }
}

#[test]
fn one_that_is_gone_without_a_history_is_unknown_at_the_deadline_and_nothing_before() {
    let gone = Service {
        history: History::Unreadable("no answer".to_owned()),
        ..service(vec![shown("ecs-svc/1", true, RolloutState::Completed)])
    };

    assert_eq!(soon(&gone), None);
    assert_eq!(
        judge(&rollout(), &gone, &LIMITS, at("2026-01-31T10:30:00Z")),
        Some(Outcome::Unknown)
    );
}
