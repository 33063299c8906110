use std::collections::BTreeSet;

use super::*;
use crate::domain::arn::{AccountRegion, ServiceId};

fn change(kind: ChangeKind, at: &str) -> Change {
    Change::new(
        Key::parameter(
            AccountRegion::of_region("123456789012", "eu-west-1"),
            "/app/x",
        ),
        at.parse().unwrap(),
        kind,
        "e",
    )
}

fn survivor(changes: [Change; 2]) -> ChangeKind {
    let mut turned = changes.clone();
    turned.reverse();
    let [one, other] =
        [changes, turned].map(|changes| coalesce(changes).into_values().next().unwrap().kind);
    assert_eq!(one, other, "the order of arrival must not matter");
    one
}

#[test]
fn the_newest_change_of_a_key_is_kept() {
    let changes = [
        change(ChangeKind::Written, "2026-01-31T10:00:00Z"),
        change(ChangeKind::Deleted, "2026-01-31T10:00:01Z"),
    ];

    assert_eq!(survivor(changes), ChangeKind::Deleted);
}

#[test]
fn within_one_second_a_write_beats_a_deletion() {
    let changes = [
        change(ChangeKind::Written, "2026-01-31T10:00:00Z"),
        change(ChangeKind::Deleted, "2026-01-31T10:00:00Z"),
    ];

    assert_eq!(survivor(changes), ChangeKind::Written);
}

#[test]
fn a_label_never_hides_a_write() {
    let changes = [
        change(ChangeKind::Written, "2026-01-31T10:00:00Z"),
        change(ChangeKind::Labelled, "2026-01-31T10:00:09Z"),
    ];

    assert_eq!(survivor(changes), ChangeKind::Written);
}

#[test]
fn a_change_is_planned_for_all_services_that_any_message_names() {
    let service = |name: &str| ServiceId {
        cluster: "web".to_owned(),
        name: String::from(name),
    };
    let these = |names: &[&str]| {
        names
            .iter()
            .map(|name| service(name))
            .collect::<BTreeSet<_>>()
    };
    let merged = |one: Scope, other: Scope| {
        let changes = [one, other].map(|scope| Change {
            scope,
            ..change(ChangeKind::Written, "2026-01-31T10:00:00Z")
        });
        coalesce(changes).into_values().next().unwrap().scope
    };

    let (only, but) = (
        |names: &[&str]| Scope::only(these(names)),
        |names: &[&str]| Scope::all_except(these(names)),
    );
    assert_eq!(merged(only(&["a"]), only(&["b"])), only(&["a", "b"]));
    assert_eq!(merged(but(&["a", "b"]), only(&["b"])), but(&["a"]));
    assert_eq!(merged(but(&["a", "b"]), but(&["b", "c"])), but(&["b"]));
    assert_eq!(merged(only(&["a"]), Scope::All), Scope::All);
}

#[test]
fn changes_for_the_same_services_in_two_messages_share_one_list() {
    let service = |name: &str| ServiceId {
        cluster: "web".to_owned(),
        name: String::from(name),
    };
    let message = |name: &str| {
        let scope = Scope::only(BTreeSet::from([service(name)]));
        let key = |number| {
            Key::parameter(
                AccountRegion::of_region("123456789012", "eu-west-1"),
                &format!("/app/{number}"),
            )
        };
        let change = move |number| Change {
            key: key(number),
            scope: scope.clone(),
            ..change(ChangeKind::Written, "2026-01-31T10:00:00Z")
        };
        (0..100).map(change)
    };

    let merged = coalesce(message("a").chain(message("b")));

    let lists: BTreeSet<_> = merged
        .values()
        .map(|change| change.scope.list_id())
        .collect();
    assert_eq!((merged.len(), lists.len()), (100, 1));
}

#[test]
fn a_whole_second_ends_with_its_last_moment() {
    let t = |text: &str| end_of_event_time(text.parse().unwrap(), Timestamp::MAX).to_string();

    assert_eq!(t("2026-01-31T10:00:00Z"), "2026-01-31T10:00:01Z");
    assert_eq!(t("2026-01-31T10:00:00.250Z"), "2026-01-31T10:00:00.25Z");
}

/// The time of a write of the second from 10:00:00, if its source has the time `at`, read at
/// `read_at`.
fn dated(at: &str, read_at: &str, shares_second: bool) -> String {
    let mut change = Change {
        shares_second,
        ..change(ChangeKind::Written, "2026-01-31T10:00:01Z")
    };
    change.date(at.parse().unwrap(), read_at.parse().unwrap());
    change.at.to_string()
}

#[test]
fn the_sources_own_time_is_exact_where_it_was_read_late_and_one_event_alone_names_its_second() {
    let (within, late) = ("2026-01-31T10:00:00.25Z", "2026-01-31T10:00:03Z");

    assert_eq!(dated(within, late, false), within);
    assert_eq!(
        dated(within, "2026-01-31T10:00:02.9Z", false),
        "2026-01-31T10:00:01Z"
    );
    assert_eq!(dated(within, late, true), "2026-01-31T10:00:01Z");
    // The source may know whole seconds only.
    assert_eq!(
        dated("2026-01-31T10:00:00Z", late, false),
        "2026-01-31T10:00:01Z"
    );
}

#[test]
fn a_source_moves_a_change_later_and_never_before_the_second_of_its_event() {
    assert_eq!(
        dated("2026-01-31T10:00:09.5Z", "2026-01-31T10:00:09.6Z", true),
        "2026-01-31T10:00:09.5Z"
    );
    assert_eq!(
        dated("2026-01-31T09:59:59.999Z", "2026-01-31T10:09:00Z", false),
        "2026-01-31T10:00:01Z"
    );
}

#[test]
fn two_events_of_one_second_share_it_and_one_that_comes_twice_does_not() {
    let written = |event: &str, at: &str| Change {
        event: event.to_owned(),
        ..change(ChangeKind::Written, at)
    };
    let shares_second = |one: Change, other: Change| {
        let turned = coalesce([other.clone(), one.clone()])
            .into_values()
            .next()
            .unwrap()
            .shares_second;
        let shares_second = coalesce([one, other])
            .into_values()
            .next()
            .unwrap()
            .shares_second;
        assert_eq!(
            shares_second, turned,
            "the order of arrival must not matter"
        );
        shares_second
    };
    let (first, second) = ("2026-01-31T10:00:01Z", "2026-01-31T10:00:02Z");

    assert!(shares_second(written("a", first), written("b", first)));
    assert!(shares_second(
        written("a", "2026-01-31T10:00:00.5Z"),
        written("b", first)
    ));
    assert!(!shares_second(written("a", first), written("a", first)));
    assert!(!shares_second(written("a", first), written("b", second)));
    assert!(!shares_second(
        written("a", first),
        change(ChangeKind::Labelled, first)
    ));
}

#[test]
fn an_event_that_was_enriched_outlives_its_repetition() {
    let plain = change(ChangeKind::Written, "2026-01-31T10:00:01Z");
    let enriched = Change {
        enriched: true,
        ..change(ChangeKind::Written, "2026-01-31T10:00:00.25Z")
    };

    for changes in [[plain.clone(), enriched.clone()], [enriched.clone(), plain]] {
        assert_eq!(
            coalesce(changes).into_values().next().unwrap().at,
            enriched.at
        );
    }
}

#[test]
fn a_time_ahead_of_the_clock_is_now_and_the_second_that_runs_ends_all_the_same() {
    let clock: Timestamp = "2026-01-31T10:00:00.5Z".parse().unwrap();
    let t = |text: &str| end_of_event_time(text.parse().unwrap(), clock).to_string();
    let computed = |text: &str| not_ahead_of(text.parse().unwrap(), clock).to_string();

    assert_eq!(t("2026-01-31T11:00:00Z"), "2026-01-31T10:00:00.5Z");
    assert_eq!(t("2026-01-31T10:00:00.75Z"), "2026-01-31T10:00:00.5Z");
    assert_eq!(t("2026-01-31T10:00:00Z"), "2026-01-31T10:00:01Z");
    assert_eq!(computed("2026-01-31T11:00:00Z"), "2026-01-31T10:00:01Z");
    assert_eq!(computed("2026-01-31T10:00:01Z"), "2026-01-31T10:00:01Z");
}
