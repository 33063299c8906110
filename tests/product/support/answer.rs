//! Parts of an answer of the function.

use std::collections::BTreeMap;

use serde_json::Value;

/// The text of a JSON string.
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// The texts of a JSON array.
pub(crate) fn texts(values: &Value) -> Vec<&str> {
    values.as_array().unwrap().iter().map(text).collect()
}

/// The line of one service in an answer.
pub(crate) fn line<'a>(answer: &'a Value, service: &str) -> &'a Value {
    let lines = answer["services"].as_array().unwrap();
    lines
        .iter()
        .find(|line| line["service"] == service)
        .unwrap_or_else(|| panic!("{service} in {answer:#}"))
}

/// The reason of each service in an answer.
pub(crate) fn reasons(answer: &Value) -> BTreeMap<String, String> {
    let lines = answer["services"].as_array().unwrap().iter();
    lines
        .map(|line| {
            let reason = line["reason"].as_str().unwrap_or("-");
            (text(&line["service"]).to_owned(), reason.to_owned())
        })
        .collect()
}

/// The services of an answer, in order.
pub(crate) fn names_of(answer: &Value) -> Vec<String> {
    reasons(answer).into_keys().collect()
}

/// The reason of the only service in an answer.
pub(crate) fn reason(answer: &Value) -> String {
    let reasons = reasons(answer);
    assert_eq!(reasons.len(), 1, "{answer:#}");
    reasons.into_values().next().unwrap()
}
