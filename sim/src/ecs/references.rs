//! The references of a task definition: every field whose value ECS reads for a task between its
//! creation and its start.

use serde_json::{Map, Value};

use crate::config::AccountConfig;
use crate::job::Read;
use crate::things;

/// The references of a registered task definition and of the Service Connect proxy beside it, each
/// once. A task does not start if one of them is missing. References to another account are taken
/// to exist.
pub(super) fn of(
    content: &Map<String, Value>,
    service_connect: Option<&Value>,
    config: &AccountConfig,
) -> Vec<Read> {
    let containers = list(content.get("containerDefinitions")).flat_map(of_container);
    let volumes = list(content.get("volumes")).filter_map(|volume| {
        text(
            volume,
            "/fsxWindowsFileServerVolumeConfiguration/authorizationConfig/credentialsParameter",
        )
        .map(str::to_owned)
    });
    let proxy = service_connect
        .filter(|proxy| proxy.get("enabled") == Some(&Value::Bool(true)))
        .into_iter()
        .flat_map(of_log_driver);
    let mut found: Vec<String> = containers
        .chain(volumes)
        .chain(proxy)
        .filter(|reference| things::is_known(reference, config))
        .collect();
    found.sort();
    found.dedup();
    found
        .into_iter()
        .map(|pattern| Read {
            pattern,
            required: true,
        })
        .collect()
}

fn of_container(container: &Value) -> impl Iterator<Item = String> {
    let secrets = list(container.get("secrets"))
        .filter_map(|secret| text(secret, "/valueFrom"))
        .map(parameter_or_arn);
    let secrets = secrets.chain(of_log_driver(container));
    let registry =
        text(container, "/repositoryCredentials/credentialsParameter").map(str::to_owned);
    let files = list(container.get("environmentFiles"))
        .filter_map(|file| text(file, "/value"))
        .map(str::to_owned);
    let options =
        list(container.get("credentialSpecs")).chain(list(container.get("dockerSecurityOptions")));
    let specs = options
        .filter_map(Value::as_str)
        .filter_map(|option| option.split_once(':'));
    let specs = specs
        .filter(|(kind, _)| kind.starts_with("credentialspec"))
        .map(|(_, location)| location.to_owned());
    secrets
        .chain(registry)
        .chain(files)
        .chain(log_router_file(container))
        .chain(specs)
        .chain(init_files(container))
}

fn of_log_driver(container: &Value) -> impl Iterator<Item = String> {
    let options = list(container.pointer("/logConfiguration/secretOptions"));
    options
        .filter_map(|option| text(option, "/valueFrom"))
        .map(parameter_or_arn)
}

/// The objects that the init process of AWS for Fluent Bit copies before it starts the log router.
fn init_files(container: &Value) -> impl Iterator<Item = String> {
    let is_init = |variable: &&Value| {
        text(variable, "/name")
            .is_some_and(|name| name.to_lowercase().starts_with("aws_fluent_bit_init_s3"))
    };
    list(container.get("environment"))
        .filter(is_init)
        .filter_map(|variable| text(variable, "/value"))
        .map(str::to_owned)
}

/// The configuration file of a FireLens log router, if it is an object; it may as well be in the
/// image.
fn log_router_file(container: &Value) -> Option<String> {
    let in_s3 = text(container, "/firelensConfiguration/options/config-file-type") == Some("s3");
    text(
        container,
        "/firelensConfiguration/options/config-file-value",
    )
    .filter(|_| in_s3)
    .map(str::to_owned)
}

/// A secret that is named by anything but an ARN is a parameter of the same Region.
fn parameter_or_arn(value_from: &str) -> String {
    if value_from.starts_with("arn:") {
        value_from.to_owned()
    } else {
        format!("ssm:{value_from}")
    }
}

fn list(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten()
}

fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str)
}
