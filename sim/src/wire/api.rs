//! The APIs of the account, and the names that they have in requests, policies and answers.

use serde_json::Value;

use crate::config::AccountConfig;
use crate::{ecs, put_events, secrets, sqs, ssm, tagging};

/// The APIs of the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Api {
    Ecs,
    Tagging,
    Ssm,
    Secrets,
    Sqs,
    Events,
    S3,
}

impl Api {
    pub(super) const JSON: [(&'static str, Self); 6] = [
        ("AmazonEC2ContainerServiceV20141113", Self::Ecs),
        ("ResourceGroupsTaggingAPI_20170126", Self::Tagging),
        ("AmazonSSM", Self::Ssm),
        ("secretsmanager", Self::Secrets),
        ("AmazonSQS", Self::Sqs),
        ("AWSEvents", Self::Events),
    ];

    /// The prefix of this API's actions in IAM policies.
    pub(crate) fn iam_prefix(self) -> &'static str {
        match self {
            Self::Ecs => "ecs",
            Self::Tagging => "tag",
            Self::Ssm => "ssm",
            Self::Secrets => "secretsmanager",
            Self::Sqs => "sqs",
            Self::Events => "events",
            Self::S3 => "s3",
        }
    }

    /// The first label of this API's endpoint; a bucket may stand before it.
    pub(super) fn endpoint_prefix(self) -> &'static str {
        match self {
            Self::Tagging => "tagging",
            Self::Ecs | Self::Ssm | Self::Secrets | Self::Sqs | Self::Events | Self::S3 => {
                self.iam_prefix()
            }
        }
    }

    /// The name of page tokens in this API's requests and answers.
    pub(super) fn token_name(self) -> &'static str {
        match self {
            Self::Ecs => "nextToken",
            Self::Tagging => "PaginationToken",
            Self::Ssm | Self::Secrets | Self::Sqs | Self::Events | Self::S3 => "NextToken",
        }
    }

    /// The resource that IAM names when it denies a call.
    pub(super) fn resource_arn(self, config: &AccountConfig, target: &str) -> String {
        let target = target.split(',').next().unwrap_or_default();
        match self {
            _ if target.is_empty() => "*".to_owned(),
            Self::Ecs if target.starts_with("arn:") => target.to_owned(),
            Self::Ecs if target.contains('/') => config.arn("ecs", &format!("service/{target}")),
            Self::Ecs => config.arn("ecs", &format!("cluster/{target}")),
            Self::Tagging => "*".to_owned(),
            Self::Ssm => config.arn(
                "ssm",
                &format!("parameter/{}", target.trim_start_matches('/')),
            ),
            Self::Secrets => config.arn("secretsmanager", &format!("secret:{target}")),
            Self::Sqs => config.arn("sqs", target),
            Self::Events => config.arn("events", &format!("event-bus/{target}")),
            Self::S3 => format!("arn:aws:s3:::{target}"),
        }
    }

    pub(super) fn target_of(self, input: &Value) -> String {
        match self {
            Self::Ecs => ecs::api::target_of(input),
            Self::Tagging => tagging::target_of(input),
            Self::S3 => String::new(),
            Self::Ssm => ssm::api::target_of(input),
            Self::Secrets => secrets::api::target_of(input),
            Self::Sqs => sqs::api::target_of(input),
            Self::Events => put_events::target_of(input),
        }
    }

    /// The input without values of parameters and secrets.
    pub(super) fn redacted(self, mut input: Value) -> Value {
        let values: &[&str] = match self {
            Self::Ssm => &["Value"],
            Self::Secrets => &["SecretString", "SecretBinary"],
            Self::Ecs | Self::Tagging | Self::Sqs | Self::Events | Self::S3 => &[],
        };
        if let Some(fields) = input.as_object_mut() {
            fields.retain(|name, _| !values.contains(&name.as_str()));
        }
        input
    }
}
