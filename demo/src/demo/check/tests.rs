//! Each check holds, and fails where it must.

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use sim::AccountConfig;

use super::*;
use crate::fleet::{BUCKET, PARAMETER, SECRET};

/// The canary of the bad value.
const CANARY: &str = "production/api";

/// The demo's account after the bad value, which `canary` tries, after the other changes, after
/// forced deployments of `restarted` in order, and after all rollouts.
async fn checks_after(canary: Option<&str>, restarted: &[&str]) -> Vec<Check> {
    let account = Account::new(AccountConfig::default());
    let parameter = format!("ssm:{PARAMETER}");
    for member in &FLEET {
        account.add(member.service(Duration::from_hours(1), Some((&parameter, 2))));
    }
    let before = Before::read(&account);
    account.put_parameter(PARAMETER);
    if let Some(canary) = canary {
        restart(&account, canary).await;
    }
    account.run_for(Duration::from_mins(1)).await;
    let corrected_at = account.now();
    account.put_object(BUCKET, "app/prod.yaml");
    account.put_parameter(PARAMETER);
    account.rotate_secret(SECRET);
    account.run_for(Duration::from_secs(10)).await;
    for service in restarted {
        restart(&account, service).await;
    }
    account.run_for(Duration::from_mins(1)).await;
    all(&account, &before, corrected_at)
}

async fn restart(account: &Account, service: &str) {
    let operation = "AmazonEC2ContainerServiceV20141113.UpdateService";
    call(account, operation, service).await;
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
    let restarted = [
        "production/web",
        "production/api",
        "production/worker",
        "production/orders",
    ];
    let checks = checks_after(Some(CANARY), &restarted).await;

    assert_eq!(failed(&checks), [""; 0]);
    assert_eq!(checks.len(), FLEET.len() + 3);
}

#[tokio::test(start_paused = true)]
async fn a_function_that_does_nothing_fails() {
    let checks = checks_after(None, &[]).await;

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
    let restarted = [
        "production/web",
        "production/api",
        "production/worker",
        "production/orders",
        "production/cart",
    ];
    let checks = checks_after(Some(CANARY), &restarted).await;

    let expected = "production/cart: must not be touched (/app/db is another parameter than \
                    /app/db-url), but has had 1 restart and runs other tasks";
    assert_eq!(failed(&checks), [expected]);
}

#[tokio::test(start_paused = true)]
async fn a_function_that_restarts_a_service_twice_fails() {
    let restarted = [
        "production/web",
        "production/api",
        "production/worker",
        "production/worker",
        "production/orders",
    ];
    let checks = checks_after(Some(CANARY), &restarted).await;

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
