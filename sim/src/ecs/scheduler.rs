//! The service scheduler: it compares a service with its configuration, and starts and stops tasks
//! within the limits of the deployment configuration.

use super::hook::Stage;
use super::model::{Deployment, EcsService, Rollout, Status, Strategy, Task};
use super::{deployment, lifecycle, tasks};
use crate::clockwork::Clockwork;

const STUCK: &str = "was unable to stop or start tasks during a deployment because of the service \
                     deployment configuration. Update the minimumHealthyPercent or maximumPercent \
                     value and try again.";

/// The reasons for which ECS stops a task.
const BY_DEPLOYMENT: &str = "Scaling activity initiated by deployment";
const BY_SERVICE: &str = "Scaling activity initiated by service";

/// Brings the service one step nearer to its configuration. Each change of a task leads back here.
pub(super) fn reconcile(service: &mut EcsService, clock: &mut Clockwork) {
    match service.status {
        Status::Active => roll(service, clock),
        Status::Draining => drain(service, clock),
        Status::Inactive => {}
    }
}

fn roll(service: &mut EcsService, clock: &mut Clockwork) {
    deployment::begin(service, clock);
    if !lifecycle::passes(service, clock, Stage::PreScaleUp) {
        return keep_up(service, clock);
    }
    lifecycle::passes(service, clock, Stage::ScaleUp);
    let old = if lifecycle::keeps_old(service, clock) {
        0
    } else {
        stop_old(service, clock)
    };
    let stopped = old + stop_surplus(service, clock);
    let started = start_new(service, clock);
    if stopped + started == 0 && is_stuck(service) {
        add_event_once(service, clock, STUCK);
    }
    forget_drained(service, None);
    if is_steady(service) {
        service.owe_floor();
        if lifecycle::is_baked(service, clock) {
            deployment::complete(service, clock);
            add_event_once(service, clock, "has reached a steady state.");
        }
    } else if succeeds_early(service) && lifecycle::is_baked(service, clock) {
        deployment::complete(service, clock);
    }
    service.observe_floor();
}

/// Keeps the old tasks running while the primary deployment stands at a hook before its first task:
/// lost tasks are replaced by their own revision, and scaling continues.
fn keep_up(service: &mut EcsService, clock: &mut Clockwork) {
    let completed = service
        .last_completed
        .as_ref()
        .map(|deployment| deployment.revision.clone());
    let older = service.deployments.iter().skip(1);
    let before = older
        .clone()
        .find(|deployment| Some(&deployment.revision) == completed.as_ref())
        .or(older.clone().next())
        .cloned();
    let live: Vec<_> = service
        .tasks
        .iter()
        .filter(|task| !task.is_stopping())
        .map(|task| task.id.clone())
        .collect();
    let surplus: Vec<_> = live.iter().skip(service.desired).cloned().collect();
    for task in &surplus {
        tasks::stop(service, clock, task, BY_SERVICE, tasks::BY_SCHEDULER);
    }
    add_stopped_event(service, clock, &surplus);
    let waiting = service.wait_until.is_some_and(|until| clock.now < until);
    if let Some(before) = before.filter(|_| !waiting) {
        let wanted = service.desired.saturating_sub(live.len());
        let started: Vec<_> = (0..wanted)
            .map(|_| tasks::launch(service, clock, &before))
            .collect();
        add_started_event(service, clock, &started);
    }
    forget_drained(service, completed.as_deref());
    service.observe_floor();
}

/// Stops tasks of earlier deployments, in this order: all that are pending, then running ones that
/// are not healthy and healthy ones, down to the floor. Returns the number of running ones.
fn stop_old(service: &mut EcsService, clock: &mut Clockwork) -> usize {
    let primary = service.deployments.first();
    let Some(primary) = primary.filter(|primary| primary.rollout != Rollout::Failed) else {
        return 0;
    };
    let revision = primary.revision.clone();
    let (floor, now) = (service.floor(), clock.now);
    let old = |service: &EcsService, wanted: &dyn Fn(&Task) -> bool| {
        let mut live = service
            .tasks
            .iter()
            .filter(|task| !task.is_stopping() && !task.is_protected(now));
        let task = live.find(|task| task.revision != revision && wanted(task))?;
        Some(task.id.clone())
    };

    let mut stopped = Vec::new();
    while let Some(task) = old(service, &Task::is_pending) {
        tasks::stop(service, clock, &task, BY_DEPLOYMENT, tasks::BY_SCHEDULER);
    }
    while service.running() > floor
        && let Some(task) = old(service, &|task| !task.healthy)
    {
        tasks::stop(service, clock, &task, BY_DEPLOYMENT, tasks::BY_SCHEDULER);
        stopped.push(task);
    }
    while service.healthy() > floor
        && let Some(task) = old(service, &|task| task.healthy)
    {
        tasks::stop(service, clock, &task, BY_DEPLOYMENT, tasks::BY_SCHEDULER);
        stopped.push(task);
    }
    add_stopped_event(service, clock, &stopped);
    stopped.len()
}

/// Stops tasks after a scale-in: the newest of the primary, or the newest of all if the primary has
/// failed and starts none.
fn stop_surplus(service: &mut EcsService, clock: &mut Clockwork) -> usize {
    let Some(primary) = service.deployments.first() else {
        return 0;
    };
    let counts = |task: &&Task| {
        !task.is_stopping()
            && (task.revision == primary.revision || primary.rollout == Rollout::Failed)
    };
    let live: Vec<_> = service.tasks.iter().filter(counts).collect();
    // A protected task is stopped later, when its protection ends.
    let surplus: Vec<_> = live
        .iter()
        .skip(service.desired)
        .filter(|task| !task.is_protected(clock.now))
        .map(|task| task.id.clone())
        .collect();
    for task in &surplus {
        tasks::stop(service, clock, task, BY_SERVICE, tasks::BY_SCHEDULER);
    }
    add_stopped_event(service, clock, &surplus);
    surplus.len()
}

/// Starts tasks of the primary deployment up to the desired count, within the ceiling.
fn start_new(service: &mut EcsService, clock: &mut Clockwork) -> usize {
    let waiting = service.wait_until.is_some_and(|until| clock.now < until);
    let Some(primary) = service.deployments.first() else {
        return 0;
    };
    if waiting || primary.rollout == Rollout::Failed {
        return 0;
    }
    let primary = primary.clone();
    let live = service.tasks.iter().filter(|task| !task.is_stopping());
    let (mine, others): (Vec<_>, Vec<_>) = live.partition(|task| task.revision == primary.revision);
    let wanted = service.desired.saturating_sub(mine.len());
    let ceiling = match service.strategy {
        // Replacing a lost task needs no headroom above the desired count.
        Strategy::Rolling => service.ceiling().max(service.desired),
        Strategy::BlueGreen { .. } | Strategy::Canary { .. } => service.desired + others.len(),
    };
    let room = ceiling.saturating_sub(mine.len() + others.len());
    let count = wanted.min(room);

    let started: Vec<_> = (0..count)
        .map(|_| tasks::launch(service, clock, &primary))
        .collect();
    add_started_event(service, clock, &started);
    started.len()
}

fn is_stuck(service: &EcsService) -> bool {
    let rolls = |primary: &&Deployment| {
        primary.rollout == Rollout::InProgress && service.strategy == Strategy::Rolling
    };
    let Some(primary) = service.deployments.first().filter(rolls) else {
        return false;
    };
    let mut live = service.tasks.iter().filter(|task| !task.is_stopping());
    let all_old = live.all(|task| task.revision != primary.revision);
    all_old
        && service.floor() >= service.desired
        && service.ceiling() <= service.desired
        && service.desired > 0
}

/// Removes active deployments without a task; one that may still have to start some is kept.
fn forget_drained(service: &mut EcsService, kept: Option<&str>) {
    let tasks = &service.tasks;
    let has_tasks = |deployment: &Deployment| {
        tasks
            .iter()
            .any(|task| task.revision == deployment.revision)
    };
    let keep =
        |deployment: &Deployment| has_tasks(deployment) || Some(&*deployment.revision) == kept;
    let mut position = 0;
    service.deployments.retain(|deployment| {
        position += 1;
        position == 1 || keep(deployment)
    });
}

/// Returns true if all tasks are the primary's, wanted, running and healthy.
fn is_steady(service: &EcsService) -> bool {
    service.deployments.len() == 1
        && service.tasks.len() == service.desired
        && service.healthy() == service.desired
}

/// Returns true if enough tasks of a rolling deployment are healthy, and the old ones are gone or
/// may outlive it. A rollback is no such deployment.
fn succeeds_early(service: &EcsService) -> bool {
    let rolls = |primary: &&Deployment| {
        primary.rollout == Rollout::InProgress && service.strategy == Strategy::Rolling
    };
    let primary = service.deployments.first().filter(rolls);
    let (Some(criteria), Some(primary)) = (service.early_success, primary) else {
        return false;
    };
    let newest = service.history.last();
    let is_rollback = newest.is_some_and(|newest| newest.rollback.is_some());
    let wanted = (service.desired * criteria.healthy_percent).div_ceil(100);
    let mut tasks = service.tasks.iter();
    let has_old = tasks.any(|task| task.revision != primary.revision);
    !is_rollback && service.healthy_of_primary() >= wanted && (criteria.deferred || !has_old)
}

/// Drains the service; it is inactive once its last task has stopped.
pub(super) fn delete(service: &mut EcsService, clock: &mut Clockwork) {
    service.status = Status::Draining;
    service.desired = 0;
    service.guard.floor = 0;
    reconcile(service, clock);
}

fn drain(service: &mut EcsService, clock: &mut Clockwork) {
    let live: Vec<_> = service
        .tasks
        .iter()
        .filter(|task| !task.is_stopping())
        .map(|task| task.id.clone())
        .collect();
    for task in &live {
        tasks::stop(service, clock, task, BY_SERVICE, tasks::BY_SCHEDULER);
    }
    add_stopped_event(service, clock, &live);
    if service.tasks.is_empty() {
        service.status = Status::Inactive;
        service.deployments.clear();
    }
}

fn add_stopped_event(service: &mut EcsService, clock: &mut Clockwork, stopped: &[String]) {
    if !stopped.is_empty() {
        let text = format!(
            "has stopped {} running tasks: {}.",
            stopped.len(),
            listed(stopped)
        );
        service.add_event(clock, &text);
    }
}

fn add_started_event(service: &mut EcsService, clock: &mut Clockwork, started: &[String]) {
    if !started.is_empty() {
        let text = format!("has started {} tasks: {}.", started.len(), listed(started));
        service.add_event(clock, &text);
    }
}

fn add_event_once(service: &mut EcsService, clock: &mut Clockwork, text: &str) {
    if !service
        .events
        .front()
        .is_some_and(|event| event.message.ends_with(text))
    {
        service.add_event(clock, text);
    }
}

fn listed(tasks: &[String]) -> String {
    tasks
        .iter()
        .map(|task| format!("(task {task})"))
        .collect::<Vec<_>>()
        .join(" ")
}
