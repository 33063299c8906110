//! Promise 5: everything that was held or deferred was decided again without a sweep.

use std::collections::BTreeMap;

use ecs_reloader::domain::reason::{Decision, Reason};
use jiff::Timestamp;
use serde_json::Value;

use super::reported::written_at;
use super::{Breach, Promise};
use crate::history::History;

pub(crate) struct Forgotten;

impl Promise for Forgotten {
    fn check(&self, history: &History) -> Vec<Breach> {
        let mut last: BTreeMap<(&str, String), (&Value, &str)> = BTreeMap::new();
        for line in by_invocation(history) {
            let Some(service) = line["service"].as_str() else {
                continue;
            };
            // A service that cannot be described any more is given up with all that it waited for:
            // its line names no change.
            if line["result"] == "abandoned" && line["reason"].is_null() {
                last.retain(|(name, _), _| *name != service);
            }
            for change in line["changes"].as_array().into_iter().flatten() {
                let named = change["key"].as_str().zip(change["reason"].as_str());
                if let Some((key, reason)) = named
                    && !history.is_dry_run(change)
                {
                    // An object is named as it is, or in its decoded form.
                    last.insert((service, key.replace("%2B", "+")), (line, reason));
                }
            }
        }
        last.into_iter()
            .filter(|((service, _), (line, reason))| {
                waits(line, reason) && !is_left(history, service)
            })
            .map(|((service, key), (_, reason))| {
                Breach::of(format!("5: forgotten: {service} {key} {reason}"))
            })
            .collect()
    }
}

/// The lines in the order in which their invocations began: one that takes long writes its lines
/// after another one has decided about what it sent.
fn by_invocation(history: &History) -> Vec<&Value> {
    let mut began: BTreeMap<&str, Timestamp> = BTreeMap::new();
    for ran in &history.record().ran {
        began.entry(&ran.request_id).or_insert(ran.from);
    }
    // Direct invocations share one id.
    began.remove("direct");
    let began_at = |line: &&Value| {
        let known = line["request_id"].as_str().and_then(|id| began.get(id));
        known.copied().or_else(|| written_at(line))
    };
    let lines = history.lines_by_then.iter();
    let mut lines: Vec<_> = lines.filter(|line| is_followed(line)).collect();
    lines.sort_by_key(began_at);
    lines
}

/// True if a message about the service is left in the queue.
fn is_left(history: &History, service: &str) -> bool {
    let name = format!("\"{service}\"");
    history.left.iter().any(|body| body.contains(&name))
}

/// A hold of a sweep has no next check: the next sweep decides again.
fn is_followed(line: &Value) -> bool {
    line["request_id"] != "direct" || !line["next_check"].is_null()
}

/// True if a change waits for a service, by the last line that names both.
fn waits(line: &Value, reason: &str) -> bool {
    let decision = Reason::ALL
        .iter()
        .find(|known| known.code() == reason)
        .map(|reason| reason.decision());
    match decision {
        Some(Decision::Restart) => line["decision"] == "restart" && line["will_retry"] == true,
        Some(Decision::Hold) => line["decision"] == "hold" && line["result"] != "abandoned",
        Some(Decision::Skip | Decision::Refuse) | None => false,
    }
}
