//! Every list has a bound, every number and time a range, and `null` is a missing field.

use serde_json::{Map, Value, json};

use super::*;

fn many(entry: impl Fn(usize) -> Value) -> Value {
    (0..1001).map(entry).collect()
}

/// An object of too many services.
fn many_services(value: &Value) -> Value {
    let members = (0..1001).map(|number| (short(number).to_string(), value.clone()));
    Value::Object(members.collect::<Map<_, _>>())
}

fn wire_change() -> Value {
    json!({
        "kind": "ssm", "path": "a", "partition": "aws", "account": "1", "region": "eu-west-1",
        "at": T, "change": "written", "event": "e",
    })
}

fn wire_notice() -> Value {
    json!({ "id": "i", "kind": "held", "services": ["c/s"], "at": T })
}

/// Messages with these members are malformed at this place, for this reason.
fn are_malformed(cases: impl IntoIterator<Item = (Value, &'static str, &'static str)>) {
    for (members, at, expected) in cases {
        let mut deferred = json!({ "version": 1, "not_before": T });
        let members = members.as_object().unwrap().clone();
        deferred.as_object_mut().unwrap().extend(members);

        let malformed = read_deferred(&deferred).unwrap_err();

        let found = (malformed.at.as_str(), malformed.expected.as_str());
        assert_eq!(found, (at, expected));
    }
}

#[test]
fn more_than_a_thousand_entries_are_malformed() {
    let (one, none) = (wire_change(), json!({}));
    let changes = many(|_| one.clone());
    let pairs: Value = vec![json!({ "changes": [one, one] }); 501].into();
    let names = many(|number| short(number).to_string().into());
    let requested = many_services(&Value::Null);
    let services = names.clone();
    let too_many = "at most 1000 entries";
    are_malformed([
        (json!({ "work": many(|_| none.clone()) }), "work", too_many),
        (
            json!({ "work": [{ "changes": changes }] }),
            "work[0].changes",
            too_many,
        ),
        (json!({ "work": pairs }), "work", "at most 1000 changes"),
        (
            json!({ "work": [{ "changes": [one], "only": names }] }),
            "work[0].only",
            too_many,
        ),
        (
            json!({ "work": [{ "changes": [one], "except": names }] }),
            "work[0].except",
            too_many,
        ),
        (
            json!({ "attempts": many_services(&none) }),
            "attempts",
            too_many,
        ),
        (
            json!({ "request": { "requested_at": T, "services": requested } }),
            "request.services",
            too_many,
        ),
        (
            json!({ "notices": many(|_| wire_notice()) }),
            "notices",
            too_many,
        ),
        (
            json!({ "notices": [{ "id": "i", "kind": "held", "at": T, "services": services }] }),
            "notices[0].services",
            too_many,
        ),
    ]);
}

#[test]
fn numbers_out_of_range_are_malformed() {
    let seconds = "a number of seconds from 0 to 3162240000";
    let number = "a number from 0 to 4294967295";
    are_malformed([
        (
            json!({ "attempts": { "c/s": { "waited_seconds": -1 } } }),
            "attempts",
            seconds,
        ),
        (
            json!({ "attempts": { "c/s": { "waited_seconds": 9_000_000_000_u64 } } }),
            "attempts",
            seconds,
        ),
        (
            json!({ "attempts": { "c/s": { "count": -1 } } }),
            "attempts",
            number,
        ),
        (json!({ "hops": -1 }), "hops", number),
        (
            json!({ "failed_listings": 4_294_967_296_u64 }),
            "failed_listings",
            number,
        ),
        (
            json!({ "request": { "requested_at": T, "max_services": 0 } }),
            "request.max_services",
            "a number of services from 1 to 1000000",
        ),
    ]);
}

#[test]
fn a_kind_of_notice_that_this_version_does_not_know_is_malformed() {
    let mut notice = wire_notice();
    notice["kind"] = "of a later version".into();

    are_malformed([(
        json!({ "notices": [notice] }),
        "notices",
        "a kind of notice",
    )]);
}

#[test]
fn text_and_lists_of_a_notice_are_as_bounded_as_where_it_was_made() {
    let mut notice = wire_notice();
    notice["key"] = "k".repeat(2_000).into();
    notice["services"] = (0..500)
        .map(|number| format!("c/s{number}\u{1b}"))
        .collect();
    notice["reason"] = "of a later version".into();

    let read = read_deferred(&json!({ "version": 1, "not_before": T, "notices": [notice] }));

    let notice = read.unwrap().notices.remove(0);
    assert_eq!(notice.key.unwrap().chars().count(), 256);
    assert_eq!(
        (notice.services.len(), notice.services[0].as_str()),
        (MOST_SERVICES, "c/s0\u{fffd}")
    );
    assert_eq!(notice.reason, None);
}

#[test]
fn a_time_of_another_age_is_malformed() {
    are_malformed([(
        json!({ "request": { "requested_at": "9999-01-31T10:00:00Z" } }),
        "request.requested_at",
        "a time such as 2026-01-31T10:00:00Z",
    )]);
}

#[test]
fn an_optional_field_of_a_change_or_of_an_attempt_may_be_null() {
    let change = json!({
        "kind": "ssm", "path": "a", "partition": "aws", "account": null, "region": null,
        "stage": null, "suffix": null, "alternative": null, "at": T, "change": "written",
        "version": null, "previous": null, "etag": null, "by": null, "event": "e", "source": null,
        "ignored": null, "enriched": null, "shares_second": null,
    });
    let attempt = json!({ "last_reason": null, "waited_seconds": null, "count": null });

    let read = read_deferred(&json!({
        "version": 1, "not_before": T, "hops": null, "failed_listings": null,
        "work": [{ "changes": [change], "only": null, "except": null }],
        "attempts": { "c/s0": attempt },
        "request": { "services": null, "requested_at": T, "max_services": null },
    }))
    .unwrap();

    assert_eq!(read.changes[0].scope, Scope::All);
    assert_eq!(read.attempts[&short(0)], Attempt::default());
}

#[test]
fn an_optional_field_of_a_message_may_be_null() {
    let read = read_deferred(&json!({
        "version": 1, "not_before": T, "work": null, "attempts": null, "request": null,
        "notices": null,
    }))
    .unwrap();

    let expected = (Vec::new(), BTreeMap::new(), None);
    assert_eq!((read.changes, read.attempts, read.request), expected);
    assert_eq!(read.notices, []);
}
