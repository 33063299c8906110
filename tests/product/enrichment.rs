//! Metadata that events lack: the writer, the version, the exact time, and the tag of an ignored
//! key.

use std::time::Duration;

use serde_json::json;
use sim::{Fault, service, task_definition};

use crate::support::{
    BUCKET, QUEUE, Scenario, api, line, number_about, reason, text, watching_each_kind,
};

#[tokio::test(start_paused = true)]
async fn a_parameters_versions_and_writer_are_reported() {
    let scenario = watching_each_kind().await;
    scenario.account.put_parameter("/app/db");

    let answer = scenario.changed("ssm:/app/db").await;

    let change = &line(&answer, "web/api")["changes"][0];
    assert_eq!(
        (&change["version"], &change["previous"]),
        (&"2".into(), &"1".into()),
        "{change:#}"
    );
    assert!(
        text(&change["changed_by"]).starts_with("arn:aws:"),
        "{change:#}"
    );
}

#[tokio::test(start_paused = true)]
async fn metadata_that_cannot_be_read_loses_and_delays_nothing_and_is_reported() {
    let faults = [Fault::denied, Fault::throttled, Fault::hang];
    for (fault, action) in faults.iter().flat_map(|fault| {
        ["ssm:DescribeParameters", "tag:GetResources"].map(|action| (fault, action))
    }) {
        let scenario = watching_each_kind().await;
        let event = scenario.write("ssm:/app/db");
        if action == "tag:GetResources" {
            // The first listing is the one of the services.
            scenario
                .invoke(&scenario.parameter_event("Update", "/other"))
                .await
                .unwrap();
        }
        let listing = fault(action);
        let listing = if action == "tag:GetResources" {
            listing.target("ssm:parameter")
        } else {
            listing
        };
        scenario.account.inject(listing);
        let began = scenario.account.now();

        let answer = scenario.invoke(&event).await.unwrap();

        assert_eq!(scenario.restarted(), ["web/api"], "{action}");
        assert!(
            Duration::try_from(scenario.account.now().duration_since(began)).unwrap()
                < Duration::from_secs(7),
            "{action}"
        );
        if action == "ssm:DescribeParameters" {
            assert!(
                text(&line(&answer, "web/api")["changes"][0]["note"]).contains("not known"),
                "{answer:#}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn metadata_that_lags_moves_no_change_earlier() {
    let scenario = watching_each_kind().await;
    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(Duration::from_mins(5)).await;
    scenario
        .account
        .set_parameter_metadata_lag(Duration::from_mins(1));

    let answer = scenario.changed("ssm:/app/db").await;

    assert_eq!(
        (reason(&answer).as_str(), scenario.restarted()),
        ("stale", vec!["web/api".to_owned()])
    );
    assert!(scenario.is_all_fresh().await);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_its_owner_has_ignored_while_a_restart_is_held_restarts_nobody() {
    let held = api().tag("reloader:pause", "2026-01-31T12:00:00Z");
    let scenario = Scenario::with([held]).await.with_queue();
    scenario.account.put_parameter("/app/noise");
    scenario.account.run_for(Duration::from_mins(30)).await;

    let (name, tag) = ("/app/noise", "reloader:ignore");
    scenario.account.tag_parameter(name, tag, "true");
    scenario.account.settle().await;

    assert!(scenario.restarted().is_empty());
    let reasons = |reason| scenario.service_lines("reason", reason).len();
    assert!(reasons("paused") > 0 && reasons("ignored-key") == 1);
    let listings = number_about(&scenario, "tag:GetResources", "ssm:parameter");
    assert_eq!(listings, 2, "no restart was due before the pause ended");
}

#[tokio::test(start_paused = true)]
async fn a_key_that_its_owner_tagged_as_ignored_restarts_nobody() {
    let scenario = watching_each_kind().await.with_queue();
    scenario.account.put_parameter("/app/noise");
    scenario.account.put_secret("prod/noise");
    scenario.account.settle().await;
    let before = scenario.restarted().len();
    scenario
        .account
        .tag_parameter("/app/noise", "reloader:ignore", "true");
    scenario
        .account
        .tag_secret("prod/noise", "reloader:ignore", "true");
    scenario.account.run_for(Duration::from_mins(5)).await;

    scenario.account.put_parameter("/app/noise");
    scenario.account.settle().await;
    scenario.account.put_secret("prod/noise");
    scenario.account.settle().await;

    assert_eq!(scenario.restarted().len(), before);
    let reasons: Vec<_> = scenario
        .lines("service")
        .iter()
        .rev()
        .take(2)
        .map(|line| line["reason"].clone())
        .collect();
    assert_eq!(reasons, ["ignored-key", "ignored-key"]);
}

#[tokio::test(start_paused = true)]
async fn a_key_to_ignore_is_ignored_too_when_its_service_is_described_later() {
    for action in ["ecs:DescribeServices", "ecs:DescribeTaskDefinition"] {
        let auto = service("web/auto")
            .watching("auto")
            .referring(task_definition().secret("NOISE", "/app/noise"));
        let scenario = Scenario::with([auto, api()]).await.with_queue();
        scenario
            .account
            .tag_parameter("/app/noise", "reloader:ignore", "true");
        scenario.account.put_parameter("/app/noise");
        scenario.account.run_for(Duration::from_mins(5)).await;
        let before = scenario.restarted().len();
        scenario.account.inject(
            Fault::server_error(action, 500).until(scenario.account.now() + Duration::from_mins(2)),
        );

        scenario.account.put_parameter("/app/noise");
        scenario.account.settle().await;

        assert_eq!(scenario.restarted().len(), before, "{action}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_objects_etag_and_versions_are_reported() {
    let scenario = watching_each_kind().await.with_queue();
    scenario.account.put_object(BUCKET, "app/prod.env");
    scenario.account.settle().await;

    scenario.account.put_object(BUCKET, "app/prod.env");
    scenario.account.settle().await;

    let started: Vec<_> = scenario
        .lines("service")
        .into_iter()
        .filter(|line| line["result"] == "started")
        .collect();
    let change = |place: usize| started[place]["changes"][0].clone();
    assert_eq!(
        change(1)["previous"],
        change(0)["version"],
        "{:#}",
        change(1)
    );
    assert!(change(1)["etag"].is_string());
}

#[tokio::test(start_paused = true)]
async fn a_parameter_of_another_account_is_not_described() {
    let scenario = Scenario::with([
        service("web/api").watching("arn:aws:ssm:us-east-1:210987654321:parameter/app/db")
    ])
    .await;
    let mut event = scenario.parameter_event("Update", "/app/db");
    (event["account"], event["region"]) = ("210987654321".into(), "us-east-1".into());
    event["resources"] = json!(["arn:aws:ssm:us-east-1:210987654321:parameter/app/db"]);

    let answer = scenario.invoke(&event).await.unwrap();

    assert_eq!(scenario.number_of("ssm:DescribeParameters"), 0);
    assert_eq!(
        line(&answer, "web/api")["changes"][0]["key"],
        "arn:aws:ssm:us-east-1:210987654321:parameter/app/db"
    );
    assert_eq!(scenario.restarted(), ["web/api"]);
}

#[tokio::test(start_paused = true)]
async fn fifty_parameters_are_described_in_one_call() {
    let scenario = watching_each_kind().await.with_queue();
    for place in 0..60 {
        scenario.account.put_parameter(&format!("/app/p{place}"));
    }

    scenario.account.settle().await;

    assert_eq!(
        (
            scenario.number_of("ssm:DescribeParameters"),
            scenario.restarted().len()
        ),
        (2, 1)
    );
    assert_eq!(scenario.lines("summary")[0]["lookups_failed"], 0);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_aws_refuses_leaves_the_others_known() {
    // Alone, the function has time for all its calls.
    let scenario = watching_each_kind()
        .await
        .setting("RELOADER_CONCURRENCY", "1")
        .with_queue();
    scenario.account.inject(
        Fault::error(
            "ssm:DescribeParameters",
            "ValidationException",
            "Invalid filter.",
            400,
        )
        .target("/app/bad"),
    );
    for name in ["/app/a", "/app/b", "/app/bad", "/app/c", "/app/d"] {
        scenario.account.put_parameter(name);
    }

    scenario.account.settle().await;

    let lines = scenario.lines("service");
    let changes = lines[0]["changes"].as_array().unwrap();
    let unknown: Vec<_> = changes
        .iter()
        .filter(|change| change["version"].is_null())
        .collect();
    assert!(
        changes.len() == 5 && unknown.len() == 1 && unknown[0]["key"] == "ssm:/app/bad",
        "{changes:#?}"
    );
    assert!(
        text(&unknown[0]["note"]).contains("ValidationException"),
        "{unknown:#?}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_event_ahead_of_the_clock_hides_no_later_change_of_its_key() {
    let scenario = watching_each_kind().await.with_queue();
    let mut ahead = scenario.parameter_event("Update", "/app/db");
    ahead["time"] = (scenario.account.now() + Duration::from_hours(1))
        .strftime("%Y-%m-%dT%H:%M:%SZ")
        .to_string()
        .into();
    scenario.account.send(QUEUE, &ahead.to_string());
    scenario.account.run_for(Duration::from_mins(1)).await;
    assert_eq!(scenario.restarted(), ["web/api"]);
    scenario.account.run_for(Duration::from_mins(9)).await;

    scenario.account.put_parameter("/app/db");
    scenario.account.send(QUEUE, &ahead.to_string());
    scenario.account.run_for(Duration::from_mins(1)).await;

    assert_eq!(scenario.restarted(), ["web/api", "web/api"]);
    assert!(scenario.is_all_fresh().await);
}

#[tokio::test(start_paused = true)]
async fn metadata_ahead_of_the_clock_keeps_nobody_waiting() {
    let scenario = watching_each_kind().await;
    scenario
        .account
        .set_metadata_clock_ahead(Duration::from_hours(1));

    let answer = scenario.changed("ssm:/app/db").await;

    assert_eq!(
        (reason(&answer).as_str(), scenario.restarted()),
        ("stale", vec!["web/api".to_owned()])
    );
}
