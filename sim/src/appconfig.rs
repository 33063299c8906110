//! The deployments of AppConfig: an extension association sends their events to EventBridge.

use std::collections::BTreeMap;

use crate::events::appconfig::{AppConfigDeployment, Named, appconfig_deployment};
use crate::shared::Shared;

/// Each configuration, `application/environment/profile`, that was ever deployed.
#[derive(Debug, Default)]
pub(crate) struct AppConfig(BTreeMap<String, Deployments>);

/// The names of an application, an environment and a configuration profile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Configuration<'a> {
    pub(crate) application: &'a str,
    pub(crate) environment: &'a str,
    pub(crate) profile: &'a str,
}

/// The deployments of a configuration, counted from 1.
#[derive(Debug, Default)]
struct Deployments {
    begun: u64,
    /// The deployment whose value is current.
    current: u64,
    /// The deployment whose value was current before it.
    before: u64,
}

impl Deployments {
    fn begin(&mut self) {
        self.begun += 1;
        self.before = std::mem::replace(&mut self.current, self.begun);
    }
}

impl AppConfig {
    /// The configuration and the number of the deployment whose value is current; 0 if there is
    /// none.
    pub(crate) fn versions_of(&self, path: &str) -> Vec<(String, u64)> {
        vec![(
            format!("appconfig:{path}"),
            self.0
                .get(path)
                .map(|deployments| deployments.current)
                .unwrap_or_default(),
        )]
    }
}

impl AppConfig {
    /// A deployment of a configuration has reached every target.
    pub(crate) fn complete(&mut self, shared: &mut Shared, configuration: Configuration<'_>) {
        self.deployments(configuration).begin();
        self.emit(shared, configuration, "On Deployment Complete");
    }

    /// A deployment of a configuration begins to reach its targets.
    pub(crate) fn start(&mut self, shared: &mut Shared, configuration: Configuration<'_>) {
        self.deployments(configuration).begin();
        self.emit(shared, configuration, "On Deployment Start");
    }

    /// The value before the last deployment is current again; `detail_type` is one of the names
    /// that AWS's pages give the event.
    pub(crate) fn roll_back(
        &mut self,
        shared: &mut Shared,
        configuration: Configuration<'_>,
        detail_type: &str,
    ) {
        let deployments = self.deployments(configuration);
        deployments.current = deployments.before;
        self.emit(shared, configuration, detail_type);
    }

    fn deployments(&mut self, configuration: Configuration<'_>) -> &mut Deployments {
        let Configuration {
            application,
            environment,
            profile,
        } = configuration;
        let path = format!("{application}/{environment}/{profile}");
        self.0.entry(path).or_default()
    }

    /// Sends an event that names the newest deployment, even if that was rolled back.
    fn emit(&mut self, shared: &mut Shared, configuration: Configuration<'_>, detail_type: &str) {
        let number = self.deployments(configuration).begun;
        let version = number.to_string();
        let ids = [
            configuration.application,
            configuration.environment,
            configuration.profile,
        ]
        .map(id_of);
        let [application_id, environment_id, profile_id] = &ids;
        let association = id_of("association");
        let deployment = AppConfigDeployment {
            application: Named {
                id: application_id,
                name: configuration.application,
            },
            environment: Named {
                id: environment_id,
                name: configuration.environment,
            },
            profile: Named {
                id: profile_id,
                name: configuration.profile,
            },
            number,
            version: &version,
            association: &association,
        };
        shared.emit(|envelope| appconfig_deployment(envelope, &deployment, detail_type));
    }
}

/// The id of an application, an environment or a configuration profile: seven letters and digits,
/// the same for the same name.
#[must_use]
pub fn id_of(name: &str) -> String {
    let digest = format!("{:x}", md5::compute(name));
    digest.chars().take(7).collect()
}
