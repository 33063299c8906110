//! The evidence that is read of one service before its decision stands: its history and its oldest
//! task.

use std::collections::BTreeMap;

use futures_util::future::join;
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use tokio::time::{Instant, timeout_at};

use super::client::{Ecs, READS_IN_FLIGHT};
use super::deployments::LIST;
use super::history::{approval, ended_by, past_deployment, stage};
use crate::aws::call::Call;
use crate::aws::error::Error;
use crate::aws::pages::{Listing, REPEATED_TOKEN};
use crate::domain::arn::ServiceId;
use crate::domain::history::{
    EndedBy, Evidence, History, Needed, OldestTask, PastDeployment, ServiceDeploymentStatus,
};

/// A deployment of the history, with its ARN and that of its revision.
struct Entry {
    arn: String,
    revision: Option<String>,
    past: PastDeployment,
}

impl Ecs {
    /// Reads the evidence that is needed of services, ten of them at a time. Evidence that cannot
    /// be read before the instant `by` says so.
    pub async fn evidence(
        &self,
        needed: BTreeMap<ServiceId, Needed>,
        by: Instant,
    ) -> BTreeMap<ServiceId, Evidence> {
        let read = |(id, needed): (ServiceId, Needed)| async move {
            let (history, oldest_task) = join(
                self.history(&id, needed, by),
                self.oldest_task_of(&id, needed, by),
            )
            .await;
            let evidence = Evidence {
                history,
                oldest_task,
            };
            (id, evidence)
        };
        stream::iter(needed)
            .map(read)
            .buffered(READS_IN_FLIGHT)
            .collect()
            .await
    }

    async fn oldest_task_of(
        &self,
        id: &ServiceId,
        needed: Needed,
        by: Instant,
    ) -> Option<OldestTask> {
        if !needed.oldest_task {
            return None;
        }
        Some(match self.oldest_task(id, by).await {
            Ok(Listing {
                found,
                is_whole: true,
            }) => OldestTask::CreatedAt(found),
            // A task that is missing may be older.
            Ok(_) => {
                let error = Call::of("ListTasks", &id.to_string()).repeated_token();
                OldestTask::Unreadable(error.to_string())
            }
            Err(error) => OldestTask::Unreadable(error.to_string()),
        })
    }

    async fn history(&self, id: &ServiceId, needed: Needed, by: Instant) -> Option<History> {
        let since = needed.history_since?;
        let read = timeout_at(by, self.read_history(id, since, needed, by)).await;
        // The last call of a history may have been given up at `by`: that history is late too.
        let read = read.ok().filter(|_| Instant::now() < by);
        let read = read.unwrap_or_else(|| Err(Call::of(LIST, &id.to_string()).late()));
        Some(read.unwrap_or_else(|error| History::Unreadable(error.to_string())))
    }

    /// Reads the deployments of a service that were created after `since`, with
    ///
    /// * the task definitions that they run, if one was rolled back or stopped, or if there are as
    ///   many as the budget has restarts: one more call for twenty of them;
    /// * details of those that were rolled back or stopped, or may stand at a lifecycle hook: one
    ///   more call for twenty of these.
    async fn read_history(
        &self,
        id: &ServiceId,
        since: Timestamp,
        needed: Needed,
        by: Instant,
    ) -> Result<History, Error> {
        let listing = self.list_service_deployments(id, since, by).await?;
        let entries = listing.found.into_iter().filter_map(|brief| {
            Some(Entry {
                past: past_deployment(&brief)?,
                arn: brief.service_deployment_arn.unwrap_or_default(),
                revision: brief.target_service_revision_arn,
            })
        });
        let mut entries: Vec<_> = entries.collect();
        if needs_task_definitions(&entries, needed.restart_budget) {
            self.add_task_definitions(&mut entries, by).await;
        }
        self.add_details(&mut entries, needed.has_hooks, by).await;
        let past = entries.into_iter().map(|entry| entry.past).collect();
        Ok(if listing.is_whole {
            History::Read(past)
        } else {
            History::Incomplete(past, format!("{LIST}: {REPEATED_TOKEN}"))
        })
    }

    /// Completes deployments with the task definitions of their revisions, as far as they can be
    /// read.
    async fn add_task_definitions(&self, entries: &mut [Entry], by: Instant) {
        let revisions = entries.iter().filter_map(|entry| entry.revision.clone());
        let revisions: Vec<_> = revisions.collect();
        let read = self.describe_service_revisions(&revisions, by).await;
        for Entry { revision, past, .. } in entries {
            let revision = revision.as_ref();
            past.task_definition = revision.and_then(|revision| read.get(revision).cloned());
        }
    }

    /// Completes deployments: those that were rolled back or stopped with the one who ended them,
    /// those that run with their hook and stage.
    async fn add_details(&self, entries: &mut [Entry], has_hooks: bool, by: Instant) {
        let created = created(entries);
        let arns: Vec<_> = entries
            .iter()
            .filter(|entry| needs_detail(&entry.past, &created, has_hooks))
            .map(|entry| entry.arn.clone())
            .collect();
        let described = self.describe_service_deployments(&arns, by).await;
        for Entry { arn, past, .. } in entries {
            match described.get(arn) {
                None => {}
                Some(Ok(deployment)) if past.status == ServiceDeploymentStatus::Running => {
                    past.approval = approval(deployment);
                    (past.stage, past.at_hook) = stage(deployment);
                }
                Some(Ok(deployment)) => past.ended_by = ended_by(deployment),
                Some(Err(error)) => past.ended_by = EndedBy::Unreadable(error.to_string()),
            }
        }
    }
}

/// True if the task definitions may decide: which deployments were restarts, and if one that was
/// rolled back or stopped ran the present one.
fn needs_task_definitions(entries: &[Entry], restart_budget: usize) -> bool {
    let created = created(entries);
    let mut past = entries.iter().map(|entry| &entry.past);
    entries.len() >= restart_budget || past.any(|past| has_ended(past, &created))
}

/// True if a deployment was rolled back or stopped, or may stand at a hook.
fn needs_detail(past: &PastDeployment, created: &[Timestamp], has_hooks: bool) -> bool {
    let may_stand_at_a_hook = has_hooks && past.status == ServiceDeploymentStatus::Running;
    may_stand_at_a_hook || has_ended(past, created)
}

/// True if a deployment was rolled back, or stopped by something other than one of those that were
/// created at these times.
fn has_ended(past: &PastDeployment, created: &[Timestamp]) -> bool {
    match past.status {
        ServiceDeploymentStatus::RollingBack | ServiceDeploymentStatus::RolledBack => true,
        ServiceDeploymentStatus::Stopped => !past.was_superseded(created.iter().copied()),
        ServiceDeploymentStatus::Running | ServiceDeploymentStatus::Succeeded => false,
    }
}

fn created(entries: &[Entry]) -> Vec<Timestamp> {
    let created = entries.iter().map(|entry| entry.past.created_at);
    created.collect()
}
