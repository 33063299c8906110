//! Names in code style exist, if they have the form of our names.

use std::collections::{BTreeMap, BTreeSet};

use ecs_reloader::domain::reason::Reason;
use ecs_reloader::domain::tags::Tags;
use ecs_reloader::settings;

use crate::markdown::Document;
use crate::{documents, files_below, read};

/// Names of AWS and of others, which no code of ours declares.
const OF_OTHERS: [&str; 61] = [
    // The bundle of root certificates, of every TLS library.
    "SSL_CERT_FILE",
    // Words of AWS APIs.
    "UpdateService",
    "errorMessage",
    "errorType",
    "DescribeServices",
    "GetResources",
    "DescribeParameters",
    "ListSecrets",
    "ListObjectsV2",
    "DescribeTaskDefinition",
    "RunTask",
    "ForceNewDeployment",
    "EventBridgeConfiguration",
    "LastProcessingResult",
    "AccessDenied",
    "FunctionName",
    "Reason",
    "UserId",
    "secretOptions",
    "logConfiguration",
    "environmentFiles",
    "repositoryCredentials",
    "credentialSpecs",
    "dockerSecurityOptions",
    "credentialspecdomainless",
    "secrets",
    "environment",
    "tags",
    "note",
    "at",
    "message",
    "level",
    "false",
    "true",
    "null",
    "repair",
    "report",
    "written",
    "labelled",
    "deleted",
    "eventbridge = true",
    "list-users",
    "AWSPREVIOUS",
    "ERROR_CODE",
    "ERROR_MESSAGE",
    "CODE_DEPLOY",
    "EXTERNAL",
    "ERROR",
    "WARN",
    "INFO",
    "DEBUG",
    "PREVIOUS",
    "CURRENT",
    "Active",
    "PassThrough",
    "aws_fluent_bit_init_s3_N",
    "aws_s3_bucket_notification",
    "force_new_deployment",
    "x86_64",
    "arm64",
    "sam",
];

/// The parameters of the template, with their defaults.
pub(crate) fn parameters() -> BTreeMap<String, String> {
    let mut parameters = BTreeMap::new();
    for (name, body) in items("Parameters") {
        let default = body
            .lines()
            .find_map(|line| line.trim().strip_prefix("Default: "))
            .unwrap_or_default();
        parameters.insert(name, default.trim_matches('"').to_owned());
    }
    parameters
}

/// The outputs of the stack.
pub(crate) fn outputs() -> BTreeSet<String> {
    items("Outputs").into_iter().map(|(name, _)| name).collect()
}

/// The alarms of the stack.
pub(crate) fn alarms() -> BTreeSet<String> {
    items("Resources")
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| name.ends_with("Alarm"))
        .collect()
}

/// The members of a section of the template, each with its text.
fn items(section: &str) -> Vec<(String, String)> {
    let template = read("template.yaml");
    let start = format!("\n{section}:\n");
    let text = template.split(&start).nth(1).unwrap();
    let mut items: Vec<(String, String)> = Vec::new();
    for line in text
        .lines()
        .take_while(|line| line.is_empty() || line.starts_with([' ', '#']))
    {
        let name = line
            .strip_prefix("  ")
            .and_then(|line| line.strip_suffix(':'));
        match (
            name.filter(|name| !name.starts_with([' ', '#'])),
            items.last_mut(),
        ) {
            (Some(name), _) => items.push((name.to_owned(), String::new())),
            (None, Some((_, body))) => {
                *body += line;
                body.push('\n');
            }
            (None, None) => {}
        }
    }
    items
}

/// Every name that the code, the template and the Makefile give to something that a user meets.
fn names() -> BTreeSet<String> {
    let mut names: BTreeSet<String> = parameters().into_keys().collect();
    names.extend(outputs());
    names.extend(items("Resources").into_iter().map(|(name, _)| name));
    names.extend(crate::fields::fields());
    names.extend(crate::fields::metrics());
    names.extend(crate::schema::fields());
    names.extend(settings::NAMES.map(str::to_owned));
    names.extend(Reason::ALL.iter().map(|reason| reason.code().to_owned()));
    names.extend(OF_OTHERS.map(str::to_owned));
    names
}

/// Words that stand quoted in the code: values of tags, settings, fields and errors.
fn quoted_in_the_code() -> BTreeSet<String> {
    let mut quoted = BTreeSet::new();
    for file in files_below("src", "rs") {
        let source = read(file.to_str().unwrap());
        for line in source.lines().filter(|line| !line.trim().starts_with("//")) {
            quoted.extend(line.split('"').skip(1).step_by(2).map(str::to_owned));
        }
        // Variants of enums that are written in kebab case.
        for word in source.split(|c: char| !c.is_ascii_alphanumeric()) {
            if word.starts_with(|c: char| c.is_ascii_uppercase()) {
                quoted.insert(kebab(word));
            }
        }
    }
    quoted
}

fn kebab(variant: &str) -> String {
    let mut word = String::new();
    for c in variant.chars() {
        if c.is_ascii_uppercase() && !word.is_empty() {
            word.push('-');
        }
        word.push(c.to_ascii_lowercase());
    }
    word
}

/// True if code in a sentence is one word, and not a command or an example.
fn is_name(code: &str) -> bool {
    !code.is_empty()
        && code
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_-".contains(c))
        && code.starts_with(|c: char| c.is_ascii_alphabetic())
        && code.len() > 1
}

#[test]
fn every_name_in_code_style_exists() {
    let (names, quoted) = (names(), quoted_in_the_code());
    let tests: String = files_below("tests", "rs")
        .into_iter()
        .map(|file| read(file.to_str().unwrap()))
        .collect();
    let mut unknown = BTreeSet::new();
    for page in documents()
        .iter()
        .filter(|page| page.path != "CHANGELOG.md")
    {
        for code in page.code().filter(|code| is_name(code)) {
            let is_known = names.contains(code)
                || quoted.contains(code)
                || tests.contains(&format!("fn {code}()"));
            if !is_known {
                unknown.insert(format!("{}: {code}", page.path));
            }
        }
    }

    assert!(unknown.is_empty(), "{unknown:#?}");
}

#[test]
fn every_name_that_is_listed_as_that_of_others_is_used() {
    let pages = documents();
    let used: BTreeSet<&str> = pages.iter().flat_map(Document::code).collect();
    let unused: Vec<_> = OF_OTHERS
        .iter()
        .filter(|name| !used.contains(**name))
        .collect();

    assert!(unused.is_empty(), "{unused:?}");
}

#[test]
fn every_tag_that_is_named_is_read() {
    let mut named = 0;
    for page in documents() {
        for code in page.code().filter(|code| code.starts_with("reloader:")) {
            let (key, value) = code.split_once('=').unwrap_or((code, ""));
            let key = key.trim();
            if key == "reloader:" || key == "reloader:…" || key == "reloader:ignore" {
                continue;
            }
            let tags = Tags::parse("reloader", [("reloader:watch", "auto"), (key, value)]);
            let is_unknown = tags.mistakes().any(|mistake| {
                mistake.expected.starts_with("one of watch") || !value.trim().is_empty()
            });

            assert!(!is_unknown, "{}: {code}", page.path);
            named += 1;
        }
    }
    assert!(named > 20, "{named}");
}

#[test]
fn every_watch_term_that_is_shown_parses() {
    let starts = ["ssm:/", "secret:", "s3:", "appconfig:", "auto -"];
    let mut shown = 0;
    for page in documents() {
        for code in page.code() {
            // Actions of IAM have a capital letter behind the colon.
            let is_term = starts
                .iter()
                .any(|start| code.starts_with(start) && code != *start)
                && !code
                    .split(':')
                    .nth(1)
                    .is_some_and(|part| part.starts_with(|c: char| c.is_ascii_uppercase()));
            if is_term {
                let tags = Tags::parse("reloader", [("reloader:watch", code)]);

                assert_eq!(tags.mistakes().count(), 0, "{}: {code}", page.path);
                shown += 1;
            }
        }
    }
    assert!(shown > 15, "{shown}");
}

#[test]
fn every_target_of_make_exists() {
    let makefile = read("Makefile");
    let mut named = 0;
    for page in documents() {
        let blocks = page.all_blocks().flat_map(|block| block.text.lines());
        let commands = blocks
            .filter_map(|line| line.trim().strip_prefix("$ make "))
            .chain(page.code().filter_map(|code| code.strip_prefix("make ")));
        for target in commands
            .flat_map(|command| command.split(' '))
            .take_while(|word| !word.contains('='))
        {
            assert!(
                makefile.contains(&format!("\n{target}:")),
                "{}: make {target}",
                page.path
            );
            named += 1;
        }
    }
    assert!(named > 10, "{named}");
}

#[test]
fn no_document_uses_a_word_that_was_given_up() {
    let given_up = [
        "told", "tell", "tells", "errand", "errands", "wish", "wishes", "wished", "unsure",
        "learnt", "whom",
    ];
    for page in documents() {
        for line in &page.prose {
            let text = line.split('`').step_by(2).collect::<Vec<_>>().join(" ");
            let text = text.to_lowercase();
            for word in text.split(|c: char| !c.is_alphabetic()) {
                assert!(!given_up.contains(&word), "{}: {line}", page.path);
            }
            assert!(!text.contains("goes on"), "{}: {line}", page.path);
        }
    }
}

#[test]
fn every_window_that_is_shown_parses() {
    let days = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let mut shown = 0;
    for page in documents() {
        let windows = page
            .code()
            .filter(|code| code.contains(' ') && days.iter().any(|day| code.starts_with(day)));
        for window in windows {
            let tags = Tags::parse("reloader", [("reloader:window", window)]);

            assert!(tags.window.is_some(), "{}: {window}", page.path);
            shown += 1;
        }
    }
    assert!(shown >= 3, "{shown}");
}
