//! The references of a task definition, field by field.

use aws_sdk_ecs::types::{
    ContainerDefinition, FirelensConfiguration, KeyValuePair, LogConfiguration, TaskDefinition,
    Volume,
};

use crate::domain::key::Kind;
use crate::domain::reference::References;

/// Everything that the tasks of a task definition read when they start.
pub(super) fn references(definition: &TaskDefinition) -> References {
    let mut references = References::default();
    for (index, container) in definition.container_definitions().iter().enumerate() {
        let name = container
            .name()
            .map_or_else(|| index.to_string(), str::to_owned);
        let at = format!("containerDefinitions[{name}]");
        add_secrets(&mut references, container, &at);
        add_files(&mut references, container, &at);
        add_credential_specs(&mut references, container, &at);
    }
    for (index, volume) in definition.volumes().iter().enumerate() {
        add_volume(&mut references, volume, index);
    }
    references
}

fn add_secrets(references: &mut References, container: &ContainerDefinition, at: &str) {
    for secret in container.secrets() {
        let field = || format!("{at}.secrets[{}]", secret.name());
        references.add(field, secret.value_from(), Kind::Parameter);
    }
    add_log_options(references, container.log_configuration(), at);
    if let Some(credentials) = container.repository_credentials() {
        let field = || format!("{at}.repositoryCredentials");
        references.add(field, credentials.credentials_parameter(), Kind::Secret);
    }
}

fn add_files(references: &mut References, container: &ContainerDefinition, at: &str) {
    for (index, file) in container.environment_files().iter().enumerate() {
        let field = || format!("{at}.environmentFiles[{index}]");
        references.add(field, file.value(), Kind::Object);
    }
    if let Some(file) = container.firelens_configuration().and_then(firelens_file) {
        let field = || format!("{at}.firelensConfiguration.options[config-file-value]");
        references.add(field, file, Kind::Object);
    }
    for (name, file) in container.environment().iter().filter_map(init_file) {
        references.add(|| format!("{at}.environment[{name}]"), file, Kind::Object);
    }
}

fn add_credential_specs(references: &mut References, container: &ContainerDefinition, at: &str) {
    let lists = [
        ("credentialSpecs", container.credential_specs()),
        ("dockerSecurityOptions", container.docker_security_options()),
    ];
    for (list, options) in lists {
        for (index, option) in options.iter().enumerate() {
            if let Some(location) = credential_spec(option) {
                let field = || format!("{at}.{list}[{index}]");
                references.add(field, location, Kind::Parameter);
            }
        }
    }
}

fn add_volume(references: &mut References, volume: &Volume, index: usize) {
    let file_server = volume.fsx_windows_file_server_volume_configuration();
    let authorization = file_server.and_then(|server| server.authorization_config());
    if let Some(authorization) = authorization {
        let name = volume
            .name()
            .map_or_else(|| index.to_string(), str::to_owned);
        let field = || {
            format!(
                "volumes[{name}].fsxWindowsFileServerVolumeConfiguration.authorizationConfig.\
                 credentialsParameter"
            )
        };
        let parameter = authorization.credentials_parameter();
        references.add(field, parameter, Kind::Parameter);
    }
}

/// `secretOptions`, of a container's log driver or of the one of Service Connect's proxy.
pub(super) fn add_log_options(
    references: &mut References,
    logs: Option<&LogConfiguration>,
    at: &str,
) {
    let options = logs.map(LogConfiguration::secret_options);
    for option in options.unwrap_or_default() {
        let field = || format!("{at}.logConfiguration.secretOptions[{}]", option.name());
        references.add(field, option.value_from(), Kind::Parameter);
    }
}

/// The object that `FireLens` reads its configuration from.
fn firelens_file(firelens: &FirelensConfiguration) -> Option<&str> {
    let options = firelens.options()?;
    let is_object = options
        .get("config-file-type")
        .is_some_and(|kind| kind == "s3");
    options
        .get("config-file-value")
        .map(String::as_str)
        .filter(|_| is_object)
}

/// The location of a credential spec, of `credentialspec:ARN` and `credentialspecdomainless:ARN`.
/// `None` for a file, which lies on the instance, and for Docker's other security options.
///
/// `dockerSecurityOptions` and `credentialSpecs` of `ContainerDefinition`, Amazon ECS API
/// Reference.
fn credential_spec(option: &str) -> Option<&str> {
    let (word, location) = option.split_once(':')?;
    (matches!(word, "credentialspec" | "credentialspecdomainless") && !location.contains("://"))
        .then_some(location)
}

/// The name of the variable, and the object that the init process of AWS for Fluent Bit copies at
/// the container's start. No other variable is read: it may hold anything.
/// [Init process][api]
///
/// [api]: https://github.com/aws/aws-for-fluent-bit/tree/mainline/use_cases/init-process-for-fluent-bit
fn init_file(variable: &KeyValuePair) -> Option<(&str, &str)> {
    let name = variable.name()?;
    let rest = name.strip_prefix("aws_fluent_bit_init_")?;
    (rest.starts_with("s3") || rest.starts_with("S3")).then_some((name, variable.value()?))
}
