//! What a task definition refers to, field by field.

use aws_sdk_ecs::types::{ContainerDefinition, KeyValuePair, LogConfiguration, TaskDefinition};

use crate::domain::key::Kind;
use crate::domain::reference::References;

/// All that its tasks read when they start.
pub(super) fn references(told: &TaskDefinition) -> References {
    let mut references = References::default();
    for (place, container) in told.container_definitions().iter().enumerate() {
        let name = container
            .name()
            .map_or_else(|| place.to_string(), str::to_owned);
        add_container(
            &mut references,
            container,
            &format!("containerDefinitions[{name}]"),
        );
    }
    for (place, volume) in told.volumes().iter().enumerate() {
        let authorization = volume
            .fsx_windows_file_server_volume_configuration()
            .and_then(|fsx| fsx.authorization_config());
        if let Some(authorization) = authorization {
            let name = volume
                .name()
                .map_or_else(|| place.to_string(), str::to_owned);
            let field = || {
                format!(
                    "volumes[{name}].fsxWindowsFileServerVolumeConfiguration.authorizationConfig.\
                     credentialsParameter"
                )
            };
            references.add(
                field,
                authorization.credentials_parameter(),
                Kind::Parameter,
            );
        }
    }
    references
}

fn add_container(references: &mut References, container: &ContainerDefinition, at: &str) {
    for secret in container.secrets() {
        references.add(
            || format!("{at}.secrets[{}]", secret.name()),
            secret.value_from(),
            Kind::Parameter,
        );
    }
    add_log_options(references, container.log_configuration(), at);
    if let Some(credentials) = container.repository_credentials() {
        references.add(
            || format!("{at}.repositoryCredentials"),
            credentials.credentials_parameter(),
            Kind::Secret,
        );
    }
    for (place, file) in container.environment_files().iter().enumerate() {
        references.add(
            || format!("{at}.environmentFiles[{place}]"),
            file.value(),
            Kind::Object,
        );
    }
    let options = container
        .firelens_configuration()
        .and_then(|firelens| firelens.options());
    let option = |name: &str| options.and_then(|options| options.get(name));
    if let Some(file) = option("config-file-value")
        .filter(|_| option("config-file-type").is_some_and(|kind| kind == "s3"))
    {
        references.add(
            || format!("{at}.firelensConfiguration.options[config-file-value]"),
            file,
            Kind::Object,
        );
    }
    let options = [
        ("credentialSpecs", container.credential_specs()),
        ("dockerSecurityOptions", container.docker_security_options()),
    ];
    for (field, options) in options {
        for (place, location) in options
            .iter()
            .enumerate()
            .filter_map(|(place, option)| Some((place, credential_spec(option)?)))
        {
            references.add(
                || format!("{at}.{field}[{place}]"),
                location,
                Kind::Parameter,
            );
        }
    }
    for (name, file) in container.environment().iter().filter_map(init_file) {
        references.add(|| format!("{at}.environment[{name}]"), file, Kind::Object);
    }
}

/// `secretOptions`, of a container's log driver or of the one of Service Connect's proxy.
pub(super) fn add_log_options(
    references: &mut References,
    logs: Option<&LogConfiguration>,
    at: &str,
) {
    for option in logs
        .map(LogConfiguration::secret_options)
        .unwrap_or_default()
    {
        references.add(
            || format!("{at}.logConfiguration.secretOptions[{}]", option.name()),
            option.value_from(),
            Kind::Parameter,
        );
    }
}

/// Where a credential spec is, of `credentialspec:ARN` and `credentialspecdomainless:ARN`. One that
/// is a file lies on the instance, and the other options of Docker's security name none.
///
/// `dockerSecurityOptions` and `credentialSpecs` of `ContainerDefinition`, Amazon ECS API
/// Reference.
fn credential_spec(option: &str) -> Option<&str> {
    let (word, location) = option.split_once(':')?;
    (matches!(word, "credentialspec" | "credentialspecdomainless") && !location.contains("://"))
        .then_some(location)
}

/// The name of the variable, and the object that the init process of AWS for Fluent Bit copies at
/// the container's start. No other variable is looked at: it may hold anything.
/// [Init process][api]
///
/// [api]: https://github.com/aws/aws-for-fluent-bit/tree/mainline/use_cases/init-process-for-fluent-bit
fn init_file(variable: &KeyValuePair) -> Option<(&str, &str)> {
    let name = variable.name()?;
    let rest = name.strip_prefix("aws_fluent_bit_init_")?;
    (rest.starts_with("s3") || rest.starts_with("S3")).then_some((name, variable.value()?))
}
