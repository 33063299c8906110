//! An ECS service, as Amazon ECS describes it at one moment.

mod freshness;
mod newest;
mod rolling;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::arn::{AccountRegion, ServiceId};
use super::change::Change;
use super::deployment::{Deployment, DeploymentStrategy};
use super::history::{Evidence, History, OldestTask, PastDeployment};
use super::key::Key;
use super::reference::References;
use super::rollout::{Rollout, RolloutId};
use super::rollout_tasks::RolloutTasks;
use super::tags::Tags;
use super::term::Term;
use super::watch::Match;

/// The first deployment of a service is created with it, within this time.
const CREATED_TOGETHER: SignedDuration = SignedDuration::from_secs(5);

/// One description of a service: everything that a plan needs to know of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// Its name and cluster.
    pub id: ServiceId,
    /// Its account and Region.
    pub home: AccountRegion,
    /// True if it takes deployments.
    pub status: ServiceStatus,
    /// Its deployment controller.
    pub controller: Controller,
    /// The way in which Amazon ECS replaces one revision by the next.
    pub deployment_strategy: DeploymentStrategy,
    /// True if its deployments run lifecycle hooks, which rolling ones may have as well.
    pub has_lifecycle_hooks: bool,
    /// True if Amazon ECS watches alarms when all tasks of a deployment run, or lets it bake for
    /// a time of its own.
    pub bakes: bool,
    /// The time of its creation. Its first deployment is no restart.
    pub created_at: Option<Timestamp>,
    /// The number of tasks that it should run; of a DAEMON service, of instances that match.
    pub desired: i32,
    /// The deployments that `DescribeServices` shows.
    pub deployments: Vec<Deployment>,
    /// The task definition of the primary deployment, or of the primary task set.
    pub task_definition: Option<String>,
    /// The references of that task definition, if it was read.
    pub references: Option<Arc<References>>,
    /// The references of the service itself, beside its task definition.
    pub own_references: References,
    /// Its tags that begin with our prefix.
    pub tags: Tags,
    /// The newest first, at most five; more if a rollout is followed.
    pub events: Vec<ServiceEvent>,
    /// The deployments since the oldest change in question, if they were needed.
    pub history: History,
    /// The creation of its oldest task, if that was needed.
    pub oldest_task: OldestTask,
    /// Its tasks, by the rollouts whose ends needed them.
    pub rollout_tasks: BTreeMap<RolloutId, RolloutTasks>,
    /// The rollout that is followed, if one is: of this function, or of others.
    pub followed_rollout: Option<Rollout>,
    /// True if it was held for `settling` at its last attempt.
    pub has_waited_to_settle: bool,
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

/// An entry of `events` of `DescribeServices`, in Amazon ECS's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceEvent {
    /// Its time.
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
            rollout_tasks: BTreeMap::new(),
            followed_rollout: None,
            has_waited_to_settle: false,
        }
    }

    /// True if it watches everything that it refers to.
    #[must_use]
    pub fn says_auto(&self) -> bool {
        self.tags.watch.as_ref().is_some_and(|watch| watch.auto)
    }

    /// Everything that it watches, as far as it is known.
    pub fn watched(&self) -> impl Iterator<Item = &Term> {
        let watch = self.tags.watch.iter();
        let terms = watch.flat_map(|watch| &watch.terms);
        terms.chain(self.watched_references())
    }

    /// The references that it watches because it says `auto`, as far as they are known: its own,
    /// and those of its task definition.
    fn watched_references(&self) -> impl Iterator<Item = &Term> {
        let own = self.own_references.unpinned.iter();
        own.chain(
            self.references
                .iter()
                .flat_map(|references| &references.unpinned),
        )
        .filter(|_| self.says_auto())
    }

    /// Its relation to a key.
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

    /// True if its task definition was not read, and may decide its relation to a key.
    #[must_use]
    pub fn may_need_its_task_definition(&self) -> bool {
        self.references.is_none() && self.tags.watch.as_ref().is_some_and(|watch| watch.auto)
    }

    /// True if it refers to any version of the thing.
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

    /// The key that affects it, of two that may be meant.
    #[must_use]
    pub fn meant(&self, key: &Key) -> Key {
        let affects = |key: &Key| self.match_of(key) != Match::None;
        key.alternative()
            .filter(|other| affects(other) && !affects(&key.clone().without_alternative()))
            .unwrap_or_else(|| key.clone())
    }

    /// True if its next task will not start: its task definition, or the service itself, refers to
    /// a key that is gone, and no deployment has completed without the key since. False if the
    /// references are not known.
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

    /// The deployment that new tasks belong to.
    #[must_use]
    pub fn primary(&self) -> Option<&Deployment> {
        self.deployments
            .iter()
            .find(|deployment| deployment.primary)
    }

    /// True if it runs all the tasks of its primary deployment.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.primary().is_some_and(|primary| primary.is_whole)
    }

    /// Takes the evidence that was read of it.
    pub fn take_evidence(&mut self, evidence: Evidence) {
        let Evidence {
            history,
            oldest_task,
        } = evidence;
        if let Some(history) = history {
            self.history = history;
        }
        if let Some(oldest_task) = oldest_task {
            self.oldest_task = oldest_task;
        }
    }

    /// The mistakes in its tags and references, in words.
    pub fn mistakes(&self) -> impl Iterator<Item = String> {
        // The task definition of a service without `auto` is read for deletions only.
        let definition = self.references.iter().filter(|_| self.says_auto());
        let of_definition = definition.flat_map(|references| &references.invalid);
        let of_definition = of_definition.map(|invalid| invalid.in_words("the task definition"));
        let own = self
            .own_references
            .invalid
            .iter()
            .filter(|_| self.says_auto())
            .map(|invalid| invalid.in_words("the service"));
        self.tags
            .mistakes()
            .map(ToString::to_string)
            .chain(of_definition)
            .chain(own)
    }

    /// Its tasks, if the end of a rollout needed them.
    #[must_use]
    pub fn tasks_of(&self, rollout: &RolloutId) -> &RolloutTasks {
        const NOT_ASKED: &RolloutTasks = &RolloutTasks::NotAsked;
        self.rollout_tasks.get(rollout).unwrap_or(NOT_ASKED)
    }

    /// The deployment history, as far as it was read.
    #[must_use]
    pub fn past(&self) -> &[PastDeployment] {
        self.history.read()
    }

    /// True if a deployment of this instant is the one that the service was created with.
    #[must_use]
    pub fn was_created_with(&self, created_at: Timestamp) -> bool {
        self.created_at
            .is_some_and(|service| created_at.duration_since(service) <= CREATED_TOGETHER)
    }
}
