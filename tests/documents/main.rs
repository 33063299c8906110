//! The documents are true: their links resolve, their names exist, their tables are complete, and
//! their examples are read by the function.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot continue fails"
)]

#[path = "../support/notices.rs"]
mod schema;

mod examples;
mod fields;
mod generated;
mod links;
mod markdown;
mod names;
mod notices;
mod tables;

use std::path::{Path, PathBuf};

use markdown::Document;

/// The most words of the README.
const MOST_WORDS: usize = 1_500;

/// The columns of a terminal, and of GitHub's page.
const COLUMNS: usize = 80;

/// The repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text of a file of the repository.
fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// Every document for people.
fn documents() -> Vec<Document> {
    let mut pages = files_below("docs", "md");
    pages.extend(["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(PathBuf::from));
    pages
        .into_iter()
        .map(|path| Document::new(path.to_str().unwrap(), &read(path.to_str().unwrap())))
        .collect()
}

fn document(path: &str) -> Document {
    Document::new(path, &read(path))
}

/// The files below a folder of the repository with this extension, as paths from its root.
fn files_below(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::from(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(root().join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let path = folder.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

#[test]
fn the_front_door_is_short() {
    let words = read("README.md").split_whitespace().count();

    assert!(words <= MOST_WORDS, "{words} words");
}

#[test]
fn the_picture_has_three_boxes_and_fits_a_terminal() {
    let readme = document("README.md");
    let picture = &readme.blocks("text").next().unwrap().text;

    for line in picture.lines() {
        assert!(line.chars().count() <= COLUMNS, "{line}");
    }
    assert_eq!(picture.matches('┌').count(), 3);
    for change in ["put-parameter", "secret", "s3 cp", "appconfig"] {
        assert!(picture.contains(change), "{change}");
    }
}

#[test]
fn the_first_screen_answers_what_a_new_user_fears() {
    let readme = read("README.md");
    let first_screen: String = readme.lines().take(40).collect::<Vec<_>>().join("\n");

    for question in [
        "Does installing it restart anything?",
        "How do I see what it would do?",
    ] {
        assert!(first_screen.contains(question), "{question}");
    }
}

#[test]
fn every_page_is_reached_from_the_front_door() {
    let readme = read("README.md");

    for page in files_below("docs", "md") {
        let page = page.to_str().unwrap();
        assert!(readme.contains(&format!("({page})")), "{page}");
    }
}
