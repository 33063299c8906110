//! The part of the account's buckets of API calls that the whole function may take. Everybody in the
//! account and Region takes from them: pipelines, the console, autoscaling. A process takes its
//! share, see [`Limit::share`].
//!
//! The account's own numbers, as burst and rate a second:
//! * Amazon ECS: 100 and 20 for services and for tasks, 50 and 20 for deployments, revisions and
//!   task definitions, 50 and 5 for `UpdateService`, whose pace is a setting. "Request throttling
//!   for the Amazon ECS API", Amazon ECS API Reference.
//! * `GetResources`: 15 a second. "AWS Resource Groups endpoints and quotas", AWS General
//!   Reference.
//! * `DescribeParameters`: 3 a second, together with calls that write. "AWS Systems Manager
//!   endpoints and quotas", AWS General Reference.
//! * `ListSecrets`, `ListSecretVersionIds`: at least 50 a second each. "AWS Secrets Manager
//!   quotas", AWS Secrets Manager User Guide.
//!
//! Ours are nine tenths of the reads of Amazon ECS, since a thousand services must be read before
//! the first of them is restarted, and four fifths of the others.

use crate::pace::Limit;

/// The part of one bucket.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quota {
    /// The calls of this function that share the bucket, as IAM names them.
    pub calls: &'static [&'static str],
    /// The most that the whole function makes of them.
    pub limit: Limit,
}

impl Quota {
    const fn new(calls: &'static [&'static str], burst: u32, rate: f64) -> Self {
        Self {
            calls,
            limit: Limit { burst, rate },
        }
    }
}

pub(super) const SERVICES: Quota = Quota::new(&["ecs:DescribeServices"], 90, 18.0);
pub(super) const DEPLOYMENTS: Quota = Quota::new(
    &[
        "ecs:ListServiceDeployments",
        "ecs:DescribeServiceDeployments",
    ],
    45,
    18.0,
);
pub(super) const REVISIONS: Quota = Quota::new(&["ecs:DescribeServiceRevisions"], 45, 18.0);
pub(super) const TASKS: Quota = Quota::new(&["ecs:ListTasks", "ecs:DescribeTasks"], 90, 18.0);
pub(super) const TASK_DEFINITIONS: Quota = Quota::new(&["ecs:DescribeTaskDefinition"], 45, 18.0);
pub(super) const TAGGED: Quota = Quota::new(&["tag:GetResources"], 12, 12.0);
pub(super) const PARAMETERS: Quota = Quota::new(&["ssm:DescribeParameters"], 2, 2.4);
pub(super) const SECRETS: Quota = Quota::new(
    &[
        "secretsmanager:ListSecrets",
        "secretsmanager:ListSecretVersionIds",
    ],
    40,
    40.0,
);

/// Every bucket that reads take from. S3 needs none: it answers thousands a second for each prefix.
pub const QUOTAS: [Quota; 8] = [
    SERVICES,
    DEPLOYMENTS,
    REVISIONS,
    TASKS,
    TASK_DEFINITIONS,
    TAGGED,
    PARAMETERS,
    SECRETS,
];
