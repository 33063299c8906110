//! The answer to Lambda.

use std::collections::BTreeSet;
use std::fmt;

use aws_lambda_events::sqs::SqsBatchResponse;
use lambda_runtime::Diagnostic;
use serde::Serialize;

use crate::domain::batch::MessageIndex;
use crate::event::{Content, Inbox, Message};
use crate::json::Malformed;
use crate::reconcile::{self, Reconciled};
use crate::report::v1::Summary;

/// The answer of an invocation.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// To a direct invocation.
    Summary(Box<Summary>),
    /// To a queue: the messages to keep.
    Batch(SqsBatchResponse),
}

/// An invocation that failed before anything was started, so that Lambda may repeat it.
#[derive(thiserror::Error)]
pub enum Error {
    /// The function cannot read the payload.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The services that watch could not be listed.
    #[error(transparent)]
    Listing(#[from] reconcile::Error),
    /// AWS accepted no restart.
    #[error("none of {0} restarts could be started now; see the log lines of the services")]
    NothingStarted(usize),
}

impl Error {
    /// The word for it: alarms and filters may use it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "MalformedEvent",
            Self::Listing(reconcile::Error::ListingFailed(_)) => "ListingFailed",
            Self::NothingStarted(_) => "NothingStarted",
        }
    }
}

/// The runtime writes the `Debug` text of a handler's error into the log: people read it.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {self}", self.kind())
    }
}

impl From<Error> for Diagnostic {
    fn from(error: Error) -> Self {
        Self {
            error_type: error.kind().to_owned(),
            error_message: error.to_string(),
        }
    }
}

/// The answer to a queue names the messages to keep. A direct invocation fails only if a retry
/// can help.
pub(super) fn of(
    inbox: Inbox,
    done: Reconciled,
    redelivered: Vec<String>,
    summary: Summary,
) -> Result<Answer, Error> {
    if inbox.from_queue {
        let mut answer = SqsBatchResponse::default();
        for id in redelivered {
            answer.add_failure(id);
        }
        return Ok(Answer::Batch(answer));
    }
    if let Some(error) = done.error {
        return Err(error.into());
    }
    let left = done.left_to_redelivery.len();
    let is_retried = left > 0 && !done.redelivered.is_empty();
    match only_malformed(inbox) {
        Some(malformed) => Err(malformed.into()),
        None if is_retried => Err(Error::NothingStarted(left)),
        None => Ok(Answer::Summary(Box::new(summary.bounded()))),
    }
}

/// The ids of the messages that the queue is to keep: malformed ones, which become dead letters
/// that a person sees; those that there was no room for; and those whose work is not all done.
pub(super) fn to_redeliver(inbox: &Inbox, left: &BTreeSet<MessageIndex>) -> Vec<String> {
    let is_broken = |message: &Message| {
        let mut contents = message.contents.iter();
        contents.any(|content| matches!(content, Content::Malformed(_) | Content::TooMuch))
    };
    let messages = inbox.messages.iter().enumerate();
    let kept = messages.filter(|(place, message)| is_broken(message) || left.contains(place));
    kept.filter_map(|(_, message)| message.id.clone()).collect()
}

/// The error of an inbox that holds nothing but malformed text.
fn only_malformed(inbox: Inbox) -> Option<Malformed> {
    let mut first = None;
    for content in inbox
        .messages
        .into_iter()
        .flat_map(|message| message.contents)
    {
        match content {
            Content::Malformed(malformed) => first = first.or(Some(malformed)),
            _ => return None,
        }
    }
    first
}
