//! The deployments that `DescribeServices` shows.

use jiff::Timestamp;

/// One entry of `deployments` of `DescribeServices`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// `ecs-svc/…`.
    pub id: String,
    /// True if new tasks belong to it.
    pub primary: bool,
    /// The time of its start.
    pub created_at: Timestamp,
    /// The task definition that it runs.
    pub task_definition: String,
    /// Its progress.
    pub state: RolloutState,
    /// Its running tasks.
    pub running: i32,
    /// True if all its tasks run.
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
    /// Amazon ECS gives none: services behind a Classic Load Balancer, and other controllers.
    Unknown,
}

/// `deploymentConfiguration.strategy` of `DescribeServices`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeploymentStrategy {
    /// Task by task. Without hooks and alarms, a newer deployment supersedes it at no loss.
    Rolling,
    /// Blue/green, linear or canary, or one that came after this version: superseding it throws
    /// away hours of bake time.
    Shifting,
}
