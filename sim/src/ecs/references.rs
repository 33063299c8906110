//! What a task definition refers to: every field whose value ECS reads for a task between its creation and its start.

use serde_json::{Map, Value};

use super::model::Read;
use crate::config::AccountConfig;
use crate::things;

/// The references of a task definition that was registered like this, each once. A task does not start without what they name; what another
/// account has is taken to be there.
pub(super) fn of(content: &Map<String, Value>, config: &AccountConfig) -> Vec<Read> {
    let containers = list(content.get("containerDefinitions")).flat_map(of_container);
    let volumes = list(content.get("volumes")).filter_map(|volume| {
        text(volume, "/fsxWindowsFileServerVolumeConfiguration/authorizationConfig/credentialsParameter").map(str::to_owned)
    });
    let mut found: Vec<String> = containers.chain(volumes).filter(|reference| things::is_known(reference, config)).collect();
    found.sort();
    found.dedup();
    found.into_iter().map(|pattern| Read { pattern, required: true }).collect()
}

fn of_container(container: &Value) -> impl Iterator<Item = String> {
    let secrets = list(container.get("secrets")).chain(list(container.pointer("/logConfiguration/secretOptions")));
    let secrets = secrets.filter_map(|secret| text(secret, "/valueFrom")).map(parameter_or_arn);
    let registry = text(container, "/repositoryCredentials/credentialsParameter").map(str::to_owned);
    let files = list(container.get("environmentFiles")).filter_map(|file| text(file, "/value")).map(str::to_owned);
    let specs = list(container.get("credentialSpecs")).filter_map(Value::as_str).filter_map(|spec| spec.split_once(':'));
    let specs = specs.map(|(_, location)| location.to_owned());
    secrets.chain(registry).chain(files).chain(log_router_file(container)).chain(specs)
}

/// The configuration file of a FireLens log router, if it is an object; it may as well be in the image.
fn log_router_file(container: &Value) -> Option<String> {
    let in_s3 = text(container, "/firelensConfiguration/options/config-file-type") == Some("s3");
    text(container, "/firelensConfiguration/options/config-file-value").filter(|_| in_s3).map(str::to_owned)
}

/// A secret that is named by anything but an ARN is a parameter of the same Region.
fn parameter_or_arn(value_from: &str) -> String {
    if value_from.starts_with("arn:") { value_from.to_owned() } else { format!("ssm:{value_from}") }
}

fn list(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten()
}

fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str)
}
