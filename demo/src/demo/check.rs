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
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use serde_json::json;
    use sim::AccountConfig;

    use super::*;
    use crate::fleet::{BUCKET, PARAMETER, SECRET};

    /// The canary of the bad value.
    const CANARY: &str = "production/api";

    /// The demo's account after the bad value, which the canary tries if it is the first of
    /// `restarted`, after the other changes, after forced deployments of `restarted` in order, and
    /// after all rollouts.
    async fn checks_after(restarted: &[&str]) -> Vec<Check> {
        let account = Account::new(AccountConfig::default());
        let parameter = format!("ssm:{PARAMETER}");
        for member in &FLEET {
            account.add(member.service(Duration::from_hours(1), Some((&parameter, 2))));
        }
        let before = Before::read(&account);
        account.put_parameter(PARAMETER);
        let (canary, restarted) = match restarted.split_first() {
            Some((canary, rest)) if *canary == CANARY => (Some(canary), rest),
            _ => (None, restarted),
        };
        if let Some(canary) = canary {
            call(
                &account,
                "AmazonEC2ContainerServiceV20141113.UpdateService",
                canary,
            )
            .await;
        }
        account.run_for(Duration::from_mins(1)).await;
        let corrected_at = account.now();
        account.put_object(BUCKET, "app/prod.yaml");
        account.put_parameter(PARAMETER);
        account.rotate_secret(SECRET);
        account.run_for(Duration::from_secs(10)).await;
        for service in restarted {
            call(
                &account,
                "AmazonEC2ContainerServiceV20141113.UpdateService",
                service,
            )
            .await;
        }
        account.run_for(Duration::from_mins(1)).await;
        all(&account, &before, corrected_at)
    }

    async fn call(account: &Account, operation: &str, service: &str) {
        let (cluster, name) = service.split_once('/').unwrap();
        let body = json!({
            "cluster": cluster,
            "service": name,
            "forceNewDeployment": true,
            "Name": PARAMETER,
        });
        let request = http::Request::post("/")
            .header("Host", "127.0.0.1")
            .header("X-Amz-Target", operation)
            .header(
                "Authorization",
                format!(
                    "AWS4-HMAC-SHA256 \
                     Credential={FUNCTION_PRINCIPAL}/20260131/eu-west-1/ecs/aws4_request"
                ),
            );
        let _ = account
            .answer(request.body(Bytes::from(body.to_string())).unwrap())
            .await;
    }

    fn failed(checks: &[Check]) -> Vec<&str> {
        checks
            .iter()
            .filter(|check| !check.holds)
            .map(|check| check.text.as_str())
            .collect()
    }

    #[tokio::test(start_paused = true)]
    async fn all_holds_after_one_restart_of_each_service_that_reads_what_changed() {
        let checks = checks_after(&[
            CANARY,
            "production/web",
            "production/api",
            "production/worker",
            "production/orders",
        ])
        .await;

        assert_eq!(failed(&checks), [""; 0]);
        assert_eq!(checks.len(), FLEET.len() + 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_function_that_does_nothing_fails() {
        let checks = checks_after(&[]).await;

        let expected = [
            "production/web: 4 of 4 tasks still hold an old version, after no restart",
            "production/api: 3 of 3 tasks still hold an old version, after no restart",
            "production/worker: 2 of 2 tasks still hold an old version, after no restart",
            "production/orders: 3 of 3 tasks still hold an old version, after no restart",
            "the bad value must be tried once and rolled back, but: []",
        ];
        assert_eq!(failed(&checks), expected);
    }

    #[tokio::test(start_paused = true)]
    async fn a_function_that_restarts_a_service_that_reads_something_else_fails() {
        let checks = checks_after(&[
            CANARY,
            "production/web",
            "production/api",
            "production/worker",
            "production/orders",
            "production/cart",
        ])
        .await;

        let expected = "production/cart: must not be touched (/app/db is another parameter than \
                        /app/db-url), but has had 1 restart and runs other tasks";
        assert_eq!(failed(&checks), [expected]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_function_that_restarts_a_service_twice_fails() {
        let checks = checks_after(&[
            CANARY,
            "production/web",
            "production/api",
            "production/worker",
            "production/worker",
            "production/orders",
        ])
        .await;

        let expected = "production/worker: all 2 tasks hold the newest version of what they read, \
                        after 2 restarts";
        assert_eq!(failed(&checks), [expected]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_below_its_floor_fails() {
        let account = Account::new(AccountConfig::default());
        let member = &FLEET[0];
        account.add(member.service(Duration::from_hours(1), None));
        let view = ServiceView {
            lowest_running: 3,
            floor: 4,
            ..account.service(member.name).unwrap()
        };

        let check = floors(&[(member, view)]);

        assert_eq!(
            check,
            Check {
                holds: false,
                text: "too few tasks: production/web ran 3 of at least 4".to_owned()
            }
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_function_that_reads_a_value_fails() {
        let account = Account::new(AccountConfig::default());
        call(&account, "AmazonSSM.GetParameter", "production/web").await;

        let check = no_value_read(&account.calls());

        assert_eq!(
            check,
            Check {
                holds: false,
                text: "the function read configuration values (ssm:GetParameter ×1)".to_owned()
            }
        );
    }
}
