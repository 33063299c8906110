//! The start of a restart.

use serde::Serialize;

use super::closed_list::closed_list;
use super::plan::Planned;
use super::rollout::Rollout;
use super::service::Service;

/// The kinds of errors of AWS that are treated differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorKind {
    /// The role has no permission.
    Denied,
    /// The account's bucket for this call is empty.
    Throttled,
    /// No answer, a broken connection, or a fault of the service's own: whether the call took
    /// effect is not known.
    Unavailable,
    /// The service or its cluster is not there.
    NotFound,
    /// Five deployments of the service are active, and Amazon ECS takes no sixth.
    TooManyDeployments,
    /// Anything else: a repetition will not help.
    Rejected,
}

impl ErrorKind {
    /// True if the same call may succeed later by itself.
    #[must_use]
    pub fn passes(self) -> bool {
        match self {
            Self::Throttled | Self::Unavailable => true,
            Self::Denied | Self::NotFound | Self::TooManyDeployments | Self::Rejected => false,
        }
    }
}

/// A service that was planned, and perhaps restarted.
#[derive(Clone, Debug, PartialEq)]
pub struct Executed {
    /// The plan as it was carried out: a re-check may have changed it.
    pub planned: Planned,
    /// `None` if no restart was due, perhaps by the re-check.
    pub start: Option<StartResult>,
    /// The last description of it.
    pub seen: Service,
}

/// The start of a restart in one invocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartResult {
    /// A deployment was created.
    Started {
        /// The deployment.
        rollout: Rollout,
        /// True if the answer was lost, and the deployment found by describing the service.
        found: bool,
    },
    /// Throttled until the invocation's time was up; tried again later.
    Throttled,
    /// The invocation's time was up first; tried again later.
    OutOfTime,
    /// The role may not restart this service.
    Denied {
        /// AWS's own words.
        message: String,
    },
    /// AWS did not do it.
    Failed {
        /// AWS's own words.
        message: String,
        /// True if it may succeed later by itself.
        passes: bool,
    },
}

closed_list! {
    /// The start of a restart, as a word in the log and the answer.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
    pub enum ResultCode {
        /// A deployment was created. `deployment` is its id.
        Started = "started", "nothing: it is followed until it has ended";

        /// The limit of the account's API calls was reached.
        Throttled = "throttled", "with `\"will_retry\":true` nothing; otherwise invoke by hand";

        /// The time of the invocation was up.
        OutOfTime = "out-of-time", "with `\"will_retry\":true` nothing; otherwise invoke by hand";

        /// The role may not restart it. `error` is AWS's own message.
        Denied = "denied",
            "look for a service control policy or a permissions boundary, then request the service \
             by hand";

        /// AWS did not do it. `error` is AWS's own message.
        Failed = "failed",
            "with `\"will_retry\":true` nothing; otherwise read `error`, then invoke by hand";

        /// It was held for `HoldLimit`, and the hold did not end.
        Abandoned = "abandoned", "remove what holds it, then invoke by hand";
    }
}

impl StartResult {
    /// The word for it.
    #[must_use]
    pub fn result(&self) -> ResultCode {
        match self {
            Self::Started { .. } => ResultCode::Started,
            Self::Throttled => ResultCode::Throttled,
            Self::OutOfTime => ResultCode::OutOfTime,
            Self::Denied { .. } => ResultCode::Denied,
            Self::Failed { .. } => ResultCode::Failed,
        }
    }

    /// True if it is tried again by itself.
    #[must_use]
    pub fn is_unfinished(&self) -> bool {
        match self {
            Self::Throttled | Self::OutOfTime => true,
            Self::Failed { passes, .. } => *passes,
            Self::Started { .. } | Self::Denied { .. } => false,
        }
    }
}
