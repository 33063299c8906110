//! One identity for every spelling of a key, and none that two keys share.

use ecs_reloader::domain::arn::AccountRegion;
use ecs_reloader::domain::key::{Key, Kind};
use ecs_reloader::domain::reference::References;
use ecs_reloader::domain::tags::Tags;
use ecs_reloader::domain::term::Term;
use ecs_reloader::domain::watch::Match;
use ecs_reloader::event::{Content, decode};
use proptest::prelude::*;

/// Accounts and Regions of every partition, some with the same account or Region.
fn place() -> impl Strategy<Value = AccountRegion> {
    let account = prop_oneof![Just("123456789012"), Just("210987654321")];
    let region = prop_oneof![
        Just("eu-west-1"),
        Just("us-east-1"),
        Just("cn-north-1"),
        Just("us-gov-west-1")
    ];
    (account, region).prop_map(|(account, region)| AccountRegion::of_region(account, region))
}

/// Names, often similar: one is the beginning of another, or ends as an ARN of a secret does.
fn segments() -> impl Strategy<Value = String> {
    let segment = prop_oneof![
        Just("app"),
        Just("app2"),
        Just("db"),
        Just("db-url"),
        Just("db-AbCdEf"),
        Just("a.b_c-d")
    ];
    prop::collection::vec(segment, 1..4).prop_map(|segments| segments.join("/"))
}

fn suffix() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("AbCdEf"), Just("a1b2c3"), Just("XyZ987")]
}

fn key() -> impl Strategy<Value = Key> {
    let parameter = (place(), segments()).prop_map(|(place, name)| Key::parameter(place, &name));
    let named = (prop_oneof![Just(""), Just("/")], segments())
        .prop_map(|(slash, name)| format!("{slash}{name}"));
    let secret = (place(), named, suffix())
        .prop_map(|(place, name, suffix)| Key::secret(place, &name).with_suffix(Some(suffix)));
    let object = (place(), segments())
        .prop_map(|(place, path)| Key::object(&place.partition, "bucket", &path));
    let profile = (place(), "[a-z]{1,3}", "[a-z]{1,3}", "[a-z]{1,3}")
        .prop_map(|(place, a, e, p)| Key::profile(place, &a, &e, &p));
    prop_oneof![parameter, secret, object, profile]
}

/// Every way to write a key, for a service whose account and Region are the key's own.
fn spellings(key: &Key) -> Vec<String> {
    let mut spellings = vec![
        key.to_string(),
        key.arn(),
        key.clone().with_suffix(None).arn(),
    ];
    spellings.extend(
        key.to_string()
            .strip_prefix("ssm:/")
            .map(|name| format!("ssm:{name}")),
    );
    spellings.extend(by_parameter(key));
    spellings
}

/// The names by which Parameter Store hands out a secret.
fn by_parameter(key: &Key) -> Vec<String> {
    let name = format!("/aws/reference/secretsmanager/{}", key.path());
    let spellings = || {
        [
            format!("ssm:{name}"),
            format!(
                "{}{name}",
                Key::parameter(key.home().clone(), "")
                    .arn()
                    .trim_end_matches('/')
            ),
        ]
    };
    if key.kind() == Kind::Secret {
        spellings().to_vec()
    } else {
        Vec::new()
    }
}

/// The account and Region of a service that means `key` by a bare term.
fn home(key: &Key) -> AccountRegion {
    if key.home().region.is_empty() {
        AccountRegion {
            account: "1".repeat(12).into(),
            region: "any".into(),
            ..key.home().clone()
        }
    } else {
        key.home().clone()
    }
}

proptest! {
    #[test]
    fn every_spelling_of_a_key_names_it_and_is_read_as_it(key in key()) {
        for text in spellings(&key) {
            let term = Term::parse(&text).unwrap();
            prop_assert!(term.matches(&key, &home(&key)), "{text}");
        }
        // A secret's partial ARN may have the form of a whole one. Its name and its whole ARN are
        // certain.
        for text in [key.to_string(), key.arn()].into_iter().chain(by_parameter(&key)) {
            prop_assert_eq!(Term::parse(&text).unwrap().key(&home(&key)), Some(key.clone()), "{}", text);
        }
    }

    #[test]
    fn no_two_keys_share_a_term_or_an_arn(one in key(), other in key()) {
        let same = one == other;
        let term = Term::parse(&one.to_string()).unwrap();
        let is_named = term.matches(&other, &home(&one)) && one.home() == other.home();
        prop_assert_eq!(same, is_named);
        if !same && one.suffix() == other.suffix() {
            prop_assert_ne!(one.arn(), other.arn());
        }
    }

    #[test]
    fn a_whole_arn_of_a_secret_names_no_other(
        place in place(),
        name in segments(),
        suffixes in (suffix(), suffix()),
    ) {
        let longer = format!("{name}-{}", suffixes.0);
        let secret = Key::secret(place.clone(), &name).with_suffix(Some(suffixes.0));
        let named_alike = Key::secret(place.clone(), &longer).with_suffix(Some(suffixes.1));

        prop_assert_ne!(&secret, &named_alike);
        prop_assert!(!Term::parse(&named_alike.arn()).unwrap().matches(&secret, &place));
    }

    #[test]
    fn a_prefix_names_what_is_below_it_by_whole_segments(key in key(), other in segments()) {
        let path = key.path().to_owned();
        let word = key.kind().word();
        prop_assume!(word != "appconfig");
        for cut in path.match_indices('/').map(|(cut, _)| cut) {
            let term = Term::parse(&format!("{word}:{}/", &path[..cut])).unwrap();
            prop_assert!(term.matches(&key, &home(&key)));
        }
        let beside = Term::parse(&format!("{word}:{path}{other}/"));
        prop_assert!(!beside.is_ok_and(|term| term.matches(&key, &home(&key))));
    }

    #[test]
    fn a_decoded_key_is_watched_by_its_own_display(
        place in place(),
        name in segments(),
        suffix in suffix(),
    ) {
        let AccountRegion { account, region, partition } = &place;
        let arn = format!("arn:{partition}:secretsmanager:{region}:{account}:secret:{name}-{suffix}");
        let event = serde_json::json!({
            "detail-type": "Secret Label Updated", "source": "aws.secretsmanager",
            "account": **account, "region": **region, "time": "2026-01-31T10:00:00Z",
            "resources": [arn], "detail": { "name": name, "labelUpdated": "AWSCURRENT" },
        });

        let inbox = decode(&event.to_string(), "2026-01-31T10:00:00Z".parse().unwrap(), None);

        let Content::Changed(change) = &inbox.messages[0].contents[0] else { panic!("{inbox:?}") };
        for text in [change.key.to_string(), arn] {
            let tags = Tags::parse("reloader", [("reloader:watch", text.as_str())]);
            let watch = tags.watch.unwrap();
            let found = watch.match_of(&change.key, &place, &References::default(), None);
            prop_assert_eq!(found, Match::Watched, "{}", text);
        }
    }
}
