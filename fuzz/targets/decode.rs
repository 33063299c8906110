//! Any payload decodes: into no more than it has, into keys that are the terms that watch them, and
//! without repeating malformed text.
#![no_main]

use std::collections::HashSet;
use std::sync::LazyLock;

use ecs_reloader::domain::change::Change;
use ecs_reloader::domain::key::{Key, Kind, without_suffix};
use ecs_reloader::domain::term::Term;
use ecs_reloader::event::{Content, decode};
use ecs_reloader::json::Malformed;
use ecs_reloader::{home, now, own_queue};
use libfuzzer_sys::fuzz_target;

/// Most copies of a part of the payload: a secret has at most 20 labels, and each is a change by the
/// same caller.
const MOST_COPIES: usize = 24;

/// Characters of the longest field that we know.
const LONGEST_FIELD: usize = 24;

/// Characters of the longest path, through a queue and a topic.
const LONGEST_PATH: usize = 160;

/// Texts that may be expected: those that the tests have seen, and every other text of the decoder.
static OWN_WORDS: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    let sources = [
        include_str!("../../src/queue/decode.rs"),
        include_str!("../../src/event/appconfig.rs"),
        include_str!("../../src/event/envelope.rs"),
        include_str!("../../src/event/eventbridge.rs"),
        include_str!("../../src/event/payload.rs"),
        include_str!("../../src/queue/wire.rs"),
        include_str!("../../src/json.rs"),
        include_str!("../../src/event/manual.rs"),
        include_str!("../../src/event/s3.rs"),
        include_str!("../../src/event/secrets.rs"),
        include_str!("../../src/event/ssm.rs"),
        include_str!("../../src/domain/term/parse.rs"),
    ];
    let texts = sources.into_iter().flat_map(|source| source.split('"'));
    let seen = include_str!("../../events/decoded.txt")
        .lines()
        .filter_map(|line| Some(line.rsplit_once(": expected ")?.1));
    texts.chain(seen).chain(OTHER_WORDS).collect()
});

/// Texts that are put together, and those of serde and `serde_json`.
const OTHER_WORDS: [&str; 30] = [
    "a secret's name of 1 to 512 characters",
    "at most 20 labels",
    "at most 1000 entries",
    "at most 10000 entries",
    "a number from 0 on",
    "a number up to 1: a newer version of ecs-reloader sent this",
    "a number from 0 to 4294967295",
    "a string",
    "any valid JSON value",
    "control character (\\u0000-\\u001F) found while parsing a string",
    "EOF while parsing a list",
    "EOF while parsing a string",
    "EOF while parsing a value",
    "EOF while parsing an object",
    "expected `,` or `]`",
    "expected `,` or `}`",
    "expected `:`",
    "expected `\"`",
    "expected ident",
    "expected value",
    "invalid escape",
    "invalid number",
    "invalid unicode code point",
    "key must be a string",
    "lone leading surrogate in hex escape",
    "number out of range",
    "recursion limit exceeded",
    "trailing characters",
    "trailing comma",
    "unexpected end of hex escape",
];

fuzz_target!(|bytes: &[u8]| {
    let payload = String::from_utf8_lossy(bytes);
    let inbox = decode(&payload, now(), Some(&own_queue()));
    assert!(inbox.from_queue || inbox.messages.len() == 1);

    let (mut number, mut bytes_of_changes) = (0, 0);
    for content in inbox.messages.iter().flat_map(|message| &message.contents) {
        number += 1;
        match content {
            Content::Changed(change) => {
                bytes_of_changes += size(change);
                is_named_by_its_term(&change.key);
            }
            Content::Request(manual) => assert!(
                manual.changes(&home()).count() + manual.request.services.len() <= payload.len()
            ),
            Content::DeferredWork(deferred) => {
                assert!(deferred.changes.len() + deferred.attempts.len() <= payload.len())
            }
            Content::Sweep(_) => {}
            Content::Ignored(event) => assert!(event.event.chars().count() <= 100),
            Content::Malformed(malformed) => repeats_nothing(malformed),
            Content::TooMuch => {}
        }
    }
    assert!(
        number <= payload.len().max(1),
        "{number} contents in {} bytes",
        payload.len()
    );
    assert!(
        bytes_of_changes <= MOST_COPIES * payload.len(),
        "{bytes_of_changes} bytes of changes in {}",
        payload.len()
    );
});

/// Bytes of everything in a change that is from the payload.
fn size(change: &Change) -> usize {
    let Change {
        key,
        version,
        previous,
        etag,
        by,
        note,
        event,
        at: _,
        kind: _,
        ignored: _,
        enriched: _,
        shares_second: _,
        source: _,
        scope: _,
    } = change;
    let place = key.home();
    let optional = [version, previous, etag, by, note]
        .into_iter()
        .flatten()
        .map(String::len)
        .sum::<usize>();
    let of_key = [
        key.path(),
        key.stage().unwrap_or_default(),
        key.suffix().unwrap_or_default(),
        &place.account,
        &place.region,
    ];
    optional + event.len() + of_key.map(str::len).iter().sum::<usize>()
}

/// Two spellings of a key, its display and its ARN, are terms that name it and no other.
fn is_named_by_its_term(key: &Key) {
    let (home, path) = (key.home(), key.path());
    // Nobody can write a term for a label, and one that ends in a slash is a prefix.
    if key.stage().is_some() || path.ends_with('/') {
        return;
    }
    // Parameter Store has no events of the names by which it hands out secrets.
    if key.kind() == Kind::Parameter && path.starts_with("aws/reference/secretsmanager/") {
        return;
    }
    let letters = |c: char| c.is_ascii_alphanumeric() || "_.-/".contains(c);
    let can_be_term = match key.kind() {
        Kind::Parameter => {
            path.chars().all(letters) && !path.starts_with('/') && !path.contains("//")
        }
        Kind::Secret => !path.contains(':'),
        Kind::Object | Kind::Profile => true,
    };
    let term = Term::parse(&key.to_string());
    assert_eq!(term.is_ok(), can_be_term, "{key}");
    if let Ok(term) = term {
        assert_eq!(term.key(home).as_ref(), Some(key));
        assert!(term.matches(key, home), "{key}");
    }

    let place = [&home.account, &home.region];
    let can_be_arn = key.kind() == Kind::Object
        || place
            .iter()
            .all(|part| !part.is_empty() && !part.contains(':'));
    // A colon ends a secret's name in an ARN, and what follows its last hyphen is six characters.
    let whole = key.kind() != Kind::Secret
        || !path.contains(':')
            && key
                .suffix()
                .is_none_or(|suffix| without_suffix(&format!("x-{suffix}")).is_some());
    if can_be_term && can_be_arn && whole {
        let term = Term::parse(&key.arn());
        assert!(
            term.is_ok_and(|term| term.matches(key, home)),
            "{}",
            key.arn()
        );
    }
}

/// It says where, and what was expected, in our words: whatever stands there may be a secret that
/// somebody put into the wrong place.
fn repeats_nothing(malformed: &Malformed) {
    let Malformed {
        at,
        expected,
        origin: _,
    } = malformed;
    assert!(at.len() <= LONGEST_PATH, "{malformed}");
    for field in at.split(|c: char| ".:[] ".contains(c)) {
        assert!(field.len() <= LONGEST_FIELD, "{field} in {malformed}");
    }
    let inside = |before: &str, after: &str| expected.strip_prefix(before)?.strip_suffix(after);
    if let Some(field) = inside("the field `", "`").or_else(|| inside("the field `", "` once")) {
        assert!(field.len() <= LONGEST_FIELD, "{malformed}");
    } else if expected.ends_with('`') {
        assert!(names_fields(expected), "{malformed}");
    } else {
        assert!(
            OWN_WORDS.contains(inside("JSON (", ")").unwrap_or(expected)),
            "{malformed}"
        );
    }
}

/// Serde names the fields or the variants that there are: `a`, `a` or `b`, or one of `a`, `b`, `c`.
fn names_fields(expected: &str) -> bool {
    let ours = |word: &str| {
        word.len() <= LONGEST_FIELD
            && word
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || b"_-".contains(&byte))
    };
    let names = expected
        .strip_prefix("one of ")
        .unwrap_or(expected)
        .split(", ")
        .flat_map(|names| names.split(" or "));
    names
        .map(|name| name.strip_prefix('`')?.strip_suffix('`'))
        .all(|name| name.is_some_and(ours))
}
