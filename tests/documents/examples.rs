//! Examples are read by the real decoder, and files that are named exist.

use ecs_reloader::event::{Content, decode};

use crate::{documents, root};

/// Later than every time in a request that is shown.
const NOW: &str = "2026-02-28T12:00:00Z";

#[test]
fn every_request_that_is_shown_is_read_as_one() {
    let mut shown = 0;
    for page in documents() {
        let blocks = page.all_blocks().map(|block| block.text.as_str());
        let texts: Vec<_> = blocks.chain(page.code()).collect();
        for text in texts {
            let places = ["{\"reload\":", "{\"sweep\":"]
                .into_iter()
                .flat_map(|start| text.match_indices(start));
            for (place, _) in places {
                let request = serde_json::Deserializer::from_str(&text[place..])
                    .into_iter::<serde_json::Value>()
                    .next()
                    .unwrap()
                    .unwrap();

                let contents = decode(&request.to_string(), NOW.parse().unwrap(), None)
                    .messages
                    .remove(0)
                    .contents;

                assert!(
                    matches!(contents[..], [Content::Request(_) | Content::Sweep(_)]),
                    "{}: {request}: {contents:?}",
                    page.path
                );
                shown += 1;
            }
        }
    }
    assert!(shown >= 10, "{shown}");
}

#[test]
fn every_file_that_is_named_exists() {
    let folders = [
        "src/", "tests/", "docs/", "events/", "sim/", "demo/", "e2e/", "fuzz/", ".ci/",
    ];
    let mut named = 0;
    for page in documents() {
        let blocks = page.all_blocks().map(|block| block.text.as_str());
        let texts: Vec<_> = blocks.chain(page.code()).collect();
        for word in texts
            .into_iter()
            .flat_map(|text| text.split([' ', '\n', '=', '(', ')', '"', '\'']))
            .filter(|word| folders.iter().any(|folder| word.starts_with(folder)))
        {
            let path = word.trim_end_matches(['.', ',', ';', ':']);

            assert!(root().join(path).exists(), "{}: {path}", page.path);
            named += 1;
        }
    }
    assert!(named > 15, "{named}");
}
