//! Services together with the configuration that their tasks have read.

use super::World;
use crate::ecs::builder::Service;

impl World {
    /// Adds a service that has been running for a while. Everything that its tasks need to start is
    /// created with it.
    pub(crate) fn add_service(&mut self, service: Service) {
        let new = self.ecs.prepare(&self.shared, service);
        for read in new.reads().filter(|read| read.required) {
            self.ensure_exists(&read.pattern);
        }
        let versions = new.reads().flat_map(|read| self.versions_of(&read.pattern));
        let versions = versions.collect();
        let arn = self.shared.config.arn("ecs", &new.path());
        self.tag_index.insert(arn, new.tags().clone());
        self.ecs.add(&mut self.shared, new, &versions);
    }
}
