//! The clients of Amazon ECS, their paces, and the task definitions that are known.

use aws_sdk_ecs::Client;
use aws_sdk_ecs::config::retry::RetryConfig;
use aws_types::SdkConfig;

use super::cache::Cache;
use crate::aws::config::{client, retries};
use crate::aws::quota;
use crate::pace::Pace;

/// Reads under way at once: enough to hide the round trip, and to describe a hundred services in
/// the time of one call.
pub(super) const READS_IN_FLIGHT: usize = 10;

/// Amazon ECS.
#[derive(Debug)]
pub struct Ecs {
    pub(super) reads: Client,
    /// `UpdateService` has no client token, so the SDK must not send it twice by itself.
    pub(super) starts: Client,
    pub(super) paces: Paces,
    pub(super) definitions: Cache,
}

/// The paces of the reads, one for each bucket of the account.
#[derive(Debug)]
pub(super) struct Paces {
    pub(super) services: Pace,
    pub(super) deployments: Pace,
    pub(super) revisions: Pace,
    pub(super) tasks: Pace,
    pub(super) task_definitions: Pace,
}

impl Ecs {
    pub(in crate::aws) fn new(config: &SdkConfig, concurrency: u32) -> Self {
        Self {
            reads: client!(aws_sdk_ecs, config, retries()),
            starts: client!(aws_sdk_ecs, config, RetryConfig::disabled()),
            paces: Paces {
                services: quota::SERVICES.limit.share(concurrency),
                deployments: quota::DEPLOYMENTS.limit.share(concurrency),
                revisions: quota::REVISIONS.limit.share(concurrency),
                tasks: quota::TASKS.limit.share(concurrency),
                task_definitions: quota::TASK_DEFINITIONS.limit.share(concurrency),
            },
            definitions: Cache::new(),
        }
    }
}
