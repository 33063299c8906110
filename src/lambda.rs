//! An invocation of Lambda becomes a reload and its answer.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use aws_lambda_events::sqs::SqsBatchResponse;
use jiff::Timestamp;
use lambda_runtime::{Context, Diagnostic};
use serde::Serialize;
use tokio::time::Instant;

use crate::aws::Aws;
use crate::clock::Clock;
use crate::domain::queue::Queue;
use crate::domain::received::{MalformedEvent, RequestLine};
use crate::domain::summary::{Counts, Summary, SummedServices, VERSION};
use crate::event::{self, Content, Inbox, Message};
use crate::json::Malformed;
use crate::pace::{Limit, Pace};
use crate::reconcile::{self, Reconciled, Reconciler};
use crate::report::Reporter;
use crate::settings::Settings;

/// Where an emulator tells a deadline that has passed, an invocation takes at most this long. One
/// without the header is none: the runtime ends the process.
const WITHOUT_DEADLINE: Duration = Duration::from_mins(1);

/// Kept free at the end of an invocation for its answer: a tenth of it, within these bounds.
const LEAST_RESERVE: Duration = Duration::from_millis(300);
const MOST_RESERVE: Duration = Duration::from_secs(5);

/// Everything that lives as long as the process.
#[derive(Debug)]
pub struct Reloader {
    aws: Aws,
    settings: Settings,
    pace: Pace,
    reporter: Reporter,
    /// Where work for later goes and comes from.
    queue: Option<Queue>,
}

/// What Lambda is told.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// To a direct invocation.
    Summary(Box<Summary>),
    /// To a queue: which messages to keep.
    Batch(SqsBatchResponse),
}

/// An invocation that failed before anything was started, so that Lambda may repeat it.
#[derive(thiserror::Error)]
pub enum Error {
    /// The payload is nothing that the function understands.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Who watches is not known.
    #[error(transparent)]
    Listing(#[from] reconcile::Error),
    /// AWS took no restart.
    #[error("none of {0} restarts could be started now; see the log lines of the services")]
    NothingStarted(usize),
}

impl Error {
    /// The word for it that alarms and filters may rest on.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "MalformedEvent",
            Self::Listing(reconcile::Error::ListingFailed(_)) => "ListingFailed",
            Self::NothingStarted(_) => "NothingStarted",
        }
    }
}

/// The runtime writes the `Debug` text of what a handler returns into the log: people read it.
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

impl Reloader {
    /// Takes what the process was started with.
    #[must_use]
    pub fn new(aws: Aws, settings: Settings, reporter: Reporter) -> Self {
        let limit = Limit {
            burst: settings.restart_burst,
            rate: settings.restart_rate,
        };
        let pace = limit.share(settings.concurrency);
        let queue = settings.queue_url.as_deref().and_then(Queue::from_url);
        Self {
            aws,
            settings,
            pace,
            reporter,
            queue,
        }
    }

    /// Handles one invocation; `now` is the wall clock at its start.
    ///
    /// # Errors
    /// Only where nothing was started and nobody else keeps the event: a queue is told which
    /// messages to keep instead.
    pub async fn handle(
        &self,
        payload: &str,
        context: &Context,
        now: Timestamp,
    ) -> Result<Answer, Error> {
        let clock = Clock::starting_at(now);
        let (until, send_by) = stop_at(context.deadline, now);
        let queue = self
            .queue
            .clone()
            .map(|queue| queue.of_function(&context.invoked_function_arn));
        let inbox = event::decode(payload, now, queue.as_ref());
        let reconcile = Reconciler {
            aws: &self.aws,
            settings: &self.settings,
            pace: &self.pace,
            clock: &clock,
            until,
            send_by,
        };
        let mut reconciled = Box::pin(reconcile.run(&inbox)).await;
        reconciled.will_not_be_retried(inbox.from_queue);

        let returned = to_return(&inbox, &reconciled.unfinished);
        let summary = summarise(
            &context.request_id,
            &inbox,
            &mut reconciled,
            returned.len(),
            clock.elapsed(),
        );
        self.reporter
            .requests(&requests(&inbox), &context.request_id, clock.now());
        self.reporter
            .changes(&reconciled.received, &context.request_id, clock.now());
        self.reporter
            .mistakes(&reconciled.mistakes, &context.request_id, clock.now());
        self.reporter
            .strangers(&reconciled.strangers, &context.request_id, clock.now());
        self.reporter.report(&summary, clock.now());

        if inbox.from_queue {
            let mut answer = SqsBatchResponse::default();
            for id in returned {
                answer.add_failure(id);
            }
            return Ok(Answer::Batch(answer));
        }
        if let Some(error) = reconciled.error {
            return Err(error.into());
        }
        match only_malformed(inbox) {
            Some(malformed) => Err(malformed.into()),
            None if !reconciled.stranded.is_empty() && !reconciled.unfinished.is_empty() => {
                Err(Error::NothingStarted(reconciled.stranded.len()))
            }
            None => Ok(Answer::Summary(Box::new(summary.bounded()))),
        }
    }
}

fn summarise(
    request_id: &str,
    inbox: &Inbox,
    reconciled: &mut Reconciled,
    returned: usize,
    elapsed: Duration,
) -> Summary {
    let told = || inbox.messages.iter().flat_map(|message| &message.contents);
    let ignored: Vec<_> = told()
        .filter_map(|told| {
            if let Content::Ignored(ignored) = told {
                Some(ignored.clone())
            } else {
                None
            }
        })
        .collect();
    let malformed: Vec<_> = inbox.messages.iter().flat_map(malformed_events).collect();
    // There may be thousands: they are needed once.
    let services = std::mem::take(&mut reconciled.services);
    let has_swept = reconciled.swept.is_some();
    let swept = reconciled.swept.take().unwrap_or_default();
    let counts = Counts {
        messages: inbox.messages.len(),
        deferred_received: inbox
            .messages
            .iter()
            .filter(|message| {
                message
                    .contents
                    .iter()
                    .any(|told| matches!(told, Content::DeferredWork(_)))
            })
            .count(),
        changes: reconciled.changes,
        ignored: ignored.len(),
        malformed: malformed.len(),
        watching: reconciled.watching.len(),
        task_definitions: reconciled.task_definitions,
        mistakes: reconciled.mistakes.len() + reconciled.strangers.len(),
        incomplete_listings: reconciled.incomplete.len(),
        refused_changes: reconciled.refused_changes + swept.refused_changes,
        redelivered: returned,
        deferred_sent: reconciled.sent,
        sweeps_completed: usize::from(has_swept),
        keys_swept: swept.keys,
        not_compared: swept.sweep_errors.len(),
        stale: swept.stale,
        still_stale: swept.still_stale,
        elapsed_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
        ..Counts::default()
    };
    Summary {
        version: VERSION,
        request_id: request_id.to_owned(),
        counts: counts.with_services(&services),
        more_services: SummedServices::of(&services),
        error: reconciled.error.as_ref().map(ToString::to_string),
        services,
        ignored_events: ignored,
        malformed_events: malformed,
        incomplete: reconciled.incomplete.clone(),
        sweep_errors: swept.sweep_errors,
        left_out: 0,
    }
}

/// The lines of what a message holds that could not be read.
fn malformed_events(message: &Message) -> impl Iterator<Item = MalformedEvent> {
    message.contents.iter().filter_map(|told| {
        let Content::Malformed(malformed) = told else {
            return None;
        };
        Some(MalformedEvent {
            error: malformed.to_string(),
            message_id: message.id.clone(),
            sender_id: message.sender.clone(),
            origin: malformed.origin.clone(),
        })
    })
}

/// The lines of what was asked for.
fn requests(inbox: &Inbox) -> Vec<RequestLine> {
    let told = inbox
        .messages
        .iter()
        .flat_map(|message| message.contents.iter().map(move |told| (message, told)));
    let requests = told.filter_map(|(message, told)| {
        let line = match told {
            Content::Request(manual) => manual.line(),
            Content::Sweep(sweep) => sweep.line(),
            Content::Changed(_)
            | Content::DeferredWork(_)
            | Content::Ignored(_)
            | Content::Malformed(_)
            | Content::TooMuch => return None,
        };
        Some(RequestLine {
            message_id: message.id.clone(),
            sender_id: message.sender.clone(),
            ..line
        })
    });
    requests.collect()
}

/// When to stop, and by when what is left to do must be sent, so that the answer goes out before
/// Lambda ends the process.
fn stop_at(deadline_ms: u64, now: Timestamp) -> (Instant, Instant) {
    let left = i64::try_from(deadline_ms)
        .ok()
        .and_then(|deadline| u64::try_from(deadline - now.as_millisecond()).ok());
    let left = left
        .filter(|left| *left > 0)
        .map_or(WITHOUT_DEADLINE, Duration::from_millis);
    let reserve = (left / 10).clamp(LEAST_RESERVE, MOST_RESERVE);
    let end = Instant::now() + left;
    (
        end.checked_sub(reserve).unwrap_or(end),
        end.checked_sub(reserve / 4).unwrap_or(end),
    )
}

/// The ids of the messages that the queue is to keep: those that hold something malformed, so that
/// they end where a person sees them, those that there was no room for, and those whose restarts
/// are not all done.
fn to_return(inbox: &Inbox, unfinished: &BTreeSet<usize>) -> Vec<String> {
    let malformed = |message: &Message| {
        message
            .contents
            .iter()
            .any(|told| matches!(told, Content::Malformed(_) | Content::TooMuch))
    };
    let messages = inbox
        .messages
        .iter()
        .enumerate()
        .filter(|(place, message)| malformed(message) || unfinished.contains(place));
    messages
        .filter_map(|(_, message)| message.id.clone())
        .collect()
}

/// What is wrong with an inbox that holds nothing else.
fn only_malformed(inbox: Inbox) -> Option<Malformed> {
    let mut first = None;
    for told in inbox
        .messages
        .into_iter()
        .flat_map(|message| message.contents)
    {
        match told {
            Content::Malformed(malformed) => first = first.or(Some(malformed)),
            Content::Changed(_)
            | Content::Request(_)
            | Content::DeferredWork(_)
            | Content::Sweep(_)
            | Content::Ignored(_)
            | Content::TooMuch => return None,
        }
    }
    first
}
