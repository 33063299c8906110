//! What a task definition refers to, field by field.

use aws_sdk_ecs::types::{ContainerDefinition, LogConfiguration, TaskDefinition};

use crate::domain::key::Kind;
use crate::domain::reference::References;

/// All that its tasks read when they start.
pub(super) fn references(told: &TaskDefinition) -> References {
    let mut references = References::default();
    for (place, container) in told.container_definitions().iter().enumerate() {
        let name = container.name().map_or_else(|| place.to_string(), str::to_owned);
        add_container(&mut references, container, &format!("containerDefinitions[{name}]"));
    }
    for (place, volume) in told.volumes().iter().enumerate() {
        let authorization = volume.fsx_windows_file_server_volume_configuration().and_then(|fsx| fsx.authorization_config());
        if let Some(authorization) = authorization {
            let name = volume.name().map_or_else(|| place.to_string(), str::to_owned);
            let field = || format!("volumes[{name}].fsxWindowsFileServerVolumeConfiguration.authorizationConfig.credentialsParameter");
            references.add(field, authorization.credentials_parameter(), Kind::Parameter);
        }
    }
    references
}

fn add_container(references: &mut References, container: &ContainerDefinition, at: &str) {
    for secret in container.secrets() {
        references.add(|| format!("{at}.secrets[{}]", secret.name()), secret.value_from(), Kind::Parameter);
    }
    for option in container.log_configuration().map(LogConfiguration::secret_options).unwrap_or_default() {
        references.add(|| format!("{at}.logConfiguration.secretOptions[{}]", option.name()), option.value_from(), Kind::Parameter);
    }
    if let Some(credentials) = container.repository_credentials() {
        references.add(|| format!("{at}.repositoryCredentials"), credentials.credentials_parameter(), Kind::Secret);
    }
    for (place, file) in container.environment_files().iter().enumerate() {
        references.add(|| format!("{at}.environmentFiles[{place}]"), file.value(), Kind::Object);
    }
    let options = container.firelens_configuration().and_then(|firelens| firelens.options());
    let option = |name: &str| options.and_then(|options| options.get(name));
    if let Some(file) = option("config-file-value").filter(|_| option("config-file-type").is_some_and(|kind| kind == "s3")) {
        references.add(|| format!("{at}.firelensConfiguration.options[config-file-value]"), file, Kind::Object);
    }
    for (place, spec) in container.credential_specs().iter().enumerate() {
        // Those that name a file lie on the instance.
        if let Some((_, arn)) = spec.split_once(':').filter(|(_, rest)| !rest.starts_with("file:")) {
            references.add(|| format!("{at}.credentialSpecs[{place}]"), arn, Kind::Parameter);
        }
    }
}
