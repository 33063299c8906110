//! The strategy `deploy`: a forced deployment of Amazon ECS.

use super::started::Started;
use crate::aws::{Ecs, Error, Restarted};
use crate::domain::arn::ServiceId;
use crate::domain::rollout::Rollout;

/// Starts a new deployment of the service's present task definition.
pub(super) async fn start(ecs: &Ecs, service: &ServiceId) -> Result<Started, Error> {
    let Restarted { deployment, events } = ecs.restart(service).await?;
    Ok(Started {
        rollout: Rollout::from(&deployment),
        events,
    })
}
