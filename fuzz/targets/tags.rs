//! Any tags parse: a line is a tag, its key before the first equals sign. A mistake is reported
//! without the tag's value, and no exclusion is lost.
#![no_main]

use std::collections::BTreeMap;

use ecs_reloader::domain::key::Kind;
use ecs_reloader::domain::tags::Tags;
use ecs_reloader::home;
use libfuzzer_sys::fuzz_target;

/// Most characters of an expected text.
const LONGEST_SENTENCE: usize = 256;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let pairs: BTreeMap<_, _> = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .collect();
    let pairs = || pairs.iter().map(|(key, value)| (*key, *value));
    let value_of = |tag: &str| pairs().find(|(key, _)| *key == tag).map(|(_, value)| value);
    let tags = Tags::parse("reloader", pairs());

    assert_eq!(
        tags,
        Tags::parse("reloader", pairs().collect::<Vec<_>>().into_iter().rev()),
        "the order of tags means nothing"
    );
    assert_eq!(tags.watch.is_some(), value_of("reloader:watch").is_some());
    assert!(tags.order <= 99);
    assert!(
        tags.min_interval
            .is_none_or(|interval| !interval.is_negative())
    );

    for mistake in tags.mistakes() {
        let value = value_of(&mistake.tag).expect("a mistake names a tag");
        assert!(
            mistake
                .term
                .is_none_or(|term| (1..=value.split_whitespace().count()).contains(&term)),
            "{mistake}"
        );
        assert!(mistake.expected.len() <= LONGEST_SENTENCE);
    }

    let Some(watch) = tags.watch else { return };
    let forbidden = value_of("reloader:watch")
        .into_iter()
        .flat_map(str::split_whitespace)
        .filter(|word| word.starts_with('-'))
        .count();
    let refused = tags
        .invalid
        .iter()
        .filter(|mistake| mistake.term.is_some())
        .count();
    assert!(
        watch.exclusions.len() + refused >= forbidden,
        "an exclusion works, or refuses the service"
    );
    for term in watch.terms.iter().chain(&watch.exclusions) {
        assert_eq!(term.key(&home()).is_none(), term.is_prefix());
        assert!(
            term.key(&home())
                .is_none_or(|key| term.matches(&key, &home())),
            "{term:?}"
        );
        let path = term
            .key(&home())
            .filter(|key| key.kind() == Kind::Parameter)
            .map(|key| key.path().to_owned());
        let path = path.or_else(|| {
            term.prefix(&home())
                .filter(|_| term.kind() == Kind::Parameter)
                .map(str::to_owned)
        });
        assert!(
            path.is_none_or(|path| !path.starts_with('/') && !path.contains("//")),
            "{term:?}"
        );
    }
});
