//! Tables that the code writes: `make docs` puts them between the markers of the documents.

use std::fmt::Display;

use ecs_reloader::domain::notice::NoticeKind;
use ecs_reloader::domain::reason::{IgnoredReason, Reason};
use ecs_reloader::domain::rollout::Outcome;
use ecs_reloader::domain::start::ResultCode;
use serde_json::to_value;

use crate::{read, root};

const DECISIONS: &str = "docs/decisions.md";
const NOTICES: &str = "docs/notices.md";

/// Set by `make docs`: the page is written instead of compared.
const WRITE: &str = "WRITE_DOCS";

fn table<const N: usize>(head: [&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head = head.map(str::to_owned);
    let rule = format!("|{}\n", "---|".repeat(N));
    let rows: String = rows.map(|row| line(&row)).collect();
    format!("{}{rule}{rows}", line(&head))
}

fn code(word: impl Display) -> String {
    format!("`{word}`")
}

fn reasons() -> String {
    let rows = Reason::ALL.iter().map(|reason| {
        let decision = to_value(reason.decision()).unwrap();
        [
            decision.as_str().unwrap().to_owned(),
            code(reason),
            reason.when().to_owned(),
            reason.what_to_do().to_owned(),
        ]
    });
    table(["decision", "reason", "when", "what to do"], rows)
}

fn results() -> String {
    let rows = ResultCode::ALL.iter().map(|result| {
        [
            code(result),
            result.when().to_owned(),
            result.what_to_do().to_owned(),
        ]
    });
    table(["result", "when", "what to do"], rows)
}

fn outcomes() -> String {
    let rows = Outcome::ALL.iter().map(|outcome| {
        [
            code(outcome),
            outcome.when().to_owned(),
            outcome.what_to_do().to_owned(),
        ]
    });
    table(["outcome", "when", "what to do"], rows)
}

fn ignored() -> String {
    let rows = IgnoredReason::ALL.iter().map(|reason| {
        [
            code(reason),
            reason.when().to_owned(),
            reason.what_to_do().to_owned(),
        ]
    });
    table(["reason", "when", "what to do"], rows)
}

/// The page with this table between the markers of this name.
fn with_table(page: &str, name: &str, table: &str) -> String {
    let (begin, end) = (
        format!("<!-- {name}: begin -->\n"),
        format!("<!-- {name}: end -->\n"),
    );
    let (before, rest) = page.split_once(&begin).unwrap();
    let (_, after) = rest.split_once(&end).unwrap();
    format!("{before}{begin}\n{table}\n{end}{after}")
}

fn kinds() -> String {
    let rows = NoticeKind::ALL.iter().map(|kind| {
        [
            code(kind),
            kind.when().to_owned(),
            kind.what_to_do().to_owned(),
        ]
    });
    table(["kind", "when", "what to do"], rows)
}

#[test]
fn the_tables_of_decisions_are_those_of_the_code() {
    let tables = [
        ("reasons", reasons()),
        ("results", results()),
        ("outcomes", outcomes()),
        ("ignored", ignored()),
    ];

    are_generated(DECISIONS, &tables);
}

#[test]
fn the_table_of_notices_is_that_of_the_code() {
    are_generated(NOTICES, &[("kinds", kinds())]);
}

/// Compares the tables of a page with those of the code, or writes them.
fn are_generated(path: &str, tables: &[(&str, String)]) {
    let page = read(path);
    let written = tables.iter().fold(page.clone(), |page, (name, table)| {
        with_table(&page, name, table)
    });

    if std::env::var_os(WRITE).is_some() {
        std::fs::write(root().join(path), written).unwrap();
    } else {
        assert!(page == written, "{path} is out of date: run `make docs`");
    }
}

#[test]
fn no_text_breaks_its_table() {
    let reasons = Reason::ALL.iter().map(|it| [it.when(), it.what_to_do()]);
    let results = ResultCode::ALL
        .iter()
        .map(|it| [it.when(), it.what_to_do()]);
    let ignored = IgnoredReason::ALL
        .iter()
        .map(|it| [it.when(), it.what_to_do()]);

    let outcomes = Outcome::ALL.iter().map(|it| [it.when(), it.what_to_do()]);

    let kinds = NoticeKind::ALL
        .iter()
        .map(|it| [it.when(), it.what_to_do()]);

    let texts = reasons.chain(results).chain(ignored).chain(outcomes);
    let texts = texts.chain(kinds);
    for text in texts.flatten() {
        let is_plain = !text.contains(['|', '\n']) && !text.contains("  ");
        assert!(is_plain && !text.is_empty(), "{text}");
    }
}
