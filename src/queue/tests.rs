use proptest::prelude::*;

use super::*;

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
    let deferred = serde_json::from_str::<serde_json::Value>(body).unwrap()["deferred"].to_string();
    decode(&RawValue::from_string(deferred).unwrap(), Timestamp::MAX)
}

fn sent(deferred: &DeferredWork) -> Vec<DeferredWork> {
    let bodies = encode(deferred);
    assert!(
        bodies.iter().all(|body| body.len() <= LONGEST),
        "{:?}",
        bodies.iter().map(String::len).collect::<Vec<_>>()
    );
    bodies.iter().map(|body| read(body).unwrap()).collect()
}

fn change(number: usize, scope: Scope) -> Change {
    let key = Key::parameter(
        AccountRegion::of_region("123456789012", "eu-west-1"),
        &format!("/app/{number}"),
    );
    Change {
        scope,
        ..Change::new(key, T.parse().unwrap(), ChangeKind::Written, "e")
    }
}

fn of(changes: Vec<Change>, services: impl Iterator<Item = ServiceId> + Clone) -> DeferredWork {
    let at = T.parse().unwrap();
    let attempts = services
        .clone()
        .map(|id| {
            (
                id,
                Attempt {
                    count: 3,
                    ..Attempt::default()
                },
            )
        })
        .collect();
    let request = Some(Request {
        services: services.map(|id| (id, None)).collect(),
        asked_at: at,
        dry_run: false,
        max_services: None,
        reason: None,
        sender: None,
    });
    DeferredWork {
        not_before: at,
        hops: 1,
        failed_listings: 0,
        changes,
        attempts,
        request,
    }
}

#[test]
fn what_is_too_long_for_one_message_names_each_service_once() {
    let whole = of(
        vec![change(0, Scope::only((0..2000).map(id).collect()))],
        (0..2000).map(id),
    );

    let parts = sent(&whole);

    let wishes = || {
        parts.iter().flat_map(|part| {
            part.request
                .iter()
                .flat_map(|request| request.services.keys())
        })
    };
    let attempts = || parts.iter().flat_map(|part| part.attempts.keys());
    let named = |part: &DeferredWork| {
        if let Scope::Only(these) = &part.changes[0].scope {
            these.len()
        } else {
            0
        }
    };
    assert!(parts.len() > 1);
    assert_eq!(
        (
            wishes().count(),
            attempts().count(),
            parts.iter().map(named).sum()
        ),
        (2000, 2000, 2000)
    );
    assert_eq!(wishes().collect::<BTreeSet<_>>().len(), 2000);
}

#[test]
fn the_deployment_that_is_followed_goes_with_its_service() {
    let rollout = Rollout {
        deployment: "ecs-svc/7".to_owned(),
        started_at: "2026-01-31T10:00:05.123Z".parse().unwrap(),
    };
    let attempts = BTreeMap::from([(
        id(1),
        Attempt {
            rollout: Some(rollout),
            ..Attempt::default()
        },
    )]);
    let deferred = DeferredWork {
        attempts,
        ..of(
            vec![change(0, Scope::only(BTreeSet::from([id(1)])))],
            std::iter::empty(),
        )
    };

    assert_eq!(sent(&deferred)[0].attempts, deferred.attempts);
}

#[test]
fn three_thousand_short_names_are_no_more_than_is_read() {
    let whole = of(
        vec![change(0, Scope::only((0..3000).map(short).collect()))],
        (0..3000).map(short),
    );

    assert_eq!(
        sent(&whole).len(),
        4,
        "60 kB of names, and at most a thousand in a list"
    );
}

#[test]
fn many_changes_of_many_services_are_few_messages() {
    let these = Scope::only((0..1000).map(short).collect());
    let whole = of(
        (0..1000)
            .map(|number| change(number, these.clone()))
            .collect(),
        (0..1000).map(short),
    );

    assert_eq!(sent(&whole).len(), 2);
}

#[test]
fn a_list_that_is_too_long_of_those_that_need_no_second_look_is_left_out() {
    let parts = sent(&of(
        vec![change(0, Scope::all_except((0..2000).map(id).collect()))],
        std::iter::empty(),
    ));

    // Not `Everyone`: it would look as if it was just told, and be looked at a second time without
    // end.
    assert_eq!(
        parts
            .iter()
            .map(|part| part.changes[0].scope.clone())
            .collect::<Vec<_>>(),
        [Scope::all_except(BTreeSet::new())]
    );
}

#[test]
fn a_list_of_those_that_need_no_second_look_goes_on_in_the_next_and_stands_there_once_for_all_changes()
 {
    let others = Scope::all_except((0..3000).map(short).collect());
    let whole = DeferredWork {
        request: None,
        ..of(
            (0..100)
                .map(|number| change(number, others.clone()))
                .collect(),
            std::iter::empty(),
        )
    };

    let bodies = encode(&whole);

    assert_eq!(
        (bodies.len(), bodies[0].matches("c/s2999\"").count()),
        (1, 1)
    );
    assert_eq!(read(&bodies[0]).unwrap(), whole);
}

#[test]
fn more_than_a_thousand_entries_and_numbers_out_of_range_are_malformed() {
    let many = |of: &dyn Fn(usize) -> String| (0..1001).map(of).collect::<Vec<_>>().join(",");
    let one = r#"{"kind":"ssm","path":"a","partition":"aws","account":"1","region":"eu-west-1","at":"2026-01-31T10:00:00Z","what":"written","event":"e"}"#;
    let names = many(&|number| format!("\"c/s{number}\""));
    let attempts = many(&|number| format!("\"c/s{number}\":{{}}"));
    let requested = many(&|number| format!("\"c/s{number}\":null"));
    for (member, at, expected) in [
        (
            format!(r#""work":[{}]"#, many(&|_| "{}".to_owned())),
            "work",
            "at most 1000 entries",
        ),
        (
            format!(r#""work":[{{"changes":[{}]}}]"#, many(&|_| one.to_owned())),
            "work[0].changes",
            "at most 1000 entries",
        ),
        (
            format!(
                r#""work":[{}]"#,
                vec![format!(r#"{{"changes":[{one},{one}]}}"#); 501].join(",")
            ),
            "work",
            "at most 1000 changes",
        ),
        (
            format!(r#""work":[{{"changes":[{one}],"only":[{names}]}}]"#),
            "work[0].only",
            "at most 1000 entries",
        ),
        (
            format!(r#""work":[{{"changes":[{one}],"except":[{names}]}}]"#),
            "work[0].not_for",
            "at most 1000 entries",
        ),
        (
            format!(r#""attempts":{{{attempts}}}"#),
            "attempts",
            "at most 1000 entries",
        ),
        (
            format!(
                r#""request":{{"asked_at":"2026-01-31T10:00:00Z","services":{{{requested}}}}}"#
            ),
            "request.services",
            "at most 1000 entries",
        ),
        (
            r#""attempts":{"c/s":{"waited_seconds":-1}}"#.to_owned(),
            "attempts",
            "a number of seconds from 0 to 3162240000",
        ),
        (
            r#""attempts":{"c/s":{"waited_seconds":9000000000}}"#.to_owned(),
            "attempts",
            "a number of seconds from 0 to 3162240000",
        ),
        (
            r#""attempts":{"c/s":{"count":-1}}"#.to_owned(),
            "attempts",
            "a number from 0 to 4294967295",
        ),
        (
            r#""hops":-1"#.to_owned(),
            "hops",
            "a number from 0 to 4294967295",
        ),
        (
            r#""failed_listings":4294967296"#.to_owned(),
            "failed_listings",
            "a number from 0 to 4294967295",
        ),
        (
            r#""request":{"asked_at":"9999-01-31T10:00:00Z"}"#.to_owned(),
            "request.asked_at",
            "a time such as 2026-01-31T10:00:00Z",
        ),
        (
            r#""request":{"asked_at":"2026-01-31T10:00:00Z","max_services":0}"#.to_owned(),
            "request.max_services",
            "a number of services from 1 to 1000000",
        ),
    ] {
        let text = format!(r#"{{"version":1,"not_before":"2026-01-31T10:00:00Z",{member}}}"#);

        let malformed = decode(&RawValue::from_string(text).unwrap(), Timestamp::MAX).unwrap_err();

        assert_eq!(
            (malformed.at.as_str(), malformed.expected.as_str()),
            (at, expected)
        );
    }
}

#[test]
fn null_is_as_good_as_not_there() {
    let change = r#"{"kind":"ssm","path":"a","partition":"aws","account":null,"region":null,"stage":null,"suffix":null,"at":"2026-01-31T10:00:00Z",
        "what":"written","version":null,"previous":null,"etag":null,"by":null,"event":"e","ignored":null,"enriched":null}"#;
    let work = format!(r#"[{{"changes":[{change}],"only":null,"except":null}}]"#);
    let text = format!(
        r#"{{"version":1,"not_before":"2026-01-31T10:00:00Z","hops":null,"failed_listings":null,"work":{work},
        "attempts":{{"c/s":{{"last_reason":null,"waited_seconds":null,"count":null}}}},"request":{{"services":null,"asked_at":"2026-01-31T10:00:00Z","max_services":null}}}}"#
    );
    let none = r#"{"version":1,"not_before":"2026-01-31T10:00:00Z","work":null,"attempts":null,"request":null}"#.to_owned();

    let [all, none] = [text, none]
        .map(|text| decode(&RawValue::from_string(text).unwrap(), Timestamp::MAX).unwrap());

    assert_eq!(
        (
            all.changes[0].scope.clone(),
            all.attempts[&ServiceId::from_path("c/s").unwrap()].clone()
        ),
        (Scope::All, Attempt::default())
    );
    assert_eq!(
        (none.changes, none.attempts, none.request),
        (Vec::new(), BTreeMap::new(), None)
    );
}

/// Services that a change may mean: all, all but some, or some of `most`.
fn scopes(ids: fn(usize) -> ServiceId, most: usize) -> impl Strategy<Value = Scope> {
    let some = move || {
        (0..most, 1..most).prop_map(move |(from, number)| (from..from + number).map(ids).collect())
    };
    prop_oneof![
        Just(Scope::All),
        some().prop_map(Scope::all_except),
        some().prop_map(Scope::only)
    ]
}

/// Many changes of few services, few of many, or many messages' worth of both.
fn works() -> impl Strategy<Value = DeferredWork> {
    let ids = prop_oneof![
        Just(short as fn(usize) -> ServiceId),
        Just(id as fn(usize) -> ServiceId)
    ];
    let sizes = prop_oneof![
        Just((2500_usize, 20_usize)),
        Just((20, 2500)),
        Just((300, 300))
    ];
    let parts = (ids, sizes).prop_flat_map(|(ids, (changes, services))| {
        let scopes = prop::collection::vec(scopes(ids, services), 1..5);
        (
            scopes,
            0..changes,
            0..2500_usize,
            any::<bool>(),
            0..4_u32,
            Just(ids),
        )
    });
    parts.prop_map(|(scopes, changes, attempts, requested, number, ids)| {
        let changes = (0..changes)
            .filter_map(|place| Some(change(place, scopes.get(place % scopes.len())?.clone())))
            .collect();
        let deferred = of(changes, (0..attempts).map(ids));
        DeferredWork {
            hops: number,
            failed_listings: number,
            request: deferred.request.filter(|_| requested),
            ..deferred
        }
    })
}

/// Everything that is told, each service of each change by itself, and how often.
fn told(works: &[DeferredWork]) -> BTreeMap<String, usize> {
    let mut told: BTreeMap<String, usize> = BTreeMap::new();
    let mut tell = |what: String| *told.entry(what).or_default() += 1;
    for deferred in works {
        for change in &deferred.changes {
            match &change.scope {
                Scope::All => tell(format!("{} {:?} for all", change.key, change.at)),
                // Who is left out of a second look need not be told.
                Scope::AllExcept(_) => tell(format!("{} {:?} once more", change.key, change.at)),
                Scope::Only(these) => these
                    .iter()
                    .for_each(|id| tell(format!("{} {:?} for {id}", change.key, change.at))),
            }
        }
        deferred
            .request
            .iter()
            .flat_map(|request| request.services.keys())
            .for_each(|id| tell(format!("wish {id}")));
    }
    told
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 30, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_written_is_read_and_tells_each_service_and_change_once(deferred in works()) {
        let parts = sent(&deferred);

        let attempts: BTreeMap<_, _> = parts.iter().flat_map(|part| part.attempts.clone()).collect();
        prop_assert_eq!(told(&parts), told(std::slice::from_ref(&deferred)));
        prop_assert_eq!(attempts, deferred.attempts);
        for part in &parts {
            prop_assert_eq!((part.not_before, part.hops, part.failed_listings), (deferred.not_before, deferred.hops, deferred.failed_listings));
            prop_assert_eq!(part.request.is_some(), deferred.request.is_some());
        }
    }
}
