//! The record of every API call: the data that CloudTrail would have, and the result for the
//! caller.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

/// One API call that reached the account.
#[derive(Clone, Debug)]
pub struct Call {
    /// The time at which it took effect, or would have taken effect.
    pub time: Timestamp,
    /// The API, by its IAM prefix: `ecs`, `tag`, `ssm`, `secretsmanager`, `s3`, `sqs`,
    /// `events`.
    pub service: &'static str,
    /// The operation: `UpdateService`.
    pub operation: String,
    /// Its target: `cluster/service`, several separated by commas; a parameter; a secret;
    /// `bucket/key`; a queue; or empty.
    pub target: String,
    /// The access key id that signed it.
    pub principal: String,
    /// Its result.
    pub result: CallResult,
    /// The request as JSON; for S3 the bucket, the key and the query. Values of parameters, secrets
    /// and objects are left out.
    pub input: Value,
    /// The deployment that an `UpdateService` started: `ecs-svc/…`.
    pub deployment: Option<String>,
    /// The time by which a fault delayed the answer.
    pub delayed_by: Duration,
}

impl Call {
    /// `ecs:UpdateService`, as IAM writes it.
    #[must_use]
    pub fn action(&self) -> String {
        format!("{}:{}", self.service, self.operation)
    }

    /// True if the call took effect, with or without an answer to its caller.
    #[must_use]
    pub fn took_effect(&self) -> bool {
        match self.result {
            CallResult::Ok | CallResult::AnswerLost => true,
            CallResult::Error(_) | CallResult::Reset | CallResult::Hung => false,
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.3} {}:{} {} → {}",
            self.time, self.service, self.operation, self.target, self.result
        )
    }
}

/// The result of an API call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallResult {
    /// Answered with success.
    Ok,
    /// Answered with this error code.
    Error(String),
    /// The connection broke before anything happened.
    Reset,
    /// The call took effect, and its answer was lost.
    AnswerLost,
    /// The call had no effect and no answer.
    Hung,
}

impl fmt::Display for CallResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok => f.write_str("ok"),
            Self::Error(code) => f.write_str(code),
            Self::Reset => f.write_str("connection reset"),
            Self::AnswerLost => f.write_str("took effect, answer lost"),
            Self::Hung => f.write_str("never answered"),
        }
    }
}
