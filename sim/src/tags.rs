//! Tags of resources, as most APIs spell them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Tags by key.
pub(crate) type Tags = BTreeMap<String, String>;

/// A tag as most APIs spell it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct TagPair {
    key: String,
    #[serde(default)]
    value: String,
}

pub(crate) fn pairs(tags: &Tags) -> Vec<TagPair> {
    tags.iter()
        .map(|(key, value)| TagPair {
            key: key.clone(),
            value: value.clone(),
        })
        .collect()
}

pub(crate) fn to_tags(pairs: &[TagPair]) -> Tags {
    pairs
        .iter()
        .map(|TagPair { key, value }| (key.clone(), value.clone()))
        .collect()
}
