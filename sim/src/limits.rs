//! The token buckets with which AWS throttles an account's API calls.

use std::collections::BTreeMap;

use jiff::Timestamp;

/// The throttling of calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RateLimits {
    /// Never.
    #[default]
    Unlimited,
    /// At the documented rates: "Request throttling for the Amazon ECS API", "AWS Resource Groups
    /// endpoints and quotas" (15 a second) and "AWS Systems Manager endpoints and quotas" (3 a
    /// second).
    Documented,
}

/// Operations that share a bucket, its size and its refill a second.
struct Group {
    name: &'static str,
    burst: f64,
    per_second: f64,
    actions: &'static [&'static str],
}

const GROUPS: &[Group] = &[
    Group {
        name: "service modify",
        burst: 50.0,
        per_second: 5.0,
        actions: &[
            "ecs:CreateService",
            "ecs:DeleteService",
            "ecs:UpdateService",
        ],
    },
    Group {
        name: "service read",
        burst: 100.0,
        per_second: 20.0,
        actions: &["ecs:DescribeServices", "ecs:ListServices"],
    },
    Group {
        name: "service deployment",
        burst: 50.0,
        per_second: 20.0,
        actions: &[
            "ecs:ListServiceDeployments",
            "ecs:DescribeServiceDeployments",
        ],
    },
    Group {
        name: "service revision",
        burst: 50.0,
        per_second: 20.0,
        actions: &["ecs:DescribeServiceRevisions"],
    },
    Group {
        name: "task definition read",
        burst: 50.0,
        per_second: 20.0,
        actions: &["ecs:DescribeTaskDefinition"],
    },
    Group {
        name: "task definition modify",
        burst: 20.0,
        per_second: 1.0,
        actions: &["ecs:RegisterTaskDefinition"],
    },
    Group {
        name: "cluster read",
        burst: 50.0,
        per_second: 20.0,
        actions: &["ecs:DescribeClusters", "ecs:ListClusters"],
    },
    Group {
        name: "cluster resource modify",
        burst: 100.0,
        per_second: 40.0,
        actions: &["ecs:StopTask"],
    },
    Group {
        name: "task protection",
        burst: 200.0,
        per_second: 80.0,
        actions: &["ecs:UpdateTaskProtection"],
    },
    Group {
        name: "cluster resource read",
        burst: 100.0,
        per_second: 20.0,
        actions: &["ecs:ListTasks", "ecs:DescribeTasks"],
    },
    Group {
        name: "tag read",
        burst: 50.0,
        per_second: 20.0,
        actions: &["ecs:ListTagsForResource"],
    },
    Group {
        name: "tagging",
        burst: 15.0,
        per_second: 15.0,
        actions: &["tag:GetResources"],
    },
    Group {
        name: "parameter metadata",
        burst: 3.0,
        per_second: 3.0,
        actions: &[
            "ssm:DescribeParameters",
            "ssm:PutParameter",
            "ssm:LabelParameterVersion",
            "ssm:GetParameterHistory",
        ],
    },
];

struct Bucket {
    tokens: f64,
    filled: Timestamp,
}

/// The buckets of one account and Region.
pub(crate) struct RateLimiter {
    limits: RateLimits,
    /// The part that is left for the recorded callers.
    left: f64,
    buckets: BTreeMap<&'static str, Bucket>,
}

impl RateLimiter {
    pub(crate) fn new(limits: RateLimits) -> Self {
        Self {
            limits,
            left: 1.0,
            buckets: BTreeMap::new(),
        }
    }

    /// Takes this part of every bucket, for callers that are not recorded.
    pub(crate) fn share(&mut self, taken: f64) {
        self.left = 1.0 - taken.clamp(0.0, 1.0);
    }

    /// Takes a token for the call; `false` means that it is throttled.
    pub(crate) fn admit(&mut self, service: &str, operation: &str, now: Timestamp) -> bool {
        let action = format!("{service}:{operation}");
        let group = match self.limits {
            RateLimits::Unlimited => None,
            RateLimits::Documented => GROUPS
                .iter()
                .find(|group| group.actions.contains(&action.as_str())),
        };
        let Some(group) = group else { return true };

        let (burst, per_second) = (group.burst * self.left, group.per_second * self.left);
        let bucket = self.buckets.entry(group.name).or_insert(Bucket {
            tokens: burst,
            filled: now,
        });
        let elapsed = now.duration_since(bucket.filled).as_secs_f64();
        bucket.tokens = elapsed.mul_add(per_second, bucket.tokens).min(burst);
        bucket.filled = now;
        let admitted = bucket.tokens >= 1.0;
        if admitted {
            bucket.tokens -= 1.0;
        }
        admitted
    }
}
