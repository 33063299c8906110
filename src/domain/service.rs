//! One look at an ECS service.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use super::arn::{AccountRegion, ServiceId};
use super::change::Change;
use super::history::{
    Approval, Ended, EndedBy, Evidence, History, OldestTask, PastDeployment,
    ServiceDeploymentStatus,
};
use super::key::Key;
use super::reference::References;
use super::rollout::Rollout;
use super::tags::Tags;
use super::watch::{Match, Term};

/// What the plan needs to know of a service, as it was at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// Which one.
    pub id: ServiceId,
    /// Its account and Region.
    pub home: AccountRegion,
    /// Whether it takes deployments.
    pub status: ServiceStatus,
    /// Who deploys it.
    pub controller: Controller,
    /// How Amazon ECS moves from one revision to the next.
    pub deployment_strategy: DeploymentStrategy,
    /// Whether its deployments run lifecycle hooks, which rolling ones may have as well.
    pub has_lifecycle_hooks: bool,
    /// Whether Amazon ECS watches alarms when all tasks of a deployment run, or lets it bake for a
    /// time of its own.
    pub bakes: bool,
    /// When it was created; its first deployment is no restart.
    pub created_at: Option<Timestamp>,
    /// How many tasks it should run; for DAEMON services, how many instances match.
    pub desired: i32,
    /// The deployments that `DescribeServices` shows.
    pub deployments: Vec<Deployment>,
    /// What the primary deployment, or the primary task set, runs.
    pub task_definition: Option<String>,
    /// What that refers to, where it was asked for.
    pub references: Option<Arc<References>>,
    /// What the service itself refers to, beside its task definition.
    pub own_references: References,
    /// The owner's word.
    pub tags: Tags,
    /// The newest first, at most five.
    pub events: Vec<ServiceEvent>,
    /// The deployments since the oldest change in question, where they were asked for.
    pub history: History,
    /// When its oldest task was created, where that was asked for.
    pub oldest_task: OldestTask,
    /// The deployment that this function started last, while it is followed.
    pub followed: Option<Rollout>,
}

/// `status` of `DescribeServices`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceStatus {
    /// Takes deployments.
    Active,
    /// Is being deleted.
    Draining,
    /// Is deleted.
    Inactive,
    /// Amazon ECS does not know it: its name or its cluster is wrong, or it was deleted long ago.
    Missing,
}

/// `deploymentController.type` of `DescribeServices`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Controller {
    /// Amazon ECS itself.
    Ecs,
    /// AWS CodeDeploy, blue/green.
    CodeDeploy,
    /// A third party, by task sets; or a controller that came after this version.
    External,
}

impl fmt::Display for Controller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ecs => "ECS",
            Self::CodeDeploy => "CODE_DEPLOY",
            Self::External => "EXTERNAL",
        })
    }
}

/// `deploymentConfiguration.strategy` of `DescribeServices`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeploymentStrategy {
    /// Task by task; without hooks and alarms, a newer deployment supersedes it at no loss.
    Rolling,
    /// Blue/green, linear or canary, or one that came after this version: superseding it throws
    /// away hours of bake time.
    Shifting,
}

/// One entry of `deployments` of `DescribeServices`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// `ecs-svc/…`.
    pub id: String,
    /// The one that new tasks belong to.
    pub primary: bool,
    /// When it was started.
    pub created_at: Timestamp,
    /// What it runs.
    pub task_definition: String,
    /// How far it is.
    pub state: RolloutState,
    /// Its running tasks.
    pub running: i32,
    /// Whether all its tasks run.
    pub is_whole: bool,
}

/// `rolloutState` of a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RolloutState {
    /// Tasks are being replaced.
    InProgress,
    /// Steady state was reached.
    Completed,
    /// It is rolled back, or was stopped by the circuit breaker or an alarm.
    Failed,
    /// Amazon ECS tells none: services behind a Classic Load Balancer, and other controllers.
    Unknown,
}

/// A line of `events` of `DescribeServices`, in Amazon ECS's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceEvent {
    /// When.
    pub at: Timestamp,
    /// `(service api) has reached a steady state.` …
    pub message: String,
}

impl Service {
    /// A service that Amazon ECS does not know: the tag index remembers it, or a request names it.
    #[must_use]
    pub fn gone(id: ServiceId, home: AccountRegion, tags: Tags) -> Self {
        Self {
            id,
            home,
            status: ServiceStatus::Missing,
            controller: Controller::Ecs,
            deployment_strategy: DeploymentStrategy::Rolling,
            has_lifecycle_hooks: false,
            bakes: false,
            created_at: None,
            desired: 0,
            deployments: Vec::new(),
            task_definition: None,
            references: None,
            own_references: References::default(),
            tags,
            events: Vec::new(),
            history: History::NotAsked,
            oldest_task: OldestTask::NotAsked,
            followed: None,
        }
    }

    /// Whether it watches what it refers to.
    #[must_use]
    pub fn says_auto(&self) -> bool {
        self.tags.watch.as_ref().is_some_and(|watch| watch.auto)
    }

    /// The references that it watches because it says `auto`, as far as they are known: its own,
    /// and those of its task definition.
    pub fn followed(&self) -> impl Iterator<Item = &Term> {
        let own = self.own_references.followed.iter();
        own.chain(
            self.references
                .iter()
                .flat_map(|references| &references.followed),
        )
        .filter(|_| self.says_auto())
    }

    /// How it stands to a key.
    #[must_use]
    pub fn match_of(&self, key: &Key) -> Match {
        let watch = self.tags.watch.as_ref();
        watch.map_or(Match::None, |watch| {
            watch.match_of(
                key,
                &self.home,
                &self.own_references,
                self.references.as_deref(),
            )
        })
    }

    /// Whether its task definition may decide how it stands to a key, and is not known.
    #[must_use]
    pub fn may_need_its_task_definition(&self) -> bool {
        self.references.is_none() && self.tags.watch.as_ref().is_some_and(|watch| watch.auto)
    }

    /// Whether it refers to any version of the thing.
    #[must_use]
    pub fn refers_to(&self, key: &Key) -> bool {
        let watch = self.tags.watch.as_ref();
        watch.is_some_and(|watch| {
            watch.refers_to(
                key,
                &self.home,
                &self.own_references,
                self.references.as_deref(),
            )
        })
    }

    /// The one of two keys that may be meant which concerns it.
    #[must_use]
    pub fn meant(&self, key: &Key) -> Key {
        let concerns = |key: &Key| self.match_of(key) != Match::None;
        key.alternative()
            .filter(|other| concerns(other) && !concerns(&key.clone().without_alternative()))
            .unwrap_or_else(|| key.clone())
    }

    /// Whether its next task will not start: its task definition, or the service itself, refers to
    /// what is gone, and no deployment since has shown that it needs that no longer. Nothing
    /// where either is not known.
    #[must_use]
    pub fn misses(&self, change: &Change) -> bool {
        let definition = self.references.as_deref();
        let names = |key: &Key| {
            definition
                .into_iter()
                .chain([&self.own_references])
                .any(|references| references.name(key, &self.home))
        };
        let refers = names(&change.key) || change.key.alternative().as_ref().is_some_and(names);
        self.status == ServiceStatus::Active
            && change.is_surely_gone()
            && refers
            && !self.has_completed_since(change.at)
    }

    /// Whether a deployment created after `t` ended well: its tasks started.
    fn has_completed_since(&self, t: Timestamp) -> bool {
        let ended_well = |primary: &Deployment| {
            primary.created_at > t && primary.state != RolloutState::Failed && !self.is_rolling()
        };
        let in_history = || {
            self.past().iter().any(|past| {
                past.status == ServiceDeploymentStatus::Succeeded && past.created_at > t
            })
        };
        self.primary().is_some_and(ended_well) || in_history()
    }

    /// The deployment that new tasks belong to.
    #[must_use]
    pub fn primary(&self) -> Option<&Deployment> {
        self.deployments
            .iter()
            .find(|deployment| deployment.primary)
    }

    /// A deployment created at `t` or later that an earlier look did not show: the primary one,
    /// else the newest, whatever became of it.
    #[must_use]
    pub fn newer_deployment(&self, t: Timestamp, before: &Self) -> Option<Rollout> {
        let is_new = |rollout: &Rollout| {
            rollout.started_at >= t
                && before
                    .deployments
                    .iter()
                    .all(|shown| !rollout.is_deployment(&shown.id))
        };
        let primary = self.primary().map(Rollout::from).filter(is_new);
        let past = self
            .past()
            .iter()
            .filter_map(|past| Some(Rollout::started(past.id.clone()?, past.created_at)));
        let others = self
            .deployments
            .iter()
            .map(Rollout::from)
            .chain(past)
            .filter(is_new);
        primary.or_else(|| others.max_by_key(|rollout| rollout.started_at))
    }

    /// Whether a deployment that has not failed was created after `t`: whoever made it, its tasks
    /// read what was there after `t`. The newest good one is always the primary one; a newer
    /// one beside it is being rolled back.
    #[must_use]
    pub fn is_fresh(&self, t: Timestamp) -> bool {
        self.primary()
            .is_some_and(|primary| primary.state != RolloutState::Failed && primary.created_at > t)
            || self.past().iter().any(|past| {
                past.status == ServiceDeploymentStatus::Succeeded && past.created_at > t
            })
    }

    /// Whether every task was created after `t`, although no deployment was: the service was scaled
    /// to zero and up again, say.
    #[must_use]
    pub fn is_renewed_since(&self, t: Timestamp) -> bool {
        matches!(self.oldest_task, OldestTask::CreatedAt(oldest) if oldest.is_none_or(|created_at| created_at > t))
    }

    /// The PAUSE hook at which a deployment stands that was created after `t`.
    #[must_use]
    pub fn approval_since(&self, t: Timestamp) -> Option<&Approval> {
        let mut running = self
            .past()
            .iter()
            .filter(|past| past.status == ServiceDeploymentStatus::Running && past.created_at > t);
        running.find_map(|past| past.approval.as_ref())
    }

    /// The end of the newest deployment that was created after `t`, ran the task definition that is
    /// primary now, and was rolled back or stopped: another one would read the same value, and
    /// whoever ended it must not be fought.
    #[must_use]
    pub fn ended_since(&self, t: Timestamp) -> Option<Ended> {
        let current = self.primary()?.task_definition.as_str();
        let shown = self
            .deployments
            .iter()
            .filter(|shown| shown.state == RolloutState::Failed && shown.created_at > t);
        let shown = shown
            .filter(|shown| shown.task_definition == current)
            .max_by_key(|shown| shown.created_at);
        let past = self
            .past()
            .iter()
            .filter(|past| past.created_at > t && self.has_ended(past));
        let past = past
            .filter(|past| self.task_definition_of(past) == Some(current))
            .max_by_key(|past| past.created_at);
        match (past, shown) {
            (Some(past), Some(shown))
                if past.id.as_ref() != Some(&shown.id) && shown.created_at > past.created_at =>
            {
                Some(Ended::from(shown))
            }
            (Some(past), _) => Some(Ended::from(past)),
            (None, shown) => shown.map(Ended::from),
        }
    }

    /// Whether a deployment of the past was, or is being, rolled back, or was stopped by anything
    /// but a newer one.
    fn has_ended(&self, past: &PastDeployment) -> bool {
        match past.status {
            ServiceDeploymentStatus::RollingBack | ServiceDeploymentStatus::RolledBack => true,
            ServiceDeploymentStatus::Stopped => !self.was_superseded(past),
            ServiceDeploymentStatus::Running | ServiceDeploymentStatus::Succeeded => false,
        }
    }

    /// True where a newer deployment of this service ended that one.
    #[must_use]
    pub(super) fn was_superseded(&self, past: &PastDeployment) -> bool {
        let others = self.past().iter().map(|other| other.created_at);
        past.was_superseded(others.chain(self.deployments.iter().map(|shown| shown.created_at)))
    }

    fn task_definition_of<'a>(&'a self, past: &'a PastDeployment) -> Option<&'a str> {
        let shown = || {
            self.deployments
                .iter()
                .find(|shown| past.id.as_ref() == Some(&shown.id))
        };
        past.task_definition
            .as_deref()
            .or_else(|| shown().map(|shown| shown.task_definition.as_str()))
    }

    /// Whether a deployment runs. Of one that shifts traffic or runs hooks Amazon ECS may not tell:
    /// then two of them are one that runs.
    #[must_use]
    pub fn is_rolling(&self) -> bool {
        self.primary().is_some_and(|primary| match primary.state {
            RolloutState::InProgress => true,
            RolloutState::Unknown => self.is_costly_to_supersede() && self.deployments.len() > 1,
            RolloutState::Completed | RolloutState::Failed => false,
        })
    }

    /// Whether a newer deployment throws away hours of bake time, or an approval.
    fn is_costly_to_supersede(&self) -> bool {
        self.deployment_strategy == DeploymentStrategy::Shifting || self.has_lifecycle_hooks
    }

    /// Why a forced deployment now would take the rollback's target away, or throw away a bake or
    /// an approval, or might, for all that can be known; nothing where it would not.
    #[must_use]
    pub fn must_not_be_superseded(&self) -> Option<&'static str> {
        let failed_after = |primary: &Deployment| {
            self.deployments.iter().any(|other| {
                other.state == RolloutState::Failed && other.created_at > primary.created_at
            })
        };
        let rolls_back = self.is_rolling() && self.primary().is_some_and(failed_after);
        // While it bakes, the history alone may tell that it runs.
        let runs = self.is_rolling()
            || self
                .past()
                .iter()
                .any(|past| past.status == ServiceDeploymentStatus::Running);
        let bakes = self.bakes
            && self.primary().is_some_and(|primary| {
                primary.state == RolloutState::InProgress && primary.is_whole
            });
        if rolls_back
            || self
                .past()
                .iter()
                .any(|past| past.status == ServiceDeploymentStatus::RollingBack)
        {
            Some("a rollback runs, which is never superseded")
        } else if self.may_roll_back() {
            Some("it may be a rollback, which is never superseded")
        } else if self.has_lost_its_rollout() {
            Some(
                "the deployment that was started for it is gone, and may have been ended on \
                 purpose",
            )
        } else if runs && self.has_lifecycle_hooks {
            Some("a deployment with lifecycle hooks runs, which is never superseded")
        } else if runs && self.deployment_strategy == DeploymentStrategy::Shifting {
            Some("a deployment that shifts traffic runs, which is never superseded")
        } else if bakes {
            Some(
                "all tasks of a deployment run, and Amazon ECS still watches its alarms: it is \
                 never superseded",
            )
        } else {
            None
        }
    }

    /// Whether a deployment runs, or may run, that is perhaps a rollback, since what would tell
    /// cannot be read.
    fn may_roll_back(&self) -> bool {
        let is_untold = self
            .primary()
            .is_some_and(|primary| primary.state == RolloutState::Unknown);
        let may_run = self.is_rolling() || (is_untold && self.is_costly_to_supersede());
        may_run && self.history.lacks().is_some()
    }

    /// Whether the deployment that is followed is no longer shown, and what became of it cannot be
    /// read.
    fn has_lost_its_rollout(&self) -> bool {
        let is_known = |rollout: &Rollout| {
            let mut ids = self.past().iter().filter_map(|past| past.id.as_deref());
            ids.any(|id| rollout.is_deployment(id))
        };
        self.misses_its_rollout()
            && self.history.lacks().is_some()
            && !self.followed.as_ref().is_some_and(is_known)
    }

    /// Whether the deployment that is followed is no longer shown: it was rolled back, or
    /// superseded.
    #[must_use]
    pub fn misses_its_rollout(&self) -> bool {
        self.followed.as_ref().is_some_and(|rollout| {
            self.deployments
                .iter()
                .all(|shown| !rollout.is_deployment(&shown.id))
        })
    }

    /// Takes what was read of it.
    #[must_use]
    pub fn with_evidence(
        self,
        Evidence {
            history,
            oldest_task,
        }: Evidence,
    ) -> Self {
        Self {
            history: history.unwrap_or(self.history),
            oldest_task: oldest_task.unwrap_or(self.oldest_task),
            ..self
        }
    }

    /// Everything of it that does not parse, in words.
    pub fn mistakes(&self) -> impl Iterator<Item = String> {
        // Those of others are read for deletions alone.
        let followed = self.references.iter().filter(|_| self.says_auto());
        let of_definition = followed.flat_map(|references| &references.unread);
        let of_definition = of_definition.map(|unread| unread.in_words("the task definition"));
        let own = self
            .own_references
            .unread
            .iter()
            .filter(|_| self.says_auto())
            .map(|unread| unread.in_words("the service"));
        self.tags
            .mistakes()
            .map(ToString::to_string)
            .chain(of_definition)
            .chain(own)
    }

    /// The deployment history, as far as it was read.
    #[must_use]
    pub fn past(&self) -> &[PastDeployment] {
        self.history.read()
    }
}

impl From<&Deployment> for Ended {
    fn from(shown: &Deployment) -> Self {
        Self {
            deployment: Some(shown.id.clone()),
            created_at: shown.created_at,
            by: EndedBy::NotAsked,
            status_reason: None,
        }
    }
}

impl From<&PastDeployment> for Ended {
    fn from(past: &PastDeployment) -> Self {
        let PastDeployment {
            id,
            created_at,
            ended_by,
            status_reason,
            ..
        } = past.clone();
        Self {
            deployment: id,
            created_at,
            by: ended_by,
            status_reason,
        }
    }
}
