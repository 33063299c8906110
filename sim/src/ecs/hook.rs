//! The stages of a deployment, and the hooks and alarms that hold it there.

use std::time::Duration;

use jiff::Timestamp;

/// A stage of a deployment; stages that only Lambda hooks have are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// No task of the new revision exists yet.
    PreScaleUp,
    /// Tasks of the new revision are started.
    ScaleUp,
    /// All tasks of the new revision are healthy; a rolling deployment has stopped the old ones.
    PostScaleUp,
    /// Traffic moves to the new revision.
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
    /// Amazon ECS waits no longer than this.
    pub(super) timeout: Duration,
    /// At the time-out the deployment continues; otherwise it is rolled back.
    pub(super) continues: bool,
    pub(super) approver: Option<Approver>,
}

/// A person who acts on PAUSE hooks, and sometimes forgets one.
#[derive(Clone, Copy, Debug)]
pub struct Approver {
    /// The probability that a deployment is continued.
    pub approves: f64,
    /// The probability that a deployment is rolled back.
    pub rejects: f64,
    /// The longest time until the person acts.
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

    /// The beginning of a hook's id.
    pub(super) fn id_prefix(&self) -> &'static str {
        match self {
            Self::Pause => "ecs-pause",
            Self::Lambda { .. } => "ecs-lambda",
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
    /// A PAUSE hook: Amazon ECS waits for a person, by default for 24 hours, and rolls back then
    /// (Amazon ECS Developer Guide, "Pause hooks for Amazon ECS service deployments").
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

    /// The deployment continues at the time-out.
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

    pub(super) fn is_open(self) -> bool {
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
    pub(super) fn end(&mut self, status: HookStatus, now: Timestamp) {
        self.status = status;
        self.ended_at = Some(now);
    }

    /// Ends an open run: a deployment that is stopped or rolled back waits no longer.
    pub(super) fn void(&mut self, now: Timestamp) {
        if self.status.is_open() {
            self.end(HookStatus::Failed, now);
        }
    }
}

/// The alarms that are watched while a service is deployed: `deploymentConfiguration.alarms`.
#[derive(Clone, Debug)]
pub(crate) struct Alarms {
    pub(super) names: Vec<String>,
    pub(super) rollback: bool,
    /// The bake time of a rolling deployment; Amazon ECS computes it from the alarms.
    pub(super) bake: Duration,
}
