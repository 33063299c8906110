//! JSON into structs, with errors that say where and what was expected, and never repeat what was there.

use std::fmt;

use jiff::Timestamp;
use serde::de::{Error, Unexpected};
use serde::{Deserialize, Deserializer, Serialize};
use serde_path_to_error::{Path, Segment};

use super::origin;
use crate::domain::received::Origin;

/// Something that is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
pub struct Malformed {
    /// Where: `Records[0].body: detail.object.key`.
    pub at: String,
    /// What was expected there.
    pub expected: String,
    /// What the event is found by.
    pub origin: Origin,
}

impl Malformed {
    pub(super) fn at(at: impl Into<String>, expected: impl Into<String>) -> Self {
        Self { at: at.into(), expected: expected.into(), origin: Origin::default() }
    }

    /// The same, seen from the object that has it in its field `outer`.
    pub(super) fn in_field(self, outer: &str) -> Self {
        self.seen_from(outer, ".")
    }

    /// The same, seen from the document that has it as text in its field `outer`.
    pub(super) fn in_text(self, outer: &str) -> Self {
        self.seen_from(outer, ": ")
    }

    /// The same, of the event, notification or record that `text` is, unless something inside it was named already.
    pub(super) fn named_by(self, text: &str) -> Self {
        if self.origin == Origin::default() { Self { origin: origin::of(text), ..self } } else { self }
    }

    fn seen_from(mut self, outer: &str, joint: &str) -> Self {
        self.at = if self.at.is_empty() { outer.to_owned() } else { format!("{outer}{joint}{}", self.at) };
        self
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, expected, origin: _ } = self;
        if at.is_empty() {
            write!(f, "malformed event: expected {expected}")
        } else {
            write!(f, "malformed event at {at}: expected {expected}")
        }
    }
}

/// Reads a document. A bad one is read a second time, to learn where it is bad: good ones do not pay for that.
pub(super) fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Malformed> {
    serde_json::from_str(text).map_err(|error| {
        let mut document = serde_json::Deserializer::from_str(text);
        match serde_path_to_error::deserialize::<_, T>(&mut document) {
            Err(error) => {
                let at = known(error.path());
                Malformed::at(at, expected(&error.into_inner()))
            }
            // What stands behind the document.
            Ok(_) => Malformed::at("", expected(&error)),
        }
    })
}

/// How deep the documents are that we read, and characters of the longest field in them.
const DEEPEST: usize = 4;
const LONGEST_FIELD: usize = 24;

/// The part of a path that may be told: a key that we do not read may be anything, and as long as the document.
fn known(path: &Path) -> String {
    let letters = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let foreign = |segment: &Segment| matches!(segment, Segment::Map { key } if key.len() > LONGEST_FIELD || !key.chars().all(letters));
    path.iter().take(DEEPEST).take_while(|segment| !foreign(segment)).fold(String::new(), |at, segment| {
        let joint = if at.is_empty() || matches!(segment, Segment::Seq { .. }) { "" } else { "." };
        format!("{at}{joint}{segment}")
    })
}

const A_TIME: &str = "a time such as 2026-01-31T10:00:00Z";

/// Reads a time; to be named in `#[serde(deserialize_with)]`.
pub(super) fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(from)?;
    text.parse().map_err(|_| D::Error::invalid_value(Unexpected::Str(&text), &A_TIME))
}

/// The same where it may be missing; it then needs `#[serde(default)]` too.
pub(super) fn maybe_time<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    text.map(|text| text.parse().map_err(|_| D::Error::invalid_value(Unexpected::Str(&text), &A_TIME))).transpose()
}

/// What serde expected. Its text begins with what it found instead, which may be anything and is left out.
fn expected(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
    if let Some(field) = text.strip_prefix("missing field ") {
        format!("the field {field}")
    } else if text.starts_with("unknown field ") {
        text.rsplit_once(", expected ").map_or_else(|| "no unknown field".to_owned(), |(_, known)| known.to_owned())
    } else if let Some((_, expected)) = text.rsplit_once(", expected ").or_else(|| text.rsplit_once(": expected ")) {
        in_plain_words(expected).to_owned()
    } else if let Some(field) = text.strip_prefix("duplicate field ") {
        format!("the field {field} once")
    } else if error.is_data() {
        text.to_owned()
    } else {
        format!("JSON ({text})")
    }
}

/// What serde expected, as people call it: its own words are those of Rust.
fn in_plain_words(expected: &str) -> &str {
    match expected {
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "an object",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a number from 0 on",
        "i8" | "i16" | "i32" | "i64" => "a whole number",
        "string or map" | "variant identifier" => "a string",
        text if text.starts_with("a tuple of size ") => "a list of three strings or null",
        text if text.starts_with("struct ") => "an object",
        text => text,
    }
}
