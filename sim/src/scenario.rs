//! Scenarios without the wire: the setting of a test, the acts of the account's owner, and views
//! for the test.

mod configuration;

use std::sync::Arc;
use std::time::Duration;

use crate::account::Account;
use crate::call::Call;
use crate::config::Trail;
use crate::ecs::builder::Service;
use crate::ecs::task_definition::TaskDefinition;
use crate::ecs::view::{ServiceView, StaleTask};
use crate::event_bus::{EventDelivery, EventRule};
use crate::event_source_mapping::EventSourceMapping;
use crate::fault::Fault;
use crate::lambda::Function;
use crate::put_events::PutEvent;
use crate::sqs::Redrive;

impl Account {
    /// Adds a service that has been running, and in the tag index, for a while. Its cluster comes
    /// to be with it.
    pub fn add(&self, service: Service) {
        self.change(|world| world.add_service(service));
    }

    /// Deploys another task definition to a service that ECS deploys, as its owner does: a new
    /// revision, and an `UpdateService` that names it.
    pub fn deploy(&self, service: &str, definition: impl Into<TaskDefinition>) {
        // A service that does not exist, or has another controller, stays as it is.
        let _ = self.change(|world| {
            world
                .ecs
                .deploy(&mut world.shared, service, definition.into())
        });
    }

    /// Forces a deployment of the running task definition, as its owner does. It counts among
    /// [`restarted`](Self::restarted).
    pub fn force(&self, service: &str) {
        // A service that does not exist, or has another controller, stays as it is.
        let _ = self.change(|world| world.ecs.force(&mut world.shared, service));
    }

    /// A person continues the deployment that stands at a PAUSE hook.
    pub fn approve(&self, service: &str) {
        // Without a deployment at a hook there is nothing to approve.
        let _ = self.change(|world| {
            world
                .ecs
                .act_on_hook(&mut world.shared, service, "CONTINUE")
        });
    }

    /// A person has the deployment rolled back that stands at a PAUSE hook.
    pub fn reject(&self, service: &str) {
        // Without a deployment at a hook there is nothing to reject.
        let _ = self.change(|world| {
            world
                .ecs
                .act_on_hook(&mut world.shared, service, "ROLLBACK")
        });
    }

    /// A person stops the deployment under way, which is rolled back: `aws ecs
    /// stop-service-deployment`.
    pub fn stop_deployment(&self, service: &str) {
        // Without a deployment under way there is nothing to stop.
        let _ = self.change(|world| world.ecs.stop_deployment(&mut world.shared, service));
    }

    /// The deployment alarm of a service goes off: a deployment that runs now fails.
    pub fn trigger_alarm(&self, service: &str) {
        self.change(|world| world.ecs.alarm_triggers(&mut world.shared.clock, service));
    }

    /// The tasks that a service runs now protect themselves from deployments and scale-ins for this
    /// long: `UpdateTaskProtection`.
    pub fn protect_tasks(&self, service: &str, lasts: Duration) {
        // A service that does not exist has no tasks.
        let _ = self.change(|world| world.ecs.protect_tasks(&mut world.shared, service, lasts));
    }

    /// Changes the desired count of a service, as its owner or Application Auto Scaling does.
    pub fn scale(&self, service: &str, desired: usize) {
        // A service that does not exist has no tasks.
        let _ = self.change(|world| world.ecs.scale(&mut world.shared, service, desired));
    }

    /// Lets the tag index list a resource that only the index knows: a service whose ARN has the
    /// short format, or one of a later kind.
    pub fn index(&self, arn: &str, tags: &[(&str, &str)]) {
        let tags = tags
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        self.change(|world| world.tag_index.insert(arn.to_owned(), tags));
    }

    /// Sets a tag of a service, or removes it; the tag index has it later.
    pub fn tag_service(&self, service: &str, key: &str, value: Option<&str>) {
        // Only an existing resource has tags.
        let _ = self.change(|world| {
            world
                .ecs
                .tag_service(&mut world.shared, service, key, value)
        });
    }

    /// Lets other callers take this part, 0 to 1, of the tokens in the buckets of the API, from now
    /// on.
    pub fn share_rate_limits(&self, taken: f64) {
        self.change(|world| world.limiter.share(taken));
    }

    /// Sets the URL that the account is served at: the URLs of its queues begin with it.
    pub fn set_endpoint(&self, url: &str) {
        self.change(|world| world.shared.config.endpoint = Some(url.to_owned()));
    }

    /// Creates a queue, and one for its dead letters, `NAME-dead-letters`, where messages end that
    /// were received `most_receives` times.
    pub fn add_queue(&self, name: &str, visibility_timeout: Duration, most_receives: u32) {
        let dead_letters = format!("{name}-dead-letters");
        self.change(|world| {
            world.queues.create(&dead_letters, visibility_timeout, None);
            world.queues.create(
                name,
                visibility_timeout,
                Some(Redrive {
                    dead_letters,
                    most_receives,
                }),
            );
        });
    }

    /// Has messages of a queue become visible after this time at most, even if their delay is longer:
    /// a person who watches need not wait for deferred work. Amazon SQS does not do this.
    pub fn hasten(&self, queue: &str, longest_delay: Duration) {
        self.change(|world| world.queues.hasten(queue, longest_delay));
    }

    /// Disables the mapping of a queue, or enables it: `aws lambda update-event-source-mapping
    /// --no-enabled`.
    pub fn enable_mapping(&self, queue: &str, enabled: bool) {
        self.change(|world| {
            let (queues, shared) = (&mut world.queues, &mut world.shared);
            world.mappings.enable(queues, shared, queue, enabled);
        });
    }

    /// Puts a message into a queue, as AWS services do.
    pub fn send(&self, queue: &str, body: &str) {
        self.change(|world| {
            let clock = &mut world.shared.clock;
            world.queues.deliver(clock, queue, body.to_owned());
        });
    }

    /// The bodies of all messages in a queue, also of those that are hidden or delayed, oldest
    /// first.
    #[must_use]
    pub fn messages(&self, queue: &str) -> Vec<String> {
        self.read(|world| world.queues.bodies(queue))
    }

    /// Sends matching events to a queue from now on.
    pub fn add_rule(&self, rule: EventRule) {
        self.change(|world| world.shared.bus.add_rule(rule));
    }

    /// Changes the delivery of events from now on.
    pub fn set_event_delivery(&self, delivery: EventDelivery) {
        self.change(|world| world.shared.bus.set_delivery(delivery));
    }

    /// Changes the trail of CloudTrail from now on.
    pub fn set_trail(&self, trail: Trail) {
        self.change(|world| world.shared.config.trail = trail);
    }

    /// Changes the time for which `DescribeParameters` shows the version before the newest, from
    /// now on.
    pub fn set_parameter_metadata_lag(&self, lag: Duration) {
        self.change(|world| world.shared.config.parameter_metadata_lag = lag);
    }

    /// Changes the time for which tasks still read the version of a parameter before the newest,
    /// from now on.
    pub fn set_parameter_replica_lag(&self, lag: Duration) {
        self.change(|world| world.shared.config.parameter_replica_lag = lag);
    }

    /// Changes the time by which the clock of metadata is ahead, from now on.
    pub fn set_metadata_clock_ahead(&self, ahead: Duration) {
        self.change(|world| world.shared.config.metadata_clock_ahead = ahead);
    }

    /// Lets a queue feed a function from now on, while the account is driven.
    pub fn connect(&self, mapping: EventSourceMapping, function: Arc<dyn Function>) {
        self.change(|world| {
            let queue = mapping.queue.clone();
            world.mappings.connect(mapping, function);
            world.poll(&queue);
        });
    }

    /// Injects a fault into the calls to come.
    pub fn inject(&self, fault: Fault) {
        self.change(|world| world.faults.inject(fault));
    }

    /// Ends all faults.
    pub fn heal(&self) {
        self.change(|world| world.faults.clear());
    }

    /// The events that programs of the account put on its buses, oldest first.
    #[must_use]
    pub fn put_events(&self) -> Vec<PutEvent> {
        self.read(|world| world.put_events.taken().to_vec())
    }

    /// Every API call so far, in the order in which they took effect.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.read(|world| world.calls.clone())
    }

    /// The state of `cluster/name`; `None` if there never was such a service.
    #[must_use]
    pub fn service(&self, name: &str) -> Option<ServiceView> {
        self.read(|world| world.ecs.view(name))
    }

    /// All services that are not gone, `cluster/name`, in order.
    #[must_use]
    pub fn services(&self) -> Vec<ServiceView> {
        self.read(|world| {
            world
                .ecs
                .service_ids()
                .filter_map(|id| world.ecs.view(id))
                .collect()
        })
    }

    /// Services with forced deployments, `cluster/name`, in order, once for each deployment.
    #[must_use]
    pub fn restarted(&self) -> Vec<String> {
        self.read(|world| world.ecs.restarted().to_vec())
    }

    /// Running tasks that hold an older version of something than the current one.
    #[must_use]
    pub fn stale_tasks(&self) -> Vec<StaleTask> {
        self.read(|world| {
            let stale = world.ecs.versions_held().filter_map(|held| {
                let versions = world.versions_of(held.thing);
                let (_, current) = versions.first()?;
                (*current != held.version).then(|| StaleTask {
                    service: held.service.to_owned(),
                    task: held.task.to_owned(),
                    thing: held.thing.to_owned(),
                    read: held.version,
                    current: *current,
                })
            });
            stale.collect()
        })
    }
}
