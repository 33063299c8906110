//! The values of variables. Each function reads one, or answers the text that it expects.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use jiff::SignedDuration;

use crate::domain::arn::Arn;
use crate::domain::queue::Queue;
use crate::domain::tags::{DURATION, parse_duration};

/// The shortest limit of holds: a rolling deployment is waited for ten minutes, and unfinished work
/// of an invocation a few minutes more.
const LEAST_HOLD_LIMIT: SignedDuration = SignedDuration::from_mins(15);

/// The shortest deadline of a rollout: one that has just been started has no task yet.
const LEAST_DEADLINE: SignedDuration = SignedDuration::from_mins(1);

const LONGEST_SETTLE: SignedDuration = SignedDuration::from_mins(1);

pub(super) fn notify_only(text: &str) -> Result<bool, &'static str> {
    match text {
        "enforce" => Ok(false),
        "notify" => Ok(true),
        _ => Err("enforce or notify"),
    }
}

pub(super) fn sweep_repairs(text: &str) -> Result<bool, &'static str> {
    match text {
        "repair" => Ok(true),
        "report" => Ok(false),
        _ => Err("repair or report"),
    }
}

pub(super) fn boolean(text: &str) -> Result<bool, &'static str> {
    text.parse().map_err(|_| "true or false")
}

pub(super) fn tag_prefix(text: &str) -> Result<String, &'static str> {
    let letters = |c: char| c.is_alphanumeric() || "_.-/@".contains(c);
    let is_short = text.chars().count() <= 100;
    if is_short && text.chars().all(letters) && !text.starts_with("aws") {
        Ok(text.to_owned())
    } else {
        Err("1 to 100 of letters, digits and _ . - / @")
    }
}

/// An empty text means all clusters.
pub(super) fn clusters(text: &str) -> Result<BTreeSet<String>, &'static str> {
    if text.is_empty() {
        return Ok(BTreeSet::new());
    }
    let names: BTreeSet<_> = text.split(',').map(|name| name.trim().to_owned()).collect();
    let letters = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    let is_name = |name: &String| !name.is_empty() && name.chars().all(letters);
    if names.iter().all(is_name) {
        Ok(names)
    } else {
        Err("cluster names separated by commas")
    }
}

pub(super) fn from_one(text: &str) -> Result<usize, &'static str> {
    let number = text.parse().ok().filter(|number| *number >= 1);
    number.ok_or("a number from 1 on")
}

pub(super) fn up_to_a_thousand(text: &str) -> Result<u32, &'static str> {
    const RANGE: RangeInclusive<u32> = 1..=1000;
    let number = text.parse().ok().filter(|number| RANGE.contains(number));
    number.ok_or("a number from 1 to 1000")
}

pub(super) fn rate(text: &str) -> Result<f64, &'static str> {
    const RANGE: RangeInclusive<f64> = 0.1..=1000.0;
    let rate = text.parse().ok().filter(|rate| RANGE.contains(rate));
    rate.ok_or("a rate per second from 0.1 to 1000")
}

pub(super) fn duration(text: &str) -> Result<SignedDuration, &'static str> {
    parse_duration(text).ok_or(DURATION)
}

pub(super) fn settle(text: &str) -> Result<SignedDuration, &'static str> {
    let settle = parse_duration(text).filter(|settle| *settle <= LONGEST_SETTLE);
    settle.ok_or("a duration from 0s to 60s")
}

pub(super) fn hold_limit(text: &str) -> Result<SignedDuration, &'static str> {
    let limit = parse_duration(text).filter(|limit| *limit >= LEAST_HOLD_LIMIT);
    limit.ok_or("a duration of 15m or more")
}

pub(super) fn outcome_deadline(text: &str) -> Result<SignedDuration, &'static str> {
    let deadline = parse_duration(text).filter(|deadline| *deadline >= LEAST_DEADLINE);
    deadline.ok_or("a duration of 1m or more")
}

/// An empty text means no queue.
pub(super) fn queue_url(text: &str) -> Result<Option<String>, &'static str> {
    let is_url = text.starts_with("https://") || text.starts_with("http://");
    if text.is_empty() {
        Ok(None)
    } else if is_url && Queue::from_url(text).is_some() {
        Ok(Some(text.to_owned()))
    } else {
        Err("the URL of a queue, such as https://sqs.eu-west-1.amazonaws.com/123456789012/name")
    }
}

/// An empty text means no bus.
pub(super) fn event_bus(text: &str) -> Result<Option<String>, &'static str> {
    let name = match Arn::parse(text) {
        Some(arn) if arn.service == "events" => arn.resource.strip_prefix("event-bus/"),
        Some(_) => None,
        None => Some(text),
    };
    if text.is_empty() {
        Ok(None)
    } else if name.is_some_and(|name| is_path(name, 256)) {
        Ok(Some(text.to_owned()))
    } else {
        Err("the name or the ARN of an event bus")
    }
}

/// An empty text means no parameter.
pub(super) fn parameter(text: &str) -> Result<Option<String>, &'static str> {
    if text.is_empty() {
        Ok(None)
    } else if is_path(text, 1_011) {
        Ok(Some(text.to_owned()))
    } else {
        Err("the name of a parameter")
    }
}

/// True for 1 to `most` of the letters that the names of parameters and event buses have.
fn is_path(text: &str, most: usize) -> bool {
    let letters = |c: char| c.is_ascii_alphanumeric() || "/.-_".contains(c);
    (1..=most).contains(&text.len()) && text.chars().all(letters)
}
