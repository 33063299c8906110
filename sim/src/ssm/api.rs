//! The part of the SSM API, AWS JSON 1.1, that is Parameter Store.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{ParameterStore, Put, Stored, Version, not_found, tags};
use crate::config::AccountConfig;
use crate::error::{ApiError, ApiResult};
use crate::input::parse;
use crate::output::seconds;
use crate::page;
use crate::shared::Shared;
use crate::tags::{TagPair, to_tags};

const MOST_A_PAGE: usize = 50;
const MOST_FILTER_VALUES: usize = 50;
const LONGEST_FILTER_VALUE: usize = 1024;

pub(crate) fn perform(
    store: &mut ParameterStore,
    shared: &mut Shared,
    operation: &str,
    input: Value,
    principal: &str,
) -> ApiResult {
    match operation {
        "PutParameter" => put(store, shared, parse(input)?, principal),
        "DeleteParameter" => delete(store, shared, &parse(input)?),
        "LabelParameterVersion" => label(store, shared, &parse(input)?),
        "DescribeParameters" => describe(store, shared, &parse(input)?),
        "GetParameter" => get(store, &shared.config, &parse(input)?),
        "AddTagsToResource" => tags::add(store, shared, &parse(input)?),
        "RemoveTagsFromResource" => tags::remove(store, shared, &parse(input)?),
        "ListTagsForResource" => tags::list(store, &parse(input)?),
        "GetParameterHistory" => history(store, &shared.config, &parse(input)?),
        _ => Err(ApiError::unknown_operation()),
    }
}

pub(crate) fn target_of(input: &Value) -> String {
    let text = |name: &str| input.get(name).and_then(Value::as_str);
    let filters = input
        .get("ParameterFilters")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let values = filters
        .filter_map(|filter| filter.get("Values")?.as_array())
        .flatten()
        .filter_map(Value::as_str);
    text("Name")
        .or(text("ResourceId"))
        .map_or_else(|| values.collect::<Vec<_>>().join(","), str::to_owned)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutParameter {
    name: String,
    value: String,
    r#type: Option<String>,
    description: Option<String>,
    #[serde(default)]
    overwrite: bool,
    #[serde(default)]
    tags: Vec<TagPair>,
}

fn put(
    store: &mut ParameterStore,
    shared: &mut Shared,
    input: PutParameter,
    principal: &str,
) -> ApiResult {
    let exists = store.current(&input.name).is_some();
    if input.r#type.is_none() && !exists {
        return Err(ApiError::new(
            "ValidationException",
            "A parameter type is required when you create a parameter.",
        ));
    }
    let user = shared.config.user_arn(principal);
    let PutParameter {
        name,
        value,
        r#type: kind,
        description,
        overwrite,
        tags,
    } = input;
    if overwrite && !tags.is_empty() {
        let message = "Invalid request: tags and overwrite can't be used together. To update \
                       tags, use AddTagsToResource or RemoveTagsFromResource.";
        return Err(ApiError::new("ValidationException", message));
    }
    let version = store.put(
        shared,
        Put {
            name: name.clone(),
            value,
            kind,
            description,
            overwrite,
            user,
        },
    )?;
    if !tags.is_empty() {
        store.tag(shared, &name, |known| *known = to_tags(&tags))?;
    }
    Ok(json!({ "Version": version, "Tier": "Standard" }))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Named {
    name: String,
}

fn delete(store: &mut ParameterStore, shared: &mut Shared, input: &Named) -> ApiResult {
    store.delete(shared, &input.name)?;
    Ok(json!({}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LabelParameterVersion {
    name: String,
    parameter_version: Option<u64>,
    labels: Vec<String>,
}

fn label(
    store: &mut ParameterStore,
    shared: &mut Shared,
    input: &LabelParameterVersion,
) -> ApiResult {
    let version = store.label(shared, &input.name, input.parameter_version, &input.labels)?;
    Ok(json!({ "InvalidLabels": [], "ParameterVersion": version }))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DescribeParameters {
    #[serde(default)]
    parameter_filters: Vec<Filter>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Filter {
    key: String,
    option: Option<String>,
    #[serde(default)]
    values: Vec<String>,
}

impl Filter {
    fn accepts(&self, name: &str, kind: &str) -> ApiResult<bool> {
        let option = self.option.as_deref().unwrap_or("Equals");
        let any = |test: &dyn Fn(&str) -> bool| self.values.iter().any(|value| test(value));
        match (self.key.as_str(), option) {
            ("Name", "Equals") => Ok(any(&|value| name == value)),
            ("Name", "BeginsWith") => Ok(any(&|value| name.starts_with(value))),
            ("Name", "Contains") => Ok(any(&|value| name.contains(value))),
            ("Type", "Equals") => Ok(any(&|value| kind == value)),
            (key, option) => Err(ApiError::new(
                "InvalidFilterOption",
                format!("The filter {key} {option} is not valid."),
            )),
        }
    }
}

fn describe(store: &ParameterStore, shared: &Shared, input: &DescribeParameters) -> ApiResult {
    let size = input.max_results.unwrap_or(10);
    if !(1..=MOST_A_PAGE).contains(&size) {
        return Err(ApiError::new(
            "ValidationException",
            "MaxResults must be between 1 and 50.",
        ));
    }
    if input
        .parameter_filters
        .iter()
        .any(|filter| filter.values.len() > MOST_FILTER_VALUES)
    {
        return Err(ApiError::new(
            "ValidationException",
            "Member must have length less than or equal to 50.",
        ));
    }
    let values = input
        .parameter_filters
        .iter()
        .flat_map(|filter| &filter.values);
    if values
        .into_iter()
        .any(|value| !(1..=LONGEST_FILTER_VALUE).contains(&value.chars().count()))
    {
        let message = "1 validation error detected: Value at 'parameterFilters.1.member.values' \
                       failed to satisfy constraint: Member must satisfy constraint: [Member must \
                       have length less than or equal to 1024, Member must have length greater \
                       than or equal to 1]";
        return Err(ApiError::new("ValidationException", message));
    }
    let seen_until = shared.clock.now - shared.config.parameter_metadata_lag;
    let mut found = Vec::new();
    for live in store.live_at(seen_until) {
        let verdicts: ApiResult<Vec<bool>> = input
            .parameter_filters
            .iter()
            .map(|filter| filter.accepts(live.name, &live.stored.kind))
            .collect();
        if verdicts?.into_iter().all(|accepted| accepted) {
            found.push(metadata(
                &shared.config,
                live.name,
                live.stored,
                live.newest,
            ));
        }
    }
    let page = page::of(&found, size, input.next_token.as_deref())?;
    Ok(json!({ "Parameters": page.items, "NextToken": page.next }))
}

fn metadata(config: &AccountConfig, name: &str, stored: &Stored, version: &Version) -> Value {
    let mut fields = json!({
        "Name": name,
        "ARN": config.parameter_arn(name),
        "Type": stored.kind,
        "LastModifiedDate": seconds(version.modified_at + config.metadata_clock_ahead),
        "LastModifiedUser": version.modified_by,
        "Version": version.number,
        "Tier": "Standard",
        "Policies": [],
        "DataType": "text",
    });
    if let (Some(description), Some(fields)) = (&stored.description, fields.as_object_mut()) {
        fields.insert("Description".to_owned(), json!(description));
    }
    fields
}

/// Returns the value, so that a test which finds the call on record proves something.
fn get(store: &ParameterStore, config: &AccountConfig, input: &Named) -> ApiResult {
    let (stored, version) = store.current(&input.name).ok_or_else(not_found)?;
    let arn = config.parameter_arn(&input.name);
    Ok(json!({ "Parameter": {
        "Name": input.name,
        "ARN": arn,
        "Type": stored.kind,
        "Value": version.value,
        "Version": version.number,
        "LastModifiedDate": seconds(version.modified_at),
        "DataType": "text",
    } }))
}

fn history(store: &ParameterStore, config: &AccountConfig, input: &Named) -> ApiResult {
    let (stored, _) = store.current(&input.name).ok_or_else(not_found)?;
    let versions = stored.versions.iter().map(|version| {
        let mut fields = metadata(config, &input.name, stored, version);
        let added = Map::from_iter([
            ("Value".to_owned(), json!(version.value)),
            ("Labels".to_owned(), json!(version.labels)),
        ]);
        if let Some(fields) = fields.as_object_mut() {
            fields.extend(added);
        }
        fields
    });
    Ok(json!({ "Parameters": versions.collect::<Vec<_>>() }))
}
