//! Events of Parameter Store.

use serde_json::{Value, json};

use super::envelope::Envelope;

/// The members of a parameter that its events have: neither version nor value.
#[derive(Clone, Copy, Debug)]
pub struct Parameter<'a> {
    /// With its leading slash, if it has one.
    pub name: &'a str,
    /// `String`, `StringList` or `SecureString`.
    pub kind: &'a str,
    /// Left out of the event if there is none.
    pub description: Option<&'a str>,
}

/// `Parameter Store Change`: `operation` is `Create`, `Update`, `Delete` or `LabelParameterVersion`
/// (Systems Manager User Guide, "Reference: Amazon EventBridge event patterns and types for Systems
/// Manager").
#[must_use]
pub fn parameter_store_change(
    envelope: &Envelope<'_>,
    operation: &str,
    parameter: &Parameter<'_>,
) -> Value {
    let mut detail =
        json!({ "operation": operation, "name": parameter.name, "type": parameter.kind });
    if let (Some(description), Some(fields)) = (parameter.description, detail.as_object_mut()) {
        fields.insert("description".to_owned(), json!(description));
    }
    let path = parameter.name.trim_start_matches('/');
    let resource = format!(
        "arn:aws:ssm:{}:{}:parameter/{path}",
        envelope.region, envelope.account
    );
    envelope.wrap("aws.ssm", "Parameter Store Change", &[&resource], &detail)
}
