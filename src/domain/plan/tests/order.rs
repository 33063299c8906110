//! The services that go before others: those of a lower order, and canaries.

mod canary;
mod evidence;
mod waits;

use super::*;
use crate::domain::rollout::{Progress, Rollout};
use crate::domain::tags::{Mode, Strategy};

/// The present of these tests: the change is twenty minutes old.
const LATER: &str = "2026-01-31T10:20:00Z";
/// The creation of the deployment that follows the change, unless a test says otherwise.
const DEPLOYED: &str = "2026-01-31T10:00:10Z";
/// Its end.
const COMPLETED: &str = "2026-01-31T10:05:00Z";

/// A service of the order 0 that goes before `web/next`.
fn first() -> Service {
    service("first", &[])
}

/// A stale service of the order 1.
fn next() -> Service {
    let mut next = service("next", &[]);
    next.tags.order = 1;
    // Its own evidence was read.
    next.history = History::Read(Vec::new());
    next.oldest_task = OldestTask::CreatedAt(Some(at("2026-01-30T10:00:00Z")));
    next
}

fn succeeded() -> PastDeployment {
    PastDeployment {
        id: Some("second".to_owned()),
        finished_at: Some(at(COMPLETED)),
        ..past(ServiceDeploymentStatus::Succeeded, Some("app:1"))
    }
}

fn with_history(service: Service, past: impl IntoIterator<Item = PastDeployment>) -> Service {
    Service {
        history: History::Read(past.into_iter().collect()),
        ..service
    }
}

/// [`first`], with a complete deployment that is newer than the change.
fn deployed() -> Service {
    let mut service = Service {
        id: first().id,
        ..redeployed(DEPLOYED, RolloutState::Completed)
    };
    service.deployments.remove(0);
    service.deployments[0].is_whole = true;
    service
}

/// The same, once its history was read.
fn well() -> Service {
    with_history(deployed(), [succeeded()])
}

/// [`first`], after the deployment for the change was rolled back.
fn rolled_back(by: EndedBy) -> Service {
    let ended = PastDeployment {
        ended_by: by,
        ..past(ServiceDeploymentStatus::RolledBack, Some("app:1"))
    };
    with_history(first(), [ended])
}

/// [`first`], with a running deployment for the change.
fn rolling() -> Service {
    let mut service = deployed();
    service.deployments[0].state = RolloutState::InProgress;
    service.deployments[0].is_whole = false;
    service.deployments[0].running = 1;
    service
}

fn tagged(service: Service, set: impl Fn(&mut Tags)) -> Service {
    let mut service = service;
    set(&mut service.tags);
    service
}

fn plan_at(now: &str, services: impl IntoIterator<Item = Service>, policy: &Policy) -> Plan {
    let services: Vec<_> = services.into_iter().collect();
    plan(&written(), &services, policy, at(now))
}

/// The decision about `web/next`, after this service.
fn after(before: Service) -> Planned {
    let mut plan = plan_at(LATER, [before, next()], &policy());
    plan.services.remove(&next().id).unwrap()
}

fn reason_after(before: Service) -> Reason {
    after(before).reason
}

#[test]
fn a_service_follows_once_the_one_before_is_well() {
    assert_eq!(reason_after(well()), Reason::Stale);
    assert_eq!(reason_after(rolling()), Reason::WaitingForOrder);
    assert_eq!(reason_after(first()), Reason::WaitingForOrder);
}

#[test]
fn the_newest_deployment_counts_whatever_it_was_for() {
    let later = |status, definition| PastDeployment {
        id: Some("third".to_owned()),
        created_at: at("2026-01-31T10:10:00Z"),
        ended_by: EndedBy::FailureDetection,
        ..past(status, Some(definition))
    };
    let bad_value = later(ServiceDeploymentStatus::RolledBack, "app:1");
    let bad_image = later(ServiceDeploymentStatus::RolledBack, "app:2");
    let rolls_back = later(ServiceDeploymentStatus::RollingBack, "app:1");
    let running = later(ServiceDeploymentStatus::Running, "app:1");
    let after = |newest| reason_after(with_history(deployed(), [succeeded(), newest]));

    assert_eq!(
        after(bad_value),
        Reason::OrderHalted,
        "a newer version failed, though this one was well"
    );
    assert_eq!(after(rolls_back), Reason::OrderHalted);
    assert_eq!(
        after(bad_image),
        Reason::WaitingForOrder,
        "the image was bad, not the value"
    );
    assert_eq!(after(running), Reason::WaitingForOrder);
}

#[test]
fn one_that_failed_or_was_rejected_halts_those_after_it_and_is_named() {
    for by in [
        EndedBy::FailureDetection,
        EndedBy::Decision,
        EndedBy::Unreadable("no answer".to_owned()),
    ] {
        let halted = after(rolled_back(by));

        let detail = halted.detail.unwrap();
        assert_eq!(halted.reason, Reason::OrderHalted);
        assert!(
            detail.contains("web/first, of order 0") && detail.contains("ecs-svc/7"),
            "{detail}"
        );
        assert_eq!(halted.ended, None, "it is not a deployment of its own");
    }
}

#[test]
fn a_history_that_cannot_be_read_blocks_and_never_halts() {
    let unreadable = || History::Unreadable("no answer".to_owned());
    let failed = Service {
        history: unreadable(),
        deployments: [
            first().deployments,
            vec![deployment("bad", DEPLOYED, RolloutState::Failed)],
        ]
        .concat(),
        ..first()
    };
    let completed = Service {
        history: unreadable(),
        ..deployed()
    };
    let mut late = Service {
        history: unreadable(),
        ..rolling()
    };
    late.deployments[0].running = 0;
    let long_ago = |service| {
        let plan = plan_at(A_DAY_LATER, [service, next()], &policy());
        plan.services[&next().id].reason
    };

    assert_eq!(reason_after(failed), Reason::WaitingForOrder);
    assert_eq!(reason_after(completed), Reason::WaitingForOrder);
    assert_eq!(long_ago(late), Reason::WaitingForOrder);
}

#[test]
fn one_without_progress_until_the_deadline_halts() {
    let without_a_task = |service: Service| {
        let mut service = service;
        service.deployments[0].running = 0;
        service
    };
    let followed = |progress_at: &str| {
        let mut rollout = Rollout::started("second".to_owned(), at(DEPLOYED));
        rollout.progress = Progress {
            running: 1,
            stage: None,
            at: at(progress_at),
        };
        Service {
            followed_rollout: Some(rollout),
            ..rolling()
        }
    };
    let at_deadline = |service| {
        let mut plan = plan_at("2026-01-31T10:31:00Z", [service, next()], &policy());
        plan.services.remove(&next().id).unwrap()
    };

    let halted = at_deadline(followed("2026-01-31T10:01:00Z"));
    assert_eq!(halted.reason, Reason::OrderHalted);
    let detail = halted.detail.unwrap();
    assert!(detail.contains("has made no progress for 30m"), "{detail}");
    assert_eq!(
        at_deadline(followed("2026-01-31T10:01:01Z")).reason,
        Reason::WaitingForOrder
    );
    assert_eq!(
        at_deadline(without_a_task(rolling())).reason,
        Reason::OrderHalted,
        "without a record: no task of it runs"
    );
    assert_eq!(
        at_deadline(rolling()).reason,
        Reason::WaitingForOrder,
        "without a record nobody knows when its task came"
    );
}

#[test]
fn one_that_has_nothing_to_do_with_the_change_is_not_in_the_way() {
    let nothing_to_do: [(&str, Service); 9] = [
        ("off", tagged(first(), |tags| tags.mode = Mode::Off)),
        ("notify", tagged(first(), |tags| tags.mode = Mode::Notify)),
        (
            "without tasks",
            Service {
                desired: 0,
                ..first()
            },
        ),
        (
            "deleted",
            Service {
                status: ServiceStatus::Missing,
                ..first()
            },
        ),
        (
            "with a tag that does not parse",
            Service {
                tags: Tags::parse(
                    "reloader",
                    [("reloader:watch", "ssm:/app/"), ("reloader:mode", "?")],
                ),
                ..first()
            },
        ),
        (
            "of another controller",
            Service {
                controller: Controller::External,
                ..first()
            },
        ),
        (
            "not supported",
            tagged(first(), |tags| tags.strategy = Some(Strategy::HotReload)),
        ),
        (
            "of other keys",
            service("first", &[("reloader:watch", "ssm:/web/")]),
        ),
        (
            "excluding the key",
            service("first", &[("reloader:watch", "ssm:/app/ -ssm:/app/x")]),
        ),
    ];
    for (what, before) in nothing_to_do {
        assert_eq!(reason_after(before), Reason::Stale, "{what}");
    }
}

#[test]
fn of_several_changes_the_wait_for_one_comes_before_the_restart_for_another() {
    let other = Change {
        at: at("2026-01-31T10:10:00Z"),
        ..change("/web/y", ChangeKind::Written)
    };
    let both = tagged(next(), |tags| {
        let term = Term::parse("ssm:/web/").unwrap();
        tags.watch.as_mut().unwrap().terms.push(term);
    });
    let after = |before: Service| {
        let changes = coalesce([change("/app/x", ChangeKind::Written), other.clone()]);
        let services = [before, both.clone()];
        let mut plan = plan(&changes, &services, &policy(), at(LATER));
        let planned = plan.services.remove(&next().id).unwrap();
        let reasons: Vec<_> = planned.asked_by.values().copied().collect();
        (planned.reason, reasons)
    };

    assert_eq!(
        after(rolled_back(EndedBy::FailureDetection)),
        (
            Reason::OrderHalted,
            vec![Reason::OrderHalted, Reason::Stale]
        )
    );
    assert_eq!(
        after(rolling()),
        (
            Reason::WaitingForOrder,
            vec![Reason::WaitingForOrder, Reason::Stale]
        )
    );
}

#[test]
fn a_newer_change_of_another_key_that_restarts_the_one_that_failed_frees_those_after_it() {
    let newer = Change {
        at: at("2026-01-31T10:10:00Z"),
        ..change("/web/y", ChangeKind::Written)
    };
    let failed = tagged(rolled_back(EndedBy::FailureDetection), |tags| {
        let term = Term::parse("ssm:/web/").unwrap();
        tags.watch.as_mut().unwrap().terms.push(term);
    });
    let changes = coalesce([change("/app/x", ChangeKind::Written), newer]);

    let plan = plan(&changes, &[failed, next()], &policy(), at(LATER));

    let first = &plan.services[&first().id];
    assert_eq!(first.reason, Reason::Stale);
    assert!(first.detail.as_ref().unwrap().contains("in spite of"));
    assert_eq!(
        plan.services[&next().id].reason,
        Reason::WaitingForOrder,
        "its next deployment decides"
    );
}
