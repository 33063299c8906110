//! Reads JSON into structs. Errors say the place and the expected text, and never repeat the text
//! that was there.

mod origin;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use jiff::{SignedDuration, Timestamp};
use serde::de::{Error, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use serde_path_to_error::{Path, Segment};

use crate::domain::received::Origin;

/// A mistake in a text: its place, and the text that was expected there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
pub struct Malformed {
    /// The place: `Records[0].body: detail.object.key`.
    pub at: String,
    /// The text that was expected there.
    pub expected: String,
    /// The names by which a person finds the event.
    pub origin: Origin,
}

impl Malformed {
    pub(super) fn at(at: impl Into<String>, expected: impl Into<String>) -> Self {
        Self {
            at: at.into(),
            expected: expected.into(),
            origin: Origin::default(),
        }
    }

    /// The same mistake, seen from the object that has the text in its field `outer`.
    pub(super) fn in_field(self, outer: &str) -> Self {
        self.seen_from(outer, ".")
    }

    /// The same mistake, seen from the document that has the text as a string in its field `outer`.
    pub(super) fn in_text(self, outer: &str) -> Self {
        self.seen_from(outer, ": ")
    }

    /// The same mistake with the names of the event, notification or record in `text`, unless it
    /// has names already.
    pub(super) fn named_by(self, text: &str) -> Self {
        if self.origin == Origin::default() {
            Self {
                origin: origin::of(text),
                ..self
            }
        } else {
            self
        }
    }

    fn seen_from(mut self, outer: &str, joint: &str) -> Self {
        self.at = if self.at.is_empty() {
            outer.to_owned()
        } else {
            format!("{outer}{joint}{}", self.at)
        };
        self
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            at,
            expected,
            origin: _,
        } = self;
        if at.is_empty() {
            write!(f, "malformed event: expected {expected}")
        } else {
            write!(f, "malformed event at {at}: expected {expected}")
        }
    }
}

/// Reads a document that may be one of another kind.
pub(super) fn maybe<'a, T: Deserialize<'a>>(text: &'a str) -> Option<T> {
    serde_json::from_str(text).ok()
}

/// Reads a document. Only a bad one is read a second time, to find the place of the mistake.
pub(super) fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Malformed> {
    serde_json::from_str(text).map_err(|error| {
        let mut document = serde_json::Deserializer::from_str(text);
        match serde_path_to_error::deserialize::<_, T>(&mut document) {
            Err(error) => {
                let at = known(error.path());
                Malformed::at(at, expected(&error.into_inner()))
            }
            // The mistake is after the end of the document.
            Ok(_) => Malformed::at("", expected(&error)),
        }
    })
}

/// The most parts of a path that are shown: no document that we read has more.
const DEEPEST: usize = 4;

/// Characters of the longest field that we read.
const LONGEST_FIELD: usize = 24;

/// The part of a path that may be shown. A field that we do not read may have a name of any length
/// and content, so it is not shown.
fn known(path: &Path) -> String {
    let letters = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let is_ours = |segment: &&Segment| match segment {
        Segment::Map { key } => key.len() <= LONGEST_FIELD && key.chars().all(letters),
        _ => true,
    };
    path.iter()
        .take(DEEPEST)
        .take_while(is_ours)
        .fold(String::new(), |at, segment| {
            let joint = if at.is_empty() || matches!(segment, Segment::Seq { .. }) {
                ""
            } else {
                "."
            };
            format!("{at}{joint}{segment}")
        })
}

const A_TIME: &str = "a time such as 2026-01-31T10:00:00Z";

/// Reads a time; to be named in `#[serde(deserialize_with)]`.
pub(super) fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
    let AnyText(text) = AnyText::deserialize(from)?;
    read_time(&text)
}

/// Reads a time that may be missing; it then needs `#[serde(default)]` too.
pub(super) fn maybe_time<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<Timestamp>, D::Error> {
    let text = Option::<AnyText>::deserialize(from)?;
    text.map(|AnyText(text)| read_time(&text)).transpose()
}

/// Reads a time of this century. A time thousands of years away is a mistake, and computations with
/// it would overflow.
fn read_time<E: Error>(text: &str) -> Result<Timestamp, E> {
    let time = text
        .parse()
        .ok()
        .filter(|time| (FIRST..LAST).contains(time));
    time.ok_or_else(|| E::invalid_value(Unexpected::Str(text), &A_TIME))
}

/// The most entries of a list in a message. A longer list is malformed: no message may use the
/// memory and the time of its neighbours.
pub(super) const MOST_ENTRIES: usize = 1_000;

/// The longest text in a message, in bytes, for fields without a limit of their own: an ARN has up
/// to 2,048 characters.
const LONGEST_TEXT: usize = 2_048;
const SHORT: &str = "a text of at most 2048 bytes";

/// The longest duration in a message, in seconds: a hundred years.
const LONGEST_TIME: u32 = 100 * 366 * 24 * 60 * 60;
const SECONDS: &str = "a number of seconds from 0 to 3162240000";

/// The largest number of services in a message.
const MOST_SERVICES: usize = 1_000_000;
const SERVICES: &str = "a number of services from 1 to 1000000";

/// The first time that may be in a message.
const FIRST: Timestamp = Timestamp::constant(946_684_800, 0); // 2000-01-01T00:00:00Z

/// The end of the times that may be in a message.
const LAST: Timestamp = Timestamp::constant(4_102_444_800, 0); // 2100-01-01T00:00:00Z

/// A text of any length. It is borrowed from the document if no character of it is escaped there.
#[derive(Deserialize)]
#[serde(transparent)]
struct AnyText<'a>(#[serde(borrow)] Cow<'a, str>);

/// A text of bounded length, borrowed if possible.
#[derive(Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let AnyText(text) = AnyText::deserialize(from)?;
        if text.len() > LONGEST_TEXT {
            Err(D::Error::invalid_length(text.len(), &SHORT))
        } else {
            Ok(Self(text))
        }
    }
}

/// A list, or the members of an object, of bounded length.
pub(super) struct Few<C, const MOST: usize = MOST_ENTRIES>(pub(super) C);

fn too_many<E: Error>(most: usize) -> E {
    E::invalid_length(
        most.saturating_add(1),
        &format!("at most {most} entries").as_str(),
    )
}

impl<'de, T: Deserialize<'de>, const MOST: usize> Deserialize<'de> for Few<Vec<T>, MOST> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Entries<T, const MOST: usize>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for Entries<T, MOST> {
            type Value = Few<Vec<T>, MOST>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
                let mut few = Vec::new();
                while let Some(entry) = entries.next_element()? {
                    if few.len() == MOST {
                        return Err(too_many(MOST));
                    }
                    few.push(entry);
                }
                Ok(Few(few))
            }
        }

        from.deserialize_seq(Entries(PhantomData))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Few<BTreeMap<String, T>> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = Few<BTreeMap<String, T>>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
                let mut few = BTreeMap::new();
                while let Some((Text(name), value)) = members.next_entry()? {
                    few.insert(name.into_owned(), value);
                    if few.len() > MOST_ENTRIES {
                        return Err(too_many(MOST_ENTRIES));
                    }
                }
                Ok(Few(few))
            }
        }

        from.deserialize_map(Members(PhantomData))
    }
}

/// Reads a value that may be `null`, which means the same as a missing field. This function and the
/// following ones are for `#[serde(default, deserialize_with)]`.
pub(super) fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    from: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// Reads a list of at most [`MOST_ENTRIES`]; an empty one if it is missing.
pub(super) fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    from: D,
) -> Result<Vec<T>, D::Error> {
    Ok(maybe_list(from)?.unwrap_or_default())
}

/// Reads a list that may be missing.
pub(super) fn maybe_list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    from: D,
) -> Result<Option<Vec<T>>, D::Error> {
    Ok(Option::<Few<Vec<T>>>::deserialize(from)?.map(|Few(entries)| entries))
}

/// Reads a list of texts.
pub(super) fn texts<'de, D: Deserializer<'de>, T: From<Cow<'de, str>>>(
    from: D,
) -> Result<Vec<T>, D::Error> {
    Ok(maybe_texts(from)?.unwrap_or_default())
}

/// Reads a list of texts that may be missing.
pub(super) fn maybe_texts<'de, D: Deserializer<'de>, T: From<Cow<'de, str>>>(
    from: D,
) -> Result<Option<Vec<T>>, D::Error> {
    let texts = maybe_list(from)?.map(Vec::into_iter);
    Ok(texts.map(|texts| texts.map(|Text(text)| text.into()).collect()))
}

/// Reads an object of at most [`MOST_ENTRIES`] members; an empty one if it is missing.
pub(super) fn members<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    from: D,
) -> Result<BTreeMap<String, T>, D::Error> {
    Ok(Option::<Few<BTreeMap<String, T>>>::deserialize(from)?
        .map(|Few(members)| members)
        .unwrap_or_default())
}

/// Reads a text, which must be there.
pub(super) fn text<'de, D: Deserializer<'de>, T: From<Cow<'de, str>>>(
    from: D,
) -> Result<T, D::Error> {
    Ok(Text::deserialize(from)?.0.into())
}

/// The text of a value, if it is one of bounded length in which no character is escaped.
pub(super) fn plain_text(value: &RawValue) -> Option<&str> {
    let text = value.get().strip_prefix('"')?.strip_suffix('"')?;
    (text.len() <= LONGEST_TEXT && !text.contains('\\')).then_some(text)
}

/// Reads a text that may be missing.
pub(super) fn maybe_text<'de, D: Deserializer<'de>, T: From<Cow<'de, str>>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    Ok(Option::<Text>::deserialize(from)?.map(|Text(text)| text.into()))
}

/// Reads a text that is empty if it is missing.
pub(super) fn any_text<'de, D: Deserializer<'de>, T: From<Cow<'de, str>> + Default>(
    from: D,
) -> Result<T, D::Error> {
    Ok(maybe_text(from)?.unwrap_or_default())
}

/// Reads a duration in seconds. It cannot be negative: work with a negative wait would never be
/// abandoned.
pub(super) fn seconds<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    let number = Option::<i64>::deserialize(from)?.unwrap_or_default();
    let seconds = u32::try_from(number)
        .ok()
        .filter(|seconds| *seconds <= LONGEST_TIME);
    seconds.ok_or_else(|| D::Error::invalid_value(Unexpected::Signed(number), &SECONDS))
}

/// The seconds of a duration, as [`seconds`] takes them.
pub(super) fn to_seconds(duration: SignedDuration) -> u32 {
    u32::try_from(duration.as_secs().max(0))
        .unwrap_or(u32::MAX)
        .min(LONGEST_TIME)
}

/// Reads a number of services that may be missing.
pub(super) fn maybe_services<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<usize>, D::Error> {
    let Some(number) = Option::<i64>::deserialize(from)? else {
        return Ok(None);
    };
    let services = usize::try_from(number)
        .ok()
        .filter(|services| (1..=MOST_SERVICES).contains(services));
    services
        .map(Some)
        .ok_or_else(|| D::Error::invalid_value(Unexpected::Signed(number), &SERVICES))
}

/// The part of serde's message about the expected text. The part about the text that was found is
/// left out: it may be anything.
fn expected(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text
        .rsplit_once(" at line ")
        .map_or(text.as_str(), |(text, _)| text);
    if let Some(field) = text.strip_prefix("missing field ") {
        format!("the field {field}")
    } else if text.starts_with("unknown field ") {
        text.rsplit_once(", expected ").map_or_else(
            || "no unknown field".to_owned(),
            |(_, known)| known.to_owned(),
        )
    } else if let Some((_, expected)) = text
        .rsplit_once(", expected ")
        .or_else(|| text.rsplit_once(": expected "))
    {
        in_plain_words(expected).to_owned()
    } else if let Some(field) = text.strip_prefix("duplicate field ") {
        format!("the field {field} once")
    } else if error.is_data() {
        text.to_owned()
    } else {
        format!("JSON ({text})")
    }
}

/// The plain words for the Rust type that serde expected.
fn in_plain_words(expected: &str) -> &str {
    match expected {
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "an object",
        "u32" => "a number from 0 to 4294967295",
        "u8" | "u16" | "u64" | "usize" => "a number from 0 on",
        "i8" | "i16" | "i32" | "i64" => "a whole number",
        "string or map" | "variant identifier" => "a string",
        text if text.starts_with("struct ") => "an object",
        text => text,
    }
}
