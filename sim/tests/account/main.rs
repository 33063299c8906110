//! The simulated account on a paused clock, through the SDK's real clients as far as there are any.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "in tests a panic is the answer, in their helpers as well"
)]

mod alarms;
mod calls;
mod chance;
mod cloudtrail;
mod configuration;
mod faults;
mod history;
mod kinds;
mod lifecycle;
mod mapping;
mod metadata;
mod put_events;
mod record;
mod references;
mod rollout;
mod secrets;
mod tag_index;
mod tasks;

use std::time::Duration;

use aws_sdk_ecs::types::{Service, ServiceDeployment};
use bytes::Bytes;
use serde_json::Value;
use sim::{Account, AccountConfig, Answer, HistoryView};

fn account() -> Account {
    Account::new(AccountConfig::default())
}

fn ecs(account: &Account) -> aws_sdk_ecs::Client {
    aws_sdk_ecs::Client::new(&account.sdk_config())
}

fn secrets_manager(account: &Account) -> aws_sdk_secretsmanager::Client {
    aws_sdk_secretsmanager::Client::new(&account.sdk_config())
}

fn ssm(account: &Account) -> aws_sdk_ssm::Client {
    aws_sdk_ssm::Client::new(&account.sdk_config())
}

fn tagging(account: &Account) -> aws_sdk_resourcegroupstagging::Client {
    aws_sdk_resourcegroupstagging::Client::new(&account.sdk_config())
}

/// Forces a new deployment of `cluster/name`.
async fn restart(account: &Account, id: &str) -> Service {
    let (cluster, name) = id.split_once('/').unwrap();
    let call = ecs(account)
        .update_service()
        .cluster(cluster)
        .service(name)
        .force_new_deployment(true);
    call.send().await.unwrap().service.unwrap()
}

/// The service `web/api` as `DescribeServices` shows it.
async fn described(account: &Account) -> Service {
    let call = ecs(account)
        .describe_services()
        .cluster("web")
        .services("api");
    call.send().await.unwrap().services.unwrap().remove(0)
}

/// The newest service deployment of `web/api` as `DescribeServiceDeployments` shows it.
async fn described_deployment(account: &Account) -> ServiceDeployment {
    let client = ecs(account);
    let list = client
        .list_service_deployments()
        .cluster("web")
        .service("api");
    let listed = list.send().await.unwrap();
    let arn = listed.service_deployments()[0].service_deployment_arn();
    let describe = client
        .describe_service_deployments()
        .service_deployment_arns(arn.unwrap());
    let described = describe.send().await.unwrap();
    described.service_deployments()[0].clone()
}

/// The newest service deployment of `web/api` as the simulation knows it.
fn newest(account: &Account) -> HistoryView {
    account.service("web/api").unwrap().history[0].clone()
}

/// The events that have reached the queue `changes` after this time.
async fn events_after(account: &Account, time: Duration) -> Vec<Value> {
    account.run_for(time).await;
    let messages = account.messages("changes");
    messages
        .iter()
        .map(|body| serde_json::from_str(body).unwrap())
        .collect()
}

/// A call of a JSON API for which there is no client here, as it goes over the wire.
async fn call(account: &Account, target: &str, input: Value) -> (u16, Value) {
    let request = http::Request::post("http://127.0.0.1:4566/")
        .header("x-amz-target", target)
        .body(Bytes::from(input.to_string()));
    let Answer::Response(response) = account.answer(request.unwrap()).await else {
        panic!("the connection was reset")
    };
    let status = response.status().as_u16();
    (
        status,
        serde_json::from_slice(response.body()).unwrap_or_default(),
    )
}

/// A call of S3: the answer's status and body.
async fn s3(account: &Account, method: &str, url: &str, body: &'static str) -> (u16, String) {
    let request = http::Request::builder()
        .method(method)
        .uri(url)
        .body(Bytes::from(body))
        .unwrap();
    let Answer::Response(response) = account.answer(request).await else {
        panic!("the connection was reset")
    };
    (
        response.status().as_u16(),
        String::from_utf8(response.body().to_vec()).unwrap(),
    )
}
