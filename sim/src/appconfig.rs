//! AppConfig, as far as it tells of deployments: an extension association sends its events to EventBridge.

use std::collections::BTreeMap;

use crate::events::{self, AppConfigDeployment, Named};
use crate::world::World;

/// How often each configuration, `application/environment/profile`, was deployed.
#[derive(Debug, Default)]
pub(crate) struct AppConfig(BTreeMap<String, u64>);

impl AppConfig {
    /// The configuration and the number of its deployments, which may be none.
    pub(crate) fn versions_of(&self, path: &str) -> Vec<(String, u64)> {
        vec![(format!("appconfig:{path}"), self.0.get(path).copied().unwrap_or_default())]
    }
}

impl World {
    /// A deployment of a configuration has reached every target.
    pub(crate) fn complete_appconfig_deployment(&mut self, application: &str, environment: &str, profile: &str) {
        let deployments = self.appconfig.0.entry(format!("{application}/{environment}/{profile}")).or_default();
        *deployments += 1;
        let number = *deployments;
        let version = number.to_string();
        let (application_id, environment_id, profile_id) = (id_of(application), id_of(environment), id_of(profile));
        let association = id_of("association");
        let deployment = AppConfigDeployment {
            application: Named { id: &application_id, name: application },
            environment: Named { id: &environment_id, name: environment },
            profile: Named { id: &profile_id, name: profile },
            number,
            version: &version,
            association: &association,
        };
        self.emit(|envelope| events::appconfig_deployment_complete(envelope, &deployment));
    }
}

/// Seven letters and digits, the same for the same name.
fn id_of(name: &str) -> String {
    let digest = format!("{:x}", md5::compute(name));
    digest.chars().take(7).collect()
}
