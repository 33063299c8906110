//! The search for the newest deployment of a service.

use super::Service;
use crate::domain::deployment::{Deployment, RolloutState};
use crate::domain::history::{Ended, PastDeployment, ServiceDeploymentStatus};
use crate::domain::newest::{Newest, NewestState};

impl Service {
    /// Its newest deployment, as far as its description and the history that was read show it.
    /// `None` if it has none.
    #[must_use]
    pub fn newest(&self) -> Option<Newest> {
        let shown = self.deployments.iter().max_by_key(|one| one.created_at);
        let past = self.past().iter().max_by_key(|one| one.created_at);
        match (past, shown) {
            (Some(past), Some(shown)) if is_at_least_as_new(past, shown) => {
                Some(self.newest_of_history(past))
            }
            (Some(past), None) => Some(self.newest_of_history(past)),
            (_, shown) => shown.map(|shown| self.newest_shown(shown)),
        }
    }

    fn newest_of_history(&self, past: &PastDeployment) -> Newest {
        let state = match past.status {
            _ if self.has_ended(past) => {
                let definition = self.task_definition_of(past);
                self.ended_state(definition, || Ended::from(past))
            }
            ServiceDeploymentStatus::Succeeded if !self.is_rolling() => {
                NewestState::Completed(past.finished_at)
            }
            ServiceDeploymentStatus::Succeeded
            | ServiceDeploymentStatus::Running
            | ServiceDeploymentStatus::RollingBack
            | ServiceDeploymentStatus::RolledBack
            | ServiceDeploymentStatus::Stopped => NewestState::Runs,
        };
        Newest {
            created_at: past.created_at,
            state,
        }
    }

    /// One that is shown beside a primary one is being rolled back, or drains.
    fn newest_shown(&self, shown: &Deployment) -> Newest {
        let is_alone = self.deployments.len() == 1;
        let state = match shown.state {
            RolloutState::Failed => {
                let definition = Some(shown.task_definition.as_str());
                self.ended_state(definition, || Ended::from(shown))
            }
            RolloutState::Completed if shown.primary => NewestState::Completed(None),
            // Behind a Classic Load Balancer only the tasks show the progress.
            RolloutState::Unknown if shown.primary && shown.is_whole && is_alone => {
                NewestState::Completed(None)
            }
            RolloutState::InProgress | RolloutState::Completed | RolloutState::Unknown => {
                NewestState::Runs
            }
        };
        Newest {
            created_at: shown.created_at,
            state,
        }
    }

    fn ended_state(&self, definition: Option<&str>, ended: impl Fn() -> Ended) -> NewestState {
        let current = self
            .primary()
            .map(|primary| primary.task_definition.as_str());
        if definition.is_some() && definition == current {
            NewestState::Ended(ended())
        } else {
            NewestState::EndedOtherwise
        }
    }
}

/// True if the newest deployment of the history is the newest that is shown, or a newer one.
fn is_at_least_as_new(past: &PastDeployment, shown: &Deployment) -> bool {
    past.id.as_ref() == Some(&shown.id) || past.created_at > shown.created_at
}
