//! An invocation of Lambda, and its answer.

mod answer;

use std::time::Duration;

use jiff::Timestamp;
use lambda_runtime::Context;
use tokio::time::Instant;

use crate::aws::Aws;
use crate::clock::{Clock, Deadline};
use crate::domain::arn::AccountRegion;
use crate::domain::queue::Queue;
use crate::domain::received::{MalformedEvent, RequestLine};
use crate::event::{self, Content, Inbox, Message};
use crate::notify::{Notified, Notifier};
use crate::pace::{Limit, Pace};
use crate::reconcile::{Reconciled, Reconciler};
use crate::report::Reporter;
use crate::report::v1::{Counts, Summary, VERSION};
use crate::settings::Settings;
use crate::sweep::{Findings, sweep};

pub use answer::{Answer, Error};

/// The longest time of an invocation whose deadline has passed already, as some emulators send it.
/// Without the header there is no invocation: the runtime ends the process.
const WITHOUT_DEADLINE: Duration = Duration::from_mins(1);

/// The end of an invocation is kept for its answer: a tenth of it, within these bounds.
const LEAST_RESERVE: Duration = Duration::from_millis(300);
const MOST_RESERVE: Duration = Duration::from_secs(5);

/// Everything that lives as long as the process.
#[derive(Debug)]
pub struct Reloader {
    aws: Aws,
    settings: Settings,
    pace: Pace,
    reporter: Reporter,
    /// The queue that deferred work goes to and comes from.
    queue: Option<Queue>,
}

impl Reloader {
    /// Makes the function from the clients and settings of its process.
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
    /// Only if nothing was started and no queue keeps the event: a queue gets the ids of the
    /// messages to keep instead.
    pub async fn handle(
        &self,
        payload: &str,
        context: &Context,
        now: Timestamp,
    ) -> Result<Answer, Error> {
        let clock = Clock::starting_at(now);
        let function = &context.invoked_function_arn;
        let queue = self.queue.clone().map(|queue| queue.of_function(function));
        let inbox = event::decode(payload, now, queue.as_ref());
        let home = AccountRegion::of_function(function);
        let reconciler = Reconciler {
            aws: &self.aws,
            settings: &self.settings,
            pace: &self.pace,
            clock: &clock,
            deadline: deadline(context.deadline, now),
            home: home.as_ref(),
        };
        let mut done = Box::pin(reconciler.run(&inbox)).await;
        let findings = match asks_for_a_sweep(&inbox) {
            Some(request) if done.error.is_none() => {
                Some(sweep(&reconciler, request, &mut done).await)
            }
            _ => None,
        };
        let notified = notify(&reconciler, &inbox, &mut done).await;
        let report = Report {
            request_id: &context.request_id,
            redelivered: answer::to_redeliver(&inbox, &done.redelivered),
            notified,
            elapsed: clock.elapsed(),
        };
        let summary = self.report(&report, &inbox, &mut done, findings, clock.now());
        answer::of(inbox, done, report.redelivered, summary)
    }

    /// Writes the log lines of an invocation, and makes its summary.
    fn report(
        &self,
        report: &Report<'_>,
        inbox: &Inbox,
        done: &mut Reconciled,
        findings: Option<Findings>,
        now: Timestamp,
    ) -> Summary {
        let id = report.request_id;
        let unusable = self.aws.tagging.take_unusable_arns();
        self.reporter.requests(&requests(inbox), id, now);
        self.reporter.changes(&done.received, id, now);
        self.reporter.mistakes(&done.mistakes, id, now);
        self.reporter.unusable_arns(&unusable, id, now);
        let summary = summarise(report, inbox, done, findings, unusable.len());
        self.reporter.report(&summary, now);
        summary
    }
}

/// Sends the notices of an invocation, when all of its work is done.
async fn notify(reconciler: &Reconciler<'_>, inbox: &Inbox, done: &mut Reconciled) -> Notified {
    let Reconciler {
        aws,
        settings,
        clock,
        deadline,
        ..
    } = *reconciler;
    let sender = Notifier {
        aws,
        settings,
        clock,
        deadline,
    };
    let gathered = std::mem::take(&mut done.notices).finish(&done.home, clock.now());
    let notified = sender.notify(gathered, inbox).await;
    done.redelivered.extend(&notified.redelivered);
    done.sent += notified.deferred;
    notified
}

/// The frame of an invocation's report.
struct Report<'a> {
    /// Lambda's id of the invocation.
    request_id: &'a str,
    /// The ids of the messages that the queue is to keep.
    redelivered: Vec<String>,
    notified: Notified,
    elapsed: Duration,
}

fn summarise(
    report: &Report<'_>,
    inbox: &Inbox,
    done: &mut Reconciled,
    findings: Option<Findings>,
    unusable: usize,
) -> Summary {
    let contents = || inbox.messages.iter().flat_map(|message| &message.contents);
    let ignored = contents().filter_map(|content| match content {
        Content::Ignored(ignored) => Some(ignored.clone()),
        _ => None,
    });
    let ignored_events: Vec<_> = ignored.collect();
    let malformed_events: Vec<_> = inbox.messages.iter().flat_map(malformed_events).collect();
    let is_deferred = |message: &&Message| {
        let mut contents = message.contents.iter();
        contents.any(|content| matches!(content, Content::DeferredWork(_)))
    };
    let has_swept = findings.is_some();
    let findings = findings.unwrap_or_default();
    let (services, counts) = std::mem::take(&mut done.services).finish();
    let counts = Counts {
        messages: inbox.messages.len(),
        deferred_received: inbox.messages.iter().filter(is_deferred).count(),
        changes: done.changes,
        ignored: ignored_events.len(),
        malformed: malformed_events.len(),
        watching: done.watching.len(),
        task_definitions: done.task_definitions,
        mistakes: done.mistakes.len() + unusable,
        incomplete_listings: done.incomplete.len(),
        refused_changes: done.refused_changes + findings.refused_changes,
        redelivered: report.redelivered.len(),
        deferred_sent: done.sent,
        notices_sent: report.notified.sent,
        notices_unsent: report.notified.unsent,
        self_tests: done.self_tests,
        sweeps_completed: usize::from(has_swept),
        keys_swept: findings.keys,
        not_compared: findings.errors.len(),
        stale: findings.stale,
        still_stale: findings.still_stale,
        elapsed_ms: u64::try_from(report.elapsed.as_millis()).unwrap_or(u64::MAX),
        ..counts
    };
    Summary {
        version: VERSION,
        request_id: report.request_id.to_owned(),
        counts,
        error: done.error.as_ref().map(ToString::to_string),
        lines: services,
        ignored_events,
        malformed_events,
        incomplete: std::mem::take(&mut done.incomplete),
        sweep_errors: findings.errors,
        left_out: 0,
    }
}

/// The lines of the malformed parts of a message.
fn malformed_events(message: &Message) -> impl Iterator<Item = MalformedEvent> {
    message.contents.iter().filter_map(|content| {
        let Content::Malformed(malformed) = content else {
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

/// The lines of requests and of sweeps.
fn requests(inbox: &Inbox) -> Vec<RequestLine> {
    let contents = inbox.messages.iter().flat_map(|message| {
        let contents = message.contents.iter();
        contents.map(move |content| (message, content))
    });
    let requests = contents.filter_map(|(message, content)| {
        let line = match content {
            Content::Request(manual) => manual.line(),
            Content::Sweep(sweep) => sweep.line(),
            _ => return None,
        };
        Some(RequestLine {
            message_id: message.id.clone(),
            sender_id: message.sender.clone(),
            ..line
        })
    });
    requests.collect()
}

/// The first sweep that an inbox requests: two requests at once make one sweep.
fn asks_for_a_sweep(inbox: &Inbox) -> Option<event::Sweep> {
    let mut contents = inbox.messages.iter().flat_map(|message| &message.contents);
    contents.find_map(|content| match content {
        Content::Sweep(sweep) => Some(*sweep),
        _ => None,
    })
}

/// The end of an invocation, before Lambda ends the process.
fn deadline(deadline_ms: u64, now: Timestamp) -> Deadline {
    let left = i64::try_from(deadline_ms)
        .ok()
        .and_then(|deadline| u64::try_from(deadline - now.as_millisecond()).ok());
    let left = left
        .filter(|left| *left > 0)
        .map_or(WITHOUT_DEADLINE, Duration::from_millis);
    let reserve = (left / 10).clamp(LEAST_RESERVE, MOST_RESERVE);
    let end = Instant::now() + left;
    Deadline {
        until: end.checked_sub(reserve).unwrap_or(end),
        send_by: end.checked_sub(reserve / 4).unwrap_or(end),
    }
}
