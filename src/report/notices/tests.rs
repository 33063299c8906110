use std::sync::Arc;

use super::*;
use crate::domain::change::ChangeKind;
use crate::domain::plan::Planned;
use crate::domain::start::StartResult;

const T: &str = "2026-01-31T10:00:00Z";

fn now() -> Timestamp {
    T.parse().unwrap()
}

fn home() -> AccountRegion {
    AccountRegion::of_region("123456789012", "eu-west-1")
}

fn changes(number: usize) -> BTreeMap<Key, Change> {
    let change = |number: usize| {
        let key = Key::parameter(home(), &format!("/app/{number}"));
        (
            key.clone(),
            Change::new(key, now(), ChangeKind::Written, "e"),
        )
    };
    (0..number).map(change).collect()
}

/// A service with the same reason for all of these changes.
fn resolution(number: usize, reason: Reason, changes: &BTreeMap<Key, Change>) -> Resolution {
    let reasons = changes.keys().map(|key| (key.clone(), reason));
    let planned = Planned {
        asked_by: Arc::new(reasons.collect()),
        ..Planned::of(reason, now())
    };
    let service = ServiceId {
        cluster: "web".to_owned(),
        name: format!("s{number:03}"),
    };
    Resolution {
        planned: Ok(planned),
        ..Resolution::unreadable(
            service,
            crate::domain::resolution::Unreadable {
                kind: crate::domain::start::ErrorKind::Rejected,
                message: String::new(),
            },
            Arc::default(),
        )
    }
}

#[test]
fn a_notice_names_a_hundred_services_and_counts_the_others() {
    let changes = changes(1);
    let gathered = |services: usize| {
        let mut notices = Notices::default();
        let resolutions = (0..services).map(|number| resolution(number, Reason::Paused, &changes));
        notices.add(&changes, &resolutions.collect::<Vec<_>>(), now());
        let mut gathered = notices.finish(&home(), now());
        assert_eq!((gathered.notices.len(), gathered.left_out), (1, 0));
        gathered.notices.remove(0)
    };

    let (all, fewer) = (gathered(120), gathered(119));

    assert_eq!((all.services.len(), all.more_services), (100, 20));
    assert_eq!(
        (all.kind, all.key.as_deref()),
        (NoticeKind::Held, Some("ssm:/app/0"))
    );
    assert_eq!(all.services, fewer.services);
    assert_ne!(all.id, fewer.id, "the id is of all of them");
}

#[test]
fn of_too_many_notices_the_most_important_are_kept() {
    let changes = changes(400);
    let mut failed = resolution(0, Reason::Stale, &changes);
    failed.start = Some(StartResult::Denied {
        message: "denied".to_owned(),
    });
    let held = resolution(1, Reason::Paused, &changes);
    let mut notices = Notices::default();

    notices.add(&changes, [&held, &failed], now());

    let gathered = notices.finish(&home(), now());
    let failed = gathered
        .notices
        .iter()
        .filter(|one| one.kind == NoticeKind::Failed);
    assert_eq!(
        (failed.count(), gathered.notices.len()),
        (400, MOST_NOTICES)
    );
    assert_eq!(gathered.left_out, 300);
}

#[test]
fn two_changes_of_one_key_are_two_notices() {
    let first = changes(1);
    let mut second = first.clone();
    for change in second.values_mut() {
        change.at = "2026-01-31T11:00:00Z".parse().unwrap();
    }
    let mut notices = Notices::default();

    notices.add(&first, [&resolution(0, Reason::BlastRadius, &first)], now());
    notices.add(
        &second,
        [&resolution(0, Reason::BlastRadius, &second)],
        now(),
    );

    let notices = notices.finish(&home(), now()).notices;
    assert_eq!(notices.len(), 2);
    assert_ne!(
        notices[0].id, notices[1].id,
        "a change without a version is known by its time"
    );
}
