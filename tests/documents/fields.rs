//! Every field of a log line and every metric has its row in `docs/log-fields.md`, and every query
//! names fields that exist.

use std::collections::BTreeSet;

use crate::{document, documents, files_below, read};

/// The fields that CloudWatch Logs adds to a line.
const OF_AWS: [&str; 2] = ["@timestamp", "@message"];

/// Words of the query language.
const WORDS: [&str; 20] = [
    "fields",
    "filter",
    "stats",
    "sort",
    "limit",
    "by",
    "and",
    "or",
    "not",
    "in",
    "like",
    "as",
    "asc",
    "desc",
    "ispresent",
    "latest",
    "count_distinct",
    "avg",
    "max",
    "count",
];

/// The file with the JSON of notices, which is no line of the log.
const NOTICES: &str = "src/report/notices/detail.rs";

/// The fields of the JSON: of the serialised structs of the domain and the report.
pub(crate) fn fields() -> BTreeSet<String> {
    let mut fields = BTreeSet::new();
    for file in files_below("src/domain", "rs")
        .into_iter()
        .chain(files_below("src/report", "rs"))
    {
        if file.to_str() == Some(NOTICES) {
            continue;
        }
        let source = read(file.to_str().unwrap());
        for part in source.split("#[derive(").skip(1) {
            let (derived, rest) = part.split_once(")]").unwrap();
            if derived.split(", ").any(|name| name == "Serialize") {
                fields.extend(fields_of(rest));
            }
        }
    }
    fields
}

/// The fields of the struct that begins this text; none of an enum.
fn fields_of(text: &str) -> Vec<String> {
    let item = text
        .lines()
        .map(str::trim)
        .find(|line| line.ends_with(['{', ';']) || line.contains(" enum "));
    if !item.is_some_and(|item| item.contains("struct ") && item.ends_with('{')) {
        return Vec::new();
    }
    let body = text.split_once("{\n").unwrap().1;
    let body = body.split("\n}").next().unwrap();
    let (mut fields, mut attributes) = (Vec::new(), String::new());
    for line in body.lines().map(str::trim) {
        let declared = line.trim_start_matches("pub(super) ");
        let declared = declared.trim_start_matches("pub ");
        let name = declared.split_once(": ").map(|(name, _)| name);
        match name.filter(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '_')) {
            _ if line.starts_with("#[") => attributes += line,
            _ if line.starts_with("//") => {}
            Some(name) => {
                let is_written =
                    !attributes.contains("serde(skip)") && !attributes.contains("flatten");
                fields.extend(is_written.then(|| name.to_owned()));
                attributes.clear();
            }
            None => {}
        }
    }
    fields
}

/// The names of the metrics.
pub(crate) fn metrics() -> BTreeSet<String> {
    let source = read("src/report/metrics.rs");
    let quoted = source.split('"').skip(1).step_by(2);
    let is_name = |text: &&str| {
        text.starts_with(|c: char| c.is_ascii_uppercase())
            && text.chars().all(char::is_alphanumeric)
    };
    // Members of the format itself, its units and its dimensions.
    let others = [
        "Name",
        "Unit",
        "Namespace",
        "Dimensions",
        "Metrics",
        "Timestamp",
        "CloudWatchMetrics",
        "Count",
        "Milliseconds",
        "Seconds",
        "FunctionName",
        "Reason",
        "Outcome",
    ];
    quoted
        .filter(is_name)
        .filter(|name| !others.contains(name))
        .map(str::to_owned)
        .collect()
}

/// The names in the first column of the tables of a document.
pub(crate) fn first_column(path: &str) -> BTreeSet<String> {
    let page = document(path);
    let rows = page.prose.iter().filter(|line| line.starts_with("| `"));
    let first = rows.map(|row| row.split('|').nth(1).unwrap());
    first
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_field_and_every_metric_has_its_row() {
    let rows = first_column("docs/log-fields.md");
    let page = read("docs/log-fields.md");
    let fields = fields();
    assert!(fields.len() > 60, "{}: {fields:?}", fields.len());
    let missing: Vec<_> = fields
        .iter()
        .filter(|field| !page.contains(&format!("`{field}`")))
        .chain(metrics().difference(&rows))
        .cloned()
        .collect::<Vec<_>>();

    assert!(missing.is_empty(), "not in docs/log-fields.md: {missing:?}");
}

#[test]
fn every_row_is_about_a_field_or_a_metric_that_exists() {
    let (fields, metrics) = (fields(), metrics());
    let report = read("src/report.rs");
    let unknown: Vec<_> = first_column("docs/log-fields.md")
        .into_iter()
        .filter(|name| !fields.contains(name) && !metrics.contains(name))
        // A kind of line.
        .filter(|name| !report.contains(&format!("\"{name}\"")))
        .filter(|name| name != "malformed" && name != "errorType")
        .collect();

    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn every_query_names_fields_that_exist() {
    let fields = fields();
    let mut queries = 0;
    for page in documents() {
        for block in page.blocks("logs") {
            queries += 1;
            let names =
                block.text.split('"').step_by(2).flat_map(|text| {
                    text.split(|c: char| !c.is_alphanumeric() && !"_.@".contains(c))
                });
            let mut made_up = BTreeSet::new();
            let mut before = "";
            for name in names.filter(|name| !name.is_empty()) {
                let field = name.split('.').next_back().unwrap();
                let is_known = fields.contains(field) || OF_AWS.contains(&name);
                if before == "as" {
                    made_up.insert(name);
                }
                assert!(
                    is_known || WORDS.contains(&name) || made_up.contains(name),
                    "{}: {name} in\n{}",
                    page.path,
                    block.text
                );
                before = name;
            }
        }
    }
    assert!(queries >= 10, "{queries}");
}

#[test]
fn the_line_that_is_shown_has_fields_that_exist() {
    let page = document("docs/log-fields.md");
    let fields = fields();
    for block in page.blocks("json") {
        let line: serde_json::Value = serde_json::from_str(&block.text).unwrap();
        for object in [&line, &line["changes"][0]] {
            for name in object.as_object().unwrap().keys() {
                assert!(fields.contains(name), "{name}");
            }
        }
    }
}
