//! Reads everything that the ends of followed rollouts are judged by, beside the descriptions.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Reconciler;
use crate::aws::TasksOfRollout;
use crate::domain::arn::ServiceId;
use crate::domain::backoff::Attempt;
use crate::domain::batch::Batch;
use crate::domain::change::Change;
use crate::domain::ended::{Causes, EndedRollout};
use crate::domain::history::Needed;
use crate::domain::judge::{Limits, history_needed, needs_tasks};
use crate::domain::resolution::{Following, Resolutions, rollouts_before};
use crate::domain::rollout::Rollout;
use crate::domain::rollout_tasks::TasksNeeded;
use crate::domain::service::Service;
use crate::domain::start::Executed;

impl Reconciler<'_> {
    /// The changes and limits by which the rollouts of a batch are judged now.
    pub(super) fn following<'a>(&self, batch: &'a Batch) -> Following<'a> {
        self.following_for(Causes {
            changes: &batch.changes,
            older: &batch.older,
            request: batch.request.as_ref(),
        })
    }

    /// The same for these causes.
    pub(crate) fn following_for<'a>(&self, causes: Causes<'a>) -> Following<'a> {
        Following {
            causes,
            limits: Limits {
                deadline: self.settings.outcome_deadline,
                older_tasks: self.settings.hold_limit,
            },
            now: self.clock.now(),
        }
    }

    /// Reads the histories and the tasks that decide how followed rollouts ended. Restarts were
    /// started before: none waits for it.
    ///
    /// Calls: none while a rollout simply runs. Otherwise for each service
    ///
    /// * the history, if a rollout is gone or may stand at a lifecycle hook, and the plan did not
    ///   need it: one call, and up to two more for details;
    /// * the tasks, if Amazon ECS says that a rollout is complete or has failed, or if the deadline
    ///   has passed: two listings and two descriptions for a hundred tasks each.
    pub(super) async fn read_ends(
        &self,
        batch: &Batch,
        executed: &mut BTreeMap<ServiceId, Executed>,
    ) {
        let is_followed = |one: &Executed| one.seen.followed_rollout.is_some();
        if !executed.values().any(is_followed) {
            return;
        }
        let following = self.following(batch);
        let histories = executed
            .values()
            .filter_map(|one| history_of(batch, one, &following));
        let histories: BTreeMap<_, _> = histories.collect();
        let read = self.aws.ecs.evidence(histories, self.deadline.share(3));
        for (id, evidence) in read.await {
            if let Some(executed) = executed.get_mut(&id) {
                executed.seen.take_evidence(evidence);
            }
        }
        let wanted = executed
            .values()
            .flat_map(|one| tasks_of(batch, one, &following));
        let wanted: Vec<_> = wanted.collect();
        let read = self.aws.ecs.rollout_tasks(wanted, self.deadline.share(2));
        for (id, tasks) in read.await {
            if let Some(executed) = executed.get_mut(&id) {
                executed.seen.rollout_tasks.extend(tasks);
            }
        }
    }

    /// Reads the versions before changes that failed, as far as they are not known: one call for
    /// each secret and each object.
    pub(super) async fn read_previous(&self, resolutions: &mut Resolutions) {
        let ended = resolutions.values().flat_map(|one| &one.ended);
        let unknown = ended.flat_map(EndedRollout::without_previous);
        let unknown: BTreeMap<_, Change> = unknown
            .map(|change| (change.key.clone(), change.clone()))
            .collect();
        if unknown.is_empty() {
            return;
        }
        let unknown = unknown.into_values().collect();
        let previous = self.enricher().previous_of(unknown).await;
        let ended = resolutions.values_mut().flat_map(|one| &mut one.ended);
        ended.for_each(|ended| ended.take_previous(&previous));
    }
}

/// The rollouts of a service that were followed until now.
fn followed(batch: &Batch, seen: &Service, now: Timestamp) -> Vec<Rollout> {
    match batch.attempts.get(&seen.id) {
        Some(attempt) => rollouts_before(attempt, seen, now),
        None => rollouts_before(&Attempt::default(), seen, now),
    }
}

/// The history that is needed of a service, if it is.
fn history_of(
    batch: &Batch,
    executed: &Executed,
    following: &Following<'_>,
) -> Option<(ServiceId, Needed)> {
    let seen = &executed.seen;
    let rollouts = followed(batch, seen, following.now);
    let needed = Needed {
        history_since: Some(history_needed(&rollouts, seen)?),
        restart_budget: usize::MAX,
        has_hooks: seen.has_lifecycle_hooks,
        oldest_task: false,
    };
    Some((seen.id.clone(), needed))
}

/// The tasks that are needed of a service.
fn tasks_of(batch: &Batch, executed: &Executed, following: &Following<'_>) -> Vec<TasksOfRollout> {
    let Executed { planned, seen, .. } = executed;
    let Following {
        causes,
        limits,
        now,
    } = following;
    let rollouts = followed(batch, seen, *now).into_iter();
    let ending = rollouts.filter(|rollout| needs_tasks(rollout, seen, limits, *now));
    let needed = ending.map(|rollout| TasksOfRollout {
        service: seen.id.clone(),
        needed: TasksNeeded {
            deployment: rollout.id.to_string(),
            older_than: causes.older_than(&seen.id, Some(planned), &rollout),
        },
        rollout: rollout.id,
    });
    needed.collect()
}
