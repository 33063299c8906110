//! Services that were running before the scenario begins.

use std::collections::{BTreeMap, VecDeque};

use super::builder::Service;
use super::history::HistoryStatus;
use super::model::{Deployment, EcsService, Guard, Rollout, Status};
use super::state::Ecs;
use super::{scheduler, tasks};
use crate::clockwork::Clockwork;
use crate::job::Read;
use crate::shared::Shared;
use crate::tags::Tags;

/// A service that is registered and does not exist yet.
pub(crate) struct NewService {
    service: Service,
    task_definition: String,
    /// The references of its task definition, and of its Service Connect proxy.
    references: Vec<Read>,
}

impl NewService {
    /// Everything that its tasks read.
    pub(crate) fn reads(&self) -> impl Iterator<Item = &Read> {
        self.service.behaviour.reads.iter().chain(&self.references)
    }

    pub(crate) fn tags(&self) -> &Tags {
        &self.service.tags
    }

    /// The path in the service's ARN: `service/cluster/name`.
    pub(crate) fn path(&self) -> String {
        format!("service/{}", self.service.id)
    }
}

impl Ecs {
    /// Registers the first revision of a new service's task definition. Tasks without reads of
    /// their own read the watched terms.
    pub(crate) fn prepare(&mut self, shared: &Shared, mut service: Service) -> NewService {
        if service.behaviour.reads.is_empty() {
            let watched = service.watched.iter().map(|term| Read {
                pattern: term.clone(),
                required: false,
            });
            service.behaviour.reads = watched.collect();
        }
        let (_, family) = service.id.split_once('/').unwrap_or_default();
        let task_definition = self.register(
            &shared.config,
            family,
            service.definition.clone().into_content(),
            shared.clock.now - service.age,
        );
        let proxy = service.proxy.as_ref();
        NewService {
            references: self.references_of(&shared.config, &task_definition, proxy),
            service,
            task_definition,
        }
    }

    /// Adds the service with its cluster. Its tasks have read these versions.
    pub(crate) fn add(
        &mut self,
        shared: &mut Shared,
        new: NewService,
        read: &BTreeMap<String, u64>,
    ) {
        let (desired, status) = (new.service.desired, new.service.status);
        let arn = shared.config.arn("ecs", &new.path());
        let clock = &mut shared.clock;
        let deployment = completed_deployment(&new, clock);
        let mut service = steady_service(new, arn, clock, deployment.clone());
        for _ in 0..desired {
            tasks::already_running(&mut service, clock, &deployment, read.clone());
        }
        service.deployments.push(deployment);
        service.owe_floor();
        service.observe_floor();
        if status != Status::Active {
            scheduler::delete(&mut service, clock);
        }
        if status == Status::Inactive {
            service.tasks.clear();
            service.deployments.clear();
            service.status = Status::Inactive;
        }
        self.clusters.entry(service.cluster.clone()).or_default();
        self.services.insert(service.id.clone(), service);
    }
}

fn completed_deployment(new: &NewService, clock: &mut Clockwork) -> Deployment {
    let created_at = clock.now - new.service.age;
    let mut deployment = Deployment {
        revision: clock.revision_id(),
        task_definition: new.task_definition.clone(),
        created_at,
        updated_at: created_at,
        rollout: Rollout::Completed,
        reason: String::new(),
        failed_tasks: 0,
        scaled_at: None,
        shifted_at: None,
        service_connect: new.service.proxy.clone(),
        references: new.references.clone(),
    };
    deployment.reason = format!("ECS deployment {} completed.", deployment.id());
    deployment
}

/// The service without tasks, with this deployment in its history.
fn steady_service(
    new: NewService,
    arn: String,
    clock: &mut Clockwork,
    deployment: Deployment,
) -> EcsService {
    let created_at = deployment.created_at;
    let (revision, definition) = (
        deployment.revision.clone(),
        deployment.task_definition.clone(),
    );
    let service = new.service;
    let (cluster, name) = service.id.split_once('/').unwrap_or_default();
    let mut steady = EcsService {
        cluster: cluster.to_owned(),
        name: name.to_owned(),
        id: service.id,
        arn,
        status: Status::Active,
        created_at,
        desired: service.desired,
        minimum_percent: service.minimum_percent,
        maximum_percent: service.maximum_percent,
        controller: service.controller,
        daemon: service.daemon,
        circuit_breaker: service.circuit_breaker,
        strategy: service.strategy,
        hooks: service.hooks,
        alarms: service.alarms,
        early_success: service.early_success,
        launch_type: service.launch_type,
        express: service.express,
        task_definition: new.task_definition,
        service_connect: service.proxy,
        deployments: Vec::new(),
        last_completed: Some(deployment),
        history: Vec::new(),
        tasks: Vec::new(),
        stopped: VecDeque::new(),
        events: VecDeque::new(),
        tags: service.tags,
        behaviour: service.behaviour,
        guard: Guard::default(),
        failures_in_a_row: 0,
        wait_until: None,
    };
    steady.note_deployment(clock, &revision, &definition);
    if let Some(first) = steady.current_history() {
        first.turn(HistoryStatus::Successful, "", created_at);
        (first.created_at, first.started_at) = (created_at, Some(created_at));
    }
    steady
}
