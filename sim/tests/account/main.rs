//! The simulated account, through the SDK's real clients where there is one, on a paused clock.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "in tests a panic is the answer, in their helpers as well"
)]

mod calls;
mod chance;
mod cloudtrail;
mod configuration;
mod faults;
mod history;
mod lifecycle;
mod mapping;
mod metadata;
mod record;
mod references;
mod rollout;
mod secrets;
mod tag_index;

use aws_sdk_ecs::types::Service;
use bytes::Bytes;
use serde_json::Value;
use sim::{Account, AccountConfig, Answer};

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
