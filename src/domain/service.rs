//! One look at an ECS service.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use super::arn::{Place, ServiceId};
use super::change::Change;
use super::key::Key;
use super::reference::References;
use super::tags::Tags;
use super::watch::{Listening, Term};

/// What the plan needs to know of a service, as it was at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// Which one.
    pub id: ServiceId,
    /// Its account and Region.
    pub home: Place,
    /// Whether it takes deployments.
    pub status: ServiceStatus,
    /// Who deploys it.
    pub controller: Controller,
    /// How Amazon ECS moves from one revision to the next.
    pub deployment_strategy: DeploymentStrategy,
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
    /// Task by task; a newer deployment supersedes it at no loss.
    Rolling,
    /// Blue/green, linear or canary, or one that came after this version: superseding it throws away hours of bake time.
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
}

/// `rolloutState` of a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RolloutState {
    /// Tasks are being replaced.
    InProgress,
    /// Steady state was reached.
    Completed,
    /// The circuit breaker or an alarm stopped it.
    Failed,
    /// Amazon ECS tells none: services behind a Classic Load Balancer, and other controllers.
    Untold,
}

/// A line of `events` of `DescribeServices`, in Amazon ECS's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceEvent {
    /// When.
    pub at: Timestamp,
    /// `(service api) has reached a steady state.` …
    pub message: String,
}

/// What `ListServiceDeployments` and `DescribeServiceRevisions` tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum History {
    /// The change is young, or nothing is to be restarted.
    #[default]
    NotAsked,
    /// Asked, and no answer; it never blocks a restart, but where a deployment runs. Why.
    Unreadable(String),
    /// The deployments created since the oldest change in question.
    Read(Vec<PastDeployment>),
}

/// One entry of the deployment history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastDeployment {
    /// When it was started.
    pub created_at: Timestamp,
    /// How it went.
    pub fate: Fate,
    /// What it ran, or tried to run, where that could be read.
    pub task_definition: Option<String>,
}

/// `status` of a service deployment, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Pending or in progress.
    Running,
    /// `SUCCESSFUL`.
    Succeeded,
    /// A rollback is requested or runs: it must not be disturbed ("Deployment 3 cannot roll back, or launch tasks", Amazon ECS Developer
    /// Guide, "How the Amazon ECS deployment circuit breaker detects failures").
    RollingBack,
    /// Rolled back, with or without success.
    RolledBack,
    /// Superseded or stopped by hand: it says nothing about the value.
    Stopped,
}

impl Service {
    /// A service that Amazon ECS does not know: the tag index remembers it, or a request names it.
    #[must_use]
    pub fn gone(id: ServiceId, home: Place, tags: Tags) -> Self {
        Self {
            id,
            home,
            status: ServiceStatus::Missing,
            controller: Controller::Ecs,
            deployment_strategy: DeploymentStrategy::Rolling,
            created_at: None,
            desired: 0,
            deployments: Vec::new(),
            task_definition: None,
            references: None,
            own_references: References::default(),
            tags,
            events: Vec::new(),
            history: History::NotAsked,
        }
    }

    /// Whether it watches what it refers to.
    #[must_use]
    pub fn says_auto(&self) -> bool {
        self.tags.watch.as_ref().is_some_and(|watch| watch.auto)
    }

    /// The references that it watches because it says `auto`, as far as they are known: its own, and those of its task definition.
    pub fn followed(&self) -> impl Iterator<Item = &Term> {
        let own = self.own_references.followed.iter();
        own.chain(self.references.iter().flat_map(|references| &references.followed)).filter(|_| self.says_auto())
    }

    /// How it stands to a key.
    #[must_use]
    pub fn listens(&self, key: &Key) -> Listening {
        let watch = self.tags.watch.as_ref();
        watch.map_or(Listening::No, |watch| watch.listens(key, &self.home, &self.own_references, self.references.as_deref()))
    }

    /// Whether it refers to any version of the thing.
    #[must_use]
    pub fn refers_to(&self, key: &Key) -> bool {
        let watch = self.tags.watch.as_ref();
        watch.is_some_and(|watch| watch.refers_to(key, &self.home, &self.own_references, self.references.as_deref()))
    }

    /// The one of two keys that may be meant which concerns it.
    #[must_use]
    pub fn meant(&self, key: &Key) -> Key {
        let concerns = |key: &Key| self.listens(key) != Listening::No;
        key.perhaps().filter(|other| concerns(other) && !concerns(&key.clone().alone())).unwrap_or_else(|| key.clone())
    }

    /// Whether its next task will not start: its task definition, or the service itself, refers to what is gone, and no deployment since has shown that it needs that no
    /// longer. Nothing where either is not known.
    #[must_use]
    pub fn misses(&self, change: &Change) -> bool {
        let definition = self.references.as_deref();
        let names = |key: &Key| definition.into_iter().chain([&self.own_references]).any(|references| references.name(key, &self.home));
        let refers = names(&change.key) || change.key.perhaps().as_ref().is_some_and(names);
        self.status == ServiceStatus::Active && change.is_surely_gone() && refers && !self.has_completed_since(change.at)
    }

    /// Whether a deployment created after `t` ended well: its tasks started.
    fn has_completed_since(&self, t: Timestamp) -> bool {
        let ended_well = |primary: &Deployment| primary.created_at > t && primary.state != RolloutState::Failed && !self.is_rolling();
        let in_history = || self.past().iter().any(|past| past.fate == Fate::Succeeded && past.created_at > t);
        self.primary().is_some_and(ended_well) || in_history()
    }

    /// The deployment that new tasks belong to.
    #[must_use]
    pub fn primary(&self) -> Option<&Deployment> {
        self.deployments.iter().find(|deployment| deployment.primary)
    }

    /// Whether a deployment that has not failed was created after `t`: whoever made it, its tasks read what was there after `t`. The newest
    /// good one is always the primary one; a newer one beside it is being rolled back.
    #[must_use]
    pub fn is_fresh(&self, t: Timestamp) -> bool {
        self.primary().is_some_and(|primary| primary.state != RolloutState::Failed && primary.created_at > t)
            || self.past().iter().any(|past| past.fate == Fate::Succeeded && past.created_at > t)
    }

    /// Whether a deployment created after `t`, of the task definition that is primary now, failed: another one would read the same value.
    #[must_use]
    pub fn failed_since(&self, t: Timestamp) -> bool {
        let Some(current) = self.primary().map(|primary| primary.task_definition.as_str()) else { return false };
        let shown = self.deployments.iter().filter(|deployment| deployment.state == RolloutState::Failed);
        let shown = shown.map(|deployment| (deployment.created_at, Some(deployment.task_definition.as_str())));
        let past = self.past().iter().filter(|past| matches!(past.fate, Fate::RollingBack | Fate::RolledBack));
        let past = past.map(|past| (past.created_at, past.task_definition.as_deref()));
        shown.chain(past).any(|(created_at, ran)| created_at > t && ran == Some(current))
    }

    /// Whether a deployment runs. Of one that shifts traffic Amazon ECS may not tell: then two of them are one that runs.
    #[must_use]
    pub fn is_rolling(&self) -> bool {
        self.primary().is_some_and(|primary| match primary.state {
            RolloutState::InProgress => true,
            RolloutState::Untold => self.deployment_strategy == DeploymentStrategy::Shifting && self.deployments.len() > 1,
            RolloutState::Completed | RolloutState::Failed => false,
        })
    }

    /// Whether a forced deployment now would take the rollback's target away or throw away a bake, or might, for all that can be known.
    #[must_use]
    pub fn must_not_be_superseded(&self) -> bool {
        let failed_after = |primary: &Deployment| {
            self.deployments.iter().any(|other| other.state == RolloutState::Failed && other.created_at > primary.created_at)
        };
        let rolls_back = self.is_rolling() && self.primary().is_some_and(failed_after);
        // While it bakes, the history alone may tell that it runs.
        let runs = self.is_rolling() || self.past().iter().any(|past| past.fate == Fate::Running);
        let shifts = runs && self.deployment_strategy == DeploymentStrategy::Shifting;
        rolls_back || shifts || self.may_roll_back() || self.past().iter().any(|past| past.fate == Fate::RollingBack)
    }

    /// Whether a deployment runs, or may run, that is perhaps a rollback, since what would tell cannot be read.
    #[must_use]
    pub fn may_roll_back(&self) -> bool {
        let is_untold = self.primary().is_some_and(|primary| primary.state == RolloutState::Untold);
        let may_run = self.is_rolling() || (is_untold && self.deployment_strategy == DeploymentStrategy::Shifting);
        may_run && matches!(self.history, History::Unreadable(_))
    }

    /// Everything of it that does not parse, in words.
    pub fn mistakes(&self) -> impl Iterator<Item = String> {
        // Those of others are read for deletions alone.
        let followed = self.references.iter().filter(|_| self.says_auto());
        let of_definition = followed.flat_map(|references| &references.unread);
        let of_definition = of_definition.map(|unread| unread.in_words("the task definition"));
        let own = self.own_references.unread.iter().filter(|_| self.says_auto()).map(|unread| unread.in_words("the service"));
        self.tags.mistakes().map(ToString::to_string).chain(of_definition).chain(own)
    }

    /// The deployment history, as far as it was read.
    #[must_use]
    pub fn past(&self) -> &[PastDeployment] {
        match &self.history {
            History::NotAsked | History::Unreadable(_) => &[],
            History::Read(past) => past,
        }
    }
}
