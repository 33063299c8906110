//! The whole state of the account, and how it changes as time passes.

mod configuration;
mod services;

use jiff::Timestamp;

use crate::appconfig::AppConfig;
use crate::call::Call;
use crate::config::AccountConfig;
use crate::ecs::state::Ecs;
use crate::event_source_mapping::Mappings;
use crate::fault::Faults;
use crate::job::Job;
use crate::limits::RateLimiter;
use crate::put_events::PutEvents;
use crate::s3::store::Buckets;
use crate::secrets::store::Secrets;
use crate::shared::Shared;
use crate::sqs::Queues;
use crate::ssm::{ParameterStore, Put};
use crate::tagging::TagIndex;

pub(crate) struct World {
    pub(crate) shared: Shared,
    pub(crate) ecs: Ecs,
    pub(crate) tag_index: TagIndex,
    pub(crate) parameters: ParameterStore,
    pub(crate) buckets: Buckets,
    pub(crate) secrets: Secrets,
    pub(crate) appconfig: AppConfig,
    pub(crate) queues: Queues,
    pub(crate) mappings: Mappings,
    pub(crate) put_events: PutEvents,
    pub(crate) calls: Vec<Call>,
    pub(crate) faults: Faults,
    pub(crate) limiter: RateLimiter,
}

impl World {
    pub(crate) fn new(config: AccountConfig) -> Self {
        Self {
            limiter: RateLimiter::new(config.rate_limits),
            ecs: Ecs::default(),
            tag_index: TagIndex::default(),
            parameters: ParameterStore::default(),
            buckets: Buckets::default(),
            secrets: Secrets::default(),
            appconfig: AppConfig::default(),
            queues: Queues::default(),
            mappings: Mappings::default(),
            put_events: PutEvents::default(),
            calls: Vec::new(),
            faults: Faults::default(),
            shared: Shared::new(config),
        }
    }

    /// Carries out all that is due by `now`, in order, each at its own time.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        while let Some(job) = self.shared.clock.pop_due(now) {
            self.perform(job);
        }
        self.shared.clock.now = self.shared.clock.now.max(now);
    }

    fn perform(&mut self, job: Job) {
        let clock = &mut self.shared.clock;
        match job {
            Job::Reconcile(service) => self.ecs.reconcile(clock, &service),
            Job::HookEnds { service, hook } => self.ecs.hook_ends(clock, &service, &hook),
            Job::PersonActs {
                service,
                hook,
                continues,
            } => self.ecs.person_acts(clock, &service, &hook, continues),
            Job::TaskReads(task, read) => {
                let found = self.versions_at_a_replica(&read.pattern);
                self.ecs.task_reads(&task, &read, found);
            }
            Job::TaskStarts(task) => {
                if let Some(parameter) = self.ecs.task_starts(clock, &task) {
                    self.put_parameter(&parameter);
                }
            }
            Job::TaskHealthy(task) => self.ecs.task_healthy(clock, &task),
            Job::TaskStops(task) => self.ecs.task_stops(clock, &task),
            Job::IndexTags(arn, tags) => self.tag_index.insert(arn, tags),
            Job::Rotate(step) => self.secrets.rotate(&mut self.shared, step),
            Job::Deliver(delivery) => self.queues.deliver(clock, &delivery.queue, delivery.body),
            Job::MessagesVisible(queue) => self.poll(&queue),
            Job::WindowEnds(window) => self.mappings.window_ends(&mut self.shared, window),
        }
    }

    /// Lets the event source mappings of a queue take the messages that are visible in it.
    pub(crate) fn poll(&mut self, queue: &str) {
        self.mappings
            .poll(&mut self.queues, &mut self.shared, queue);
    }

    /// The owner's next version of a parameter; returns its number.
    pub(crate) fn put_parameter(&mut self, name: &str) -> u64 {
        let put = Put::by_owner(&self.shared.config, name);
        // A put that overwrites cannot fail.
        self.parameters
            .put(&mut self.shared, put)
            .unwrap_or_default()
    }
}
