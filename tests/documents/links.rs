//! Every link has a target.

use std::path::Path;

use crate::{document, documents, root};

#[test]
fn every_link_to_a_file_or_a_heading_resolves() {
    let mut followed = 0;
    for page in documents() {
        for link in page.links() {
            if link.starts_with("https://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let folder = Path::new(&page.path).parent().unwrap();
            let target = if file.is_empty() {
                page.path.clone()
            } else {
                normal(&folder.join(file))
            };

            assert!(
                root().join(&target).exists(),
                "{}: {link}: there is no {target}",
                page.path
            );
            assert!(
                anchor.is_empty() || document(&target).anchors().iter().any(|a| a == anchor),
                "{}: {link}: {target} has no such heading",
                page.path
            );
            followed += 1;
        }
    }
    assert!(followed > 50, "{followed}");
}

#[test]
fn no_link_leaves_by_plain_http() {
    for page in documents() {
        for link in page.links() {
            assert!(!link.starts_with("http://"), "{}: {link}", page.path);
        }
    }
}

/// A path without `..`.
fn normal(path: &Path) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path {
        match part.to_str().unwrap() {
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}
