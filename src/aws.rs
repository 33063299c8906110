//! AWS in our words: clients of the SDK that take and return domain types. Nothing outside this
//! module names the SDK's types.

mod call;
mod config;
mod ecs;
mod error;
mod eventbridge;
mod http;
mod pages;
mod quota;
mod s3;
mod secretsmanager;
mod sqs;
mod ssm;
mod tagging;
mod timestamp;
mod trust;

use std::sync::LazyLock;

pub use aws_types::SdkConfig;
pub use config::load_config;
pub use ecs::{DescribedAt, DescribedServices, Detail, Ecs, Restarted, TasksOfRollout};
pub use error::Error;
pub use eventbridge::{EventBridge, OwnEvent};
pub use pages::{Listing, REPEATED_TOKEN};
pub use quota::{QUOTAS, Quota};
pub use s3::{ListedObjects, S3};
pub use secretsmanager::{ListedSecret, SecretsManager};
pub use sqs::Sqs;
pub use ssm::{DescribedParameters, ListedParameter, Ssm};
pub use tagging::{IgnoredKeys, Tagging};

/// A client that is made at its first use: the SDK parses its partitions for each.
pub type AtFirstUse<T> = LazyLock<T, Box<dyn FnOnce() -> T + Send>>;

/// The clients of every AWS service that the function calls. They share the HTTP client, and so the
/// connections, of the configuration that they are made from.
#[derive(Debug)]
pub struct Aws {
    /// Amazon ECS.
    pub ecs: Ecs,
    /// The Resource Groups Tagging API.
    pub tagging: Tagging,
    /// Systems Manager Parameter Store.
    pub ssm: AtFirstUse<Ssm>,
    /// Secrets Manager.
    pub secrets: AtFirstUse<SecretsManager>,
    /// Amazon S3.
    pub s3: AtFirstUse<S3>,
    /// Amazon SQS.
    pub sqs: AtFirstUse<Sqs>,
    /// Amazon EventBridge.
    pub eventbridge: AtFirstUse<EventBridge>,
}

impl Aws {
    /// Makes every client, for one process of a function that runs at most `concurrency` processes
    /// at once.
    #[must_use]
    pub fn new(config: &SdkConfig, concurrency: u32) -> Self {
        Self {
            ecs: Ecs::new(config, concurrency),
            tagging: Tagging::new(config, concurrency),
            ssm: at_first_use(config, move |config| Ssm::new(config, concurrency)),
            secrets: at_first_use(config, move |config| {
                SecretsManager::new(config, concurrency)
            }),
            s3: at_first_use(config, S3::new),
            sqs: at_first_use(config, Sqs::new),
            eventbridge: at_first_use(config, EventBridge::new),
        }
    }
}

fn at_first_use<T>(
    config: &SdkConfig,
    make: impl FnOnce(&SdkConfig) -> T + Send + 'static,
) -> AtFirstUse<T> {
    let config = config.clone();
    LazyLock::new(Box::new(move || make(&config)))
}
