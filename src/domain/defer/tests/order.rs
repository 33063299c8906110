//! Services that wait for others of a lower order.

use super::*;

fn waiting(until: Option<Timestamp>, ages: bool) -> Resolution {
    let resolution = resolution(Reason::WaitingForOrder, until);
    let planned = resolution.planned.unwrap();
    Resolution {
        planned: Ok(Planned { ages, ..planned }),
        ..resolution
    }
}

fn old(resolution: Resolution) -> Resolution {
    Resolution {
        attempt: Attempt {
            waited: POLICY.hold_limit,
            count: 9,
            owes_restart: true,
            ..Attempt::default()
        },
        ..resolution
    }
}

#[test]
fn a_hold_for_others_ends_with_their_known_end_and_ages_only_as_they_do() {
    assert_follow_ups([
        (
            "their window opens",
            waiting(Some(at(600)), false),
            ("retry", 607),
        ),
        ("they roll", waiting(None, true), ("retry", 27)),
        (
            "they roll for ever",
            old(waiting(None, true)),
            ("abandoned", 0),
        ),
    ]);
    assert_eq!(
        follow_up(old(waiting(None, false)), &POLICY).0,
        "retry",
        "they are paused"
    );
    assert_eq!(
        follow_up(old(waiting(Some(at(600)), false)), &POLICY).0,
        "retry",
        "their end is known"
    );
}

#[test]
fn a_service_that_waits_returns_with_the_first_of_those_before_it_and_is_younger_then() {
    let waited = SignedDuration::from_hours(1);
    let patient = Resolution {
        service: id("next"),
        attempt: Attempt {
            waited,
            count: 9,
            owes_restart: true,
            ..Attempt::default()
        },
        ..waiting(None, true)
    };
    let followed = Resolution {
        rollouts: vec![rollout()],
        ..resolution(Reason::Fresh, None)
    };
    let resolutions = Resolutions::from([(id("api"), followed), (id("next"), patient)]);

    let messages = defer(&batch(), &resolutions, &POLICY, now()).messages;

    let [message] = &messages[..] else {
        panic!("{messages:?}");
    };
    assert_eq!(message.work.not_before, at(27));
    assert_eq!(message.services, [id("api"), id("next")]);
    assert_eq!(
        message.work.attempts[&id("next")].waited,
        waited + SignedDuration::from_secs(27)
    );
}

#[test]
fn a_key_that_failed_in_another_service_travels_with_the_one_that_is_held() {
    let other = Key::parameter(
        AccountRegion::of_region("123456789012", "eu-west-1"),
        "app/other",
    );
    let reasons = [
        (key(), Reason::OrderHalted),
        (other.clone(), Reason::WaitingForOrder),
    ];
    let held = waiting(None, true);
    let planned = Planned {
        asked_by: Arc::new(BTreeMap::from(reasons)),
        ..held.planned.clone().unwrap()
    };
    let changes = [key(), other].map(|key| Change {
        scope: Scope::only(BTreeSet::from([id("api")])),
        ..Change::new(key, now(), ChangeKind::Written, "event")
    });
    let mut batch = Batch::default();
    batch.add(0, &changes);
    let resolution = Resolution {
        planned: Ok(planned),
        ..held
    };
    let resolutions = Resolutions::from([(id("api"), resolution)]);

    let messages = defer(&batch.coalesced(true), &resolutions, &POLICY, now()).messages;

    assert_eq!(messages[0].work.changes.len(), 2, "a restart reads both");
}
