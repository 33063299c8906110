//! The configuration that tasks read, in all stores.

use super::World;
use crate::things::Thing;

impl World {
    /// The things that a reference, or a prefix that ends in `/`, names, and how often each of them
    /// has been written.
    pub(crate) fn versions_of(&self, reference: &str) -> Vec<(String, u64)> {
        match Thing::parse(reference, &self.shared.config) {
            Some(Thing::Parameter(name)) => self.parameters.versions_of(&name),
            Some(Thing::Object(path)) => self.buckets.versions_of(path),
            Some(Thing::Secret(selector)) => self.secrets.versions_of(selector),
            Some(Thing::AppConfig(path)) => self.appconfig.versions_of(path),
            None => Vec::new(),
        }
    }

    /// The same things, as a replica with a lag has them.
    pub(crate) fn versions_at_a_replica(&self, reference: &str) -> Vec<(String, u64)> {
        let lag = self.shared.config.parameter_replica_lag;
        let mut found = self.versions_of(reference);
        if !lag.is_zero() {
            for (thing, version) in &mut found {
                let name = thing.strip_prefix("ssm:");
                *version -= name.map_or(0, |name| {
                    self.parameters
                        .not_replicated(name, self.shared.clock.now - lag)
                });
            }
        }
        found
    }

    /// Things that a scenario assumes are created without an event.
    pub(crate) fn ensure_exists(&mut self, reference: &str) {
        let now = self.shared.clock.now;
        match Thing::parse(reference, &self.shared.config) {
            Some(Thing::Parameter(name)) => {
                self.parameters
                    .ensure_exists(&self.shared.config, &name, now);
            }
            Some(Thing::Object(path)) => self.buckets.ensure_exists(path, &mut self.shared.clock),
            Some(Thing::Secret(selector)) => {
                self.secrets
                    .ensure_exists(&self.shared.config, &mut self.shared.clock, selector);
            }
            // A configuration that was never deployed can be read as well.
            Some(Thing::AppConfig(_)) | None => {}
        }
    }
}
