//! Restarts of exactly the services that watch a key.

use std::collections::BTreeMap;
use std::time::Duration;

use ecs_reloader::report::Level;
use serde_json::json;
use sim::{AccountConfig, service};

use crate::support::{Scenario, UPDATE, api, line, reason, text, worker};

#[tokio::test(start_paused = true)]
async fn a_new_parameter_version_restarts_exactly_the_services_that_watch_it() {
    let scenario = Scenario::with([
        service("web/api").watching("ssm:/app/db"),
        worker(),
        service("web/trap").watching("ssm:/app/db-url"),
        service("ops/other").watching("ssm:/ops/"),
        service("ops/untagged"),
    ])
    .await;

    let answer = scenario.changed("ssm:/app/db").await;

    assert_eq!(scenario.account.restarted(), ["web/api", "web/worker"]);
    assert_eq!(answer["started"], 2, "{answer:#}");
    assert!(scenario.is_all_fresh().await);
}

#[tokio::test(start_paused = true)]
async fn an_upload_restarts_exactly_the_services_that_watch_it() {
    let scenario = Scenario::with([
        service("web/api").watching("s3:config/app/prod.yaml"),
        service("web/worker").watching("s3:config/app/"),
        service("web/all").watching("s3:config/"),
        service("web/other").watching("s3:config/app2/ s3:config2/"),
    ])
    .await;

    scenario.changed("s3:config/app/prod.yaml").await;

    assert_eq!(
        scenario.account.restarted(),
        ["web/all", "web/api", "web/worker"]
    );
    assert!(scenario.is_all_fresh().await);
}

#[tokio::test(start_paused = true)]
async fn the_same_event_three_times_makes_one_deployment() {
    let scenario = Scenario::with([api()]).await;
    let event = scenario.write("ssm:/app/db");

    scenario.invoke(&event).await.unwrap();
    let second = scenario.invoke(&event).await.unwrap();
    scenario.account.settle().await;
    let third = scenario.invoke(&event).await.unwrap();

    assert_eq!(scenario.account.restarted(), ["web/api"]);
    assert_eq!(
        (reason(&second), reason(&third)),
        ("fresh".to_owned(), "fresh".to_owned())
    );
}

#[tokio::test(start_paused = true)]
async fn an_event_without_watchers_costs_the_listing_alone() {
    let scenario = Scenario::with([api()]).await;

    scenario.changed("ssm:/other").await;

    assert_eq!(scenario.actions(), ["tag:GetResources"]);
}

#[tokio::test(start_paused = true)]
async fn the_restart_asks_for_nothing_but_a_forced_deployment() {
    let scenario = Scenario::with([api()]).await;

    scenario.changed("ssm:/app/db").await;

    let calls = scenario.account.calls();
    let update = calls
        .iter()
        .find(|call| call.operation == "UpdateService")
        .unwrap();
    assert_eq!(
        update.input,
        json!({"cluster": "web", "service": "api", "forceNewDeployment": true})
    );
}

#[tokio::test(start_paused = true)]
async fn an_event_older_than_the_newest_deployment_makes_none() {
    let scenario = Scenario::with([api()]).await;
    let event = scenario.write("ssm:/app/db");
    scenario.account.run_for(Duration::from_secs(5)).await;
    scenario.owner.forces("web/api").await;

    let answer = scenario.invoke(&event).await.unwrap();

    assert_eq!(
        (reason(&answer).as_str(), scenario.number_of(UPDATE)),
        ("fresh", 0)
    );
}

#[tokio::test(start_paused = true)]
async fn the_plain_path_makes_the_calls_it_needs_and_no_others() {
    let affected =
        (0..12).map(|place| service(&format!("web/c{place}")).watching("ssm:/app/ s3:config/"));
    let others = (0..138).map(|place| service(&format!("web/o{place}")).watching("ssm:/other/"));
    let scenario = Scenario::with(affected.chain(others)).await;

    scenario.changed("ssm:/app/db").await;

    let mut calls = BTreeMap::new();
    for action in scenario.actions() {
        *calls.entry(action).or_insert(0) += 1;
    }
    // More calls than the plain path: for the parameter's version and writer, and for the keys to
    // ignore.
    let expected = [
        ("ecs:DescribeServices", 2),
        ("ecs:UpdateService", 12),
        ("ssm:DescribeParameters", 1),
        ("tag:GetResources", 3),
    ];
    assert_eq!(
        calls,
        expected
            .map(|(action, times)| (action.to_owned(), times))
            .into()
    );
}

#[tokio::test(start_paused = true)]
async fn a_key_of_another_account_or_region_is_watched_by_its_arn_only() {
    for (field, value) in [("region", "us-east-1"), ("account", "210987654321")] {
        let mut place = json!({ "region": "eu-west-1", "account": "123456789012" });
        place[field] = json!(value);
        let arn = format!(
            "arn:aws:ssm:{}:{}:parameter/app/",
            text(&place["region"]),
            text(&place["account"])
        );
        let scenario = Scenario::with([
            service("web/bare").watching("ssm:/app/"),
            service("web/arn").watching(&arn),
        ])
        .await;
        let mut event = scenario.parameter_event("Update", "/app/db");
        event[field] = json!(value);
        event["resources"] = json!([format!("{arn}db")]);

        scenario.invoke(&event).await.unwrap();

        assert_eq!(scenario.restarted(), ["web/arn"], "{field}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_tags_of_the_service_itself_count_while_the_index_lags() {
    let config = AccountConfig {
        tag_index_lag: Duration::from_mins(10),
        ..AccountConfig::default()
    };
    let services =
        ["web/off", "web/elsewhere", "web/same"].map(|id| service(id).watching("ssm:/app/"));
    let scenario = Scenario::build(config, [], Level::Info, services).await;
    scenario.owner.tags("web/off", "reloader:mode", "off").await;
    scenario
        .owner
        .tags("web/elsewhere", "reloader:watch", "ssm:/other/")
        .await;

    let answer = scenario.changed("ssm:/app/db").await;

    assert_eq!(scenario.restarted(), ["web/same"]);
    assert_eq!(line(&answer, "web/off")["reason"], "off");
}

#[tokio::test(start_paused = true)]
async fn a_service_deleted_since_the_index_was_built_is_inactive_and_stops_nobody() {
    let scenario =
        Scenario::with(["web/gone", "web/api"].map(|id| service(id).watching("ssm:/app/"))).await;
    scenario.owner.deletes("web/gone").await;
    scenario.account.settle().await;

    let answer = scenario.changed("ssm:/app/db").await;

    assert_eq!(
        (
            line(&answer, "web/gone")["reason"].as_str(),
            scenario.restarted()
        ),
        (Some("inactive"), vec!["web/api".to_owned()])
    );
}

#[tokio::test(start_paused = true)]
async fn numbered_watch_tags_continue_the_first() {
    let long = service("web/api")
        .watching("ssm:/a")
        .tag("reloader:watch/2", "ssm:/b/ s3:config/c")
        .tag("reloader:watch/3", "-ssm:/b/no");
    let scenario = Scenario::set_to([("RELOADER_MIN_INTERVAL", "0s")], [long]).await;

    let excluded = scenario.changed("ssm:/b/no").await;
    let nobody = scenario.restarted();
    scenario.changed("ssm:/b/yes").await;
    scenario.account.settle().await;
    scenario.changed("s3:config/c").await;

    assert_eq!(
        (reason(&excluded).as_str(), nobody),
        ("excluded", Vec::new())
    );
    assert_eq!(scenario.restarted(), ["web/api", "web/api"]);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_term_is_reported_once_and_the_good_ones_beside_it_work() {
    let scenario = Scenario::with([service("web/api").watching("ssm:/app/ hunter2")]).await;

    let answer = scenario.changed("ssm:/app/db").await;
    scenario.changed("ssm:/elsewhere").await;

    assert_eq!(
        (scenario.restarted(), &answer["mistakes"]),
        (vec!["web/api".to_owned()], &1.into())
    );
    let mistakes = scenario.lines("mistake");
    assert_eq!(mistakes.len(), 1, "{mistakes:#?}");
    assert_eq!(
        (&mistakes[0]["service"], &mistakes[0]["level"]),
        (&"web/api".into(), &"WARN".into())
    );
    assert!(
        text(&mistakes[0]["mistake"])
            .starts_with("term 2 of the tag reloader:watch does not parse: expected"),
        "{mistakes:#?}"
    );
    assert!(!scenario.log_text().contains("hunter2"));
    assert_eq!(scenario.metric("TagMistakes"), [1, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_mistake_of_a_service_that_never_matches_is_reported_too() {
    let scenario = Scenario::with([service("web/api").watching("hunter2")]).await;

    scenario.changed("ssm:/app/db").await;

    assert_eq!(scenario.lines("mistake")[0]["service"], "web/api");
}

#[tokio::test(start_paused = true)]
async fn another_tag_prefix_is_another_function() {
    let theirs = service("web/theirs")
        .tag("team-b:watch", "ssm:/app/")
        .tag("reloader:mode", "off")
        .reading(["ssm:/app/db"]);
    let scenario = Scenario::set_to(
        [("RELOADER_TAG_PREFIX", "team-b")],
        [theirs, service("web/ours").watching("ssm:/app/")],
    )
    .await;

    scenario.changed("ssm:/app/db").await;

    assert_eq!(scenario.restarted(), ["web/theirs"]);
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_is_not_listed_is_out_of_reach() {
    let services = ["web/api", "ops/cron"].map(|id| service(id).watching("ssm:/app/"));
    let scenario = Scenario::set_to([("RELOADER_CLUSTERS", "ops, other")], services).await;

    let answer = scenario.changed("ssm:/app/db").await;

    assert_eq!(
        (scenario.restarted(), &answer["affected"]),
        (vec!["ops/cron".to_owned()], &1.into())
    );
}
