//! What failed, and what a person, a hook or its time-out ended, is never started again by itself.

use super::*;
use crate::domain::rollout::Rollout;

fn ended(by: EndedBy) -> PastDeployment {
    PastDeployment {
        ended_by: by,
        ..past(ServiceDeploymentStatus::RolledBack, Some("app:1"))
    }
}

fn with(past: impl IntoIterator<Item = PastDeployment>) -> Service {
    Service {
        history: History::Read(past.into_iter().collect()),
        ..api()
    }
}

#[test]
fn who_ended_a_deployment_decides_the_word_and_nothing_starts_it_again() {
    let word = |by| reason(with([ended(by)]));

    assert_eq!(word(EndedBy::FailureDetection), Reason::FailedAlready);
    assert_eq!(word(EndedBy::Decision), Reason::Rejected);
    assert_eq!(
        word(EndedBy::Unreadable("no answer".to_owned())),
        Reason::FailedAlready
    );
}

#[test]
fn what_another_task_definition_was_rejected_for_leaves_the_service_stale() {
    let other = PastDeployment {
        task_definition: Some("app:2".to_owned()),
        ..ended(EndedBy::Decision)
    };

    assert_eq!(reason(with([other])), Reason::Stale);
}

#[test]
fn the_newest_end_decides() {
    let at_20 = |by| PastDeployment {
        created_at: at("2026-01-31T10:00:20Z"),
        id: Some("ecs-svc/8".to_owned()),
        ..ended(by)
    };

    assert_eq!(
        reason(with([
            at_20(EndedBy::Decision),
            ended(EndedBy::FailureDetection)
        ])),
        Reason::Rejected
    );
    assert_eq!(
        reason(with([
            ended(EndedBy::Decision),
            at_20(EndedBy::FailureDetection)
        ])),
        Reason::FailedAlready
    );
}

#[test]
fn a_stopped_deployment_was_ended_unless_a_newer_one_superseded_it() {
    let stopped = |finished: &str| PastDeployment {
        status: ServiceDeploymentStatus::Stopped,
        finished_at: Some(at(finished)),
        ..ended(EndedBy::Decision)
    };
    let newer = PastDeployment {
        created_at: at("2026-01-31T10:00:15Z"),
        ..past(ServiceDeploymentStatus::RolledBack, Some("app:2"))
    };

    assert_eq!(
        reason(with([stopped("2026-01-31T10:00:14Z")])),
        Reason::Rejected
    );
    assert_eq!(
        reason(with([stopped("2026-01-31T10:00:15Z"), newer.clone()])),
        Reason::Stale
    );
    assert_eq!(
        reason(with([stopped("2026-01-31T10:00:14Z"), newer])),
        Reason::Rejected,
        "it had ended before"
    );
}

#[test]
fn of_two_deployments_of_the_same_moment_one_superseded_the_other() {
    let moment = at("2026-01-31T10:00:10Z");
    let stopped = PastDeployment {
        status: ServiceDeploymentStatus::Stopped,
        finished_at: Some(moment),
        ..ended(EndedBy::Decision)
    };
    let other = PastDeployment {
        id: Some("ecs-svc/8".to_owned()),
        ..ended(EndedBy::FailureDetection)
    };

    assert_eq!(
        reason(with([other.clone(), stopped.clone()])),
        Reason::FailedAlready
    );
    assert_eq!(reason(with([stopped, other])), Reason::FailedAlready);
}

#[test]
fn what_is_shown_as_failed_takes_its_end_from_the_history() {
    let mut service = with([ended(EndedBy::Decision)]);
    service.deployments.push(deployment(
        "ecs-svc/7",
        "2026-01-31T10:00:09Z",
        RolloutState::Failed,
    ));
    let mut untold = with([]);
    untold.deployments.push(deployment(
        "ecs-svc/7",
        "2026-01-31T10:00:09Z",
        RolloutState::Failed,
    ));

    assert_eq!(
        (reason(service), reason(untold)),
        (Reason::Rejected, Reason::FailedAlready)
    );
}

#[test]
fn a_newer_change_of_another_key_frees_it_and_the_line_says_so() {
    let newer = Change {
        at: at("2026-01-31T10:00:20Z"),
        ..change("/app/y", ChangeKind::Written)
    };
    let changes = coalesce([change("/app/x", ChangeKind::Written), newer]);

    let plan = plan(
        &changes,
        &[with([ended(EndedBy::Decision)])],
        &policy(),
        at(NOW),
    );

    let planned = plan.services.values().next().unwrap();
    let freed = "a newer change frees what ended before: ssm:/app/x (rejected)";
    assert_eq!(
        (planned.reason, planned.detail.as_deref()),
        (Reason::Stale, Some(freed))
    );
}

#[test]
fn a_request_frees_it() {
    let service = with([ended(EndedBy::Decision)]);
    let policy = Policy {
        named: BTreeSet::from([service.id.clone()]),
        ..policy()
    };

    let plan = plan(&BTreeMap::new(), &[service], &policy, at(NOW));

    assert_eq!(
        plan.services
            .values()
            .map(|planned| planned.reason)
            .collect::<Vec<_>>(),
        [Reason::Stale]
    );
}

#[test]
fn the_words_of_amazon_ecs_are_told_and_decide_nothing() {
    let says = |by, words: &str| {
        planned(with([PastDeployment {
            status_reason: Some(words.to_owned()),
            ..ended(by)
        }]))
    };
    let long = says(
        EndedBy::Decision,
        &format!("circuit breaker\u{1b}[2J{}", "x".repeat(5000)),
    );
    let rolling_back = PastDeployment {
        status_reason: Some("rolling back".to_owned()),
        ..past(ServiceDeploymentStatus::RollingBack, None)
    };

    let detail = says(EndedBy::FailureDetection, "tasks failed")
        .detail
        .unwrap();
    assert_eq!(
        detail,
        "the deployment ecs-svc/7 of 2026-01-31T10:00:10Z failed: its circuit breaker or an alarm \
         was triggered; Amazon ECS says: tasks failed"
    );
    let told = long.detail.unwrap();
    assert!(
        long.reason == Reason::Rejected && told.len() < 500 && !told.contains('\u{1b}'),
        "{told}"
    );
    assert!(
        planned(with([rolling_back]))
            .detail
            .unwrap()
            .contains("Amazon ECS says: rolling back")
    );
}

#[test]
fn where_the_followed_deployment_is_gone_an_unreadable_history_starts_nothing() {
    let unread = Service {
        history: History::Unreadable("no answer".to_owned()),
        ..api()
    };
    let followed = |deployment: &str| {
        Some(Rollout::started(
            deployment.to_owned(),
            at("2026-01-31T10:00:10Z"),
        ))
    };

    assert_eq!(reason(unread.clone()), Reason::Stale);
    assert_eq!(
        reason(Service {
            followed: followed("ecs-svc/7"),
            ..unread.clone()
        }),
        Reason::DeploymentInProgress
    );
    assert_eq!(
        reason(Service {
            followed: followed("first"),
            ..unread
        }),
        Reason::Stale,
        "it is shown"
    );
}

#[test]
fn a_failed_deployment_that_is_shown_has_its_history_asked_for() {
    let mut service = api();
    service.deployments.push(deployment(
        "bad",
        "2026-01-31T10:00:10Z",
        RolloutState::Failed,
    ));
    let services = [service];

    let needed = plan(&written(), &services, &policy(), at(NOW)).evidence_needed(
        &written(),
        &services,
        &policy(),
        at(NOW),
    );

    assert_eq!(
        needed
            .values()
            .map(|needed| needed.history_since)
            .collect::<Vec<_>>(),
        [Some(at(CHANGED))]
    );
}

#[test]
fn what_a_call_started_is_newer_than_the_call_and_than_the_look_before_it() {
    let primary = |id: &str, created_at: &str| Deployment {
        primary: true,
        ..deployment(id, created_at, RolloutState::InProgress)
    };
    let (called_at, before) = (
        at("2026-01-31T10:00:05Z"),
        Service {
            deployments: vec![primary("seen", "2026-01-31T10:00:05.5Z")],
            ..api()
        },
    );
    let found = |service: Service| {
        service
            .newer_deployment(called_at, &before)
            .map(|rollout| rollout.id.to_string())
    };
    let shows = |deployments: Vec<Deployment>| Service {
        deployments,
        ..api()
    };

    assert_eq!(
        found(shows(vec![primary("ours", "2026-01-31T10:00:05Z")])),
        Some("ours".to_owned())
    );
    assert_eq!(
        found(shows(vec![primary("others'", "2026-01-31T10:00:04.999Z")])),
        None
    );
    assert_eq!(found(before.clone()), None);
    assert_eq!(
        found(with([past(ServiceDeploymentStatus::Stopped, None)])),
        Some("ecs-svc/7".to_owned()),
        "the history alone tells of it"
    );
    let superseding = Service {
        deployments: vec![primary("ours", "2026-01-31T10:00:06Z")],
        ..with([past(ServiceDeploymentStatus::Stopped, None)])
    };
    assert_eq!(
        found(superseding),
        Some("ours".to_owned()),
        "the primary one comes first"
    );
}
