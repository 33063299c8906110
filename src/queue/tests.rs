mod bounds;
mod whatever;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;
use serde_json::value::RawValue;

use super::split::LONGEST;
use super::{decode, encode};
use crate::domain::arn::{AccountRegion, ServiceId};
use crate::domain::backoff::Attempt;
use crate::domain::change::{Change, ChangeKind, Scope};
use crate::domain::deferred_work::DeferredWork;
use crate::domain::key::Key;
use crate::domain::notice::{MOST_COMMAND, MOST_DETAILS, MOST_SERVICES, Notice, NoticeKind};
use crate::domain::reason::Reason;
use crate::domain::request::Request;
use crate::domain::rollout::{Progress, Rollout};
use crate::domain::text::bounded;
use crate::json::Malformed;

const T: &str = "2026-01-31T10:00:00Z";

fn id(number: usize) -> ServiceId {
    ServiceId {
        cluster: "production".to_owned(),
        name: format!("{number:0>200}"),
    }
}

fn short(number: usize) -> ServiceId {
    ServiceId {
        cluster: "c".to_owned(),
        name: format!("s{number}"),
    }
}

fn read(body: &str) -> Result<DeferredWork, Malformed> {
    read_deferred(&serde_json::from_str::<Value>(body).unwrap()["deferred"])
}

fn read_deferred(deferred: &Value) -> Result<DeferredWork, Malformed> {
    let text = RawValue::from_string(deferred.to_string()).unwrap();
    decode(&text, Timestamp::MAX)
}

/// Writes the messages, none of them too long, and reads them again.
fn sent(deferred: &DeferredWork) -> Vec<DeferredWork> {
    let bodies = encode(deferred);
    let lengths: Vec<_> = bodies.iter().map(String::len).collect();
    assert!(
        lengths.iter().all(|length| *length <= LONGEST),
        "{lengths:?}"
    );
    bodies.iter().map(|body| read(body).unwrap()).collect()
}

fn change(number: usize, scope: Scope) -> Change {
    let home = AccountRegion::of_region("123456789012", "eu-west-1");
    let key = Key::parameter(home, &format!("/app/{number}"));
    Change {
        scope,
        ..Change::new(key, T.parse().unwrap(), ChangeKind::Written, "e")
    }
}

/// These changes, and attempts and a request for all of these services.
fn of(changes: Vec<Change>, services: impl Iterator<Item = ServiceId> + Clone) -> DeferredWork {
    let at = T.parse().unwrap();
    let attempt = Attempt {
        count: 3,
        ..Attempt::default()
    };
    DeferredWork {
        not_before: at,
        hops: 1,
        failed_listings: 0,
        changes,
        attempts: services.clone().map(|id| (id, attempt.clone())).collect(),
        request: Some(Request {
            services: services.map(|id| (id, None)).collect(),
            requested_at: at,
            dry_run: false,
            max_services: None,
            reason: None,
            sender: None,
        }),
        notices: Vec::new(),
    }
}

/// A notice as long as one can be.
fn notice(number: usize) -> Notice {
    let longest = |number: usize| bounded(&format!("{number}{}", "é".repeat(300)));
    let at = T.parse().unwrap();
    Notice {
        id: format!("{number:032x}"),
        kind: NoticeKind::ALL[number % NoticeKind::ALL.len()],
        key: Some(longest(number)),
        version: Some(longest(number)),
        previous_version: Some(longest(number)),
        changed_at: Some(at),
        changed_by: Some(longest(number)),
        services: (0..MOST_SERVICES).map(longest).collect(),
        more_services: 7,
        deployments: (0..MOST_SERVICES).map(longest).collect(),
        reason: Some(Reason::ALL[number % Reason::ALL.len()]),
        details: (0..MOST_DETAILS).map(longest).collect(),
        until: Some(at),
        restore: Some("x".repeat(MOST_COMMAND)),
        at,
    }
}

fn requested(part: &DeferredWork) -> impl Iterator<Item = &ServiceId> {
    part.request
        .iter()
        .flat_map(|request| request.services.keys())
}

#[test]
fn work_that_is_too_long_for_one_message_names_each_service_once() {
    let whole = of(
        vec![change(0, Scope::only((0..2000).map(id).collect()))],
        (0..2000).map(id),
    );

    let parts = sent(&whole);

    let attempted = parts.iter().flat_map(|part| part.attempts.keys());
    let scoped = parts.iter().flat_map(|part| match &part.changes[0].scope {
        Scope::Only(services) => services.iter().collect(),
        Scope::All | Scope::AllExcept(_) => Vec::new(),
    });
    assert!(parts.len() > 1);
    assert_eq!((attempted.count(), scoped.count()), (2000, 2000));
    assert_eq!(parts.iter().flat_map(requested).count(), 2000);
    let different: BTreeSet<_> = parts.iter().flat_map(requested).collect();
    assert_eq!(different.len(), 2000);
}

#[test]
fn the_deployment_that_is_followed_goes_with_its_service() {
    let started = Rollout::started(
        "ecs-svc/7".to_owned(),
        "2026-01-31T10:00:05.123Z".parse().unwrap(),
    );
    let rollout = Rollout {
        own: false,
        progress: Progress {
            running: 3,
            stage: Some("SCALE_UP".to_owned()),
            at: "2026-01-31T10:01:05.123Z".parse().unwrap(),
        },
        complete_since: Some("2026-01-31T10:02:05.123Z".parse().unwrap()),
        timed_out: true,
        ..started.clone()
    };
    let attempt = Attempt {
        rollouts: vec![rollout, started],
        ..Attempt::default()
    };
    let changes = vec![change(0, Scope::only(BTreeSet::from([id(1)])))];
    let deferred = DeferredWork {
        attempts: BTreeMap::from([(id(1), attempt)]),
        ..of(changes, std::iter::empty())
    };

    assert_eq!(sent(&deferred)[0].attempts, deferred.attempts);
}

#[test]
fn the_account_and_region_of_a_requested_service_go_with_it() {
    let home = AccountRegion::of_region("123456789012", "eu-central-1");
    let mut deferred = of(Vec::new(), (0..2).map(short));
    let request = deferred.request.as_mut().unwrap();
    request.services.insert(short(1), Some(home));

    assert_eq!(sent(&deferred), [deferred]);
}

#[test]
fn the_limit_of_a_request_goes_with_it() {
    let mut deferred = of(vec![change(0, Scope::All)], std::iter::empty());
    deferred.request.as_mut().unwrap().max_services = Some(2);

    assert_eq!(sent(&deferred), [deferred]);
}

#[test]
fn notices_go_with_the_work_and_each_of_them_once() {
    let notices: Vec<_> = (0..30).map(notice).collect();
    let whole = DeferredWork {
        notices: notices.clone(),
        ..of(vec![change(0, Scope::All)], (0..2000).map(id))
    };

    let parts = sent(&whole);

    let read: Vec<_> = parts.iter().flat_map(|part| part.notices.clone()).collect();
    let known = |notice: &Notice| notice.id.clone();
    let mut sorted = read.clone();
    sorted.sort_by_key(known);
    assert_eq!(sorted, notices);
    let planned = parts.iter().filter(|part| part.is_planned());
    let services: BTreeSet<_> = planned.flat_map(requested).collect();
    assert_eq!(services.len(), 2000);
}

#[test]
fn a_thousand_notices_of_one_service_are_few_messages() {
    let short = |number| Notice {
        services: vec!["c/s".to_owned()],
        deployments: Vec::new(),
        details: Vec::new(),
        key: None,
        version: None,
        previous_version: None,
        changed_by: None,
        restore: None,
        ..notice(number)
    };
    let at = T.parse().unwrap();
    let whole = DeferredWork::of_notices((0..1001).map(short).collect(), at, 3);

    let parts = sent(&whole);

    assert_eq!(parts.len(), 2);
    assert!(
        parts
            .iter()
            .all(|part| part.hops == 3 && !part.is_planned())
    );
}

#[test]
fn three_thousand_short_names_are_few_messages() {
    let whole = of(
        vec![change(0, Scope::only((0..3000).map(short).collect()))],
        (0..3000).map(short),
    );

    // 60 kB of names, and at most a thousand of them in a list.
    assert_eq!(sent(&whole).len(), 4);
}

#[test]
fn many_changes_of_many_services_are_few_messages() {
    let services = Scope::only((0..1000).map(short).collect());
    let changes = (0..1000).map(|number| change(number, services.clone()));

    let whole = of(changes.collect(), (0..1000).map(short));

    assert_eq!(sent(&whole).len(), 2);
}

#[test]
fn a_list_of_exceptions_that_is_too_long_is_left_out() {
    let parts = sent(&of(
        vec![change(0, Scope::all_except((0..2000).map(id).collect()))],
        std::iter::empty(),
    ));

    // `Scope::All` would say that the change is new, and it would get a second listing again and
    // again.
    let scopes: Vec<_> = parts.iter().map(|part| &part.changes[0].scope).collect();
    assert_eq!(scopes, [&Scope::all_except(BTreeSet::new())]);
}

#[test]
fn a_list_of_exceptions_continues_in_further_entries_and_is_written_once_for_all_changes() {
    let others = Scope::all_except((0..3000).map(short).collect());
    let changes = (0..100).map(|number| change(number, others.clone()));
    let whole = DeferredWork {
        request: None,
        ..of(changes.collect(), std::iter::empty())
    };

    let bodies = encode(&whole);

    let mentions = bodies[0].matches("c/s2999\"").count();
    assert_eq!((bodies.len(), mentions), (1, 1));
    assert_eq!(read(&bodies[0]).unwrap(), whole);
}
