//! The record of the end of a rollout: its changes, the one who asked for it, its successor.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::*;
use crate::domain::arn::AccountRegion;
use crate::domain::change::ChangeKind;
use crate::domain::deployment::{Deployment, RolloutState};
use crate::domain::reason::Reason;
use crate::domain::service::ServiceStatus;
use crate::domain::tags::Tags;

const STARTED: &str = "2026-01-31T10:01:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn id() -> ServiceId {
    ServiceId::from_path("web/api").unwrap()
}

fn key(name: &str) -> Key {
    Key::parameter(AccountRegion::of_region("123456789012", "eu-west-1"), name)
}

fn change(name: &str, time: &str, version: &str) -> Change {
    Change {
        version: Some(version.to_owned()),
        scope: Scope::only(BTreeSet::from([id()])),
        ..Change::new(key(name), at(time), ChangeKind::Written, version)
    }
}

fn rollout() -> Rollout {
    Rollout::started("ecs-svc/2".to_owned(), at(STARTED))
}

fn planned(reasons: &[(&str, Reason)]) -> Planned {
    let asked_by = reasons.iter().map(|(name, reason)| (key(name), *reason));
    Planned {
        asked_by: Arc::new(asked_by.collect()),
        ..Planned::of(Reason::Fresh, at(STARTED))
    }
}

fn by_key(changes: &[Change]) -> BTreeMap<Key, Change> {
    let changes = changes.iter().cloned();
    changes.map(|change| (change.key.clone(), change)).collect()
}

fn of_events(changes: &BTreeMap<Key, Change>) -> Causes<'_> {
    Causes {
        changes,
        older: &[],
        request: None,
    }
}

fn request() -> Request {
    Request {
        services: BTreeMap::new(),
        requested_at: at(STARTED),
        dry_run: false,
        max_services: None,
        reason: Some("TICKET-7".to_owned()),
        sender: None,
    }
}

fn service(primary: &str, created_at: &str, state: RolloutState) -> Service {
    let shown = Deployment {
        id: primary.to_owned(),
        primary: true,
        created_at: at(created_at),
        task_definition: "api:1".to_owned(),
        state,
        running: 2,
        is_whole: true,
    };
    Service {
        status: ServiceStatus::Active,
        deployments: vec![shown],
        ..Service::gone(id(), AccountRegion::default(), Tags::default())
    }
}

fn ended(outcome: Outcome, seen: &Service, causes: &Causes<'_>) -> EndedRollout {
    let planned = planned(&[("/app/db", Reason::Fresh)]);
    let now = at("2026-01-31T10:05:00Z");
    EndedRollout::of(
        rollout(),
        outcome,
        &id(),
        Some(&planned),
        Some(seen),
        causes,
        now,
    )
}

fn versions(covered: &[&Change]) -> Vec<String> {
    let versions = covered.iter().map(|change| change.version.clone().unwrap());
    versions.collect()
}

#[test]
fn a_rollout_covers_the_changes_before_its_start_that_affect_its_service() {
    let changes = by_key(&[
        change("/app/db", "2026-01-31T10:00:00Z", "db-3"),
        change("/app/late", "2026-01-31T10:02:00Z", "late-1"),
        change("/app/excluded", "2026-01-31T10:00:00Z", "excluded-1"),
        change("/app/other", "2026-01-31T10:00:00Z", "other-1"),
    ]);
    let planned = planned(&[
        ("/app/db", Reason::FailedAlready),
        ("/app/late", Reason::DeploymentInProgress),
        ("/app/excluded", Reason::Excluded),
    ]);

    let covered = of_events(&changes).covered(&id(), Some(&planned), &rollout());

    assert_eq!(versions(&covered), ["db-3"]);
}

#[test]
fn a_newer_change_of_the_same_key_does_not_hide_the_one_that_was_rolled_out() {
    let changes = by_key(&[change("/app/db", "2026-01-31T10:02:00Z", "db-4")]);
    let older = [
        change("/app/db", "2026-01-31T09:00:00Z", "db-2"),
        change("/app/db", "2026-01-31T10:00:00Z", "db-3"),
    ];
    let causes = Causes {
        older: &older,
        ..of_events(&changes)
    };
    let planned = planned(&[("/app/db", Reason::DeploymentInProgress)]);

    let covered = causes.covered(&id(), Some(&planned), &rollout());

    assert_eq!(versions(&covered), ["db-3"]);
    assert_eq!(
        causes.older_than(&id(), Some(&planned), &rollout()),
        at("2026-01-31T10:00:00Z")
    );
}

#[test]
fn of_a_service_that_cannot_be_read_the_changes_that_name_it_count() {
    let other = ServiceId::from_path("web/other").unwrap();
    let changes = by_key(&[
        change("/app/db", "2026-01-31T10:00:00Z", "db-3"),
        Change {
            scope: Scope::only(BTreeSet::from([other])),
            ..change("/app/other", "2026-01-31T10:00:00Z", "other-1")
        },
    ]);

    let covered = of_events(&changes).covered(&id(), None, &rollout());

    assert_eq!(versions(&covered), ["db-3"]);
}

#[test]
fn without_a_change_every_task_is_older_that_was_there_before_the_rollout() {
    let none = BTreeMap::new();

    let older_than = of_events(&none).older_than(&id(), None, &rollout());

    assert!(older_than < at(STARTED) && older_than > at("2026-01-31T10:00:59Z"));
}

#[test]
fn the_one_who_asked_is_an_event_a_request_a_sweep_or_somebody_else() {
    let of_event = by_key(&[change("/app/db", "2026-01-31T10:00:00Z", "3")]);
    let of_sweep = by_key(&[Change {
        event: SWEEP.to_owned(),
        ..change("/app/db", "2026-01-31T10:00:00Z", "3")
    }]);
    let request = request();
    let requested = Causes {
        request: Some(&request),
        ..of_events(&of_event)
    };
    let seen = service("ecs-svc/2", STARTED, RolloutState::Completed);
    let table = [
        (of_events(&of_event), RolloutTrigger::Event, None),
        (of_events(&of_sweep), RolloutTrigger::Sweep, None),
        (requested, RolloutTrigger::Request, Some("TICKET-7")),
    ];

    for (causes, trigger, reason) in table {
        let ended = ended(Outcome::Completed, &seen, &causes);
        let words = ended.request.and_then(|request| request.reason);
        assert_eq!((ended.trigger, words.as_deref()), (trigger, reason));
    }
    let of_others = Rollout {
        own: false,
        ..rollout()
    };
    let trigger = requested.trigger(&[], &of_others);
    assert_eq!(trigger, RolloutTrigger::Others);
}

#[test]
fn the_line_says_if_the_deployment_that_replaced_it_covers_the_change() {
    let changes = by_key(&[change("/app/db", "2026-01-31T10:00:00Z", "3")]);
    let newer = |state| service("ecs-svc/3", "2026-01-31T10:03:00Z", state);
    let successor = |seen: &Service| {
        let ended = ended(Outcome::Superseded, seen, &of_events(&changes));
        ended
            .successor
            .map(|newer| (newer.deployment, newer.covers))
    };

    let runs = successor(&newer(RolloutState::InProgress));
    let failed = successor(&newer(RolloutState::Failed));
    let deleted = successor(&Service::gone(
        id(),
        AccountRegion::default(),
        Tags::default(),
    ));

    assert_eq!(runs, Some(("ecs-svc/3".to_owned(), true)));
    assert_eq!(failed, Some(("ecs-svc/3".to_owned(), false)));
    assert_eq!(deleted, None);
}

#[test]
fn the_events_since_its_start_are_in_the_order_of_time() {
    let changes = BTreeMap::new();
    let event = |time: &str| ServiceEvent {
        at: at(time),
        message: time.to_owned(),
    };
    let newest_first = [
        "2026-01-31T10:03:00Z",
        "2026-01-31T10:02:00Z",
        "2026-01-31T10:00:00Z",
    ];
    let seen = Service {
        events: newest_first.map(event).to_vec(),
        ..service("ecs-svc/2", STARTED, RolloutState::Completed)
    };

    let ended = ended(Outcome::Completed, &seen, &of_events(&changes));

    let messages: Vec<_> = ended.events.iter().map(|event| &*event.message).collect();
    assert_eq!(messages, ["2026-01-31T10:02:00Z", "2026-01-31T10:03:00Z"]);
}

#[test]
fn only_a_failure_has_a_way_back_and_not_if_amazon_ecs_completed_it() {
    use Outcome::{Completed, Failed, Rejected, RolledBack, Superseded, TimedOut, Unknown};
    let changes = by_key(&[change("/app/db", "2026-01-31T10:00:00Z", "3")]);
    let seen = service("ecs-svc/2", STARTED, RolloutState::InProgress);
    let restores = |outcome| ended(outcome, &seen, &of_events(&changes)).restores().len();

    assert_eq!([Failed, RolledBack, TimedOut].map(restores), [1; 3]);
    assert_eq!(
        [Completed, Rejected, Superseded, Unknown].map(restores),
        [0; 4]
    );
    let late = ended(TimedOut, &seen, &of_events(&changes));
    let complete = EndedRollout {
        rollout: Rollout {
            complete_since: Some(at(STARTED)),
            ..rollout()
        },
        ..late
    };
    assert_eq!(complete.restores(), []);
}

#[test]
fn a_version_before_that_is_read_later_completes_the_way_back() {
    let home = AccountRegion::of_region("123456789012", "eu-west-1");
    let secret = Change {
        key: Key::secret(home, "prod/db"),
        ..change("/app/db", "2026-01-31T10:00:00Z", "new-id")
    };
    let secret_key = secret.key.clone();
    let changes = BTreeMap::from([(key("/app/db"), secret)]);
    let seen = service("ecs-svc/2", STARTED, RolloutState::Failed);
    let mut ended = ended(Outcome::Failed, &seen, &of_events(&changes));

    let wanted: Vec<_> = ended
        .without_previous()
        .map(|one| one.key.clone())
        .collect();
    ended.take_previous(&BTreeMap::from([(secret_key.clone(), "old-id".to_owned())]));

    assert_eq!(wanted, [secret_key]);
    let command = ended.restores()[0].command.clone().unwrap();
    assert!(command.contains("--move-to-version-id old-id"), "{command}");
}

#[test]
fn a_rolled_back_deployment_that_is_still_primary_is_not_back() {
    let changes = BTreeMap::new();
    let kept = service("ecs-svc/2", STARTED, RolloutState::Failed);
    let back = service(
        "ecs-svc/1",
        "2026-01-30T10:00:00Z",
        RolloutState::InProgress,
    );

    let failed = ended(Outcome::Failed, &kept, &of_events(&changes));
    let rolled_back = ended(Outcome::RolledBack, &back, &of_events(&changes));

    assert_eq!((failed.rolled_back, rolled_back.rolled_back), (false, true));
}
