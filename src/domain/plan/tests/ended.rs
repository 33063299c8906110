//! Deployments that failed, or that a person, a hook or its time-out ended: none is started again
//! by itself.

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
fn the_one_who_ended_a_deployment_decides_the_reason() {
    let with_end = |by| reason(with([ended(by)]));

    assert_eq!(with_end(EndedBy::FailureDetection), Reason::FailedAlready);
    assert_eq!(with_end(EndedBy::Decision), Reason::Rejected);
    assert_eq!(
        with_end(EndedBy::Unreadable("no answer".to_owned())),
        Reason::FailedAlready
    );
}

#[test]
fn a_rejected_deployment_of_another_task_definition_leaves_the_service_stale() {
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
fn a_deployment_that_is_shown_as_failed_takes_its_end_from_the_history() {
    let mut service = with([ended(EndedBy::Decision)]);
    service.deployments.push(deployment(
        "ecs-svc/7",
        "2026-01-31T10:00:09Z",
        RolloutState::Failed,
    ));
    let mut without_end = with([]);
    without_end.deployments.push(deployment(
        "ecs-svc/7",
        "2026-01-31T10:00:09Z",
        RolloutState::Failed,
    ));

    assert_eq!(
        (reason(service), reason(without_end)),
        (Reason::Rejected, Reason::FailedAlready)
    );
}

#[test]
fn a_request_frees_it() {
    let given = Given {
        service: with([ended(EndedBy::Decision)]),
        is_request: true,
        ..Given::default()
    };

    assert_eq!(given.planned().reason, Reason::Stale);
}

#[test]
fn the_words_of_amazon_ecs_are_quoted_and_decide_nothing() {
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
    let detail = long.detail.unwrap();
    assert!(
        long.reason == Reason::Rejected && detail.len() < 500 && !detail.contains('\u{1b}'),
        "{detail}"
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
            followed_rollout: followed("ecs-svc/7"),
            ..unread.clone()
        }),
        Reason::DeploymentInProgress
    );
    assert_eq!(
        reason(Service {
            followed_rollout: followed("first"),
            ..unread
        }),
        Reason::Stale,
        "it is shown"
    );
}

#[test]
fn the_deployment_that_a_call_started_is_newer_than_the_call_and_was_not_described_before() {
    let primary = |id: &str, created_at: &str| Deployment {
        primary: true,
        ..deployment(id, created_at, RolloutState::InProgress)
    };
    let shows = |deployments: Vec<Deployment>| Service {
        deployments,
        ..api()
    };
    let before = shows(vec![primary("seen", "2026-01-31T10:00:05.5Z")]);
    let in_history = with([past(ServiceDeploymentStatus::Stopped, None)]);
    let ours = |created_at| vec![primary("ours", created_at)];
    let superseding = Service {
        deployments: ours("2026-01-31T10:00:06Z"),
        ..in_history.clone()
    };

    for (given, service, then) in [
        ("new", shows(ours("2026-01-31T10:00:05Z")), Some("ours")),
        (
            "older than the call",
            shows(ours("2026-01-31T10:00:04.999Z")),
            None,
        ),
        ("described before", before.clone(), None),
        ("only in the history", in_history, Some("ecs-svc/7")),
        ("the primary one comes first", superseding, Some("ours")),
    ] {
        let found = service.newer_deployment(at("2026-01-31T10:00:05Z"), &before);
        let id = found.map(|rollout| rollout.id.to_string());

        assert_eq!(id.as_deref(), then, "{given}");
    }
}
