//! The schema of notices, their table of fields and their examples agree with the code.

use std::collections::BTreeSet;

use ecs_reloader::domain::notice::{MOST_DETAILS, MOST_SERVICES, Notice, NoticeKind};
use ecs_reloader::domain::reason::{Decision, Reason};
use ecs_reloader::report::notices::{DETAIL_TYPE, Detail, SOURCE};
use serde_json::{Value, json, to_value};

use crate::fields::first_column;
use crate::{document, schema};

/// Text of others as it is shown at most.
fn longest() -> String {
    "🎉".repeat(256)
}

/// Everything that a notice of this kind may have.
fn whole(kind: NoticeKind) -> Notice {
    let at = "2026-01-31T10:00:00.123456789Z".parse().unwrap();
    let numbered = |number: usize| format!("{number} \"<!here>\"");
    Notice {
        id: "0123456789abcdef".repeat(2),
        kind,
        key: Some(longest()),
        version: Some(longest()),
        previous_version: Some(longest()),
        changed_at: Some(at),
        changed_by: Some(longest()),
        services: (0..MOST_SERVICES).map(numbered).collect(),
        more_services: 900,
        deployments: (0..MOST_SERVICES).map(numbered).collect(),
        reason: Some(Reason::Paused),
        details: (0..MOST_DETAILS).map(numbered).collect(),
        until: Some(at),
        restore: Some("'\"`x`\"'".repeat(250)),
        at,
    }
}

/// Only what every notice of this kind has.
fn least(kind: NoticeKind) -> Notice {
    let is_decision = matches!(
        kind,
        NoticeKind::Halted
            | NoticeKind::Refused
            | NoticeKind::Held
            | NoticeKind::AwaitingApproval
            | NoticeKind::Stale
    );
    let is_rollout = matches!(
        kind,
        NoticeKind::RolledBack
            | NoticeKind::TimedOut
            | NoticeKind::Rejected
            | NoticeKind::Unknown
            | NoticeKind::Started
            | NoticeKind::Completed
    );
    let whole = whole(kind);
    Notice {
        key: whole.key.filter(|_| kind == NoticeKind::MissingKey),
        version: None,
        previous_version: None,
        changed_at: None,
        changed_by: None,
        services: vec!["production/api".to_owned()],
        more_services: 0,
        deployments: whole
            .deployments
            .into_iter()
            .take(usize::from(is_rollout))
            .collect(),
        reason: whole.reason.filter(|_| is_decision),
        details: Vec::new(),
        until: None,
        restore: None,
        ..whole
    }
}

fn json_of(notice: &Notice) -> Value {
    to_value(Detail::from(notice)).unwrap()
}

#[test]
fn every_kind_of_notice_is_as_the_schema_says() {
    for kind in NoticeKind::ALL {
        schema::assert_valid([&json_of(&whole(*kind)), &json_of(&least(*kind))]);
    }
}

#[test]
fn every_reason_makes_texts_that_the_schema_allows() {
    let kinds = [
        NoticeKind::Refused,
        NoticeKind::Held,
        NoticeKind::Stale,
        NoticeKind::Abandoned,
    ];
    let of_people = Reason::ALL.iter().filter(|reason| {
        matches!(reason.decision(), Decision::Refuse | Decision::Hold) || **reason == Reason::Notify
    });
    for reason in of_people {
        for kind in kinds {
            let notice = Notice {
                reason: Some(*reason),
                ..least(kind)
            };
            schema::assert_valid([&json_of(&notice)]);
        }
    }
}

#[test]
fn the_schema_knows_the_kinds_and_the_fields_of_the_code() {
    let schema = schema::schema();
    let kinds: Vec<_> = NoticeKind::ALL.iter().map(|kind| json!(kind)).collect();
    assert_eq!(schema["properties"]["kind"]["enum"], Value::from(kinds));

    let written = json_of(&whole(NoticeKind::Held));
    let written: BTreeSet<_> = written.as_object().unwrap().keys().cloned().collect();
    assert_eq!(schema::fields(), written);
}

#[test]
fn the_schema_refuses_what_is_no_notice() {
    let validator = schema::Validator::new();
    let good = json_of(&least(NoticeKind::Held));
    assert_eq!(validator.validate(&good), Ok(()));
    for (field, value) in [
        ("id", json!("no hash")),
        ("kind", json!("of a later version")),
        ("services", json!([])),
        ("reason", Value::Null),
        ("at", json!("yesterday")),
        ("title", json!("two\nlines")),
        ("notice_version", json!(2)),
    ] {
        let mut bad = good.clone();
        bad[field] = value;
        assert!(validator.validate(&bad).is_err(), "{bad:#}");
    }
}

#[test]
fn every_field_of_a_notice_has_its_row() {
    let rows = first_column("docs/notices.md");
    let missing: Vec<_> = schema::fields().difference(&rows).cloned().collect();

    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn the_event_that_is_shown_is_one() {
    let page = document("docs/notices.md");
    let block = page.blocks("json").next().unwrap();
    let event: Value = serde_json::from_str(&block.text).unwrap();

    assert_eq!(
        (&event["source"], &event["detail-type"]),
        (&json!(SOURCE), &json!(DETAIL_TYPE))
    );
    schema::assert_valid([&event["detail"]]);
}
