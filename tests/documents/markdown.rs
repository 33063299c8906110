//! The part of Markdown that the documents use.

use std::collections::BTreeMap;

/// One document.
#[derive(Debug)]
pub(super) struct Document {
    /// Its path from the root of the repository.
    pub(super) path: String,
    /// Its lines outside of fenced blocks.
    pub(super) prose: Vec<String>,
    blocks: Vec<Block>,
}

/// A fenced block.
#[derive(Debug, Default)]
pub(super) struct Block {
    /// The word behind the fence.
    pub(super) language: String,
    /// The text between the fences.
    pub(super) text: String,
}

impl Document {
    pub(super) fn new(path: &str, text: &str) -> Self {
        let (mut prose, mut blocks) = (Vec::new(), Vec::new());
        let mut open: Option<Block> = None;
        for line in text.lines() {
            match (line.trim_start().strip_prefix("```"), open.as_mut()) {
                (Some(language), None) => {
                    open = Some(Block {
                        language: language.trim().to_owned(),
                        text: String::new(),
                    });
                }
                (Some(_), Some(_)) => blocks.extend(open.take()),
                (None, Some(block)) => {
                    block.text += line;
                    block.text.push('\n');
                }
                (None, None) => prose.push(line.to_owned()),
            }
        }
        assert!(open.is_none(), "{path}: a fence is not closed");
        Self {
            path: path.to_owned(),
            prose,
            blocks,
        }
    }

    /// The fenced blocks of a language.
    pub(super) fn blocks<'a>(&'a self, language: &'a str) -> impl Iterator<Item = &'a Block> {
        self.blocks
            .iter()
            .filter(move |block| block.language == language)
    }

    /// Every fenced block.
    pub(super) fn all_blocks(&self) -> impl Iterator<Item = &Block> {
        self.blocks.iter()
    }

    /// The names by which its headings are linked to, as GitHub makes them.
    pub(super) fn anchors(&self) -> Vec<String> {
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let headings = self.prose.iter().filter_map(|line| {
            let text = line.trim_start_matches('#');
            (text.len() < line.len()).then(|| text.strip_prefix(' '))?
        });
        let mut anchors = Vec::new();
        for heading in headings {
            let anchor = slug(heading);
            let again = seen.entry(anchor.clone()).or_default();
            anchors.push(if *again == 0 {
                anchor
            } else {
                format!("{anchor}-{again}")
            });
            *again += 1;
        }
        anchors
    }

    /// The lines below a heading, up to the next one of the same or a higher level.
    pub(super) fn section(&self, heading: &str) -> Vec<&str> {
        let level = |line: &str| line.len() - line.trim_start_matches('#').len();
        let mut lines = self.prose.iter().map(String::as_str);
        let found = lines
            .by_ref()
            .find(|line| line.starts_with('#') && line.trim_start_matches(['#', ' ']) == heading);
        let Some(found) = found else {
            panic!("{} has no section {heading}", self.path);
        };
        lines
            .take_while(|line| level(line) == 0 || level(line) > level(found))
            .collect()
    }

    /// The inline code of its prose.
    pub(super) fn code(&self) -> impl Iterator<Item = &str> {
        self.prose
            .iter()
            .flat_map(|line| line.split('`').skip(1).step_by(2))
    }

    /// The targets of its links.
    pub(super) fn links(&self) -> Vec<String> {
        let mut targets = Vec::new();
        for line in &self.prose {
            // Code may hold brackets.
            let text: String = line.split('`').step_by(2).collect::<Vec<_>>().join("code");
            for part in text.split("](").skip(1) {
                targets.push(part.split(')').next().unwrap_or_default().to_owned());
            }
        }
        targets
    }
}

/// The cells of a table's row, trimmed.
pub(super) fn cells(row: &str) -> Vec<&str> {
    let row = row.trim().trim_start_matches('|').trim_end_matches('|');
    row.split('|').map(str::trim).collect()
}

fn slug(heading: &str) -> String {
    let kept = heading
        .trim()
        .chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c })
        .collect::<String>()
        .to_lowercase()
}

#[test]
fn a_heading_becomes_an_anchor_as_on_github() {
    let document = Document::new(
        "page.md",
        "# What `auto` watches\n## Restarted, and now it's down\n# Twice\n## Twice\n```text\n# no\n```\n",
    );

    assert_eq!(
        document.anchors(),
        [
            "what-auto-watches",
            "restarted-and-now-its-down",
            "twice",
            "twice-1"
        ]
    );
}
