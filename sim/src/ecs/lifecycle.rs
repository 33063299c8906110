//! The stages of a deployment, the hooks at which it stops, and its bake.

use std::time::Duration;

use jiff::Timestamp;

use super::deployment;
use super::history::{EndedBy, HistoryStatus};
use super::model::{Deployment, EcsService, Rollout, Strategy};
use super::scheduler;
use crate::clockwork::Clockwork;
use crate::job::Job;

/// A stage of a deployment; those that only Lambda hooks know are passed at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// No task of the new revision exists yet.
    PreScaleUp,
    /// Tasks of the new revision are started.
    ScaleUp,
    /// All tasks of the new revision are healthy; a rolling deployment has stopped the old ones.
    PostScaleUp,
    /// Traffic goes over to the new revision.
    ProductionTrafficShift,
    /// All traffic goes to the new revision.
    PostProductionTrafficShift,
    /// Amazon ECS watches the alarms; other strategies than rolling keep the old tasks meanwhile.
    BakeTime,
    /// The old tasks are stopped.
    CleanUp,
}

impl Stage {
    pub(crate) const WITH_HOOKS: [Self; 3] = [
        Self::PreScaleUp,
        Self::PostScaleUp,
        Self::PostProductionTrafficShift,
    ];

    /// `PRE_SCALE_UP` and so on.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PreScaleUp => "PRE_SCALE_UP",
            Self::ScaleUp => "SCALE_UP",
            Self::PostScaleUp => "POST_SCALE_UP",
            Self::ProductionTrafficShift => "PRODUCTION_TRAFFIC_SHIFT",
            Self::PostProductionTrafficShift => "POST_PRODUCTION_TRAFFIC_SHIFT",
            Self::BakeTime => "BAKE_TIME",
            Self::CleanUp => "CLEAN_UP",
        }
    }
}

/// A lifecycle hook of a service: `deploymentConfiguration.lifecycleHooks`, one of them.
#[derive(Clone, Debug)]
pub struct Hook {
    pub(super) stage: Stage,
    pub(super) target: HookTarget,
    /// After which Amazon ECS does not wait any longer.
    pub(super) timeout: Duration,
    /// At the time-out the deployment goes on; it is rolled back otherwise.
    pub(super) continues: bool,
    pub(super) approver: Option<Approver>,
}

/// A person who looks after a PAUSE hook, and now and then forgets to.
#[derive(Clone, Copy, Debug)]
pub struct Approver {
    /// How probable it is that a deployment is continued.
    pub approves: f64,
    /// How probable it is that a deployment is rolled back.
    pub rejects: f64,
    /// How long that takes at most.
    pub within: Duration,
}

#[derive(Clone, Debug)]
pub(super) enum HookTarget {
    /// A person continues the deployment, or has it rolled back.
    Pause,
    /// A function answers after a while.
    Lambda { takes: Duration, succeeds: bool },
}

impl HookTarget {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Pause => "PAUSE",
            Self::Lambda { .. } => "AWS_LAMBDA",
        }
    }

    /// A PAUSE hook has none.
    pub(super) fn arn(&self) -> Option<&'static str> {
        match self {
            Self::Pause => None,
            Self::Lambda { .. } => Some("arn:aws:lambda:eu-west-1:123456789012:function:hook"),
        }
    }
}

impl Hook {
    /// A PAUSE hook: Amazon ECS waits for a person, for 24 hours unless told otherwise, and rolls
    /// back then (Amazon ECS Developer Guide, "Pause hooks for Amazon ECS service
    /// deployments").
    #[must_use]
    pub fn pause(stage: Stage) -> Self {
        Self {
            stage,
            target: HookTarget::Pause,
            timeout: Duration::from_hours(24),
            continues: false,
            approver: None,
        }
    }

    /// A Lambda hook, whose function answers SUCCEEDED or FAILED after a while.
    #[must_use]
    pub fn lambda(stage: Stage, takes: Duration, succeeds: bool) -> Self {
        Self {
            target: HookTarget::Lambda { takes, succeeds },
            ..Self::pause(stage)
        }
    }

    /// A person acts on a PAUSE hook, by chance.
    #[must_use]
    pub fn attended_by(mut self, approver: Approver) -> Self {
        self.approver = Some(approver);
        self
    }

    /// Another time-out.
    #[must_use]
    pub fn expiring_after(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The deployment goes on at the time-out.
    #[must_use]
    pub fn continuing(mut self) -> Self {
        self.continues = true;
        self
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HookStatus {
    AwaitingAction,
    InProgress,
    Succeeded,
    Failed,
    TimedOut,
}

impl HookStatus {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::AwaitingAction => "AWAITING_ACTION",
            Self::InProgress => "IN_PROGRESS",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::TimedOut => "TIMED_OUT",
        }
    }

    fn is_open(self) -> bool {
        match self {
            Self::AwaitingAction | Self::InProgress => true,
            Self::Succeeded | Self::Failed | Self::TimedOut => false,
        }
    }
}

/// One run of a hook: `lifecycleHookDetails`, one of them.
#[derive(Clone, Debug)]
pub(crate) struct HookRun {
    pub(super) id: String,
    pub(super) hook: Hook,
    pub(super) status: HookStatus,
    pub(super) began_at: Timestamp,
    pub(super) expires_at: Timestamp,
    pub(super) ended_at: Option<Timestamp>,
}

impl HookRun {
    fn end(&mut self, status: HookStatus, now: Timestamp) {
        self.status = status;
        self.ended_at = Some(now);
    }

    /// A deployment that is stopped or rolled back waits for nobody.
    pub(super) fn void(&mut self, now: Timestamp) {
        if self.status.is_open() {
            self.end(HookStatus::Failed, now);
        }
    }
}

/// Watches the alarms of a service while it is deployed: `deploymentConfiguration.alarms`.
#[derive(Clone, Debug)]
pub(crate) struct Alarms {
    pub(super) names: Vec<String>,
    pub(super) rollback: bool,
    /// How long a rolling deployment bakes; Amazon ECS computes it from the alarms.
    pub(super) bake: Duration,
}

/// Answers true where the deployment under way may leave a stage: each of its hooks has been run
/// and has succeeded. The first look starts them. A rollback stops at no hook.
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
    let (status, prefix, next) = match &hook.target {
        HookTarget::Pause => (HookStatus::AwaitingAction, "ecs-pause", hook.timeout),
        HookTarget::Lambda { takes, .. } => (
            HookStatus::InProgress,
            "ecs-lambda",
            hook.timeout.min(*takes),
        ),
    };
    let id = format!("{prefix}-{}", clock.token(43));
    clock.after(next, Job::HookEnds(service.to_owned(), id.clone()));
    if let Some(approver) = hook.approver {
        let chance = clock.random.f64();
        let delay = clock.within(approver.within);
        let goes_on = chance < approver.approves;
        if goes_on || chance < approver.approves + approver.rejects {
            clock.after(
                delay,
                Job::PersonActs(service.to_owned(), id.clone(), goes_on),
            );
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

/// Ends the run of a hook: its function has answered, or its time is up.
pub(super) fn hook_ends(service: &mut EcsService, clock: &mut Clockwork, id: &str) {
    let now = clock.now;
    let Some(run) = open_run(service, id) else {
        return;
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
    scheduler::reconcile(service, clock);
}

/// Lets the deployment go on, or rolls it back, as a person wants. Answers false where the hook
/// does not await that.
pub(super) fn act(
    service: &mut EcsService,
    clock: &mut Clockwork,
    id: &str,
    goes_on: bool,
) -> bool {
    let now = clock.now;
    let Some(run) = open_run(service, id).filter(|run| run.status == HookStatus::AwaitingAction)
    else {
        return false;
    };
    if goes_on {
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

/// Answers true where the deployment under way stands at a hook.
pub(super) fn stands_at_hook(service: &mut EcsService) -> bool {
    let current = service
        .current_history()
        .filter(|current| current.status == HistoryStatus::InProgress);
    current.is_some_and(|current| current.hooks.iter().any(|run| run.status.is_open()))
}

/// Answers true while a deployment keeps the old tasks beside all the new ones: until its traffic
/// has gone over and it has baked. Rolling deployments do not, nor do rollbacks.
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

/// Answers true where a rolling deployment whose tasks all run and are healthy is over: its hooks
/// have succeeded, and it has baked where alarms watch it.
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

/// Notes that the primary deployment has come to a point, and looks again when it may leave it.
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
