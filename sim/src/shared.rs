//! Everything that the services of an account share: its configuration, its clock, and the bus that
//! carries their events.

use std::time::Duration;

use serde_json::Value;

use crate::clockwork::Clockwork;
use crate::config::AccountConfig;
use crate::event_bus::EventBus;
use crate::events::envelope::Envelope;
use crate::job::Job;
use crate::tags::Tags;

/// The configuration, the clock and the bus of an account.
pub(crate) struct Shared {
    pub(crate) config: AccountConfig,
    pub(crate) clock: Clockwork,
    pub(crate) bus: EventBus,
}

impl Shared {
    pub(crate) fn new(config: AccountConfig) -> Self {
        Self {
            clock: Clockwork::new(config.epoch, config.seed),
            bus: EventBus::new(config.event_delivery),
            config,
        }
    }

    /// Builds an event of this instant and sends it.
    pub(crate) fn emit(&mut self, build: impl FnOnce(&Envelope<'_>) -> Value) {
        let event = self.event(build);
        self.bus.emit(&mut self.clock, Duration::ZERO, &event);
    }

    /// Builds an event of this instant.
    pub(crate) fn event(&mut self, build: impl FnOnce(&Envelope<'_>) -> Value) -> Value {
        let id = self.clock.uuid();
        let envelope = Envelope {
            id: &id,
            account: &self.config.account_id,
            time: self.clock.now,
            region: &self.config.region,
        };
        build(&envelope)
    }

    /// Gives these tags to the index behind `GetResources`, after its lag.
    pub(crate) fn index_later(&mut self, arn: String, tags: Tags) {
        self.clock
            .after(self.config.tag_index_lag, Job::IndexTags(arn, tags));
    }

    /// Lets the ECS scheduler work on a service, `cluster/name`, after its delay.
    pub(crate) fn reconcile_later(&mut self, service: String) {
        self.clock
            .after(self.config.scheduler_delay, Job::Reconcile(service));
    }
}
