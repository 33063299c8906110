//! Notices: messages to people, as data.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::arn::ServiceId;
use super::closed_list::closed_list;
use super::reason::Reason;

/// The most services of a notice that are named; the others are counted. One entry of an event bus
/// has at most 256 KB.
pub const MOST_SERVICES: usize = 100;

/// The most details of a notice.
pub const MOST_DETAILS: usize = 20;

/// The longest command of a notice, in bytes.
pub const MOST_COMMAND: usize = 2_000;

/// The bytes of the hash that become the id: enough that no two notices of one account ever meet.
const ID_BYTES: usize = 16;

closed_list! {
    /// The kind of a notice, the most important first.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
    pub enum NoticeKind {
        /// A restart could not be started, or its rollout failed.
        Failed = "failed",
            "read the details, and correct what they say. If the value is bad, bring the old one \
             back: that is a new change";

        /// The circuit breaker or an alarm was triggered, and Amazon ECS brings back the deployment
        /// before it, but not the old value.
        RolledBack = "rolled-back", "bring the old value back, or correct it: that is a new change";

        /// A rollout made no progress for `OutcomeDeadline`. A later end may follow once.
        TimedOut = "timed-out",
            "look at the events of the service: without a circuit breaker Amazon ECS tries for ever";

        /// A service that goes before these, by its order or as the canary, failed with this change:
        /// none of these gets it.
        Halted = "halted", "look at the service that failed, and correct the value";

        /// A key that the task definition refers to was deleted: the next task will not start.
        MissingKey = "missing-key", "restore the key, or take it out of the task definition";

        /// A restart was held for `HoldLimit`, and the hold did not end.
        Abandoned = "abandoned", "remove what holds it, then request the service by hand";

        /// A restart is refused: a person must act first.
        Refused = "refused", "do what the reason asks for, then request the service by hand";

        /// A person, a lifecycle hook or its time-out ended a rollout.
        Rejected = "rejected", "nothing, or request the service by hand";

        /// A rollout is gone, and its history could not be read until the deadline.
        Unknown = "unknown", "look at the deployments of the service";

        /// Services run on an old value and are not restarted: a mode only reports them, or a sweep
        /// could not restart them.
        Stale = "stale", "request the services by hand, or restart them yourself";

        /// A deployment newer than the change stands at a PAUSE hook.
        AwaitingApproval = "awaiting-approval",
            "approve or reject it before the hook expires: `aws ecs continue-service-deployment`";

        /// A restart has to wait.
        Held = "held", "nothing: it is restarted when the hold ends";

        /// A restart was started.
        Started = "started", "nothing: it is followed until it has ended";

        /// A rollout has completed.
        Completed = "completed", "nothing";
    }
}

/// A message to people. Services for which the same change came to the same share one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The same for every copy of it, and another for every other notice: see [`Identity`].
    pub id: String,
    /// Its kind.
    pub kind: NoticeKind,
    /// The key that changed, as a watch term; `None` if a request alone named the services.
    pub key: Option<String>,
    /// The version of the change, if known.
    pub version: Option<String>,
    /// The version before it, if known.
    pub previous_version: Option<String>,
    /// The instant of the change.
    pub changed_at: Option<Timestamp>,
    /// The author of the change, if known.
    pub changed_by: Option<String>,
    /// The first [`MOST_SERVICES`] services, `cluster/name`.
    pub services: Vec<String>,
    /// The number of the others.
    pub more_services: u32,
    /// The deployments of these services.
    pub deployments: Vec<String>,
    /// The reason of the decision, if the notice is about one.
    pub reason: Option<Reason>,
    /// The first [`MOST_DETAILS`] facts about single services, in the words of the function or of
    /// AWS.
    pub details: Vec<String>,
    /// The end of the wait, if it is known.
    pub until: Option<Timestamp>,
    /// The command that brings the old value back, for a person to run, if the new value may be the
    /// cause of a failure.
    pub restore: Option<String>,
    /// The time at which it was made.
    pub at: Timestamp,
}

/// The facts that make two notices the same.
#[derive(Clone, Debug)]
pub struct Identity<'a> {
    /// The kind.
    pub kind: NoticeKind,
    /// The reason of the decision: a hold for another reason is another notice.
    pub reason: Option<Reason>,
    /// The whole name of the key.
    pub key: Option<String>,
    /// The version, or the time of the change if it has none.
    pub version: Option<&'a str>,
    /// All services.
    pub services: BTreeSet<&'a ServiceId>,
    /// All deployments: a second failure is of another one.
    pub deployments: BTreeSet<&'a str>,
    /// The end of the wait, if another end makes it another notice: each hook of a deployment has
    /// its own.
    pub until: Option<Timestamp>,
}

impl Identity<'_> {
    /// The id: the beginning of a SHA-256 hash, in hexadecimal digits. It is the same in every
    /// process and version of the function.
    #[must_use]
    pub fn id(&self) -> String {
        let Self {
            kind,
            reason,
            key,
            version,
            services,
            deployments,
            until,
        } = self;
        let mut hash = Sha256::new();
        let mut add = |part: &str| {
            // With its length before it, no part continues in the next.
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        };
        add(kind.code());
        add(reason.map_or("", Reason::code));
        add(key.as_deref().unwrap_or_default());
        add(version.unwrap_or_default());
        add(&services.len().to_string());
        for service in services {
            add(&service.to_string());
        }
        for deployment in deployments {
            add(deployment);
        }
        if let Some(until) = until {
            add(&until.to_string());
        }
        let digits = hash.finalize().into_iter().take(ID_BYTES);
        digits.fold(String::new(), |id, byte| format!("{id}{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(name: &str) -> ServiceId {
        ServiceId {
            cluster: "production".to_owned(),
            name: name.to_owned(),
        }
    }

    fn id(change: impl Fn(&mut Identity<'_>)) -> String {
        let (api, worker) = (service("api"), service("worker"));
        let mut identity = Identity {
            kind: NoticeKind::Failed,
            reason: None,
            key: Some("ssm:/app/db".to_owned()),
            version: Some("3"),
            services: BTreeSet::from([&api, &worker]),
            deployments: BTreeSet::from(["d"]),
            until: None,
        };
        change(&mut identity);
        identity.id()
    }

    #[test]
    fn the_id_is_the_same_in_every_version_of_the_function() {
        assert_eq!(id(|_| {}), "cf25fb28e79ac1387fa8788792945ea0");
    }

    #[test]
    fn another_fact_makes_another_id() {
        let name = |key: &str| Some(key.to_owned());
        let ids = BTreeSet::from([
            id(|_| {}),
            id(|identity| identity.kind = NoticeKind::Held),
            id(|identity| identity.reason = Some(Reason::Paused)),
            id(|identity| identity.key = name("ssm:/app/d")),
            id(|identity| identity.key = None),
            id(|identity| identity.version = Some("4")),
            id(|identity| identity.deployments = BTreeSet::from(["e"])),
            id(|identity| identity.services.clear()),
            id(|identity| identity.until = Some(Timestamp::UNIX_EPOCH)),
            // The end of one part is not the beginning of the next.
            id(|identity| (identity.key, identity.version) = (name("ssm:/app/db3"), None)),
        ]);

        assert_eq!(ids.len(), 10);
    }
}
