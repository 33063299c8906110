//! The life of a task: launched, reading its references, running, healthy, stopping, stopped.

use std::collections::BTreeMap;
use std::time::Duration;

use super::deployment;
use super::history::TaskFailure;
use super::model::{Deployment, EcsService, Failing, Task};
use crate::clockwork::Clockwork;
use crate::job::{Job, Read, TaskId};

/// ECS slows down when tasks keep failing: "Amazon ECS service throttle logic".
const FAILURES_BEFORE_WAITING: u32 = 3;
const FIRST_WAIT: Duration = Duration::from_mins(1);
const LONGEST_WAIT: Duration = Duration::from_mins(27);
/// `stopCode`, beside `TaskFailedToStart`.
pub(super) const CONTAINER_EXITED: &str = "EssentialContainerExited";
pub(super) const BY_SCHEDULER: &str = "ServiceSchedulerInitiated";
pub(super) const BY_USER: &str = "UserInitiated";
const START_IMPAIRED: &str = "is unable to consistently start tasks successfully. For more \
                              information, see the Troubleshooting section of the Amazon ECS \
                              Developer Guide.";

/// Creates a task of `deployment`. Each of its references is read at an instant of its own between
/// its creation and its start.
pub(super) fn launch(
    service: &mut EcsService,
    clock: &mut Clockwork,
    deployment: &Deployment,
) -> String {
    let id = clock.hex(32);
    let task = TaskId {
        service: service.id.clone(),
        task: id.clone(),
    };
    let behaviour = &mut service.behaviour;
    for read in behaviour.reads.iter().chain(&deployment.references) {
        let delay = clock.within(behaviour.starting);
        clock.after(delay, Job::TaskReads(task.clone(), read.clone()));
    }
    clock.after(behaviour.starting, Job::TaskStarts(task));

    let doomed = match &mut behaviour.failing {
        Failing::Next(0) | Failing::Never | Failing::WhenReading(..) => false,
        Failing::Next(left) => {
            *left -= 1;
            true
        }
        Failing::Always => true,
    };
    service
        .tasks
        .push(new_task(id.clone(), deployment, clock, doomed));
    id
}

fn new_task(id: String, deployment: &Deployment, clock: &Clockwork, doomed: bool) -> Task {
    Task {
        id,
        revision: deployment.revision.clone(),
        definition: deployment.task_definition.clone(),
        created_at: clock.now,
        started_at: None,
        healthy: false,
        stopping_at: None,
        stopped_at: None,
        stopped_reason: String::new(),
        stop_code: "",
        protected_until: None,
        doomed,
        read: BTreeMap::new(),
        missing: Vec::new(),
    }
}

/// A task that was running before the scenario begins.
pub(super) fn already_running(
    service: &mut EcsService,
    clock: &mut Clockwork,
    deployment: &Deployment,
    read: BTreeMap<String, u64>,
) {
    let mut task = new_task(clock.hex(32), deployment, clock, false);
    task.created_at = deployment.created_at;
    task.started_at = Some(deployment.created_at + service.behaviour.starting);
    task.healthy = true;
    task.read = read;
    service.tasks.push(task);
}

pub(super) fn reads(service: &mut EcsService, task: &str, read: &Read, found: Vec<(String, u64)>) {
    let Some(task) = service.task_mut(task).filter(|task| task.is_pending()) else {
        return;
    };
    if found.is_empty() && read.required {
        task.missing.push(read.pattern.clone());
    }
    task.read.extend(found);
}

/// The start of a task.
pub(super) enum Start {
    /// Its containers run; some write a parameter.
    Runs { writes: Option<String> },
    /// It has failed.
    Fails,
}

/// Starts the containers of a task that is pending.
pub(super) fn starts(service: &mut EcsService, clock: &mut Clockwork, task: &str) -> Option<Start> {
    let failing = service.behaviour.failing.clone();
    let owner = TaskId {
        service: service.id.clone(),
        task: task.to_owned(),
    };
    let settling = service.behaviour.settling;
    let task = service.task_mut(task).filter(|task| task.is_pending())?;
    if let Some((reason, code)) = failure_of(task, &failing) {
        fail(service, clock, &owner.task, reason, code);
        return Some(Start::Fails);
    }
    task.started_at = Some(clock.now);
    clock.after(settling, Job::TaskHealthy(owner));
    service.observe_floor();
    let writing = service.behaviour.writing.as_mut();
    let writes = writing
        .filter(|(_, left)| *left > 0)
        .map(|(parameter, left)| {
            *left -= 1;
            parameter.clone()
        });
    Some(Start::Runs { writes })
}

/// The reason and the code with which a task fails to start.
fn failure_of(task: &Task, failing: &Failing) -> Option<(String, &'static str)> {
    if let Some(missing) = task.missing.first() {
        let reason = format!(
            "ResourceInitializationError: unable to pull secrets or registry auth: execution \
             resource retrieval failed: unable to retrieve secret from asm/ssm: invalid \
             parameters: {missing}"
        );
        return Some((reason, "TaskFailedToStart"));
    }
    let rejected = match failing {
        Failing::WhenReading(thing, versions) => task
            .read
            .get(thing)
            .is_some_and(|read| versions.contains(read)),
        Failing::Never | Failing::Next(_) | Failing::Always => false,
    };
    (task.doomed || rejected).then(|| {
        let reason = "Essential container in task exited".to_owned();
        (reason, CONTAINER_EXITED)
    })
}

fn fail(
    service: &mut EcsService,
    clock: &mut Clockwork,
    task: &str,
    reason: String,
    code: &'static str,
) {
    let Some(position) = service.tasks.iter().position(|known| known.id == task) else {
        return;
    };
    let mut task = service.tasks.remove(position);
    task.stopping_at = Some(clock.now);
    task.stopped_at = Some(clock.now);
    (task.stopped_reason, task.stop_code) = (reason, code);
    let revision = task.revision.clone();
    let failure = TaskFailure {
        at: clock.now,
        missing: task.missing.clone(),
        read: task.read.clone(),
    };
    service.note_failure(&revision, failure);
    service.remember_stopped(task);
    service.excuse_missing();

    service.failures_in_a_row += 1;
    if let Some(beyond) = service
        .failures_in_a_row
        .checked_sub(FAILURES_BEFORE_WAITING)
    {
        let wait = FIRST_WAIT
            .saturating_mul(1 << beyond.min(5))
            .min(LONGEST_WAIT);
        service.wait_until = Some(clock.now + wait);
        clock.after(wait, Job::Reconcile(service.id.clone()));
        if beyond == 0 {
            service.add_event(clock, START_IMPAIRED);
        }
    }
    deployment::task_failed(service, clock, &revision);
}

/// Makes a running task count for its deployment; returns true if it counts now.
pub(super) fn becomes_healthy(service: &mut EcsService, task: &str) -> bool {
    let Some(task) = service.task_mut(task).filter(|task| task.is_running()) else {
        return false;
    };
    task.healthy = true;
    service.failures_in_a_row = 0;
    service.wait_until = None;
    true
}

/// Orders a task to stop, for a reason with this code. It no longer counts as running.
pub(super) fn stop(
    service: &mut EcsService,
    clock: &mut Clockwork,
    task: &str,
    reason: &str,
    code: &'static str,
) {
    let owner = TaskId {
        service: service.id.clone(),
        task: task.to_owned(),
    };
    let stopping = service.behaviour.stopping;
    let Some(task) = service.task_mut(task).filter(|task| !task.is_stopping()) else {
        return;
    };
    task.stopping_at = Some(clock.now);
    reason.clone_into(&mut task.stopped_reason);
    task.stop_code = code;
    clock.after(stopping, Job::TaskStops(owner));
    service.observe_floor();
}

/// Removes a stopped task from the live ones; returns true if it was one of them.
pub(super) fn has_stopped(service: &mut EcsService, clock: &Clockwork, task: &str) -> bool {
    let Some(position) = service.tasks.iter().position(|known| known.id == task) else {
        return false;
    };
    let mut task = service.tasks.remove(position);
    task.stopped_at = Some(clock.now);
    service.remember_stopped(task);
    true
}
