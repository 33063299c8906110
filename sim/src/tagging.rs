//! The Resource Groups Tagging API, AWS JSON 1.1: an index that has tags late and keeps every
//! resource.
//!
//! `GetResources` "returns all the tagged or previously tagged resources": a service that was
//! deleted stays listed with the tags it had.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::clockwork::Clockwork;
use crate::error::{ApiError, ApiResult};
use crate::input::parse;
use crate::tags::{Tags, pairs};

const MOST_A_PAGE: usize = 100;
const TOKEN_LIFE: SignedDuration = SignedDuration::from_mins(15);

/// The target of a call: types of resources.
pub(crate) fn target_of(input: &Value) -> String {
    let types = input
        .get("ResourceTypeFilters")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    types
        .filter_map(Value::as_str)
        .collect::<Vec<_>>()
        .join(",")
}

/// Resources by ARN, and the page tokens that are out.
#[derive(Debug, Default)]
pub(crate) struct TagIndex {
    resources: BTreeMap<String, Tags>,
    tokens: BTreeMap<String, Token>,
}

/// The beginning of the next page. Each token serves once.
#[derive(Debug)]
struct Token {
    after: String,
    issued: Timestamp,
}

impl TagIndex {
    pub(crate) fn insert(&mut self, arn: String, tags: Tags) {
        self.resources.insert(arn, tags);
    }

    fn redeem(&mut self, token: &str, now: Timestamp) -> ApiResult<String> {
        let known = self
            .tokens
            .remove(token)
            .filter(|token| now.duration_since(token.issued) < TOKEN_LIFE);
        let expired = || {
            ApiError::new(
                "PaginationTokenExpiredException",
                "The pagination token has expired or was used before.",
            )
        };
        known.map(|token| token.after).ok_or_else(expired)
    }

    fn issue(&mut self, after: &str, clock: &mut Clockwork) -> String {
        let token = clock.token(64);
        self.tokens.insert(
            token.clone(),
            Token {
                after: after.to_owned(),
                issued: clock.now,
            },
        );
        token
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetResources {
    #[serde(default)]
    tag_filters: Vec<TagFilter>,
    #[serde(default)]
    resource_type_filters: Vec<String>,
    resources_per_page: Option<usize>,
    #[serde(default)]
    pagination_token: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TagFilter {
    key: String,
    #[serde(default)]
    values: Vec<String>,
}

impl TagFilter {
    fn accepts(&self, tags: &Tags) -> bool {
        tags.get(&self.key)
            .is_some_and(|value| self.values.is_empty() || self.values.contains(value))
    }
}

impl GetResources {
    fn accepts(&self, arn: &str, tags: &Tags) -> bool {
        let of_type = self.resource_type_filters.is_empty()
            || self
                .resource_type_filters
                .iter()
                .any(|wanted| is_of_type(arn, wanted));
        of_type && self.tag_filters.iter().all(|filter| filter.accepts(tags))
    }
}

pub(crate) fn perform(
    index: &mut TagIndex,
    clock: &mut Clockwork,
    operation: &str,
    input: Value,
) -> ApiResult {
    match operation {
        "GetResources" => get_resources(index, clock, &parse(input)?),
        _ => Err(ApiError::unknown_operation()),
    }
}

fn get_resources(index: &mut TagIndex, clock: &mut Clockwork, input: &GetResources) -> ApiResult {
    let size = input.resources_per_page.unwrap_or(50);
    if !(1..=MOST_A_PAGE).contains(&size) {
        return Err(ApiError::invalid_parameter(
            "ResourcesPerPage must be between 1 and 100.",
        ));
    }
    let after = match input.pagination_token.as_str() {
        "" => String::new(),
        token => index.redeem(token, clock.now)?,
    };
    let mut found = index
        .resources
        .iter()
        .filter(|(arn, tags)| **arn > after && input.accepts(arn, tags));
    let page: Vec<_> = found
        .by_ref()
        .take(size)
        .map(|(arn, tags)| (arn.clone(), tags.clone()))
        .collect();
    let more = found.next().is_some();

    let token = match page.last() {
        Some((last, _)) if more => index.issue(last, clock),
        Some(_) | None => String::new(),
    };
    let resources: Vec<_> = page
        .iter()
        .map(|(arn, tags)| resource_json(arn, tags))
        .collect();
    Ok(json!({ "PaginationToken": token, "ResourceTagMappingList": resources }))
}

fn resource_json(arn: &str, tags: &Tags) -> Value {
    json!({ "ResourceARN": arn, "Tags": pairs(tags) })
}

/// `ecs:service` or `ecs`, against `arn:aws:ecs:region:account:service/…`.
fn is_of_type(arn: &str, wanted: &str) -> bool {
    let mut parts = arn.splitn(6, ':').skip(2);
    let service = parts.next().unwrap_or_default();
    let kind = parts
        .nth(2)
        .and_then(|resource| resource.split(['/', ':']).next())
        .unwrap_or_default();
    match wanted.split_once(':') {
        Some((wanted_service, wanted_kind)) => wanted_service == service && wanted_kind == kind,
        None => wanted == service,
    }
}
