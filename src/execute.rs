//! Carries a plan out. Nothing here fails as a whole: each service has an outcome of its own.

mod deploy;
mod recheck;

use std::collections::BTreeMap;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;

use crate::aws::Ecs;
use crate::clock::Clock;
use crate::domain::arn::ServiceId;
use crate::domain::change::Change;
use crate::domain::history::Needed;
use crate::domain::key::Key;
use crate::domain::plan::{Plan, Planned};
use crate::domain::policy::Policy;
use crate::domain::service::Service;
use crate::domain::start::Executed;
use crate::pace::Pace;

use recheck::{Group, LOOKED_AT_TOGETHER};

/// What carrying out needs beside the plan: enough to decide anew about one service whose answer
/// was lost.
#[derive(Clone, Copy, Debug)]
pub struct Executor<'a> {
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
    /// The evidence that is read of services before they are restarted.
    pub needed: &'a BTreeMap<ServiceId, Needed>,
    /// When the services were looked at.
    pub looked_at: Instant,
    /// When to stop; the invocation ends soon after.
    pub until: Instant,
}

impl Executor<'_> {
    /// Starts every planned restart, each as soon as its change has settled and the pace allows.
    /// One that had to wait is looked at again, ten a call, and decided about anew.
    pub async fn execute(
        &self,
        plan: &Plan,
        services: &[Service],
    ) -> BTreeMap<ServiceId, Executed> {
        let services: BTreeMap<_, _> = services
            .iter()
            .map(|service| (&service.id, service))
            .collect();
        let restarts: Vec<_> = plan
            .restarts()
            .filter_map(|(id, planned)| Some((id, planned, *services.get(id)?)))
            .collect();
        let groups: Vec<_> = restarts
            .chunks(LOOKED_AT_TOGETHER)
            .map(|group| Group::of(group.iter().map(|(id, ..)| *id), self.looked_at))
            .collect();
        let grouped = restarts
            .chunks(LOOKED_AT_TOGETHER)
            .zip(&groups)
            .flat_map(|(some, group)| some.iter().map(move |one| (one, group)));
        let running: FuturesUnordered<_> = grouped
            .map(|((id, planned, seen), group)| async move {
                let executed =
                    deploy::deploy(self, group, Planned::clone(planned), Service::clone(seen))
                        .await;
                group.leave(id).await;
                (ServiceId::clone(id), executed)
            })
            .collect();
        running.collect().await
    }
}
