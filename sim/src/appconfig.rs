//! AppConfig, as far as it tells of deployments: an extension association sends its events to
//! EventBridge.

use std::collections::BTreeMap;

use crate::events::{self, AppConfigDeployment, Named};
use crate::world::World;

/// Each configuration, `application/environment/profile`, that was ever deployed.
#[derive(Debug, Default)]
pub(crate) struct AppConfig(BTreeMap<String, Deployments>);

/// The deployments of a configuration, counted from 1.
#[derive(Debug, Default)]
struct Deployments {
    begun: u64,
    /// The one whose value is in force.
    current: u64,
    /// The one that was in force before it.
    before: u64,
}

impl Deployments {
    fn begin(&mut self) {
        self.begun += 1;
        self.before = std::mem::replace(&mut self.current, self.begun);
    }
}

impl AppConfig {
    /// The configuration and the number of the deployment whose value is in force, which may be
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

impl World {
    /// A deployment of a configuration has reached every target.
    pub(crate) fn complete_appconfig_deployment(
        &mut self,
        application: &str,
        environment: &str,
        profile: &str,
    ) {
        self.appconfig_deployments(application, environment, profile)
            .begin();
        self.tell_appconfig_deployment(
            [application, environment, profile],
            "On Deployment Complete",
        );
    }

    /// A deployment of a configuration begins to reach its targets.
    pub(crate) fn start_appconfig_deployment(
        &mut self,
        application: &str,
        environment: &str,
        profile: &str,
    ) {
        self.appconfig_deployments(application, environment, profile)
            .begin();
        self.tell_appconfig_deployment([application, environment, profile], "On Deployment Start");
    }

    /// The value before the last deployment is in force again.
    pub(crate) fn roll_back_appconfig_deployment(
        &mut self,
        application: &str,
        environment: &str,
        profile: &str,
        called: &str,
    ) {
        let deployments = self.appconfig_deployments(application, environment, profile);
        deployments.current = deployments.before;
        self.tell_appconfig_deployment([application, environment, profile], called);
    }

    fn appconfig_deployments(
        &mut self,
        application: &str,
        environment: &str,
        profile: &str,
    ) -> &mut Deployments {
        self.appconfig
            .0
            .entry(format!("{application}/{environment}/{profile}"))
            .or_default()
    }

    /// The event names the deployment that was begun last, also where that was rolled back.
    fn tell_appconfig_deployment(
        &mut self,
        [application, environment, profile]: [&str; 3],
        detail_type: &str,
    ) {
        let number = self
            .appconfig_deployments(application, environment, profile)
            .begun;
        let version = number.to_string();
        let (application_id, environment_id, profile_id) =
            (id_of(application), id_of(environment), id_of(profile));
        let association = id_of("association");
        let deployment = AppConfigDeployment {
            application: Named {
                id: &application_id,
                name: application,
            },
            environment: Named {
                id: &environment_id,
                name: environment,
            },
            profile: Named {
                id: &profile_id,
                name: profile,
            },
            number,
            version: &version,
            association: &association,
        };
        self.emit(|envelope| events::appconfig_deployment(envelope, &deployment, detail_type));
    }
}

/// The id of an application, an environment or a configuration profile: seven letters and digits,
/// the same for the same name.
#[must_use]
pub fn id_of(name: &str) -> String {
    let digest = format!("{:x}", md5::compute(name));
    digest.chars().take(7).collect()
}
