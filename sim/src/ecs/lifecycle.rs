//! The stages of a deployment: its hooks, and its bake.

use std::time::Duration;

use jiff::Timestamp;

use super::deployment;
use super::history::{EndedBy, HistoryStatus};
use super::hook::{Hook, HookRun, HookStatus, HookTarget, Stage};
use super::model::{Deployment, EcsService, Rollout, Strategy};
use crate::clockwork::Clockwork;
use crate::job::Job;

/// Returns true if the running deployment may leave a stage: each of its hooks has been run and has
/// succeeded. The first call starts them. A rollback stops at no hook.
pub(super) fn passes(service: &mut EcsService, clock: &mut Clockwork, stage: Stage) -> bool {
    let hooks: Vec<_> = service
        .hooks
        .iter()
        .filter(|hook| hook.stage == stage)
        .cloned()
        .collect();
    let id = service.id.clone();
    let Some(current) = service
        .current_history()
        .filter(|current| current.status == HistoryStatus::InProgress)
    else {
        return true;
    };
    if current.stage > Some(stage) {
        return true;
    }
    if current.stage != Some(stage) {
        current.stage = Some(stage);
        current.baking_since = current
            .baking_since
            .or((stage == Stage::BakeTime).then_some(clock.now));
        current
            .hooks
            .extend(hooks.into_iter().map(|hook| run(clock, &id, hook)));
    }
    let mut runs = current.hooks.iter().filter(|run| run.hook.stage == stage);
    runs.all(|run| {
        run.status == HookStatus::Succeeded
            || (run.status == HookStatus::TimedOut && run.hook.continues)
    })
}

fn run(clock: &mut Clockwork, service: &str, hook: Hook) -> HookRun {
    let expires_at = clock.now + hook.timeout;
    let (status, next) = match &hook.target {
        HookTarget::Pause => (HookStatus::AwaitingAction, hook.timeout),
        HookTarget::Lambda { takes, .. } => (HookStatus::InProgress, hook.timeout.min(*takes)),
    };
    let id = format!("{}-{}", hook.target.id_prefix(), clock.token(43));
    let ends = Job::HookEnds {
        service: service.to_owned(),
        hook: id.clone(),
    };
    clock.after(next, ends);
    if let Some(approver) = hook.approver {
        let chance = clock.random.f64();
        let delay = clock.within(approver.within);
        let continues = chance < approver.approves;
        if continues || chance < approver.approves + approver.rejects {
            let acts = Job::PersonActs {
                service: service.to_owned(),
                hook: id.clone(),
                continues,
            };
            clock.after(delay, acts);
        }
    }
    HookRun {
        id,
        hook,
        status,
        began_at: clock.now,
        expires_at,
        ended_at: None,
    }
}

/// Ends the run of a hook: its function has answered, or its time is up. Returns true if the hook
/// was open.
pub(super) fn hook_ends(service: &mut EcsService, clock: &mut Clockwork, id: &str) -> bool {
    let now = clock.now;
    let Some(run) = open_run(service, id) else {
        return false;
    };
    let timed_out = now >= run.expires_at;
    let (status, by) = match run.hook.target {
        HookTarget::Lambda { succeeds: true, .. } if !timed_out => (HookStatus::Succeeded, None),
        HookTarget::Lambda { .. } if !timed_out => (HookStatus::Failed, Some(EndedBy::Hook)),
        HookTarget::Pause | HookTarget::Lambda { .. } => (
            HookStatus::TimedOut,
            (!run.hook.continues).then_some(EndedBy::HookTimeout),
        ),
    };
    run.end(status, now);
    if let Some(by) = by {
        deployment::fail(service, clock, by, true);
    }
    true
}

/// Continues the deployment, or rolls it back, as a person decides. Returns false if the hook does
/// not wait for a person.
pub(super) fn act(
    service: &mut EcsService,
    clock: &mut Clockwork,
    id: &str,
    continues: bool,
) -> bool {
    let now = clock.now;
    let Some(run) = open_run(service, id).filter(|run| run.status == HookStatus::AwaitingAction)
    else {
        return false;
    };
    if continues {
        run.end(HookStatus::Succeeded, now);
    } else {
        run.end(HookStatus::Failed, now);
        deployment::request_rollback(service, clock, EndedBy::Rejection);
    }
    true
}

fn open_run<'a>(service: &'a mut EcsService, id: &str) -> Option<&'a mut HookRun> {
    let current = service
        .current_history()
        .filter(|current| current.status == HistoryStatus::InProgress)?;
    current
        .hooks
        .iter_mut()
        .find(|run| run.id == id && run.status.is_open())
}

/// Returns true if the running deployment stands at a hook.
pub(super) fn stands_at_hook(service: &mut EcsService) -> bool {
    let current = service
        .current_history()
        .filter(|current| current.status == HistoryStatus::InProgress);
    current.is_some_and(|current| current.hooks.iter().any(|run| run.status.is_open()))
}

/// Returns true while a deployment keeps the old tasks beside all the new ones: until its traffic
/// has gone over and it has baked. Rolling deployments and rollbacks never do.
pub(super) fn keeps_old(service: &mut EcsService, clock: &mut Clockwork) -> bool {
    let (step, bake) = match service.strategy {
        Strategy::Rolling => return false,
        Strategy::BlueGreen { bake } => (Duration::ZERO, bake),
        Strategy::Canary { step, bake } => (step, bake),
    };
    let rolls_back = service
        .current_history()
        .is_some_and(|current| current.rollback.is_some());
    let Some(primary) = service
        .deployments
        .first()
        .filter(|primary| primary.rollout == Rollout::InProgress && !rolls_back)
    else {
        return false;
    };
    let (scaled_at, shifted_at) = (primary.scaled_at, primary.shifted_at);
    let Some(scaled_at) = scaled_at else {
        if service.healthy_of_primary() >= service.desired
            && passes(service, clock, Stage::PostScaleUp)
        {
            passes(service, clock, Stage::ProductionTrafficShift);
            mark(service, clock, step, |primary| &mut primary.scaled_at);
        }
        return true;
    };
    if clock.now < scaled_at + step {
        return true;
    }
    let Some(shifted_at) = shifted_at else {
        if passes(service, clock, Stage::PostProductionTrafficShift) {
            passes(service, clock, Stage::BakeTime);
            mark(service, clock, bake, |primary| &mut primary.shifted_at);
        }
        return true;
    };
    clock.now < shifted_at + bake || !passes(service, clock, Stage::CleanUp)
}

/// Returns true if a rolling deployment whose tasks all run and are healthy is over: its hooks have
/// succeeded, and with alarms it has baked.
pub(super) fn is_baked(service: &mut EcsService, clock: &mut Clockwork) -> bool {
    let under_way = service
        .current_history()
        .is_some_and(|current| current.status == HistoryStatus::InProgress);
    if !under_way {
        return true;
    }
    if service.strategy != Strategy::Rolling {
        return !stands_at_hook(service);
    }
    let hooks_passed = passes(service, clock, Stage::PostScaleUp)
        && passes(service, clock, Stage::PostProductionTrafficShift);
    let Some(bake) = service
        .alarms
        .as_ref()
        .map(|alarms| alarms.bake)
        .filter(|_| hooks_passed)
    else {
        return hooks_passed;
    };
    passes(service, clock, Stage::BakeTime);
    let Some(shifted_at) = service
        .deployments
        .first()
        .and_then(|primary| primary.shifted_at)
    else {
        mark(service, clock, bake, |primary| &mut primary.shifted_at);
        return bake.is_zero();
    };
    clock.now >= shifted_at + bake
}

/// Records that the primary deployment has reached a point, and lets the scheduler work on it when
/// it may leave that point.
fn mark(
    service: &mut EcsService,
    clock: &mut Clockwork,
    wait: Duration,
    point: impl Fn(&mut Deployment) -> &mut Option<Timestamp>,
) {
    let id = service.id.clone();
    if let Some(primary) = service.deployments.first_mut() {
        *point(primary) = Some(clock.now);
        clock.after(wait, Job::Reconcile(id));
    }
}
