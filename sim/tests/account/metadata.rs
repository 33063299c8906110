//! The metadata of parameters, objects and configurations: versions, times,
//! tags.

use std::time::Duration;

use aws_sdk_resourcegroupstagging::types::TagFilter;
use aws_sdk_s3::operation::list_object_versions::builders::ListObjectVersionsFluentBuilder;
use aws_sdk_s3::types::ObjectVersion;
use aws_sdk_ssm::error::ProvideErrorMetadata as _;
use aws_sdk_ssm::types::{ParameterStringFilter, ResourceTypeForTagging, Tag};
use serde_json::{Value, json};
use sim::{Account, AccountConfig, EventRule, Fault, RateLimits};

use crate::{account, secrets_manager, ssm, tagging};

fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> ParameterStringFilter {
    let names = names.into_iter().map(str::to_owned).collect();
    ParameterStringFilter::builder()
        .key("Name")
        .option("Equals")
        .set_values(Some(names))
        .build()
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn fifty_parameters_are_described_by_name_in_one_call() {
    let account = account();
    let names: Vec<_> = (0..51).map(|number| format!("/app/{number:02}")).collect();
    for name in &names {
        account.put_parameter(name);
    }
    let describe = |count: usize| {
        ssm(&account)
            .describe_parameters()
            .parameter_filters(named(names[..count].iter().map(String::as_str)))
            .max_results(50)
    };

    let described = describe(50).send().await.unwrap();
    let refused = describe(51).send().await.unwrap_err().into_service_error();

    assert_eq!(described.parameters().len(), 50);
    assert_eq!(
        described.parameters()[0].last_modified_user(),
        Some("arn:aws:iam::123456789012:user/owner")
    );
    assert_eq!(refused.code(), Some("ValidationException"));
}

#[tokio::test(start_paused = true)]
async fn a_value_that_is_too_long_fails_the_whole_call_and_a_fault_may_be_about_one_name() {
    let account = account();
    account.put_parameter("/app/x");
    let describe = |name: &str| {
        ssm(&account)
            .describe_parameters()
            .parameter_filters(named(["/app/x", name]))
            .send()
    };
    let longest = format!("/{}", "x".repeat(1023));

    assert_eq!(describe(&longest).await.unwrap().parameters().len(), 1);
    let too_long = describe(&format!("{longest}x"))
        .await
        .unwrap_err()
        .into_service_error();
    assert_eq!(too_long.code(), Some("ValidationException"));

    account.inject(
        Fault::error("ssm:DescribeParameters", "InvalidFilterValue", "No.", 400).target("/app/bad"),
    );
    assert_eq!(describe("/app/good").await.unwrap().parameters().len(), 1);
    assert_eq!(
        describe("/app/bad")
            .await
            .unwrap_err()
            .into_service_error()
            .code(),
        Some("InvalidFilterValue")
    );
}

#[tokio::test(start_paused = true)]
async fn three_descriptions_a_second_are_let_through() {
    let account = Account::new(AccountConfig {
        rate_limits: RateLimits::Documented,
        latency: Duration::ZERO,
        ..AccountConfig::default()
    });
    let describe = || crate::call(&account, "AmazonSSM.DescribeParameters", json!({}));

    let answers = futures_util::future::join_all((0..5).map(|_| describe())).await;

    assert_eq!(
        answers.iter().filter(|(status, _)| *status == 200).count(),
        3
    );
}

#[tokio::test(start_paused = true)]
async fn a_description_may_lag_behind_the_write() {
    let account = account();
    account.put_parameter("/app/a");
    account.run_for(Duration::from_secs(10)).await;
    account.set_parameter_metadata_lag(Duration::from_secs(5));
    account.put_parameter("/app/a");
    account.put_parameter("/app/b");
    let versions = || async {
        let described = ssm(&account).describe_parameters().send().await.unwrap();
        described
            .parameters()
            .iter()
            .map(|parameter| (parameter.name().unwrap().to_owned(), parameter.version()))
            .collect::<Vec<_>>()
    };

    assert_eq!(versions().await, [("/app/a".to_owned(), 1)]);
    account.run_for(Duration::from_secs(5)).await;
    assert_eq!(
        versions().await,
        [("/app/a".to_owned(), 2), ("/app/b".to_owned(), 1)]
    );
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_version_has_fractions_of_a_second() {
    let account = account();
    account.run_for(Duration::from_millis(1250)).await;
    account.put_parameter("/app/a");

    let described = ssm(&account).describe_parameters().send().await.unwrap();

    assert_eq!(
        described.parameters()[0]
            .last_modified_date()
            .unwrap()
            .subsec_nanos(),
        250_000_000
    );
}

/// The ARNs of the parameters and secrets that the index has with `reloader:ignore` = `true`.
async fn ignored(account: &Account) -> Vec<String> {
    let filter = TagFilter::builder().key("reloader:ignore").values("true");
    let call = tagging(account)
        .get_resources()
        .tag_filters(filter.build())
        .resource_type_filters("ssm:parameter")
        .resource_type_filters("secretsmanager:secret");
    let found = call
        .send()
        .await
        .unwrap()
        .resource_tag_mapping_list
        .unwrap();
    found
        .into_iter()
        .map(|found| found.resource_arn.unwrap())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn tags_of_parameters_and_secrets_reach_the_index_later() {
    let account = account();
    account.put_parameter("/app/a");
    account.put_parameter("/app/b");
    account.put_secret("prod/db");
    account.tag_secret("prod/db", "reloader:ignore", "true");
    account.tag_parameter("/app/b", "reloader:ignore", "false");
    let tag = Tag::builder().key("reloader:ignore").value("true");
    let call = ssm(&account)
        .add_tags_to_resource()
        .resource_type(ResourceTypeForTagging::Parameter)
        .resource_id("/app/a")
        .tags(tag.build().unwrap());
    call.send().await.unwrap();

    assert!(ignored(&account).await.is_empty());
    account.run_for(Duration::from_secs(4)).await;

    let expected = [
        account.secret_arn("prod/db").unwrap(),
        "arn:aws:ssm:eu-west-1:123456789012:parameter/app/a".to_owned(),
    ];
    assert_eq!(ignored(&account).await, expected);
    let call = ssm(&account)
        .list_tags_for_resource()
        .resource_type(ResourceTypeForTagging::Parameter)
        .resource_id("/app/a");
    assert_eq!(call.send().await.unwrap().tag_list()[0].value(), "true");
}

#[tokio::test(start_paused = true)]
async fn tags_that_were_removed_leave_the_index_later() {
    let account = account();
    account.put_parameter("/app/a");
    account.put_secret("prod/db");
    account.tag_parameter("/app/a", "reloader:ignore", "true");
    account.tag_secret("prod/db", "reloader:ignore", "true");
    account.run_for(Duration::from_secs(4)).await;
    assert_eq!(ignored(&account).await.len(), 2);

    let call = ssm(&account)
        .remove_tags_from_resource()
        .resource_type(ResourceTypeForTagging::Parameter)
        .resource_id("/app/a")
        .tag_keys("reloader:ignore");
    call.send().await.unwrap();
    let call = secrets_manager(&account)
        .untag_resource()
        .secret_id("prod/db")
        .tag_keys("reloader:ignore");
    call.send().await.unwrap();
    account.run_for(Duration::from_secs(4)).await;

    assert!(ignored(&account).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_tags_of_a_deleted_parameter_leave_the_index_with_it() {
    let account = account();
    account.put_parameter("/app/a");
    account.tag_parameter("/app/a", "reloader:ignore", "true");
    account.run_for(Duration::from_secs(4)).await;
    assert_eq!(ignored(&account).await.len(), 1);

    account.delete_parameter("/app/a");
    account.put_parameter("/app/a");
    account.run_for(Duration::from_secs(4)).await;

    assert!(ignored(&account).await.is_empty());
}

/// Lists the versions below `app/`, which are these: two and a delete marker of `prod.yaml`, one of
/// `prod.yaml.bak`.
fn list_versions(account: &Account) -> ListObjectVersionsFluentBuilder {
    let client = aws_sdk_s3::Client::new(&account.sdk_config());
    client
        .list_object_versions()
        .bucket("settings")
        .prefix("app/")
}

fn put_versions(account: &Account) {
    account.put_object("settings", "app/prod.yaml.bak");
    account.put_object("settings", "app/prod.yaml");
    account.put_object("settings", "app/prod.yaml");
    account.delete_object("settings", "app/prod.yaml");
    account.put_object("settings", "other");
}

fn version_ids(versions: &[ObjectVersion]) -> Vec<String> {
    let ids = versions.iter().map(|version| version.version_id().unwrap());
    ids.map(str::to_owned).collect()
}

#[tokio::test(start_paused = true)]
async fn versions_of_objects_are_listed_by_key_and_the_newest_first() {
    let account = account();
    put_versions(&account);

    let whole = list_versions(&account).send().await.unwrap();

    let versions = whole.versions().iter();
    let keys: Vec<_> = versions
        .map(|version| (version.key().unwrap(), version.is_latest().unwrap()))
        .collect();
    assert_eq!(
        keys,
        [
            ("app/prod.yaml", false),
            ("app/prod.yaml", false),
            ("app/prod.yaml.bak", true)
        ]
    );
    let marker = &whole.delete_markers()[0];
    assert_eq!(marker.key(), Some("app/prod.yaml"));
    assert_eq!(marker.is_latest(), Some(true));
    assert_eq!(whole.is_truncated(), Some(false));
    let etag = "\"9a0364b9e99bb480dd25e1f0284c8555\"";
    assert_eq!(whole.versions()[0].e_tag(), Some(etag));
}

#[tokio::test(start_paused = true)]
async fn pages_of_versions_continue_behind_a_key_and_a_version() {
    let account = account();
    put_versions(&account);
    let whole = list_versions(&account).send().await.unwrap();

    let mut ids = Vec::new();
    let (mut key, mut id) = (None, None);
    loop {
        let list = list_versions(&account).max_keys(1);
        let list = list.set_key_marker(key).set_version_id_marker(id);
        let page = list.send().await.unwrap();
        ids.extend(version_ids(page.versions()));
        if page.is_truncated() != Some(true) {
            break;
        }
        (key, id) = (page.next_key_marker, page.next_version_id_marker);
    }

    assert_eq!(ids, version_ids(whole.versions()));
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_was_never_versioned_keeps_the_last_write_only() {
    let account = account();
    let bucket = "http://127.0.0.1:4566/settings";
    crate::s3(&account, "PUT", bucket, "").await;
    crate::s3(&account, "PUT", &format!("{bucket}/a"), "1").await;
    crate::s3(&account, "PUT", &format!("{bucket}/a"), "2").await;

    let (_, listed) = crate::s3(&account, "GET", &format!("{bucket}?versions"), "").await;
    assert_eq!(listed.matches("<Version>").count(), 1);
    assert!(
        listed.contains("<VersionId>null</VersionId><IsLatest>true</IsLatest>"),
        "{listed}"
    );

    crate::s3(&account, "DELETE", &format!("{bucket}/a"), "").await;
    let (_, listed) = crate::s3(&account, "GET", &format!("{bucket}?versions"), "").await;
    assert!(!listed.contains("<Key>"), "{listed}");
}

#[tokio::test(start_paused = true)]
async fn deletions_and_completed_deployments_reach_their_queues() {
    let account = account();
    account.add_queue("changes", Duration::from_mins(1), 3);
    account.add_rule(EventRule::objects_deleted("changes", ["settings"]));
    account.add_rule(EventRule::appconfig("changes"));
    account.put_object("settings", "app/x");

    account.delete_object("settings", "app/x");
    account.complete_appconfig_deployment("shop", "prod", "flags");
    account.complete_appconfig_deployment("shop", "prod", "flags");

    account.run_for(Duration::from_secs(1)).await;
    let events: Vec<Value> = account
        .messages("changes")
        .iter()
        .map(|body| serde_json::from_str(body).unwrap())
        .collect();
    assert_eq!(
        (
            &events[0]["detail-type"],
            &events[0]["detail"]["object"]["key"]
        ),
        (&json!("Object Deleted"), &json!("app/x"))
    );
    let (first, second) = (&events[1]["detail"], &events[2]["detail"]);
    assert_eq!(
        (&events[1]["detail-type"], &events[1]["source"]),
        (&json!("On Deployment Complete"), &json!("aws.appconfig"))
    );
    assert_eq!(
        (&first["Type"], &first["Application"]["Name"]),
        (&json!("OnDeploymentComplete"), &json!("shop"))
    );
    assert_eq!(
        (
            &first["Environment"]["Name"],
            &first["ConfigurationProfile"]["Name"]
        ),
        (&json!("prod"), &json!("flags"))
    );
    assert_eq!(
        (&second["DeploymentNumber"], &second["Application"]["Id"]),
        (&json!(2), &first["Application"]["Id"])
    );
}
