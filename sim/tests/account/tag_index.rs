//! `GetResources`: late, with resources that are gone, in pages whose tokens are valid once.

use std::time::Duration;

use aws_sdk_ecs::error::ProvideErrorMetadata as _;
use aws_sdk_resourcegroupstagging::types::TagFilter;
use sim::{Account, service};

use crate::{account, ecs, tagging};

async fn watching(account: &Account) -> Vec<String> {
    let filter = TagFilter::builder().key("reloader:watch").build();
    let pages = tagging(account)
        .get_resources()
        .resource_type_filters("ecs:service")
        .tag_filters(filter)
        .resources_per_page(2)
        .into_paginator();
    let pages = pages.send().try_collect().await.unwrap();
    let arns = pages.iter().flat_map(|page| {
        page.resource_tag_mapping_list()
            .iter()
            .map(|found| found.resource_arn().unwrap())
    });
    arns.map(|arn| arn.rsplit(":service/").next().unwrap().to_owned())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn services_are_found_by_tag_over_several_pages() {
    let account = account();
    for number in 0..5 {
        account.add(service(&format!("web/api-{number}")).watching("ssm:/app/"));
    }
    account.add(service("web/other").tag("team", "red"));

    assert_eq!(
        watching(&account).await,
        [
            "web/api-0",
            "web/api-1",
            "web/api-2",
            "web/api-3",
            "web/api-4"
        ]
    );
    assert_eq!(account.calls().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_new_tag_is_known_to_ecs_at_once_and_to_the_index_later() {
    let account = account();
    account.add(service("web/api"));
    let arn = "arn:aws:ecs:eu-west-1:123456789012:service/web/api";
    let tag = aws_sdk_ecs::types::Tag::builder()
        .key("reloader:watch")
        .value("ssm:/app/")
        .build();
    let client = ecs(&account);
    client
        .tag_resource()
        .resource_arn(arn)
        .tags(tag)
        .send()
        .await
        .unwrap();

    let tags = client
        .list_tags_for_resource()
        .resource_arn(arn)
        .send()
        .await
        .unwrap();
    assert_eq!(tags.tags()[0].key(), Some("reloader:watch"));
    assert!(watching(&account).await.is_empty());

    account.run_for(Duration::from_secs(4)).await;
    assert_eq!(watching(&account).await, ["web/api"]);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_gone_stays_listed() {
    let account = account();
    account.add(service("web/api").watching("ssm:/app/").inactive());

    assert_eq!(watching(&account).await, ["web/api"]);
}

#[tokio::test(start_paused = true)]
async fn a_token_serves_once_and_the_last_page_has_an_empty_one() {
    let account = account();
    account.add(service("web/a").watching("ssm:/app/"));
    account.add(service("web/b").watching("ssm:/app/"));
    let client = tagging(&account);

    let first = client
        .get_resources()
        .resources_per_page(1)
        .send()
        .await
        .unwrap();
    let token = first.pagination_token().unwrap();
    let last = client
        .get_resources()
        .resources_per_page(1)
        .pagination_token(token)
        .send()
        .await
        .unwrap();
    assert_eq!(last.pagination_token(), Some(""));

    let again = client
        .get_resources()
        .resources_per_page(1)
        .pagination_token(token)
        .send()
        .await;
    assert_eq!(
        again.unwrap_err().into_service_error().code(),
        Some("PaginationTokenExpiredException")
    );
}

#[tokio::test(start_paused = true)]
async fn ecs_refuses_tags_with_characters_that_it_does_not_allow() {
    let account = account();
    account.add(service("web/api"));
    let arn = "arn:aws:ecs:eu-west-1:123456789012:service/web/api";

    for value in ["ssm:/app/*", "ssm:/a,ssm:/b", &"x".repeat(257)] {
        let tag = aws_sdk_ecs::types::Tag::builder()
            .key("reloader:watch")
            .value(value)
            .build();
        let refused = ecs(&account)
            .tag_resource()
            .resource_arn(arn)
            .tags(tag)
            .send()
            .await;
        assert_eq!(
            refused.unwrap_err().into_service_error().code(),
            Some("InvalidParameterException"),
            "{value}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_nothing_else_knows_can_be_listed_by_its_type() {
    let account = account();
    account.index(
        "arn:aws:ecs:eu-west-1:123456789012:service/short",
        &[("reloader:watch", "auto")],
    );
    account.index(
        "arn:aws:ssm:eu-west-1:123456789012:parameter/app/x",
        &[("reloader:watch", "auto")],
    );

    assert_eq!(watching(&account).await, ["short"]);
}
