//! Every message that is written is read again without a loss.

use proptest::prelude::*;

use super::*;

/// Scopes over a run of `most` services.
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

#[derive(Clone, Debug)]
struct Size {
    changes: usize,
    services: usize,
}

/// Many changes of few services, few of many, or so many of both that they need many messages.
fn sizes() -> impl Strategy<Value = Size> {
    let sizes = [(2500, 20), (20, 2500), (300, 300)];
    let sizes = sizes.map(|(changes, services)| Size { changes, services });
    prop::sample::select(sizes.to_vec())
}

fn works() -> impl Strategy<Value = DeferredWork> {
    let ids = prop::sample::select(vec![short as fn(usize) -> ServiceId, id]);
    (ids, sizes()).prop_flat_map(|(ids, size)| {
        let scopes = prop::collection::vec(scopes(ids, size.services), 1..5);
        let changes = (scopes, 0..size.changes).prop_map(|(scopes, number)| {
            let scopes = scopes.iter().cycle().take(number).enumerate();
            let changes = scopes.map(|(number, scope)| change(number, scope.clone()));
            changes.collect::<Vec<_>>()
        });
        let rest = (0..2500_usize, any::<bool>(), 0..4_u32, 0..20_usize);
        (changes, rest).prop_map(
            move |(changes, (attempts, is_requested, number, notices))| {
                let deferred = of(changes, (0..attempts).map(ids));
                DeferredWork {
                    hops: number,
                    failed_listings: number,
                    request: deferred.request.filter(|_| is_requested),
                    notices: (0..notices).map(notice).collect(),
                    ..deferred
                }
            },
        )
    })
}

/// Every service of every change and request, and the number of times that it is named.
fn contents(works: &[DeferredWork]) -> BTreeMap<String, usize> {
    let mut contents: BTreeMap<String, usize> = BTreeMap::new();
    let mut add = |entry: String| *contents.entry(entry).or_default() += 1;
    for deferred in works {
        for change in &deferred.changes {
            let (key, at) = (&change.key, change.at);
            match &change.scope {
                Scope::All => add(format!("{key} {at} for all")),
                // The list of an `AllExcept` may be left out.
                Scope::AllExcept(_) => add(format!("{key} {at} for all except some")),
                Scope::Only(services) => {
                    for id in services.iter() {
                        add(format!("{key} {at} for {id}"));
                    }
                }
            }
        }
        for id in requested(deferred) {
            add(format!("request of {id}"));
        }
        for notice in &deferred.notices {
            add(format!("notice {notice:?}"));
        }
    }
    contents
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 12,
        max_shrink_iters: 30,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn each_service_and_change_is_read_once(deferred in works()) {
        let parts = sent(&deferred);

        prop_assert_eq!(contents(&parts), contents(std::slice::from_ref(&deferred)));
        let attempts = parts.iter().flat_map(|part| part.attempts.clone());
        prop_assert_eq!(attempts.collect::<BTreeMap<_, _>>(), deferred.attempts.clone());
        for part in &parts {
            let known = |work: &DeferredWork| (work.not_before, work.hops, work.failed_listings);
            prop_assert_eq!(known(part), known(&deferred));
            let are_notices = !part.is_planned() && !part.notices.is_empty();
            prop_assert!(are_notices || part.request.is_some() == deferred.request.is_some());
        }
    }
}
