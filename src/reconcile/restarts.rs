//! Plans with the evidence that this needs, and carries the plan out: the same for changes,
//! requests and the sweep.

use std::collections::BTreeMap;

use crate::aws::{DescribedAt, Ecs};
use crate::clock::{Clock, Deadline};
use crate::domain::arn::ServiceId;
use crate::domain::change::Change;
use crate::domain::history::Needed;
use crate::domain::key::Key;
use crate::domain::plan::{Plan, Planned, plan};
use crate::domain::policy::Policy;
use crate::domain::reason::Decision;
use crate::domain::service::Service;
use crate::domain::start::Executed;
use crate::execute::Executor;
use crate::pace::Pace;

/// Plans, and restarts stale services.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Restarts<'a> {
    pub(super) ecs: &'a Ecs,
    pub(super) pace: &'a Pace,
    pub(super) tag_prefix: &'a str,
    pub(super) clock: &'a Clock,
    pub(super) deadline: Deadline,
}

impl Restarts<'_> {
    /// Decides about services that were described at these instants, and restarts the stale ones.
    /// One record for each service of the plan.
    pub(crate) async fn carry_out(
        &self,
        changes: &BTreeMap<Key, Change>,
        mut services: Vec<Service>,
        policy: &Policy,
        described_at: &DescribedAt,
    ) -> BTreeMap<ServiceId, Executed> {
        let (mut plan, needed) = self.plan(changes, &mut services, policy).await;
        let now = self.clock.now();
        let planned = services.into_iter().filter_map(|seen| {
            let planned = plan.services.remove(&seen.id);
            Some(Executed {
                planned: planned.or_else(|| Planned::unaffected(&seen, changes, now))?,
                start: None,
                seen,
            })
        });
        let (restarts, others): (Vec<_>, Vec<_>) =
            planned.partition(|one| one.planned.is_restart());
        let executor = Executor {
            ecs: self.ecs,
            plan: &plan,
            changes,
            policy,
            tag_prefix: self.tag_prefix,
            pace: self.pace,
            clock: self.clock,
            needed: &needed,
            described_at,
            until: self.deadline.until,
        };
        let executed = executor.execute(restarts).await;
        let executed = executed.into_iter().chain(others);
        executed.map(|one| (one.seen.id.clone(), one)).collect()
    }

    /// Plans, and names the evidence to read of services shortly before they are restarted. It is
    /// read at once for a service that is not to be restarted, since it decides the reason; and if
    /// other services wait for a restart to end, since the evidence may show that no restart is
    /// needed.
    pub(super) async fn plan(
        &self,
        changes: &BTreeMap<Key, Change>,
        services: &mut [Service],
        policy: &Policy,
    ) -> (Plan, BTreeMap<ServiceId, Needed>) {
        loop {
            let plan = plan(changes, services, policy, self.clock.now());
            let others_wait = plan.holds_for_restarts();
            let is_restart = |id: &ServiceId| {
                let planned = plan.services.get(id);
                planned.is_some_and(|planned| planned.reason.decision() == Decision::Restart)
            };
            let needed = plan.evidence_needed(changes, services, policy, self.clock.now());
            let (later, now): (BTreeMap<_, _>, BTreeMap<_, _>) = needed
                .into_iter()
                .partition(|(id, _)| is_restart(id) && !others_wait);
            if now.is_empty() {
                return (plan, later);
            }
            let mut evidence = self.ecs.evidence(now, self.deadline.share(3)).await;
            for service in services.iter_mut() {
                if let Some(evidence) = evidence.remove(&service.id) {
                    service.take_evidence(evidence);
                }
            }
        }
    }
}
