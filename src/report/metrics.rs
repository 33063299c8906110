//! CloudWatch metrics in embedded metric format: a line of JSON that CloudWatch Logs turns into
//! metrics. "Specification: Embedded metric format", Amazon CloudWatch User Guide.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::telemetry::Level;
use super::v1::Summary;
use crate::domain::reason::Reason;
use crate::domain::rollout::Outcome;

const NAMESPACE: &str = "ecs-reloader";

/// One line of metrics that share their dimensions. Each combination of dimensions is a metric that
/// costs money, so the names of services are no dimension.
pub(super) struct Metrics<'a> {
    dimensions: Vec<(&'static str, &'a str)>,
    /// Name, unit, value.
    values: Vec<(&'static str, &'static str, u64)>,
}

/// One line for the invocation, one for each reason that was given, and one for each outcome of the
/// function's own rollouts.
pub(super) fn of<'a>(
    summary: &'a Summary,
    function: &'a str,
    now: Timestamp,
) -> impl Iterator<Item = Metrics<'a>> {
    let counts = &summary.counts;
    let counted = counted(summary).into_iter();
    let counted = counted.map(|(name, count)| (name, "Count", count as u64));
    // Written only where there is something to say: each hour of a metric costs money.
    let waiting = counts.oldest_waiting.map(|oldest| seconds(oldest, now));
    let waiting = waiting.map(|seconds| ("OldestWaitingChange", "Seconds", seconds));
    let self_test = (counts.self_tests > 0).then_some(("SelfTests", "Count", 1));
    let values = counted
        .chain([("InvocationTime", "Milliseconds", counts.elapsed_ms)])
        .chain(waiting)
        .chain(self_test)
        .collect();
    let invocation = Metrics {
        dimensions: vec![("FunctionName", function)],
        values,
    };

    let reasons = counts
        .reasons
        .iter()
        .map(move |(reason, services)| Metrics {
            dimensions: vec![("FunctionName", function), ("Reason", reason.code())],
            values: vec![("Services", "Count", *services as u64)],
        });
    let outcomes = counts
        .outcomes
        .iter()
        .map(move |(outcome, rollouts)| Metrics {
            dimensions: vec![("FunctionName", function), ("Outcome", outcome.code())],
            values: vec![("Rollouts", "Count", *rollouts as u64)],
        });
    std::iter::once(invocation).chain(reasons).chain(outcomes)
}

/// The counts that every invocation writes.
fn counted(summary: &Summary) -> [(&'static str, usize); 25] {
    let counts = &summary.counts;
    let reason = |reason| counts.reasons.get(&reason).copied().unwrap_or_default();
    let ended = |outcome| counts.outcomes.get(&outcome).copied().unwrap_or_default();
    [
        ("Changes", counts.changes),
        ("EventsIgnored", counts.ignored),
        ("EventsMalformed", counts.malformed),
        ("ServicesWatching", counts.watching),
        ("ServicesAffected", counts.affected),
        ("RestartsStarted", counts.started),
        ("RestartsDeferred", counts.will_retry),
        ("RestartsFailed", counts.restarts_failed),
        ("ServicesHeld", counts.held),
        (
            "RolloutsFailed",
            ended(Outcome::Failed) + ended(Outcome::RolledBack),
        ),
        ("RolloutsTimedOut", ended(Outcome::TimedOut)),
        ("ServicesHalted", reason(Reason::OrderHalted)),
        ("ChangesRefused", counts.refused_changes),
        ("ServicesMissingKey", counts.missing_key),
        ("ListingsFailed", usize::from(summary.error.is_some())),
        ("ListingsIncomplete", counts.incomplete_listings),
        ("TagMistakes", counts.mistakes),
        ("LookupsFailed", counts.lookups_failed),
        ("MessagesRedelivered", counts.redelivered),
        // The heartbeat: an alarm is raised if it is missing.
        ("SweepsCompleted", counts.sweeps_completed),
        ("ServicesStale", counts.stale),
        ("ServicesStillStale", counts.still_stale),
        ("SweepErrors", counts.not_compared),
        ("NoticesSent", counts.notices_sent),
        ("NoticesUnsent", counts.notices_unsent),
    ]
}

fn seconds(since: Timestamp, now: Timestamp) -> u64 {
    let seconds = now.duration_since(since).as_secs();
    u64::try_from(seconds).unwrap_or_default()
}

impl Metrics<'_> {
    /// The line. Its level keeps Lambda's own log filter from dropping it, and the alarms with it.
    pub(super) fn at(&self, now: Timestamp, level: Level) -> Value {
        let names: Vec<_> = self.dimensions.iter().map(|(name, _)| *name).collect();
        let defined: Vec<_> = self
            .values
            .iter()
            .map(|(name, unit, _)| json!({"Name": name, "Unit": unit}))
            .collect();
        let directive = json!({"Namespace": NAMESPACE, "Dimensions": [names], "Metrics": defined});
        let mut line = Map::new();
        line.insert(
            "_aws".to_owned(),
            json!({"Timestamp": now.as_millisecond(), "CloudWatchMetrics": [directive]}),
        );
        line.insert("timestamp".to_owned(), json!(now));
        line.insert("level".to_owned(), json!(level));
        line.extend(
            self.dimensions
                .iter()
                .map(|(name, value)| ((*name).to_owned(), json!(value))),
        );
        line.extend(
            self.values
                .iter()
                .map(|(name, _, value)| ((*name).to_owned(), json!(value))),
        );
        Value::Object(line)
    }
}
