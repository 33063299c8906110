use serde_json::{Value, json};

use super::envelope::Envelope;

/// The id and the name of something in `AppConfig`.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    /// Seven lowercase letters and digits.
    pub id: &'a str,
    /// The name that people gave it.
    pub name: &'a str,
}

/// A deployment of an `AppConfig` configuration.
#[derive(Clone, Copy, Debug)]
pub struct AppConfigDeployment<'a> {
    /// The application.
    pub application: Named<'a>,
    /// The environment that it was deployed to.
    pub environment: Named<'a>,
    /// The configuration profile.
    pub profile: Named<'a>,
    /// Counts the deployments to the environment.
    pub number: u64,
    /// The version of the configuration that was deployed.
    pub version: &'a str,
    /// The extension association that sends the event.
    pub association: &'a str,
}

/// `On Deployment Complete` (AppConfig User Guide, "Using the AWS AppConfig deployment events to
/// Amazon EventBridge extension").
#[must_use]
pub fn appconfig_deployment_complete(
    envelope: &Envelope<'_>,
    deployment: &AppConfigDeployment<'_>,
) -> Value {
    appconfig_deployment(envelope, deployment, "On Deployment Complete")
}

/// The same at another action point: `On Deployment Start`, and the one that AWS's pages call `On
/// Deployment Rollback` or `On Deployment Rolled Back`.
#[must_use]
pub fn appconfig_deployment(
    envelope: &Envelope<'_>,
    deployment: &AppConfigDeployment<'_>,
    detail_type: &str,
) -> Value {
    let named = |Named { id, name }: Named<'_>| json!({ "Id": id, "Name": name });
    let detail = json!({
        "InvocationId": deployment.association,
        "Parameters": {},
        "Type": detail_type.replace(' ', ""),
        "Application": named(deployment.application),
        "Environment": named(deployment.environment),
        "ConfigurationProfile": named(deployment.profile),
        "DeploymentNumber": deployment.number,
        "ConfigurationVersion": deployment.version,
    });
    let association = format!(
        "arn:aws:appconfig:{}:{}:extensionassociation/{}",
        envelope.region, envelope.account, deployment.association
    );
    envelope.wrap("aws.appconfig", detail_type, &[&association], &detail)
}
