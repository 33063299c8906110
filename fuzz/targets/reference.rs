//! Any text of a task definition is one reference: it names exactly one thing, or says what was expected.
#![no_main]

use ecs_reloader::domain::key::Kind;
use ecs_reloader::domain::reference::References;
use ecs_reloader::domain::watch::Term;
use ecs_reloader::home;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    for bare in Kind::ALL {
        let mut references = References::default();
        references.add(|| "field".to_owned(), &text, bare);
        let References { followed, pinned, unread } = &references;

        assert_eq!(references.len(), 1);
        assert!(unread.iter().all(|unread| unread.field == "field" && !unread.expected.is_empty()));
        for term in followed.iter().chain(pinned) {
            let key = term.key(&home()).expect("a reference names one thing");
            assert!(term.matches(&key, &home()), "{term:?}");
            assert!(text.starts_with("arn:") || (key.kind(), key.place()) == (bare, &place_of(bare)), "{term:?}");
        }

        // The owner of a service may write the same ARN into a watch tag.
        if text.starts_with("arn:") {
            let term = Term::parse(&text).ok().filter(|term| !term.is_prefix());
            assert_eq!(term.as_ref(), followed.first());
        }
    }
});

fn place_of(bare: Kind) -> ecs_reloader::domain::arn::Place {
    if bare == Kind::Object { home().partition_only() } else { home() }
}
