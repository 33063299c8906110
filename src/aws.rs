//! AWS in our words: clients of the SDK that take and return domain types. Nothing outside this
//! module names the SDK's types.

mod call;
mod config;
mod ecs;
mod error;
mod pages;
mod quota;
mod s3;
mod secretsmanager;
mod sqs;
mod ssm;
mod tagging;
mod timestamp;

pub use aws_types::SdkConfig;
pub use config::load_config;
pub use ecs::{DescribedAt, DescribedServices, Ecs, Restarted};
pub use error::Error;
pub use pages::{Listing, REPEATED_TOKEN};
pub use quota::{QUOTAS, Quota};
pub use s3::{ListedObjects, S3};
pub use secretsmanager::{ListedSecret, SecretsManager};
pub use sqs::Sqs;
pub use ssm::{DescribedParameters, ListedParameter, Ssm};
pub use tagging::{IgnoredKeys, Tagging};

/// The clients of every AWS service that the function calls. They share the HTTP client, and so the
/// connections, of the configuration that they are made from.
#[derive(Debug)]
pub struct Aws {
    /// Amazon ECS.
    pub ecs: Ecs,
    /// The Resource Groups Tagging API.
    pub tagging: Tagging,
    /// Systems Manager Parameter Store.
    pub ssm: Ssm,
    /// Secrets Manager.
    pub secrets: SecretsManager,
    /// Amazon S3.
    pub s3: S3,
    /// Amazon SQS.
    pub sqs: Sqs,
}

impl Aws {
    /// Makes every client, for one process of a function that runs at most `concurrency` processes
    /// at once.
    #[must_use]
    pub fn new(config: &SdkConfig, concurrency: u32) -> Self {
        Self {
            ecs: Ecs::new(config, concurrency),
            tagging: Tagging::new(config, concurrency),
            ssm: Ssm::new(config, concurrency),
            secrets: SecretsManager::new(config, concurrency),
            s3: S3::new(config),
            sqs: Sqs::new(config),
        }
    }
}
