//! Secrets, their versions and the labels of these.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_secretsmanager::operation::create_secret::CreateSecretOutput;
use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput;
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueOutput;
use serde_json::json;
use sim::{Account, AccountConfig, EventRule, service};

use crate::{account, events_after, secrets_manager};

fn listening() -> Account {
    let account = account();
    account.add_queue("changes", Duration::from_mins(1), 3);
    account.add_rule(EventRule::secrets("changes"));
    account
}

/// The labels of the versions of a secret.
async fn labels(account: &Account, name: &str) -> BTreeMap<String, BTreeSet<String>> {
    let described = describe(account, name).await;
    let labels = described.version_ids_to_stages.unwrap_or_default();
    let sets = labels
        .into_iter()
        .map(|(id, worn)| (id, worn.into_iter().collect()));
    sets.collect()
}

async fn describe(account: &Account, id: &str) -> DescribeSecretOutput {
    let request = secrets_manager(account).describe_secret().secret_id(id);
    request.send().await.unwrap()
}

async fn create(client: &Client, value: &str) -> CreateSecretOutput {
    let request = client.create_secret().name("prod/db").secret_string(value);
    request.send().await.unwrap()
}

/// The answer to a read, or the code of its error.
async fn read(client: &Client, name: &str) -> Result<GetSecretValueOutput, String> {
    let request = client.get_secret_value().secret_id(name);
    request.send().await.map_err(|error| code(&error))
}

fn code<E: ProvideErrorMetadata + std::error::Error>(error: &SdkError<E>) -> String {
    error.code().unwrap().to_owned()
}

fn worn<const N: usize>(labels: [&str; N]) -> BTreeSet<String> {
    labels.into_iter().map(str::to_owned).collect()
}

#[tokio::test(start_paused = true)]
async fn a_new_value_takes_awscurrent_and_leaves_awsprevious() {
    let account = account();
    let client = secrets_manager(&account);

    let first = create(&client, "a").await;
    let second = client
        .put_secret_value()
        .secret_id("prod/db")
        .secret_string("b")
        .send()
        .await
        .unwrap();
    let third = client
        .update_secret()
        .secret_id("prod/db")
        .secret_string("c")
        .send()
        .await
        .unwrap();

    assert_eq!(second.version_stages(), ["AWSCURRENT"]);
    let expected = [
        (second.version_id, worn(["AWSPREVIOUS"])),
        (third.version_id, worn(["AWSCURRENT"])),
    ];
    assert_eq!(
        labels(&account, "prod/db").await,
        expected.map(|(id, worn)| (id.unwrap(), worn)).into()
    );
    let whole = client
        .list_secret_version_ids()
        .secret_id("prod/db")
        .include_deprecated(true)
        .send()
        .await
        .unwrap();
    assert_eq!(
        whole.versions()[0].version_id(),
        first.version_id(),
        "the first version is deprecated, and still there"
    );
}

#[tokio::test(start_paused = true)]
async fn versions_are_listed_in_pages() {
    let account = account();
    account.put_secret("prod/db");
    account.put_secret("prod/db");

    let pages = secrets_manager(&account)
        .list_secret_version_ids()
        .secret_id("prod/db")
        .max_results(1)
        .into_paginator();
    let pages = pages.send().try_collect().await.unwrap();

    let stages: Vec<_> = pages
        .iter()
        .flat_map(|page| {
            page.versions()
                .iter()
                .map(|version| version.version_stages().join(","))
        })
        .collect();
    assert_eq!(
        (pages.len(), stages),
        (2, vec!["AWSPREVIOUS".to_owned(), "AWSCURRENT".to_owned()])
    );
}

#[tokio::test(start_paused = true)]
async fn a_moved_label_has_an_event_of_the_shape_of_aws() {
    let account = listening();

    let version = account.put_secret("prod/db");

    let arn = account.secret_arn("prod/db").unwrap();
    let mut events = events_after(&account, Duration::from_mins(1)).await;
    events[0]["id"].take();
    assert_eq!(
        events,
        [json!({
            "version": "0", "id": null, "detail-type": "Secret Label Updated",
            "source": "aws.secretsmanager", "account": "123456789012",
            "time": "2026-01-31T10:00:00Z", "region": "eu-west-1", "resources": [arn],
            "detail": { "name": "prod/db", "labelUpdated": "AWSCURRENT", "versionId": version },
        })]
    );
}

#[tokio::test(start_paused = true)]
async fn a_rotation_has_one_event_the_move_of_awscurrent() {
    let account = listening();
    let before = account.put_secret("prod/db");

    account.rotate_secret("prod/db");
    account.run_for(Duration::from_secs(3)).await;
    let during = labels(&account, "prod/db").await;
    let events = events_after(&account, Duration::from_mins(1)).await;

    let after = labels(&account, "prod/db").await;
    let rotated = after
        .iter()
        .find(|(_, worn)| worn.contains("AWSCURRENT"))
        .unwrap()
        .0;
    assert_eq!(
        during,
        [
            (before.clone(), worn(["AWSCURRENT"])),
            (rotated.clone(), worn(["AWSPENDING"]))
        ]
        .into()
    );
    assert_eq!(
        after,
        [
            (before, worn(["AWSPREVIOUS"])),
            (rotated.clone(), worn(["AWSCURRENT"]))
        ]
        .into()
    );
    assert_eq!(events.len(), 2, "the creation, and the rotation");
    assert_eq!(
        events[1]["detail"],
        json!({ "name": "prod/db", "labelUpdated": "AWSCURRENT", "versionId": rotated })
    );
}

#[tokio::test(start_paused = true)]
async fn a_custom_label_has_an_event_also_on_its_way_back() {
    let account = listening();
    let first = account.put_secret("prod/db");
    let second = account.put_secret("prod/db");

    account.move_stage("prod/db", "blue", &first);
    account.move_stage("prod/db", "blue", &first);
    account.move_stage("prod/db", "AWSCURRENT", &first);

    let moves: Vec<_> = events_after(&account, Duration::from_mins(1)).await[2..]
        .iter()
        .map(|event| event["detail"]["labelUpdated"].clone())
        .collect();
    assert_eq!(
        moves,
        ["blue", "AWSCURRENT"],
        "a label that stays where it is does not move"
    );
    let expected = [
        (first, worn(["blue", "AWSCURRENT"])),
        (second, worn(["AWSPREVIOUS"])),
    ];
    assert_eq!(labels(&account, "prod/db").await, expected.into());
}

#[tokio::test(start_paused = true)]
async fn metadata_and_tags_have_no_event_but_move_the_last_change() {
    let account = listening();
    account.put_secret("prod/db");
    account.run_for(Duration::from_mins(1)).await;
    let client = secrets_manager(&account);

    client
        .update_secret()
        .secret_id("prod/db")
        .description("the database")
        .send()
        .await
        .unwrap();
    account.tag_secret("prod/db", "reloader:ignore", "true");

    assert_eq!(
        events_after(&account, Duration::from_mins(1)).await.len(),
        1
    );
    let described = describe(&account, "prod/db").await;
    assert_eq!(described.description(), Some("the database"));
    assert_eq!(described.tags()[0].key(), Some("reloader:ignore"));
    assert!(described.last_changed_date() > described.created_date());
}

#[tokio::test(start_paused = true)]
async fn a_label_is_moved_only_by_who_knows_where_it_is() {
    let account = account();
    let first = account.put_secret("prod/db");
    account.put_secret("prod/db");
    let client = secrets_manager(&account);
    let update = || {
        client
            .update_secret_version_stage()
            .secret_id("prod/db")
            .version_stage("AWSCURRENT")
    };

    for refused in [
        update().move_to_version_id(&first),
        update()
            .move_to_version_id(&first)
            .remove_from_version_id(&first),
        update(),
    ] {
        let error = refused.send().await.unwrap_err();
        assert_eq!(code(&error), "InvalidParameterException");
    }
    let absent = update().move_to_version_id("none");
    let error = absent.send().await.unwrap_err();
    assert_eq!(code(&error), "ResourceNotFoundException");
}

#[tokio::test(start_paused = true)]
async fn an_arn_ends_as_the_seed_says_and_a_name_may_end_like_one() {
    let account = account();
    account.put_secret("prod/db");
    let arn = account.secret_arn("prod/db").unwrap();
    let suffix = arn
        .strip_prefix("arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/db-")
        .unwrap();
    assert_eq!(suffix.len(), 6);
    let odd = format!("prod/db-{suffix}");
    account.put_secret(&odd);

    let named = async |id: &str| describe(&account, id).await.name.unwrap();
    assert_eq!(
        named(&arn).await,
        "prod/db",
        "a full ARN goes before a partial one"
    );
    assert_eq!(named(&odd).await, odd);
    assert_eq!(named(&account.secret_arn(&odd).unwrap()).await, odd);
    assert_eq!(
        named(arn.trim_end_matches(&format!("-{suffix}"))).await,
        "prod/db",
        "a partial ARN"
    );

    let twin = Account::new(AccountConfig::default());
    twin.put_secret("prod/db");
    assert_eq!(twin.secret_arn("prod/db"), Some(arn));
}

#[tokio::test(start_paused = true)]
async fn a_secret_marked_for_deletion_can_be_described_but_not_read() {
    let account = account();
    account.add(service("web/api").desired(1).reading(["secret:prod/db"]));
    account.delete_secret("prod/db");
    let client = secrets_manager(&account);

    let described = describe(&account, "prod/db").await;
    let refused = read(&client, "prod/db").await.unwrap_err();
    let listed = client.list_secrets().send().await.unwrap();

    assert!(described.deleted_date().is_some());
    assert_eq!(refused, "InvalidRequestException");
    assert!(listed.secret_list().is_empty());
    assert!(
        account.stale_tasks().is_empty(),
        "a secret that is gone has no newer version"
    );

    account.put_secret("prod/db");
    assert_eq!(account.stale_tasks().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_read_of_a_secret_works_and_is_on_record_without_any_value() {
    let account = account();
    let client = secrets_manager(&account);
    create(&client, "s3cret").await;

    let answer = read(&client, "prod/db").await.unwrap();
    let absent = read(&client, "prod/none").await.unwrap_err();

    assert_eq!(answer.secret_string(), Some("s3cret"));
    assert_eq!(absent, "ResourceNotFoundException");
    let calls = account.calls();
    assert_eq!(
        (calls[1].action().as_str(), calls[1].target.as_str()),
        ("secretsmanager:GetSecretValue", "prod/db")
    );
    assert!(
        !calls
            .iter()
            .any(|call| call.input.to_string().contains("s3cret"))
    );
}
