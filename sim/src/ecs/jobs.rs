//! The jobs that are due in ECS.

use super::model::EcsService;
use super::state::Ecs;
use super::tasks::Start;
use super::{deployment, lifecycle, scheduler, tasks};
use crate::clockwork::Clockwork;
use crate::job::{Read, TaskId};

impl Ecs {
    /// The scheduler works on a service.
    pub(crate) fn reconcile(&mut self, clock: &mut Clockwork, service: &str) {
        self.with_service(service, |service| scheduler::reconcile(service, clock));
    }

    /// A hook of a service has answered, or its time is up.
    pub(crate) fn hook_ends(&mut self, clock: &mut Clockwork, service: &str, hook: &str) {
        self.with_service(service, |service| {
            if lifecycle::hook_ends(service, clock, hook) {
                scheduler::reconcile(service, clock);
            }
        });
    }

    /// A person acts on a hook of a service, if the hook still waits.
    pub(crate) fn person_acts(
        &mut self,
        clock: &mut Clockwork,
        service: &str,
        hook: &str,
        continues: bool,
    ) {
        self.with_service(service, |service| {
            lifecycle::act(service, clock, hook, continues);
            scheduler::reconcile(service, clock);
        });
    }

    /// An alarm of a service goes off.
    pub(crate) fn alarm_triggers(&mut self, clock: &mut Clockwork, service: &str) {
        self.with_service(service, |service| {
            deployment::alarm_triggers(service, clock);
            scheduler::reconcile(service, clock);
        });
    }

    pub(crate) fn task_reads(&mut self, task: &TaskId, read: &Read, found: Vec<(String, u64)>) {
        self.with_service(&task.service, |service| {
            tasks::reads(service, &task.task, read, found);
        });
    }

    /// Starts a task; returns the parameter that it writes now, if any.
    pub(crate) fn task_starts(&mut self, clock: &mut Clockwork, task: &TaskId) -> Option<String> {
        let service = self.services.get_mut(&task.service)?;
        match tasks::starts(service, clock, &task.task)? {
            Start::Runs { writes } => writes,
            Start::Fails => {
                scheduler::reconcile(service, clock);
                None
            }
        }
    }

    pub(crate) fn task_healthy(&mut self, clock: &mut Clockwork, task: &TaskId) {
        self.with_service(&task.service, |service| {
            if tasks::becomes_healthy(service, &task.task) {
                scheduler::reconcile(service, clock);
            }
        });
    }

    pub(crate) fn task_stops(&mut self, clock: &mut Clockwork, task: &TaskId) {
        self.with_service(&task.service, |service| {
            if tasks::has_stopped(service, clock, &task.task) {
                scheduler::reconcile(service, clock);
            }
        });
    }

    fn with_service(&mut self, service: &str, act: impl FnOnce(&mut EcsService)) {
        if let Some(service) = self.services.get_mut(service) {
            act(service);
        }
    }
}
