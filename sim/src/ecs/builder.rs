//! Services as a test or the demo describes them: running for an hour already, steady, and known to
//! the tag index.

use std::ops::Range;
use std::time::Duration;

use serde_json::{Value, json};

use super::early_success::EarlySuccess;
use super::hook::{Alarms, Hook};
use super::model::{Behaviour, CircuitBreaker, Controller, Failing, LaunchType, Status, Strategy};
use super::task_definition::{TaskDefinition, task_definition};
use crate::job::Read;
use crate::tags::Tags;

/// The description of a service, see [`service`].
#[derive(Clone, Debug)]
#[must_use = "a service exists once it is added to an account"]
pub struct Service {
    pub(super) id: String,
    pub(super) tags: Tags,
    pub(super) watched: Vec<String>,
    pub(super) definition: TaskDefinition,
    /// `serviceConnectConfiguration`.
    pub(super) proxy: Option<Value>,
    pub(super) desired: usize,
    pub(super) minimum_percent: usize,
    pub(super) maximum_percent: usize,
    pub(super) controller: Controller,
    pub(super) daemon: bool,
    pub(super) circuit_breaker: Option<CircuitBreaker>,
    pub(super) strategy: Strategy,
    pub(super) hooks: Vec<Hook>,
    pub(super) alarms: Option<Alarms>,
    pub(super) early_success: Option<EarlySuccess>,
    pub(super) launch_type: LaunchType,
    pub(super) express: bool,
    pub(super) status: Status,
    pub(super) age: Duration,
    pub(super) behaviour: Behaviour,
}

/// Describes a service, `cluster/name`. By default it has two tasks, 100 and 200 percent, the ECS
/// deployment controller, and a deployment that completed an hour ago; its tasks take 20 s to
/// start, 10 s to become healthy and 10 s to stop.
pub fn service(id: &str) -> Service {
    let behaviour = Behaviour {
        reads: Vec::new(),
        starting: Duration::from_secs(20),
        settling: Duration::from_secs(10),
        stopping: Duration::from_secs(10),
        failing: Failing::Never,
        writing: None,
    };
    Service {
        id: if id.contains('/') {
            id.to_owned()
        } else {
            format!("default/{id}")
        },
        tags: Tags::new(),
        watched: Vec::new(),
        definition: task_definition(),
        proxy: None,
        desired: 2,
        minimum_percent: 100,
        maximum_percent: 200,
        controller: Controller::Ecs,
        daemon: false,
        circuit_breaker: None,
        strategy: Strategy::Rolling,
        hooks: Vec::new(),
        alarms: None,
        early_success: None,
        launch_type: LaunchType::Fargate,
        express: false,
        status: Status::Active,
        age: Duration::from_hours(1),
        behaviour,
    }
}

impl Service {
    /// Tags the service `reloader:watch` with these terms. Its tasks read the things that the terms
    /// name, as far as they exist, unless [`reading`](Self::reading) names others.
    pub fn watching(mut self, terms: &str) -> Self {
        self.watched = terms
            .split_whitespace()
            .filter(|term| !term.starts_with('-'))
            .map(str::to_owned)
            .collect();
        self.tag("reloader:watch", terms)
    }

    /// Any tag.
    pub fn tag(mut self, key: &str, value: &str) -> Self {
        self.tags.insert(key.to_owned(), value.to_owned());
        self
    }

    /// The number of tasks that it should have.
    pub fn desired(mut self, count: usize) -> Self {
        self.desired = count;
        self
    }

    /// `minimumHealthyPercent` and `maximumPercent`.
    pub fn percent(mut self, minimum: usize, maximum: usize) -> Self {
        (self.minimum_percent, self.maximum_percent) = (minimum, maximum);
        self
    }

    /// The controller that deploys it.
    pub fn controller(mut self, controller: Controller) -> Self {
        self.controller = controller;
        self
    }

    /// One task on each of `instances` container instances: the DAEMON scheduling strategy, with 0
    /// and 100 percent.
    pub fn daemon(mut self, instances: usize) -> Self {
        self.daemon = true;
        self.desired(instances).percent(0, 100)
    }

    /// The things that a task reads between its creation and its start: `ssm:/app/db`,
    /// `s3:bucket/key`, or everything below a prefix that ends in `/`. Single things exist from the
    /// start, in version 1; a task that does not find them does not start.
    pub fn reading<'a>(mut self, things: impl IntoIterator<Item = &'a str>) -> Self {
        let read = |thing: &str| Read {
            pattern: thing.to_owned(),
            required: !thing.ends_with('/'),
        };
        self.behaviour.reads = things.into_iter().map(read).collect();
        self
    }

    /// Gives the service a task definition of its own, built or in the words of
    /// `RegisterTaskDefinition`. Its tasks read its references, beside the things that
    /// [`reading`](Self::reading) or the terms name. They exist from the start, in version 1. A
    /// secret's ARN that ends in a hyphen and six characters makes the secret with this very ARN.
    pub fn referring(mut self, definition: impl Into<TaskDefinition>) -> Self {
        self.definition = definition.into();
        self
    }

    /// `serviceConnectConfiguration` whose proxy logs with a secret option: a parameter's name, or
    /// the ARN of a parameter or a secret. It exists from the start, in version 1.
    pub fn service_connect_log_secret(mut self, name: &str, value_from: &str) -> Self {
        let secret = json!([{ "name": name, "valueFrom": value_from }]);
        let logs = json!({ "logDriver": "splunk", "secretOptions": secret });
        self.proxy =
            Some(json!({ "enabled": true, "namespace": "internal", "logConfiguration": logs }));
        self
    }

    /// Seconds that a task takes from its creation to its start, from there to health, and from the
    /// order to stop to its end.
    pub fn task_seconds(mut self, starting: f64, settling: f64, stopping: f64) -> Self {
        self.behaviour.starting = Duration::from_secs_f64(starting);
        self.behaviour.settling = Duration::from_secs_f64(settling);
        self.behaviour.stopping = Duration::from_secs_f64(stopping);
        self
    }

    /// The age of its deployment; by default an hour.
    pub fn deployed_ago(mut self, age: Duration) -> Self {
        self.age = age;
        self
    }

    /// The deployment circuit breaker is on.
    pub fn circuit_breaker(mut self, rollback: bool) -> Self {
        self.circuit_breaker = Some(CircuitBreaker { rollback });
        self
    }

    /// Amazon ECS deploys it blue/green: all new tasks come up beside the old ones, which stop when
    /// the new ones have been healthy for `bake`.
    pub fn blue_green(mut self, bake: Duration) -> Self {
        self.strategy = Strategy::BlueGreen { bake };
        self
    }

    /// Its deployments stop at this hook.
    pub fn hook(mut self, hook: Hook) -> Self {
        self.hooks.push(hook);
        self
    }

    /// A CloudWatch alarm watches its deployments, which are rolled back when it goes off. A
    /// rolling deployment bakes for `bake` once all its tasks are healthy; Amazon ECS computes
    /// that time from the alarm.
    pub fn alarm(mut self, name: &str, bake: Duration) -> Self {
        self.alarms = Some(Alarms {
            names: vec![name.to_owned()],
            rollback: true,
            bake,
        });
        self
    }

    /// Its rolling deployments are successful as soon as this share of the desired tasks is healthy.
    /// With `deferred`, the old tasks are stopped afterwards, as soon as that is allowed.
    pub fn early_success(mut self, healthy_percent: usize, deferred: bool) -> Self {
        self.early_success = Some(EarlySuccess {
            healthy_percent,
            deferred,
        });
        self
    }

    /// Amazon ECS Express Mode: the service names no task definition, and is deployed as a canary
    /// that an alarm watches: 5 % of the traffic for three minutes, then all of it, and three
    /// more minutes of bake (Amazon ECS Developer Guide, "Amazon ECS Express Mode").
    pub fn express(mut self) -> Self {
        let minutes = Duration::from_mins(3);
        self.express = true;
        self.strategy = Strategy::Canary {
            step: minutes,
            bake: minutes,
        };
        self.circuit_breaker(true)
            .alarm("express-errors", Duration::ZERO)
    }

    /// Amazon ECS Anywhere: its tasks run on machines of the customer's own, under the launch type
    /// EXTERNAL. Amazon ECS deploys it as any other.
    pub fn anywhere(mut self) -> Self {
        self.launch_type = LaunchType::External;
        self
    }

    /// The next `count` tasks that start write this parameter, `/app/db`, each time a new version.
    pub fn writing(mut self, parameter: &str, count: u32) -> Self {
        self.behaviour.writing = Some((parameter.to_owned(), count));
        self
    }

    /// No new task starts successfully.
    pub fn failing(mut self) -> Self {
        self.behaviour.failing = Failing::Always;
        self
    }

    /// The next `count` new tasks do not start.
    pub fn failing_next(mut self, count: usize) -> Self {
        self.behaviour.failing = Failing::Next(count);
        self
    }

    /// New tasks that read `thing` in this version or a later one do not start: a bad value.
    pub fn failing_when_reading(self, thing: &str, version: u64) -> Self {
        self.failing_while_reading(thing, version..u64::MAX)
    }

    /// New tasks that read `thing` in one of these versions do not start: a bad value that is
    /// repaired later.
    pub fn failing_while_reading(mut self, thing: &str, versions: Range<u64>) -> Self {
        self.behaviour.failing = Failing::WhenReading(thing.to_owned(), versions);
        self
    }

    /// DRAINING: being deleted, its tasks stopping.
    pub fn draining(mut self) -> Self {
        self.status = Status::Draining;
        self
    }

    /// The default behaviour of containers.
    pub(super) fn into_behaviour(self) -> Behaviour {
        self.behaviour
    }

    /// INACTIVE: deleted, although the tag index still lists it.
    pub fn inactive(mut self) -> Self {
        self.status = Status::Inactive;
        self
    }
}
