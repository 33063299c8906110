//! Any text of a task definition is one reference: it names exactly one thing, or says what was
//! expected.
#![no_main]

use ecs_reloader::domain::key::{Key, Kind};
use ecs_reloader::domain::reference::References;
use ecs_reloader::domain::term::Term;
use ecs_reloader::home;
use libfuzzer_sys::fuzz_target;

/// The path at which Parameter Store hands out secrets.
const SECRETS: &str = "aws/reference/secretsmanager/";

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    for bare in Kind::ALL {
        let mut references = References::default();
        references.add(|| "field".to_owned(), &text, bare);
        let References {
            unpinned,
            pinned,
            invalid,
        } = &references;

        assert_eq!(references.len(), 1);
        assert!(
            invalid
                .iter()
                .all(|one| one.field == "field" && !one.expected.is_empty())
        );
        for term in unpinned.iter().chain(pinned) {
            let key = term.key(&home()).expect("a reference names one thing");
            assert!(term.matches(&key, &home()), "{term:?}");
            let of_parameter =
                bare == Kind::Parameter && text.trim_start_matches('/').starts_with(SECRETS);
            let kind = if of_parameter { Kind::Secret } else { bare };
            assert!(
                text.starts_with("arn:") || (key.kind(), key.home()) == (kind, &home_of(kind)),
                "{term:?}"
            );
            is_no_dead_end(&key);
        }

        // Its name and its ARN are two spellings of one parameter, also of one that hands out a
        // secret.
        if bare == Kind::Parameter && !text.starts_with("arn:") {
            let mut by_arn = References::default();
            let path = text.strip_prefix('/').unwrap_or(&text);
            by_arn.add(
                String::new,
                &format!("arn:aws:ssm:eu-west-1:123456789012:parameter/{path}"),
                bare,
            );
            let keys = |terms: &[Term]| {
                terms
                    .iter()
                    .flat_map(|term| term.keys(&home()).collect::<Vec<_>>())
                    .collect::<Vec<_>>()
            };
            assert_eq!(
                (keys(&by_arn.unpinned), keys(&by_arn.pinned)),
                (keys(unpinned), keys(pinned)),
                "{text}"
            );
        }

        // The owner of a service may write the same ARN into a watch tag.
        if text.starts_with("arn:") {
            let term = Term::parse(&text).ok().filter(|term| !term.is_prefix());
            assert_eq!(term.as_ref(), unpinned.first());
        }
    }
});

/// A name that nothing can ever have is no name.
fn is_no_dead_end(key: &Key) {
    match key.kind() {
        Kind::Parameter => assert!(
            !key.path().starts_with('/') && !key.path().contains("//"),
            "{key}"
        ),
        Kind::Profile => assert!(
            key.path().split('/').all(|segment| !segment.is_empty()),
            "{key}"
        ),
        Kind::Secret => assert!(
            !key.path().contains(':') && key.stage() != Some("AWSPREVIOUS"),
            "{key}"
        ),
        Kind::Object => assert!(!key.path().starts_with('/'), "{key}"),
    }
}

fn home_of(bare: Kind) -> ecs_reloader::domain::arn::AccountRegion {
    if bare == Kind::Object {
        home().partition_only()
    } else {
        home()
    }
}
