//! `defer`, one row for each situation: the sentence, the resolution of the service, and its
//! follow-up.

mod following;
mod order;

use super::*;
use crate::domain::arn::AccountRegion;
use crate::domain::plan::Planned;
use crate::domain::reason::Reason;
use crate::domain::resolution::Unreadable;
use crate::domain::rollout::Rollout;
use crate::domain::service::Service;
use crate::domain::start::ErrorKind;
use crate::domain::tags::Tags;

const POLICY: DeferPolicy = DeferPolicy {
    hold_limit: SignedDuration::from_hours(24),
    max_in_flight: 2,
    has_queue: true,
    spent: SignedDuration::from_secs(1),
};

fn now() -> Timestamp {
    "2026-01-31T10:00:03Z".parse().unwrap()
}

fn at(seconds: i64) -> Timestamp {
    now()
        .saturating_add(SignedDuration::from_secs(seconds))
        .unwrap()
}

fn key() -> Key {
    Key::parameter(
        AccountRegion::of_region("123456789012", "eu-west-1"),
        "app/db",
    )
}

fn id(name: &str) -> ServiceId {
    ServiceId::from_path(&format!("web/{name}")).unwrap()
}

/// A batch of one change that a deferred message carries, in the first message of the inbox.
fn batch() -> Batch {
    let change = Change {
        scope: Scope::only(BTreeSet::from([id("api")])),
        ..Change::new(key(), now(), ChangeKind::Written, "event")
    };
    let mut batch = Batch::default();
    batch.add(0, [&change]);
    batch.coalesced(true)
}

fn resolution(reason: Reason, until: Option<Timestamp>) -> Resolution {
    let planned = Planned {
        asked_by: Arc::new(BTreeMap::from([(key(), reason)])),
        until,
        ..Planned::of(reason, now())
    };
    Resolution {
        planned: Ok(planned),
        seen: Some(Service::gone(
            id("api"),
            AccountRegion::default(),
            Tags::default(),
        )),
        ..Resolution::unreadable(id("api"), unreadable(ErrorKind::Rejected), Arc::default())
    }
}

fn unreadable(kind: ErrorKind) -> Unreadable {
    Unreadable {
        kind,
        message: "no answer".to_owned(),
    }
}

fn after(start: StartResult) -> Resolution {
    Resolution {
        start: Some(start),
        ..resolution(Reason::Stale, None)
    }
}

fn rollout() -> Rollout {
    Rollout::started("ecs-svc/2".to_owned(), now())
}

fn deferred(resolution: Resolution, policy: &DeferPolicy) -> Deferral {
    let resolutions = Resolutions::from([(id("api"), resolution)]);
    defer(&batch(), &resolutions, policy, now())
}

/// The follow-up in a word, and the seconds until then.
fn follow_up(resolution: Resolution, policy: &DeferPolicy) -> (&'static str, i64) {
    let deferral = deferred(resolution, policy);
    let seconds = |at: Timestamp| at.duration_since(now()).as_secs();
    match deferral.follow_ups.get(&id("api")) {
        None | Some(FollowUp::Done) => ("done", 0),
        Some(FollowUp::Retry { at, .. }) => ("retry", seconds(*at)),
        Some(FollowUp::Follow { at, .. }) => ("follow", seconds(*at)),
        Some(FollowUp::Abandoned { .. }) => ("abandoned", 0),
        Some(FollowUp::LeftToSweep) => ("left to the sweep", 0),
        Some(FollowUp::Redeliver(messages)) => {
            assert_eq!(*messages, BTreeSet::from([0]));
            ("redeliver", 0)
        }
    }
}

/// A situation, the resolution of the service, and the follow-up with the seconds until then.
type Row = (&'static str, Resolution, (&'static str, i64));

fn assert_follow_ups(table: impl IntoIterator<Item = Row>) {
    for (situation, resolution, expected) in table {
        assert_eq!(follow_up(resolution, &POLICY), expected, "{situation}");
    }
}

#[test]
fn a_hold_is_retried_at_its_end_or_after_a_pause_and_any_other_decision_is_done() {
    let held = |reason, until| resolution(reason, until);

    assert_follow_ups([
        ("fresh", held(Reason::Fresh, None), ("done", 0)),
        ("off", held(Reason::Off, None), ("done", 0)),
        ("refused", held(Reason::InvalidTag, None), ("done", 0)),
        ("paused", held(Reason::Paused, None), ("retry", 27)),
    ]);
    assert_follow_ups([
        (
            "others run",
            held(Reason::InFlightLimit, None),
            ("retry", 27),
        ),
        (
            "a window opens",
            held(Reason::OutsideWindow, Some(at(600))),
            ("retry", 607),
        ),
    ]);
}

#[test]
fn a_start_that_aws_or_time_did_not_allow_is_retried_and_one_that_aws_refused_is_done() {
    let failed = |passes| StartResult::Failed {
        message: String::new(),
        passes,
    };
    let denied = StartResult::Denied {
        message: String::new(),
    };
    let unread = |kind| Resolution {
        planned: Err(unreadable(kind)),
        ..resolution(Reason::Stale, None)
    };

    assert_follow_ups([
        (
            "AWS throttled it",
            after(StartResult::Throttled),
            ("retry", 27),
        ),
        (
            "time was lacking",
            after(StartResult::OutOfTime),
            ("retry", 0),
        ),
        ("AWS did not answer", after(failed(true)), ("retry", 27)),
    ]);
    assert_follow_ups([
        ("AWS does not want it", after(failed(false)), ("done", 0)),
        ("the role may not", after(denied), ("done", 0)),
    ]);
    assert_follow_ups([
        (
            "AWS throttled its description",
            unread(ErrorKind::Throttled),
            ("retry", 27),
        ),
        (
            "it may not be described",
            unread(ErrorKind::Denied),
            ("done", 0),
        ),
    ]);
}

#[test]
fn a_rollout_is_followed_unless_a_restart_is_owed_beside_it() {
    let following = |resolution| Resolution {
        rollouts: vec![rollout()],
        ..resolution
    };
    let started = after(StartResult::Started {
        rollout: rollout(),
        found: false,
    });

    assert_follow_ups([
        ("it was started", following(started), ("follow", 27)),
        (
            "a rollout of others covers the change",
            following(resolution(Reason::Fresh, None)),
            ("follow", 27),
        ),
        (
            "a rollout covers one change, and another is held",
            following(resolution(Reason::Paused, None)),
            ("retry", 27),
        ),
    ]);
}

#[test]
fn without_a_queue_holds_are_left_to_the_sweep_and_failures_to_a_redelivery() {
    let policy = DeferPolicy {
        has_queue: false,
        ..POLICY
    };
    let table = [
        (
            "it is held",
            resolution(Reason::Paused, None),
            "left to the sweep",
        ),
        (
            "AWS throttled it",
            after(StartResult::Throttled),
            "redeliver",
        ),
        ("it is fresh", resolution(Reason::Fresh, None), "done"),
    ];

    for (situation, resolution, expected) in table {
        assert_eq!(follow_up(resolution, &policy).0, expected, "{situation}");
    }
}

#[test]
fn a_dry_run_defers_nothing() {
    let request = Request {
        services: BTreeMap::new(),
        requested_at: now(),
        dry_run: true,
        max_services: None,
        reason: None,
        sender: None,
    };
    let asked = Batch::of(&request);
    let held = Resolutions::from([(id("api"), resolution(Reason::Paused, None))]);

    assert_eq!(defer(&asked, &held, &POLICY, now()), Deferral::default());
}

#[test]
fn a_wait_that_has_lasted_longer_than_the_limit_is_abandoned() {
    let waited = |reason| Resolution {
        attempt: Attempt {
            waited: POLICY.hold_limit,
            owes_restart: true,
            ..Attempt::default()
        },
        ..resolution(reason, None)
    };

    assert_eq!(
        follow_up(waited(Reason::InFlightLimit), &POLICY).0,
        "abandoned"
    );
    assert_eq!(follow_up(waited(Reason::Paused), &POLICY).0, "retry");
}

#[test]
fn a_wait_begins_anew_with_a_rollout_and_with_the_restart_that_follows_one() {
    let old = Attempt {
        waited: POLICY.hold_limit,
        ..Attempt::default()
    };
    let started = Resolution {
        rollouts: vec![rollout()],
        attempt: Attempt {
            owes_restart: true,
            ..old.clone()
        },
        ..after(StartResult::Started {
            rollout: rollout(),
            found: false,
        })
    };
    let owed_after_a_rollout = Resolution {
        attempt: Attempt {
            rollouts: vec![rollout()],
            ..old
        },
        ..resolution(Reason::InFlightLimit, None)
    };

    assert_eq!(follow_up(started, &POLICY).0, "follow");
    assert_eq!(follow_up(owed_after_a_rollout, &POLICY).0, "retry");
}

#[test]
fn a_new_change_is_listed_for_once_more_for_the_services_that_are_not_known() {
    let mut batch = Batch::default();
    batch.add(
        0,
        [&Change::new(key(), now(), ChangeKind::Written, "event")],
    );
    let batch = batch.coalesced(true);
    let fresh = Resolutions::from([(id("api"), resolution(Reason::Fresh, None))]);

    let deferral = defer(&batch, &fresh, &POLICY, now());

    let [message] = &deferral.messages[..] else {
        panic!("{deferral:?}");
    };
    assert_eq!(message.work.not_before, at(300));
    assert_eq!(
        message.work.changes[0].scope,
        Scope::all_except(BTreeSet::from([id("api")]))
    );
    assert!(message.services.is_empty() && message.messages == BTreeSet::from([0]));
}

#[test]
fn services_of_a_change_that_are_more_than_may_run_at_once_return_together() {
    let one = |name: &str, until| Resolution {
        service: id(name),
        ..resolution(Reason::MinInterval, Some(until))
    };
    let names = ["a", "b", "c"];
    let resolutions = |number: usize| -> Resolutions {
        let held = names.iter().zip([100, 200, 300]).take(number);
        held.map(|(name, seconds)| (id(name), one(name, at(seconds))))
            .collect()
    };

    let groups = |number| {
        let deferral = defer(&batch(), &resolutions(number), &POLICY, now());
        deferral
            .messages
            .iter()
            .map(|message| message.services.len())
            .collect::<Vec<_>>()
    };

    assert_eq!(groups(2), [1, 1], "as many as may run at once");
    assert_eq!(groups(3), [3], "one more");
}

#[test]
fn a_hold_with_a_known_end_that_returns_sooner_with_others_keeps_its_age() {
    let attempt = Attempt {
        waited: SignedDuration::from_hours(3),
        ..Attempt::default()
    };
    let held = |(name, end): (&str, i64)| {
        let held = Resolution {
            service: id(name),
            attempt: attempt.clone(),
            ..resolution(Reason::OutsideWindow, Some(at(end)))
        };
        (id(name), held)
    };
    let resolutions = [("a", 600), ("b", 3600), ("c", 7200)].map(held);

    let messages = defer(&batch(), &resolutions.into(), &POLICY, now()).messages;

    let attempts = messages.iter().flat_map(|one| one.work.attempts.values());
    let waited: Vec<_> = attempts.map(|one| one.waited).collect();
    assert_eq!((messages.len(), waited), (1, vec![attempt.waited; 3]));
}
