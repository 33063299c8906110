//! The promises that must hold when all services have rolled. The account proves them, not the
//! function.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use sim::{Account, Call, ServiceView, StaleTask};

use crate::fleet::{Expected, FLEET, Member};

/// The access key id of the function's process: [`sim::runtime_api`] gives it Lambda's test
/// credentials.
const FUNCTION_PRINCIPAL: &str = "test";

/// One promise, and whether it was kept.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Check {
    pub(super) holds: bool,
    pub(super) text: String,
}

/// The tasks of every service before anything changed.
pub(super) struct Before(BTreeMap<&'static str, BTreeSet<String>>);

impl Before {
    pub(super) fn read(account: &Account) -> Self {
        Self(
            FLEET
                .iter()
                .filter_map(|member| Some((member.name, task_ids(&account.service(member.name)?))))
                .collect(),
        )
    }
}

/// Every check, for every service.
/// The bad value was written before `corrected_at`, and the other changes were made then.
pub(super) fn all(account: &Account, before: &Before, corrected_at: Timestamp) -> Vec<Check> {
    let (calls, stale) = (account.calls(), account.stale_tasks());
    let views: Vec<(&Member, ServiceView)> = FLEET
        .iter()
        .filter_map(|member| Some((member, account.service(member.name)?)))
        .collect();

    let services = views.iter().map(|(member, view)| match member.expected {
        Expected::Restarted(times) => restarted(view, &stale, restarts(&calls, member.name), times),
        Expected::Untouched(why) => untouched(
            view,
            why,
            before.0.get(member.name),
            restarts(&calls, member.name),
        ),
    });
    services
        .chain([
            spared(&views, corrected_at),
            floors(&views),
            no_value_read(&calls),
        ])
        .collect()
}

fn restarted(view: &ServiceView, stale: &[StaleTask], restarts: usize, expected: usize) -> Check {
    let old: BTreeSet<&str> = stale
        .iter()
        .filter(|task| task.service == view.name)
        .map(|task| task.task.as_str())
        .collect();
    let holds = old.is_empty() && view.is_steady() && restarts == expected;
    let held = match (old.len(), view.desired) {
        (0, all) => format!("all {all} tasks hold the newest version of what they read"),
        (old, all) => format!("{old} of {all} tasks still hold an old version"),
    };
    let unrest = if view.is_steady() {
        ""
    } else {
        ", and the service is not steady"
    };
    Check {
        holds,
        text: format!(
            "{}: {held}, after {}{unrest}",
            view.name,
            times(restarts, "restart")
        ),
    }
}

fn untouched(
    view: &ServiceView,
    why: &str,
    before: Option<&BTreeSet<String>>,
    restarts: usize,
) -> Check {
    let same = before.is_some_and(|before| *before == task_ids(view));
    let holds = same && restarts == 0;
    let text = if holds {
        format!(
            "{}: not touched, the same {}: {why}",
            view.name,
            times(view.desired, "task")
        )
    } else {
        let tasks = if same {
            "the same tasks"
        } else {
            "other tasks"
        };
        format!(
            "{}: must not be touched ({why}), but has had {} and runs {tasks}",
            view.name,
            times(restarts, "restart")
        )
    };
    Check { holds, text }
}

/// Before the value was corrected, one service tried it, and its deployment was rolled back.
fn spared(views: &[(&Member, ServiceView)], corrected_at: Timestamp) -> Check {
    let mut tried = Vec::new();
    for (member, view) in views {
        // The oldest deployment is from before the changes.
        let later = view.history.iter().rev().skip(1);
        tried.extend(
            later
                .filter(|past| past.created_at < corrected_at)
                .map(|past| (member.name, past.status)),
        );
    }
    match tried.as_slice() {
        [(name, "ROLLBACK_SUCCESSFUL")] => Check {
            holds: true,
            text: format!("{name} alone tried the bad value, and was rolled back"),
        },
        _ => Check {
            holds: false,
            text: format!("the bad value must be tried once and rolled back, but: {tried:?}"),
        },
    }
}

fn floors(views: &[(&Member, ServiceView)]) -> Check {
    let short: Vec<String> = views
        .iter()
        .filter(|(_, view)| !view.kept_its_floor())
        .map(|(_, view)| {
            format!(
                "{} ran {} of at least {}",
                view.name, view.lowest_running, view.floor
            )
        })
        .collect();
    let text = if short.is_empty() {
        let lowest = views.iter().map(|(member, view)| {
            format!(
                "{} {}/{}",
                member.short_name(),
                view.lowest_running,
                view.floor
            )
        });
        format!(
            "no service ever ran fewer tasks than it must (fewest/floor: {})",
            lowest.collect::<Vec<_>>().join(", ")
        )
    } else {
        format!("too few tasks: {}", short.join(", "))
    };
    Check {
        holds: short.is_empty(),
        text,
    }
}

/// The function works on names, versions and times; its role allows no more.
fn no_value_read(calls: &[Call]) -> Check {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for call in calls
        .iter()
        .filter(|call| call.principal == FUNCTION_PRINCIPAL)
    {
        *counts.entry(call.action()).or_default() += 1;
    }
    let holds = counts.keys().all(|action| !reads_values(action));
    let listed = counts
        .iter()
        .map(|(action, count)| format!("{action} ×{count}"))
        .collect::<Vec<_>>()
        .join(", ");
    let listed = if listed.is_empty() {
        "no call at all".to_owned()
    } else {
        listed
    };
    let text = if holds {
        "the function read no configuration value"
    } else {
        "the function read configuration values"
    };
    Check {
        holds,
        text: format!("{text} ({listed})"),
    }
}

fn reads_values(action: &str) -> bool {
    [
        "ssm:GetParameter",
        "s3:GetObject",
        "s3:HeadObject",
        "secretsmanager:GetSecretValue",
        "secretsmanager:BatchGetSecretValue",
    ]
    .iter()
    .any(|reading| action.starts_with(reading))
}

fn restarts(calls: &[Call], service: &str) -> usize {
    calls
        .iter()
        .filter(|call| {
            call.action() == "ecs:UpdateService" && call.target == service && call.took_effect()
        })
        .count()
}

fn task_ids(view: &ServiceView) -> BTreeSet<String> {
    view.tasks.iter().map(|task| task.id.clone()).collect()
}

/// `no restart`, `1 restart`, `2 restarts`.
fn times(count: usize, what: &str) -> String {
    match count {
        0 => format!("no {what}"),
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}

#[cfg(test)]
mod tests;
