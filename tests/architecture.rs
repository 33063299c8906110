//! The layout of `src/`: arrows point one way, `bin → lambda → {reconcile, sweep} → {event,
//! execute, queue, report} → aws → domain`, and no two files import each other.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot continue fails"
)]

#[path = "support/imports.rs"]
mod imports;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use imports::{Import, assert_no_circles, files, imports, imports_of};

/// The modules from which each module of the library may import, besides itself.
const MAY_IMPORT: [(&str, &[&str]); 16] = [
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
        "notify",
        &[
            "aws", "clock", "domain", "event", "queue", "report", "settings",
        ],
    ),
    (
        "reconcile",
        &[
            "aws", "clock", "domain", "event", "execute", "pace", "queue", "report", "settings",
        ],
    ),
    (
        "sweep",
        &[
            "aws",
            "clock",
            "domain",
            "event",
            "reconcile",
            "report",
            "settings",
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
            "notify",
            "pace",
            "reconcile",
            "report",
            "settings",
            "sweep",
        ],
    ),
    (
        "bin",
        &[
            "aws",
            "clock",
            "domain",
            "lambda",
            "reconcile",
            "report",
            "settings",
        ],
    ),
    ("lib", &[]),
];

/// Words that are allowed in the code of some modules only.
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
            "notify",
            "reconcile",
            "sweep",
            "lambda",
            "bin",
        ],
    ),
    ("std::env", &["bin"]),
    ("Timestamp::now", &["bin"]),
    ("tracing_subscriber", &["report"]),
];

/// Words that the domain must not have: it has no I/O and waits for nothing.
const NOT_IN_THE_DOMAIN: [&str; 7] = [
    "async ",
    ".await",
    "std::io",
    "std::fs",
    "std::net",
    "Instant",
    "tracing::",
];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The first name in the path of a file.
fn module_of(file: &str) -> &str {
    let first = file.split('/').next().unwrap();
    first.trim_end_matches(".rs")
}

/// The code of each module, without comments and tests.
fn modules() -> BTreeMap<String, String> {
    let mut code: BTreeMap<String, String> = BTreeMap::new();
    for file in files(&source()) {
        let text = std::fs::read_to_string(source().join(&file)).unwrap();
        let text = text.split("#[cfg(test)]").next().unwrap();
        let lines = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        code.entry(module_of(&file).to_owned())
            .or_default()
            .extend(lines.flat_map(|line| [line, "\n"]));
    }
    code
}

#[test]
fn no_file_imports_from_a_module_above_it() {
    let allowed = BTreeMap::from(MAY_IMPORT);
    let known: BTreeSet<_> = allowed.keys().map(|module| (*module).to_owned()).collect();
    assert_eq!(modules().into_keys().collect::<BTreeSet<_>>(), known);

    for Import { from, line, to } in imports(&source(), "ecs_reloader") {
        let (module, other) = (module_of(&from), module_of(&to));
        assert!(
            module == other || allowed[module].contains(&other),
            "src/{from} line {line} imports from src/{to}: {module} must not import from {other}"
        );
    }
}

#[test]
fn no_two_files_import_each_other() {
    assert_no_circles(&imports(&source(), "ecs_reloader"));
}

#[test]
fn the_imports_of_the_other_members_point_one_way() {
    // A program has no name that its files could be imported by.
    for (member, library) in [("sim", "sim"), ("demo", ""), ("bench", "")] {
        let source = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join(member)
            .join("src");
        let imports = imports(&source, library);

        assert!(imports.len() > 20, "{member} has files that import others");
        assert_one_way(&imports);
    }
}

#[test]
fn a_module_is_a_file_beside_its_folder() {
    for source in ["src", "sim/src", "demo/src", "bench/src"] {
        let old = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join(source));
        let old: Vec<_> = old.iter().filter(|file| file.ends_with("mod.rs")).collect();

        assert!(old.is_empty(), "{source}: {old:?}");
    }
}

/// Fails where files import each other in a circle, however long it is.
fn assert_one_way(imports: &BTreeSet<Import>) {
    let mut left: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for Import { from, to, .. } in imports {
        left.entry(from).or_default().insert(to);
    }
    let mut done = 0;
    while done != left.len() {
        done = left.len();
        let names: BTreeSet<_> = left.keys().copied().collect();
        left.retain(|_, others| !others.is_disjoint(&names));
    }
    assert!(
        left.is_empty(),
        "files that import each other in a circle: {left:#?}"
    );
}

#[test]
#[should_panic = "in a circle"]
fn a_circle_of_three_files_is_found() {
    let import = |from: &str, to: &str| Import {
        from: from.to_owned(),
        line: 1,
        to: to.to_owned(),
    };

    assert_one_way(&BTreeSet::from([
        import("a.rs", "b.rs"),
        import("b.rs", "c.rs"),
        import("c.rs", "a.rs"),
        import("d.rs", "a.rs"),
    ]));
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

/// The imports of `a.rs` with this text, beside `lib.rs`, `a/b.rs`, `a/b/c.rs` and `d.rs`.
fn imports_of_a(text: &str) -> Vec<String> {
    let files = ["lib.rs", "a.rs", "a/b.rs", "a/b/c.rs", "d.rs"];
    let mut texts = BTreeMap::from(files.map(|file| (file.to_owned(), String::new())));
    texts.insert("a.rs".to_owned(), text.to_owned());
    let imports = imports_of(&texts, "library");
    imports
        .into_iter()
        .map(|import| format!("{}:{}", import.line, import.to))
        .collect()
}

#[test]
fn an_import_is_found_in_every_form() {
    for (text, found) in [
        ("use crate::d::D;", "1:d.rs"),
        ("use library::d;", "1:d.rs"),
        ("\npub use super::d::*;", "2:d.rs"),
        ("use crate::{a::X, d::{self, D as E}};", "1:d.rs"),
        ("use self::b::c::{C};", "1:a/b/c.rs"),
        ("pub use b::B;", "1:a/b.rs"),
        ("fn f() { b::c::g::<u8>(1) }", "1:a/b/c.rs"),
        ("fn f(d: crate::d::D) {}", "1:d.rs"),
        ("mod inner { use super::super::d; }", "1:d.rs"),
        ("mod inner {} use super::d;", "1:d.rs"),
        (
            "fn f() -> crate::Whole { g('{', '\\'', \"}\") }",
            "1:lib.rs",
        ),
    ] {
        assert_eq!(imports_of_a(text), [found], "{text}");
    }
}

#[test]
fn no_import_is_found_where_none_is() {
    for text in [
        "mod b; use std::fmt; use serde::{Deserialize, Serialize};",
        "use crate::a::X; fn f() { Self::g(); d::h(); x.b::<u8>() }",
        "// use crate::d;\n/* use crate::d; */ /// [`crate::d`]\n",
        r##"const S: &str = "use crate::d"; const R: &str = r#"" crate::d::D "#;"##,
        "#[cfg(test)] mod tests { use crate::d; } #[cfg(test)] use crate::d;",
        "pub(super) struct X<'a>(&'a str); pub(crate) struct Y;",
    ] {
        assert_eq!(imports_of_a(text), [""; 0], "{text}");
    }
}

#[test]
#[should_panic = "  a.rs line 1 and d.rs line 2"]
fn two_files_that_import_each_other_are_found() {
    let texts = BTreeMap::from([("a.rs", "use crate::d;"), ("d.rs", "\nuse crate::a;")]);
    let texts = texts.into_iter();
    let texts = texts.map(|(file, text)| (file.to_owned(), text.to_owned()));

    assert_no_circles(&imports_of(&texts.collect(), "library"));
}
