//! Rollouts that are followed: beside restarts that are owed, for how long, and with which changes.

use super::*;

fn following(rollout: Rollout, resolution: Resolution) -> Resolution {
    Resolution {
        rollouts: vec![rollout],
        ..resolution
    }
}

fn timed_out() -> Rollout {
    Rollout {
        timed_out: true,
        ..rollout()
    }
}

/// The resolution after it has waited for as long as a hold may.
fn old(resolution: Resolution) -> Resolution {
    let attempt = Attempt {
        waited: POLICY.hold_limit,
        owes_restart: true,
        ..Attempt::default()
    };
    Resolution {
        attempt,
        ..resolution
    }
}

fn waited(resolution: Resolution) -> SignedDuration {
    let messages = deferred(resolution, &POLICY).messages;
    messages[0].work.attempts[&id("api")].waited
}

#[test]
fn a_message_names_the_service_and_carries_its_attempt_and_its_rollout() {
    let followed = Resolution {
        rollouts: vec![rollout()],
        ..resolution(Reason::Fresh, None)
    };

    let deferral = deferred(followed, &POLICY);

    let [message] = &deferral.messages[..] else {
        panic!("{deferral:?}");
    };
    let attempt = &message.work.attempts[&id("api")];
    assert_eq!(message.work.hops, 1);
    assert_eq!(
        message.work.changes[0].scope,
        Scope::only(BTreeSet::from([id("api")]))
    );
    assert_eq!(attempt.rollouts, [rollout()]);
    assert_eq!(
        (attempt.last_reason, attempt.owes_restart),
        (Some(Reason::Fresh), false)
    );
}

#[test]
fn a_restart_that_waits_for_a_window_returns_with_the_rollout_beside_it() {
    let window = || resolution(Reason::OutsideWindow, Some(at(7200)));

    assert_follow_ups([
        ("no rollout", window(), ("retry", 7207)),
        ("a rollout", following(rollout(), window()), ("retry", 27)),
    ]);
    assert_eq!(waited(following(rollout(), window())), SignedDuration::ZERO);
}

#[test]
fn a_hold_does_not_age_while_a_rollout_is_followed_that_has_no_outcome() {
    let held = || old(resolution(Reason::DeploymentInProgress, None));

    assert_follow_ups([
        ("no rollout", held(), ("abandoned", 0)),
        (
            "a rollout without an outcome",
            following(rollout(), held()),
            ("retry", 27),
        ),
        (
            "one that timed out",
            following(timed_out(), held()),
            ("abandoned", 0),
        ),
    ]);
}

#[test]
fn a_rollout_is_followed_to_its_outcome_and_after_a_time_out_no_longer_than_a_hold() {
    let followed = |rollout| following(rollout, old(resolution(Reason::Fresh, None)));

    assert_follow_ups([
        ("without an outcome", followed(rollout()), ("follow", 27)),
        ("timed out", followed(timed_out()), ("abandoned", 0)),
    ]);
}

#[test]
fn the_rollout_of_a_service_that_cannot_be_read_is_followed_all_the_same() {
    for kind in [ErrorKind::Denied, ErrorKind::Unavailable] {
        let unread = Resolution::unreadable(id("api"), unreadable(kind), Arc::default());
        let attempt = Attempt {
            rollouts: vec![rollout()],
            ..Attempt::default()
        };
        let unread = Resolution {
            attempt,
            undecided: Arc::new(BTreeSet::from([key()])),
            ..following(rollout(), unread)
        };

        assert_eq!(follow_up(unread, &POLICY), ("follow", 27), "{kind:?}");
    }
}

/// A change of the key, for one service.
fn change(seconds: i64, version: &str) -> Change {
    Change {
        version: Some(version.to_owned()),
        scope: Scope::only(BTreeSet::from([id("api")])),
        ..Change::new(key(), at(seconds), ChangeKind::Written, version)
    }
}

#[test]
fn the_change_that_a_rollout_has_read_travels_with_it_beside_a_newer_one() {
    let started = Rollout::started("ecs-svc/2".to_owned(), at(-30));
    let attempt = Attempt {
        rollouts: vec![started.clone()],
        ..Attempt::default()
    };
    let message = DeferredWork {
        not_before: now(),
        hops: 0,
        failed_listings: 0,
        changes: vec![change(-90, "2"), change(-60, "3")],
        attempts: BTreeMap::from([(id("api"), attempt)]),
        request: None,
        notices: Vec::new(),
    };
    let mut batch = Batch::default();
    batch.add_deferred(0, &message);
    batch.add(1, [&change(-10, "4")]);
    let batch = batch.coalesced(true);
    let held = following(started, resolution(Reason::MinInterval, Some(at(60))));
    let resolutions = Resolutions::from([(id("api"), held)]);

    let deferral = defer(&batch, &resolutions, &POLICY, now());

    let changes = &deferral.messages[0].work.changes;
    let versions: BTreeSet<_> = changes
        .iter()
        .filter_map(|one| one.version.as_deref())
        .collect();
    assert_eq!(batch.changes[&key()].version.as_deref(), Some("4"));
    assert_eq!(versions, BTreeSet::from(["2", "3", "4"]));
}

#[test]
fn a_change_that_no_rollout_has_read_is_forgotten_when_a_newer_one_comes() {
    let mut batch = Batch::default();
    batch.add(0, [&change(-60, "3"), &change(-10, "4")]);

    assert_eq!(batch.coalesced(true).older, []);
}
