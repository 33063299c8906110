use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::state::{Ecs, TaskDefinition};
use crate::error::{ApiError, ApiResult};
use crate::shared::Shared;

pub(super) fn register(ecs: &mut Ecs, shared: &mut Shared, input: Value) -> ApiResult {
    let Value::Object(mut content) = input else {
        return Err(ApiError::invalid_parameter("The request is malformed."));
    };
    let family = content
        .remove("family")
        .as_ref()
        .and_then(Value::as_str)
        .map(str::to_owned);
    let family = family.ok_or_else(|| ApiError::new("ClientException", "family is required."))?;
    let tags = content.remove("tags").unwrap_or_else(|| json!([]));
    let arn = ecs.register(&shared.config, &family, content, shared.clock.now);
    let registered = ecs
        .task_definition(&arn)
        .map(|definition| definition.json(&family));
    Ok(json!({ "taskDefinition": registered, "tags": tags }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeTaskDefinition {
    task_definition: String,
}

pub(super) fn describe(ecs: &mut Ecs, input: &DescribeTaskDefinition) -> ApiResult {
    let definition = ecs.task_definition(&input.task_definition);
    let definition = definition
        .ok_or_else(|| ApiError::new("ClientException", "Unable to describe task definition."))?;
    let name = definition.arn.rsplit_once('/').map_or("", |(_, name)| name);
    let family = name.split(':').next().unwrap_or_default();
    Ok(json!({ "taskDefinition": definition.json(family), "tags": [] }))
}

impl TaskDefinition {
    /// The registered members, and those that AWS adds.
    fn json(&self, family: &str) -> Value {
        let mut fields: Map<String, Value> = self.content.clone();
        let added = [
            ("taskDefinitionArn", json!(self.arn)),
            ("family", json!(family)),
            ("revision", json!(self.revision)),
            ("status", json!("ACTIVE")),
            (
                "registeredAt",
                json!(crate::output::seconds(self.registered_at)),
            ),
        ];
        fields.extend(added.map(|(name, value)| (name.to_owned(), value)));
        fields.entry("volumes").or_insert_with(|| json!([]));
        fields
            .entry("placementConstraints")
            .or_insert_with(|| json!([]));
        Value::Object(fields)
    }
}
