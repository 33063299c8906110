use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::domain::arn::AccountRegion;
use crate::domain::change::{ChangeKind, Scope};
use crate::domain::key::Kind;
use crate::domain::tags::Tags;

fn homes() -> impl Strategy<Value = AccountRegion> {
    let of = |account, region| Just(AccountRegion::of_region(account, region));
    prop_oneof![
        4 => of("123456789012", "eu-west-1"),
        1 => of("123456789012", "us-east-1"),
        1 => of("210987654321", "eu-west-1"),
        1 => of("123456789012", "cn-north-1"),
    ]
}

/// Few names, so that terms and keys often meet: one is the beginning of another, or ends as the ARN
/// of a secret does.
fn paths() -> impl Strategy<Value = String> {
    let segment = prop_oneof![Just("a"), Just("ab"), Just("a-AbCdEf"), Just("b"), Just("")];
    prop::collection::vec(segment, 1..5).prop_map(|segments| segments.join("/"))
}

fn kinds() -> impl Strategy<Value = Kind> {
    prop::sample::select(Kind::ALL.to_vec())
}

fn stages() -> impl Strategy<Value = &'static str> {
    prop_oneof![3 => Just("AWSCURRENT"), 1 => Just("canary")]
}

fn keys() -> impl Strategy<Value = Key> {
    let suffix = prop_oneof![Just(None), Just(Some("AbCdEf")), Just(Some("XyZ987"))];
    let paths = (paths(), prop::option::of(paths()));
    (kinds(), homes(), paths, stages(), suffix).prop_map(
        |(kind, home, (path, other), stage, suffix)| {
            let is_secret = kind == Kind::Secret;
            let stage = if is_secret { stage } else { "AWSCURRENT" };
            let key = Key::of_kind(kind, home.clone(), &path)
                .at_stage(stage)
                .with_suffix(suffix.filter(|_| is_secret));
            other.map_or(key.clone(), |other| {
                key.with_alternative(&Key::of_kind(kind, home, &other))
            })
        },
    )
}

/// Terms of every shape, and some that do not parse.
fn terms() -> impl Strategy<Value = String> {
    let bare = (kinds(), paths()).prop_map(|(kind, path)| format!("{}:{path}", kind.word()));
    let rooted = paths().prop_map(|path| format!("ssm:/{path}"));
    let arn = keys().prop_map(|key| key.arn());
    let prefix = keys().prop_map(|key| key.with_suffix(None).arn() + "/");
    let stage = keys().prop_map(|key| key.arn() + ":json:canary:");
    let secret = paths().prop_map(|path| format!("ssm:/aws/reference/secretsmanager/{path}"));
    let term = prop_oneof![3 => bare, 3 => rooted, 2 => arn, 1 => prefix, 1 => stage, 1 => secret];
    (prop::bool::weighted(0.2), term).prop_map(|(is_exclusion, term)| {
        if is_exclusion {
            format!("-{term}")
        } else {
            term
        }
    })
}

fn tags() -> impl Strategy<Value = Option<String>> {
    let terms = prop::collection::vec(terms(), 0..5);
    let watch = (prop::bool::weighted(0.15), terms).prop_map(|(says_auto, mut terms)| {
        terms.extend(says_auto.then(|| "auto".to_owned()));
        terms.join(" ")
    });
    prop::option::weighted(0.95, watch)
}

fn services() -> impl Strategy<Value = Vec<Listed>> {
    let services = prop::collection::vec((homes(), tags()), 0..40);
    services.prop_map(|services| {
        let services = services.into_iter().enumerate();
        // Backwards: the order of a listing means nothing.
        let services = services.rev();
        services
            .map(|(number, (home, watch))| listed(number, home, watch.as_deref()))
            .collect()
    })
}

fn listed(number: usize, home: AccountRegion, watch: Option<&str>) -> Listed {
    Listed {
        id: id(number),
        home,
        tags: Tags::parse("reloader", watch.map(|watch| ("reloader:watch", watch))),
    }
}

fn id(number: usize) -> ServiceId {
    ServiceId {
        cluster: format!("cluster-{}", number % 3),
        name: format!("service-{number}"),
    }
}

/// The definition: every service is asked.
fn one_by_one(services: &[Listed], key: &Key) -> BTreeMap<ServiceId, Match> {
    let matched = services
        .iter()
        .map(|one| (one.id.clone(), one.match_of(key)));
    matched
        .filter(|(_, matched)| *matched != Match::None)
        .collect()
}

fn change(key: Key, numbers: &[usize]) -> Change {
    let services = || numbers.iter().map(|number| id(*number)).collect();
    let scope = match numbers.first() {
        None => Scope::All,
        Some(number) if number % 2 == 0 => Scope::only(services()),
        Some(_) => Scope::all_except(services()),
    };
    Change {
        scope,
        ..Change::new(key, Timestamp::UNIX_EPOCH, ChangeKind::Written, "event")
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 256,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_index_finds_what_every_service_says_for_itself(
        services in services(),
        keys in prop::collection::vec(keys(), 1..20),
    ) {
        let watching: Watching = services.iter().cloned().collect();

        for key in keys {
            let found: Vec<_> = watching
                .matches(&key)
                .map(|(listed, matched)| (listed.id.clone(), matched))
                .collect();
            let expected = one_by_one(&services, &key);
            prop_assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{}", key.arn());
        }
    }

    #[test]
    fn changes_affect_those_in_their_scope(
        services in services(),
        changes in prop::collection::vec((keys(), prop::collection::vec(0..40_usize, 0..4)), 1..9),
    ) {
        let watching: Watching = services.iter().cloned().collect();
        let changes: Vec<_> = changes.into_iter().map(|(key, only)| change(key, &only)).collect();

        let affected: Vec<_> = watching.affected(&changes).map(|one| one.id.clone()).collect();

        let is_affected = |one: &&Listed| changes.iter().any(|change| {
            change.scope.includes(&one.id) && one.match_of(&change.key) != Match::None
        });
        let expected = services.iter().filter(is_affected).map(|one| one.id.clone());
        let expected: BTreeSet<_> = expected.collect();
        prop_assert_eq!(affected, expected.into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn every_kind_of_term_is_found() {
    let home = AccountRegion::of_region("123456789012", "eu-west-1");
    let secret = Key::secret(home.clone(), "prod/db").with_suffix(Some("AbCdEf"));
    let profile = Key::profile(home.clone(), "shop", "prod", "flags");
    let (object, parameter) = (
        Key::object("aws", "bucket", "app/a.yaml"),
        Key::parameter(home.clone(), "/app/db"),
    );
    for (key, term, expected) in [
        (&parameter, "ssm:/app/db", Match::Watched),
        (&parameter, "ssm:app/", Match::Watched),
        (&parameter, "ssm:/", Match::Watched),
        (&parameter, "ssm:/app/ -ssm:/app/db", Match::Excluded),
        (&parameter, "auto -ssm:/app/db", Match::NeedsTaskDefinition),
        (&object, "s3:bucket/", Match::Watched),
        (&object, "arn:aws:s3:::bucket/app/", Match::Watched),
        (&secret, "secret:prod/", Match::Watched),
        (&secret, &secret.arn(), Match::Watched),
        (
            &secret,
            "ssm:/aws/reference/secretsmanager/prod/db",
            Match::Watched,
        ),
        (&profile, "appconfig:shop/prod/flags", Match::Watched),
        (&parameter, "ssm:/app", Match::None),
        (&parameter, "secret:app/db", Match::None),
    ] {
        let other = listed(1, home.clone(), Some("ssm:/other secret:other s3:other/"));
        let services = [listed(0, home.clone(), Some(term)), other];
        let watching: Watching = services.into_iter().collect();

        let found = watching.matches(key).next().map(|(_, matched)| matched);

        assert_eq!(found.unwrap_or(Match::None), expected, "{term}");
    }
}

#[test]
fn a_service_is_found_by_its_id() {
    let home = AccountRegion::of_region("123456789012", "eu-west-1");
    let numbers = [4, 0, 3, 1, 2];
    let services = numbers.map(|number| listed(number, home.clone(), Some("ssm:/a what?")));
    let watching: Watching = services.into_iter().collect();

    for number in numbers {
        assert_eq!(
            watching.get(&id(number)).map(|one| &one.id),
            Some(&id(number))
        );
    }
    assert_eq!(watching.get(&id(5)), None);
    assert_eq!(watching.with_mistakes().count(), numbers.len());
}
