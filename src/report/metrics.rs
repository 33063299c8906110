//! CloudWatch metrics in embedded metric format: a line of JSON that CloudWatch Logs turns into metrics.
//! "Specification: Embedded metric format", Amazon CloudWatch User Guide.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::domain::reason::Reason;
use crate::domain::summary::Summary;

const NAMESPACE: &str = "ecs-reloader";

/// One line for the invocation, and one for each reason that was given. Each combination of dimensions is a metric that is paid for, so
/// the services' names are none.
pub(super) fn of(summary: &Summary, function: &str, now: Timestamp) -> Vec<Value> {
    let counts = &summary.counts;
    let count = |name: &'static str, value: usize| (name, "Count", json!(value));
    let invocation = line(
        now,
        &[("FunctionName", function)],
        &[
            count("Changes", counts.changes),
            count("EventsIgnored", counts.ignored),
            count("EventsMalformed", counts.malformed),
            count("ServicesWatching", counts.watching),
            count("ServicesConcerned", counts.concerned),
            count("RestartsStarted", counts.started),
            count("RestartsPostponed", counts.throttled + counts.out_of_time),
            count("RestartsFailed", counts.denied + counts.failed),
            count("KeysLost", summary.services.iter().filter(|line| line.lost_a_key()).count()),
            count("TagMistakes", counts.mistakes),
            count("MessagesReturned", counts.returned),
            ("InvocationTime", "Milliseconds", json!(counts.elapsed_ms)),
        ],
    );
    let mut reasons: BTreeMap<Reason, usize> = BTreeMap::new();
    for reason in summary.services.iter().filter_map(|line| line.reason) {
        *reasons.entry(reason).or_default() += 1;
    }
    let reasons = reasons.into_iter().map(|(reason, services)| {
        line(now, &[("FunctionName", function), ("Reason", reason.code())], &[("Services", "Count", json!(services))])
    });
    std::iter::once(invocation).chain(reasons).collect()
}

fn line(now: Timestamp, dimensions: &[(&str, &str)], metrics: &[(&str, &str, Value)]) -> Value {
    let names: Vec<_> = dimensions.iter().map(|(name, _)| *name).collect();
    let defined: Vec<_> = metrics.iter().map(|(name, unit, _)| json!({"Name": name, "Unit": unit})).collect();
    let directive = json!({"Namespace": NAMESPACE, "Dimensions": [names], "Metrics": defined});
    let mut line = Map::from_iter([("_aws".to_owned(), json!({"Timestamp": now.as_millisecond(), "CloudWatchMetrics": [directive]}))]);
    line.extend(dimensions.iter().map(|(name, value)| ((*name).to_owned(), json!(value))));
    line.extend(metrics.iter().map(|(name, _, value)| ((*name).to_owned(), value.clone())));
    Value::Object(line)
}
