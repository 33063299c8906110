//! The way a service is restarted: the only place that reads its strategy.

use super::planned::Action;
use crate::domain::service::{Controller, Service};
use crate::domain::tags::Strategy;

/// The reason why a service has no action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// Its deployment controller does not take deployments of its strategy.
    Controller,
    /// This version does not support it yet.
    NotYet(&'static str),
}

/// The action that restarts a service.
pub(super) fn action(service: &Service) -> Result<Action, Obstacle> {
    match (service.controller, service.tags.strategy) {
        (_, Some(Strategy::StopTasks)) => Err(Obstacle::NotYet("the strategy stop-tasks")),
        (Controller::External, _)
        | (Controller::CodeDeploy, Some(Strategy::Deploy))
        | (Controller::Ecs, Some(Strategy::CodeDeploy)) => Err(Obstacle::Controller),
        (Controller::Ecs | Controller::CodeDeploy, Some(Strategy::HotReload)) => {
            Err(Obstacle::NotYet("the strategy hot-reload"))
        }
        (Controller::CodeDeploy, Some(Strategy::CodeDeploy) | None) => {
            Err(Obstacle::NotYet("the strategy code-deploy"))
        }
        (Controller::Ecs, Some(Strategy::Deploy) | None) => Ok(Action::Deploy),
    }
}

/// The first thing in the tags of a service that this version does not support.
pub(super) fn obstacle(service: &Service) -> Option<&'static str> {
    match action(service) {
        Err(Obstacle::NotYet(feature)) => Some(feature),
        Err(Obstacle::Controller) | Ok(_) => None,
    }
}
