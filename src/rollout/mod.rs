//! Carries a plan out. Nothing here fails as a whole: each service has an outcome of its own.

mod deploy;

use std::collections::BTreeMap;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;

use crate::aws::Ecs;
use crate::clock::Clock;
use crate::domain::arn::ServiceId;
use crate::domain::change::Change;
use crate::domain::key::Key;
use crate::domain::outcome::Outcome;
use crate::domain::plan::{Plan, Planned, Policy};
use crate::domain::service::Service;
use crate::pace::Pace;

/// What carrying out needs beside the plan: enough to decide anew about one service whose answer was lost.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// Where services are looked at and restarted.
    pub ecs: &'a Ecs,
    /// What changed.
    pub changes: &'a BTreeMap<Key, Change>,
    /// What is allowed.
    pub policy: &'a Policy,
    /// The part of the tag keys before the colon.
    pub tag_prefix: &'a str,
    /// How fast.
    pub pace: &'a Pace,
    /// The time of day.
    pub clock: &'a Clock,
    /// When to stop; the invocation ends soon after.
    pub until: Instant,
}

/// What became of one planned restart.
#[derive(Clone, Debug, PartialEq)]
pub struct RolledOut {
    /// The plan as it was carried out: a second look may have changed it.
    pub planned: Planned,
    /// Nothing where a second look found that no restart is due.
    pub outcome: Option<Outcome>,
    /// The last look at the service.
    pub seen: Service,
}

impl Job<'_> {
    /// Starts every planned restart, each as soon as its change has settled and the pace allows.
    pub async fn roll_out(&self, plan: &Plan, services: &[Service]) -> BTreeMap<ServiceId, RolledOut> {
        let services: BTreeMap<_, _> = services.iter().map(|service| (&service.id, service)).collect();
        let restarts = plan.restarts().filter_map(|(id, planned)| Some((id, planned, *services.get(id)?)));
        let running: FuturesUnordered<_> = restarts
            .map(|(id, planned, seen)| async move { (id.clone(), deploy::deploy(self, planned.clone(), seen.clone()).await) })
            .collect();
        running.collect().await
    }
}
