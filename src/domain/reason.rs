//! Why a service is restarted, or is not: one closed list, the same in the log, the metric, the
//! answer and the README.

use std::fmt;

use serde::Serialize;

/// What is done about a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// Nothing needs to be done, or its owner wants nothing done.
    Skip,
    /// A person must act first.
    Refuse,
    /// Not now.
    Hold,
    /// Now.
    Restart,
}

/// Every reason of this version, declared in the order of precedence: of two that apply to one
/// change, the one declared first is told. Of the reasons of several changes the last is told,
/// since that change got furthest.
macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal => $decision:ident,)+) => {
        /// Why.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        pub enum Reason {
            $($(#[doc = $doc])+ #[serde(rename = $code)] $name,)+
        }

        impl Reason {
            /// Every reason, in the order of precedence.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The word in the log, the metric and the README.
            #[must_use]
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code),+ }
            }

            /// What is done for this reason.
            #[must_use]
            pub fn decision(self) -> Decision {
                match self { $(Self::$name => Decision::$decision),+ }
            }
        }
    };
}

reasons! {
    /// A `-term` of the service's watch tag names the key.
    Excluded = "excluded" => Skip,
    /// Its task definition names a version of the secret by its id, which never changes.
    Pinned = "pinned" => Skip,
    /// The key is tagged `reloader:ignore` = `true`.
    IgnoredKey = "ignored-key" => Skip,
    /// A label of a parameter moved: injected values follow no labels.
    LabelOnly = "label-only" => Skip,
    /// The key was deleted: a restart would break the service, and its next task will not start.
    Deleted = "deleted" => Skip,
    /// The service is draining, deleted, or gone since the tag index was built.
    Inactive = "inactive" => Skip,
    /// `reloader:mode` = `off`.
    Off = "off" => Skip,
    /// `reloader:mode` = `notify`, or the function runs in that mode: decided and told, nothing done.
    Notify = "notify" => Skip,
    /// The invocation asked for the decisions only.
    DryRun = "dry-run" => Skip,
    /// A request names a service that Amazon ECS does not know.
    NoSuchService = "no-such-service" => Refuse,
    /// A request names a service that carries no watch tag.
    NotOptedIn = "not-opted-in" => Refuse,
    /// A guard of the service does not parse.
    InvalidTag = "invalid-tag" => Refuse,
    /// The deployment controller does not take deployments of this strategy.
    UnsupportedController = "unsupported-controller" => Refuse,
    /// The service asks for something that this version does not do.
    NotSupportedYet = "not-supported-yet" => Refuse,
    /// Desired count 0: the next task will read the new value.
    NoTasks = "no-tasks" => Skip,
    /// A deployment newer than the change stands at a PAUSE hook: a person decides about it.
    AwaitingApproval = "awaiting-approval" => Hold,
    /// A good deployment newer than the change exists, whoever made it; or all tasks are newer than the change.
    Fresh = "fresh" => Skip,
    /// A deployment newer than the change failed with the same task definition; another would read the same value.
    FailedAlready = "failed-already" => Refuse,
    /// A person, a lifecycle hook or the time-out of one ended a deployment newer than the change: it is not started again.
    Rejected = "rejected" => Refuse,
    /// The change would restart more services than the limit.
    BlastRadius = "blast-radius" => Refuse,
    /// `reloader:pause` is set.
    Paused = "paused" => Hold,
    /// Its own window, `reloader:window`, is closed.
    OutsideWindow = "outside-window" => Hold,
    /// Its newest deployment is younger than `reloader:min-interval`, or the function's.
    MinInterval = "min-interval" => Hold,
    /// It was restarted as often within an hour as the function allows.
    RestartBudget = "restart-budget" => Hold,
    /// The change is so young that not every replica of the store may have it.
    Settling = "settling" => Hold,
    /// A deployment older than the change runs: a plain rolling one is waited for ten minutes, any other, and a rollback, until it ends.
    DeploymentInProgress = "deployment-in-progress" => Hold,
    /// Amazon ECS takes no sixth active deployment.
    TooManyDeployments = "too-many-deployments" => Hold,
    /// As many rollouts of this change run as the function allows at once.
    InFlightLimit = "in-flight-limit" => Hold,
    /// The service's tasks read the key before it changed.
    Stale = "stale" => Restart,
}

impl Reason {
    /// Whether a deployment covers the change that is still to be followed.
    #[must_use]
    pub fn is_covered(self) -> bool {
        matches!(self, Self::Fresh | Self::AwaitingApproval)
    }

    /// Whether the owner's or the caller's wish to do nothing stands before it: what comes later is
    /// told as what would have been done.
    #[must_use]
    pub(super) fn yields_to_mode(self) -> bool {
        self > Self::DryRun
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Why an event is not acted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum IgnoredReason {
    /// S3 tries a new notification.
    TestEvent,
    /// Nothing of ours comes from this source.
    UnknownSource,
    /// The source is ours; this kind of event changes no value.
    UnknownKind,
    /// Parameter Store could not validate the new value (`aws:ec2:image`), so it did not take
    /// effect.
    NotValidated,
    /// A version of a secret that nobody reads yet.
    PendingVersion,
    /// A call that CloudTrail tells of and that did nothing.
    CallFailed,
    /// A list of records with none in it.
    NoRecords,
    /// An object without content whose key ends in a slash, as "Create folder" of the S3 console
    /// writes it.
    Folder,
    /// A later version acts on it.
    NotSupportedYet,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_comes_last_and_a_hold_before_it() {
        let decisions: Vec<_> = Reason::ALL
            .iter()
            .rev()
            .map(|reason| reason.decision())
            .take(4)
            .collect();

        assert_eq!(
            decisions,
            [
                Decision::Restart,
                Decision::Hold,
                Decision::Hold,
                Decision::Hold
            ]
        );
    }

    #[test]
    fn the_code_is_what_is_written() {
        for reason in Reason::ALL {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.code());
        }
    }
}
