//! The arrows of the layout point one way: `bin → lambda → reload → {event, rollout, report} → aws
//! → domain`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What each module of the library may name of the others, itself apart.
const MAY_NAME: [(&str, &[&str]); 12] = [
    ("domain", &[]),
    ("clock", &[]),
    ("pace", &[]),
    ("json", &["domain"]),
    ("settings", &["domain"]),
    ("aws", &["domain", "pace"]),
    ("queue", &["domain", "json"]),
    ("event", &["domain", "json", "queue"]),
    ("report", &["domain"]),
    ("execute", &["aws", "clock", "domain", "pace"]),
    (
        "reconcile",
        &[
            "aws", "clock", "domain", "event", "execute", "pace", "queue", "settings",
        ],
    ),
    (
        "lambda",
        &[
            "aws",
            "clock",
            "domain",
            "event",
            "execute",
            "json",
            "pace",
            "reconcile",
            "report",
            "settings",
        ],
    ),
];

/// Words that stand in the code of some modules only.
const STAND_ONLY_IN: [(&str, &[&str]); 8] = [
    ("aws_sdk_", &["aws"]),
    ("aws_smithy_", &["aws"]),
    ("aws_config", &["aws"]),
    ("lambda_runtime", &["lambda", "bin"]),
    (
        "tokio::",
        &[
            "aws",
            "clock",
            "pace",
            "execute",
            "reconcile",
            "lambda",
            "bin",
        ],
    ),
    ("std::env", &["bin"]),
    ("Timestamp::now", &["bin"]),
    ("tracing_subscriber", &["report"]),
];

/// Words that the domain does without: it has no I/O and waits for nothing.
const NOT_IN_THE_DOMAIN: [&str; 7] = [
    "async ",
    ".await",
    "std::io",
    "std::fs",
    "std::net",
    "Instant",
    "tracing::",
];

/// The code of each module, without comments and tests.
fn modules() -> BTreeMap<String, String> {
    let mut code: BTreeMap<String, String> = BTreeMap::new();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for file in files(&source) {
        let name = file
            .strip_prefix(&source)
            .unwrap()
            .iter()
            .next()
            .unwrap()
            .to_string_lossy();
        let text = std::fs::read_to_string(&file).unwrap();
        let text = text.split("#[cfg(test)]").next().unwrap();
        let lines = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        code.entry(name.trim_end_matches(".rs").to_owned())
            .or_default()
            .extend(lines.flat_map(|line| [line, "\n"]));
    }
    code
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

#[test]
fn no_module_names_one_above_it() {
    let modules = modules();

    let known: BTreeSet<_> = MAY_NAME
        .iter()
        .map(|(module, _)| *module)
        .chain(["lib", "bin"])
        .collect();
    assert_eq!(
        modules.keys().map(String::as_str).collect::<BTreeSet<_>>(),
        known
    );
    for (module, allowed) in MAY_NAME {
        let named = modules[module].split("crate::").skip(1);
        let named = named.map(|rest| {
            rest.split(|c: char| !c.is_alphanumeric() && c != '_')
                .next()
                .unwrap()
        });
        for other in named.filter(|other| *other != module) {
            assert!(allowed.contains(&other), "{module} must not name {other}");
        }
    }
}

#[test]
fn each_word_stands_where_it_belongs() {
    for (module, code) in modules() {
        for (word, homes) in STAND_ONLY_IN {
            assert!(
                homes.contains(&module.as_str()) || !code.contains(word),
                "{word} must not stand in {module}"
            );
        }
    }
}

#[test]
fn the_domain_has_no_io_and_waits_for_nothing() {
    let domain = &modules()["domain"];

    for word in NOT_IN_THE_DOMAIN {
        assert!(
            !domain.contains(word),
            "{word} must not stand in the domain"
        );
    }
}
