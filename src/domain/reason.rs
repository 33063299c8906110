//! The table of reasons: why a service is restarted, or is not.
//!
//! Each row has a code, a decision, a rule, the sentence that says when it applies, and what to do.
//! The order of the rows is the precedence: the first row whose rule applies decides. The same
//! table is in the log, the metrics, the answer and `docs/decisions.md`.

use serde::Serialize;

use super::closed_list::closed_list;
use super::plan::rule::Rule;
use super::plan::{ability, freshness, holds, keys, limits, mode, order};

/// The decision about a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// Nothing needs to be done, or its owner wants nothing done.
    Skip,
    /// A person must act first.
    Refuse,
    /// A restart has to wait.
    Hold,
    /// It is restarted now.
    Restart,
}

macro_rules! reasons {
    ($(
        $(#[doc = $when:literal])+
        $name:ident = $code:literal => $decision:ident, $rule:expr, $what_to_do:literal;
    )+) => {
        closed_list! {
            /// The reason for a decision, in the order of precedence.
            #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
            pub enum Reason {
                $($(#[doc = $when])+ $name = $code, $what_to_do;)+
            }
        }

        impl Reason {
            /// The decision that it gives.
            #[must_use]
            pub fn decision(self) -> Decision {
                match self { $(Self::$name => Decision::$decision),+ }
            }

            /// The rule that says whether it applies.
            pub(super) fn rule(self) -> Rule {
                match self { $(Self::$name => $rule),+ }
            }
        }
    };
}

reasons! {
    /// A `-term` of its watch tag names the key, or its tag no longer names the key while a
    /// rollout for it is followed.
    Excluded = "excluded" => Skip, Rule::Key(keys::excluded),
        "nothing";

    /// Its task definition names a version of the secret by its id, which never changes.
    Pinned = "pinned" => Skip, Rule::Key(keys::pinned),
        "nothing, or register a revision that names the new version";

    /// The parameter or secret is tagged `reloader:ignore` = `true`.
    IgnoredKey = "ignored-key" => Skip, Rule::Key(keys::ignored_key),
        "nothing";

    /// A label of a parameter moved. Injected values do not follow labels.
    LabelOnly = "label-only" => Skip, Rule::Key(keys::label_only),
        "nothing";

    /// The key was deleted, and nothing newer is known of it. A restart would break the service.
    Deleted = "deleted" => Skip, Rule::Key(keys::deleted),
        "with `\"missing_key\":true` **its next task will not start**: restore the key, or take it \
         out of the task definition. Otherwise nothing";

    /// The service is draining, deleted, or gone since the tag index was built.
    Inactive = "inactive" => Skip, Rule::Service(ability::inactive),
        "nothing";

    /// Its tag `reloader:mode` is `off`. `would_be` is the reason that would have decided.
    Off = "off" => Skip, Rule::Mode(mode::off),
        "nothing";

    /// Its tag `reloader:mode`, or the mode of the function, is `notify`; or a sweep only reports,
    /// or the change is too old for it. `would_be` is the reason that would have decided.
    Notify = "notify" => Skip, Rule::Mode(mode::notify),
        "nothing";

    /// The request asked for the decisions only. `would_be` is the reason that would have decided.
    DryRun = "dry-run" => Skip, Rule::Mode(mode::dry_run),
        "nothing";

    /// A request names a service that Amazon ECS does not know.
    NoSuchService = "no-such-service" => Refuse, Rule::Service(ability::no_such_service),
        "correct the name: `aws ecs list-services --cluster CLUSTER`";

    /// A request names a service without a watch tag.
    NotOptedIn = "not-opted-in" => Refuse, Rule::Service(ability::not_opted_in),
        "tag it with `reloader:watch`, then request it again";

    /// A tag does not parse. `detail` says what was expected.
    InvalidTag = "invalid-tag" => Refuse, Rule::Service(ability::invalid_tag),
        "correct the tag, then request the service by hand";

    /// Its deployment controller does not take deployments of its strategy.
    UnsupportedController = "unsupported-controller" => Refuse,
        Rule::Service(ability::unsupported_controller),
        "with the controller ECS, remove `reloader:strategy`. With any other, deploy it yourself, as \
         you always do";

    /// It asks for something that this version does not do. `detail` names it.
    NotSupportedYet = "not-supported-yet" => Refuse, Rule::Service(ability::not_supported_yet),
        "remove the tag that asks for it, or deploy the service yourself";

    /// Its desired count is 0: its next task will read the new value.
    NoTasks = "no-tasks" => Skip, Rule::Service(ability::no_tasks),
        "nothing";

    /// A deployment newer than the change stands at a PAUSE hook. `detail` names it, the hook, and
    /// when that expires.
    AwaitingApproval = "awaiting-approval" => Hold, Rule::Service(freshness::awaiting_approval),
        "decide: `aws ecs continue-service-deployment`. When the hook expires, Amazon ECS does what \
         the hook says";

    /// A deployment newer than the change exists and has not failed, whoever made it. Or the change
    /// is older than ten minutes, and every task is newer than it.
    Fresh = "fresh" => Skip, Rule::Service(freshness::fresh),
        "nothing";

    /// A deployment newer than the change, of the same task definition, failed: its circuit breaker
    /// or an alarm was triggered. Another deployment would read the same value.
    FailedAlready = "failed-already" => Refuse, Rule::Service(freshness::failed_already),
        "read in `detail` what Amazon ECS says, and correct the value: that is a new change. If the \
         value is right, request the service by hand";

    /// A person, a lifecycle hook or its time-out ended a deployment newer than the change. It is
    /// not started again by itself, and raises no alarm.
    Rejected = "rejected" => Refuse, Rule::Service(freshness::rejected),
        "if that was meant, nothing. Otherwise change the value again, or request the service by \
         hand";

    /// A service that goes before it, by its order or as the canary, failed with this change or a
    /// newer one, was rejected or timed out. `detail` names it. Nobody after it gets the change.
    OrderHalted = "order-halted" => Refuse, Rule::Order(order::order_halted),
        "look at the service that `detail` names, and correct the value: that is a new change. A \
         good deployment of that service frees the others too, and the next sweep restarts them. \
         To restart this one all the same, request it by hand";

    /// The change would restart more services than `MaxServices`, so it restarts none.
    BlastRadius = "blast-radius" => Refuse, Rule::Reach(limits::blast_radius),
        "check whether so many are meant, then invoke by hand with `changed` and `max_services`";

    /// Its tag `reloader:pause` is set.
    Paused = "paused" => Hold, Rule::Service(holds::paused),
        "nothing: it is restarted when the pause ends or the tag is removed";

    /// Its own window, `reloader:window`, is closed. `detail` says until when.
    OutsideWindow = "outside-window" => Hold, Rule::Service(holds::outside_window),
        "nothing";

    /// Its newest deployment, whoever made it, is younger than `reloader:min-interval`, or the
    /// function's own interval.
    MinInterval = "min-interval" => Hold, Rule::Service(holds::min_interval),
        "nothing";

    /// It was restarted `MaxRestartsPerHour` times within an hour.
    RestartBudget = "restart-budget" => Hold, Rule::Service(holds::restart_budget),
        "find out who changes its configuration so often. If it is the service itself, exclude the \
         key with a `-term`";

    /// The change is younger than `Settle`: not every replica of the store may have it.
    Settling = "settling" => Hold, Rule::Service(holds::settling),
        "nothing";

    /// A deployment older than the change runs. A plain rolling one is superseded ten minutes after
    /// the change; any other one is waited for until it ends.
    DeploymentInProgress = "deployment-in-progress" => Hold,
        Rule::Service(holds::deployment_in_progress),
        "nothing";

    /// Five deployments of the service are active, and Amazon ECS takes no sixth.
    TooManyDeployments = "too-many-deployments" => Hold,
        Rule::Service(holds::too_many_deployments),
        "find out what keeps the old ones alive: task protection?";

    /// A service that goes before it, by its order or as the canary, has not taken the change well
    /// yet. `detail` names it. The hold ends when those before it do.
    WaitingForOrder = "waiting-for-order" => Hold, Rule::Order(order::waiting_for_order),
        "nothing";

    /// As many rollouts of this change run as `MaxInFlight` allows.
    InFlightLimit = "in-flight-limit" => Hold, Rule::InFlight(limits::in_flight_limit),
        "nothing";

    /// Its tasks read the key before it changed, or a request names it.
    Stale = "stale" => Restart, Rule::Otherwise,
        "nothing: `result` says how the start went";
}

impl Reason {
    /// True if the key alone decides, whatever the service does.
    #[must_use]
    pub fn is_about_key(self) -> bool {
        matches!(self.rule(), Rule::Key(_))
    }

    /// True if a deployment covers the change that is still to be followed.
    #[must_use]
    pub fn is_covered(self) -> bool {
        matches!(self, Self::Fresh | Self::AwaitingApproval)
    }
}

closed_list! {
    /// The reason why an event is not acted on.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
    pub enum IgnoredReason {
        /// S3 tries a new notification.
        TestEvent = "test-event", "nothing";

        /// The function takes nothing from this source.
        UnknownSource = "unknown-source", "find out which rule or which sender sends it";

        /// The source is known, but an event of this kind changes no value.
        UnknownKind = "unknown-kind", "nothing";

        /// Parameter Store could not validate the new value (`aws:ec2:image`), so it did not take
        /// effect.
        NotValidated = "not-validated", "correct the value of the parameter";

        /// A new version of a secret that no task reads yet.
        PendingVersion = "pending-version", "nothing: the event of its promotion follows";

        /// CloudTrail reports a call that failed, so it changed nothing.
        CallFailed = "call-failed", "nothing";

        /// A list of records with none in it.
        NoRecords = "no-records", "nothing";

        /// An object without content whose key ends in a slash, as "Create folder" of the S3
        /// console writes it.
        Folder = "folder", "nothing";

        /// A later version acts on it.
        NotSupportedYet = "not-supported-yet", "nothing";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_about_keys_stand_before_all_others_and_the_restart_is_last() {
        let about_keys = |reason: &&Reason| matches!(reason.rule(), Rule::Key(_));
        let (first, others): (Vec<_>, Vec<_>) = {
            let first = Reason::ALL.iter().take_while(about_keys).count();
            let (first, others) = Reason::ALL.split_at(first);
            (first.to_vec(), others.to_vec())
        };

        assert_eq!(first.len(), 5);
        assert_eq!(others.iter().filter(about_keys).count(), 0);
        let last = Reason::ALL.last().unwrap();
        assert!(matches!(last.rule(), Rule::Otherwise));
        assert_eq!(last.decision(), Decision::Restart);
    }

    #[test]
    fn the_code_is_what_is_written() {
        for reason in Reason::ALL {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.code());
        }
    }
}
