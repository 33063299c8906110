//! The whole state of the account, and how it changes as time passes.

use jiff::Timestamp;

use crate::appconfig::AppConfig;
use crate::call::Call;
use crate::clockwork::Clockwork;
use crate::config::AccountConfig;
use crate::ecs::Ecs;
use crate::event_bus::EventBus;
use crate::event_source_mapping::Mappings;
use crate::fault::Faults;
use crate::job::Job;
use crate::limits::RateLimiter;
use crate::s3::Buckets;
use crate::secrets::Secrets;
use crate::sqs::Queues;
use crate::ssm::{ParameterStore, Put};
use crate::tagging::TagIndex;

pub(crate) struct World {
    pub(crate) config: AccountConfig,
    pub(crate) clock: Clockwork,
    pub(crate) ecs: Ecs,
    pub(crate) tag_index: TagIndex,
    pub(crate) parameters: ParameterStore,
    pub(crate) buckets: Buckets,
    pub(crate) secrets: Secrets,
    pub(crate) appconfig: AppConfig,
    pub(crate) bus: EventBus,
    pub(crate) queues: Queues,
    pub(crate) mappings: Mappings,
    pub(crate) calls: Vec<Call>,
    pub(crate) faults: Faults,
    pub(crate) limiter: RateLimiter,
}

impl World {
    pub(crate) fn new(config: AccountConfig) -> Self {
        Self {
            clock: Clockwork::new(config.epoch, config.seed),
            limiter: RateLimiter::new(config.rate_limits),
            ecs: Ecs::default(),
            tag_index: TagIndex::default(),
            parameters: ParameterStore::default(),
            buckets: Buckets::default(),
            secrets: Secrets::default(),
            appconfig: AppConfig::default(),
            bus: EventBus::new(config.event_delivery),
            queues: Queues::default(),
            mappings: Mappings::default(),
            calls: Vec::new(),
            faults: Faults::default(),
            config,
        }
    }

    /// Carries out all that is due by `now`, in order, each at its own time.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        while let Some(job) = self.clock.pop_due(now) {
            self.perform(job);
        }
        self.clock.now = self.clock.now.max(now);
    }

    fn perform(&mut self, job: Job) {
        match job {
            Job::Reconcile(service) => self.ecs.reconcile(&mut self.clock, &service),
            Job::HookEnds(service, hook) => self.ecs.hook_ends(&mut self.clock, &service, &hook),
            Job::PersonActs(service, hook, goes_on) => {
                self.ecs
                    .person_acts(&mut self.clock, &service, &hook, goes_on);
            }
            Job::TaskReads(task, read) => {
                let found = self.versions_of(&read.pattern);
                self.ecs.task_reads(&task, &read, found);
            }
            Job::TaskStarts(task) => {
                if let Some(parameter) = self.ecs.task_starts(&mut self.clock, &task) {
                    // A put that overwrites cannot fail.
                    let _ = self.put_parameter(Put::by_owner(&self.config, &parameter));
                }
            }
            Job::TaskHealthy(task) => self.ecs.task_healthy(&mut self.clock, &task),
            Job::TaskStops(task) => self.ecs.task_stops(&mut self.clock, &task),
            Job::IndexTags(arn, tags) => self.tag_index.learn(arn, tags),
            Job::Rotate(step) => self.rotate(step),
            Job::Deliver(delivery) => self.send_to_queue(&delivery.queue, delivery.body),
            Job::MessagesVisible(queue) => self.poll(&queue),
            Job::WindowEnds(mapping, poller, batch) => self.window_ends(mapping, poller, batch),
        }
    }
}
