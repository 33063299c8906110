//! The schema of notices, and notices held against it.

use std::collections::BTreeSet;
use std::path::Path;

use regex_lite::Regex;
use serde_json::{Map, Value};

const SCHEMA: &str = "docs/notice.schema.json";

/// Keywords that only explain.
const EXPLAINS: [&str; 5] = ["$schema", "$defs", "title", "description", "then"];

pub(crate) fn schema() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(SCHEMA);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The fields that the schema explains.
pub(crate) fn fields() -> BTreeSet<String> {
    let schema = schema();
    let properties = schema.get("properties").unwrap().as_object();
    properties.unwrap().keys().cloned().collect()
}

/// Asserts that each is a notice, and has no field that the schema does not explain.
pub(crate) fn assert_valid<'a>(notices: impl IntoIterator<Item = &'a Value>) {
    let (validator, known) = (Validator::new(), fields());
    for notice in notices {
        assert_eq!(validator.validate(notice), Ok(()), "{notice:#}");
        let mut names = notice.as_object().unwrap().keys();
        assert_eq!(
            names.find(|name| !known.contains(*name)),
            None,
            "{notice:#}"
        );
    }
}

/// Validates as JSON Schema 2020-12 says, as far as the schema of notices needs it; it panics at any
/// keyword that it does not know. A crate that knows all of them would ask other features of crates
/// that the AWS SDK uses too, so that everything were built twice.
pub(crate) struct Validator {
    schema: Value,
}

impl Validator {
    pub(crate) fn new() -> Self {
        Self { schema: schema() }
    }

    /// The first mistake of a notice: its place, and the keyword that refuses it.
    pub(crate) fn validate(&self, notice: &Value) -> Result<(), String> {
        self.check(&self.schema, notice, "")
    }

    fn check(&self, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
        let keywords = schema.as_object().unwrap();
        for (keyword, expected) in keywords {
            if EXPLAINS.contains(&keyword.as_str()) {
                continue;
            }
            if !self.holds(keywords, keyword, expected, value, at)? {
                return Err(format!("{at}: {keyword} {expected}: {value}"));
            }
        }
        Ok(())
    }

    /// True if one keyword allows a value; the mistake of a part, if that has one.
    fn holds(
        &self,
        keywords: &Map<String, Value>,
        keyword: &str,
        expected: &Value,
        value: &Value,
        at: &str,
    ) -> Result<bool, String> {
        match keyword {
            "$ref" => {
                let pointer = expected.as_str().unwrap().trim_start_matches('#');
                self.check(self.schema.pointer(pointer).unwrap(), value, at)?;
            }
            "items" => {
                for (place, item) in value.as_array().into_iter().flatten().enumerate() {
                    self.check(expected, item, &format!("{at}/{place}"))?;
                }
            }
            "properties" => {
                for (name, schema) in expected.as_object().unwrap() {
                    if let Some(part) = value.get(name) {
                        self.check(schema, part, &format!("{at}/{name}"))?;
                    }
                }
            }
            "allOf" => {
                for schema in expected.as_array().unwrap() {
                    self.check(schema, value, at)?;
                }
            }
            "if" => {
                if self.check(expected, value, at).is_ok() {
                    self.check(keywords.get("then").unwrap(), value, at)?;
                }
            }
            keyword => return Ok(allows(keyword, expected, value)),
        }
        Ok(true)
    }
}

/// True if a keyword without parts allows a value.
fn allows(keyword: &str, expected: &Value, value: &Value) -> bool {
    let (list, text) = (value.as_array(), value.as_str());
    let number = || usize::try_from(expected.as_u64().unwrap()).unwrap();
    match keyword {
        "type" => is_of_type(value, expected.as_str().unwrap()),
        "const" => value == expected,
        "enum" => expected.as_array().unwrap().contains(value),
        "required" => {
            let mut names = expected.as_array().unwrap().iter();
            names.all(|name| value.get(name.as_str().unwrap()).is_some())
        }
        "minimum" => value.as_i64() >= expected.as_i64(),
        "minItems" => list.is_none_or(|list| list.len() >= number()),
        "maxItems" => list.is_none_or(|list| list.len() <= number()),
        "uniqueItems" => list.is_none_or(|list| {
            let different: BTreeSet<_> = list.iter().map(Value::to_string).collect();
            different.len() == list.len()
        }),
        "minLength" => text.is_none_or(|text| text.chars().count() >= number()),
        "maxLength" => text.is_none_or(|text| text.chars().count() <= number()),
        "pattern" => {
            let pattern = Regex::new(expected.as_str().unwrap()).unwrap();
            text.is_none_or(|text| pattern.is_match(text))
        }
        other => panic!("{other} is not known here"),
    }
}

fn is_of_type(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        other => panic!("the type {other} is not known here"),
    }
}
