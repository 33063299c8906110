//! Secrets, reported by Secrets Manager and by CloudTrail; configuration profiles; folders.

use std::time::Duration;

use serde_json::Value;
use sim::events::ArnSpelling;
use sim::{EventRule, Trail, service};

use crate::support::{BUCKET, QUEUE, Scenario, text};

async fn watching(terms: &str) -> Scenario {
    let scenario = Scenario::with([]).await.with_queue();
    scenario.account.put_secret("prod/db");
    scenario.account.put_secret("prod/db-backup");
    scenario.account.settle().await;
    scenario.account.add(service("web/api").watching(terms));
    scenario.account.run_for(Duration::from_mins(10)).await;
    assert!(scenario.restarted().is_empty());
    scenario
}

#[tokio::test(start_paused = true)]
async fn a_new_current_version_restarts_once_although_two_sources_report_it() {
    for spelling in [ArnSpelling::Lower, ArnSpelling::Camel, ArnSpelling::Upper] {
        let scenario = watching("secret:prod/db").await;
        scenario.account.set_trail(Trail {
            arn_spelling: spelling,
            ..Trail::default()
        });

        let reports = |scenario: &Scenario| {
            let is_new = |line: &&Value| {
                line["messages"] != line["deferred_received"] && line["changes"] != 0
            };
            scenario.lines("summary").iter().filter(is_new).count()
        };
        let before = reports(&scenario);

        scenario.account.put_secret("prod/db");

        assert!(scenario.is_all_fresh().await);
        assert_eq!(scenario.restarted(), ["web/api"]);
        assert_eq!(reports(&scenario) - before, 2, "both sources were heard");
    }
}

#[tokio::test(start_paused = true)]
async fn a_rotation_restarts_once_when_the_label_has_moved() {
    let scenario = watching("secret:prod/").await;

    scenario.account.rotate_secret("prod/db");

    assert!(scenario.is_all_fresh().await);
    assert_eq!(scenario.restarted(), ["web/api"]);
}

#[tokio::test(start_paused = true)]
async fn going_back_to_the_previous_version_restarts_like_any_other_move() {
    let scenario = watching("secret:prod/db").await;
    let old = scenario.account.put_secret("prod/db");
    scenario.account.put_secret("prod/db");
    scenario.account.settle().await;
    let before = scenario.restarted().len();

    scenario.account.move_stage("prod/db", "AWSCURRENT", &old);

    assert!(scenario.is_all_fresh().await);
    assert_eq!(scenario.restarted().len(), before + 1);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_ends_like_an_arn_is_another_secret() {
    let scenario = watching("secret:prod/db").await;

    scenario.account.put_secret("prod/db-backup");
    scenario.account.settle().await;

    assert!(scenario.restarted().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_version_and_the_previous_one_are_reported() {
    let scenario = watching("secret:prod/db").await;
    let first = scenario.account.put_secret("prod/db");
    scenario.account.settle().await;

    let second = scenario.account.put_secret("prod/db");
    scenario.account.settle().await;

    let lines = scenario.lines("service");
    let change = lines
        .iter()
        .map(|line| &line["changes"][0])
        .find(|change| change["version"] == second.as_str())
        .unwrap();
    assert_eq!(change["previous"], first.as_str(), "{change:#}");
}

#[tokio::test(start_paused = true)]
async fn a_completed_deployment_of_a_profile_restarts_those_that_watch_it() {
    let scenario = watching("appconfig:shop/production/flags").await;

    scenario
        .account
        .complete_appconfig_deployment("shop", "production", "flags");
    scenario
        .account
        .complete_appconfig_deployment("shop", "staging", "flags");
    scenario.account.settle().await;

    assert_eq!(scenario.restarted(), ["web/api"]);
}

#[tokio::test(start_paused = true)]
async fn tasks_that_started_in_the_middle_of_a_deployment_that_was_rolled_back_are_replaced() {
    for called in ["On Deployment Rollback", "On Deployment Rolled Back"] {
        let scenario = watching("appconfig:shop/production/flags").await;
        scenario
            .account
            .start_appconfig_deployment("shop", "production", "flags");
        scenario.account.force("web/api");
        scenario.account.run_for(Duration::from_mins(10)).await;

        scenario
            .account
            .roll_back_appconfig_deployment("shop", "production", "flags", called);
        scenario.account.run_for(Duration::from_mins(1)).await;

        // The version in the event was never current.
        let lines = scenario.lines("service");
        let started: Vec<_> = lines
            .iter()
            .filter(|line| line["result"] == "started")
            .collect();
        assert_eq!(started.len(), 1, "{called}: {lines:#?}");
        assert_eq!(started[0]["changes"][0]["version"], Value::Null, "{called}");
        assert!(scenario.is_all_fresh().await, "{called}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_folder_is_no_configuration() {
    let scenario = watching("s3:config/").await;

    scenario.account.create_folder(BUCKET, "app/");
    scenario.account.delete_object(BUCKET, "app/");
    scenario.account.create_folder(BUCKET, "app/");
    scenario.account.settle().await;
    let swept = scenario.sweep().await;

    assert!(scenario.restarted().is_empty());
    let ignored = scenario.lines("ignored");
    assert_eq!(
        ignored
            .iter()
            .filter(|line| line["reason"] == "folder")
            .count(),
        3,
        "{ignored:#?}"
    );
    assert_eq!(
        (&swept["stale"], &swept["keys_swept"]),
        (&0.into(), &0.into()),
        "{swept:#}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_object_without_content_is_one_like_any_other() {
    let scenario = watching("s3:config/").await;

    scenario.account.create_folder(BUCKET, "app/flags.yaml");
    scenario.account.settle().await;

    assert_eq!(scenario.restarted(), ["web/api"]);
}

#[tokio::test(start_paused = true)]
async fn the_trail_alone_is_enough() {
    let scenario = Scenario::with([]).await;
    scenario.account.put_secret("prod/db");
    scenario
        .account
        .add(service("web/api").watching("secret:prod/db"));
    scenario.account.run_for(Duration::from_mins(10)).await;
    let scenario = scenario.with_rules([EventRule::cloudtrail_secrets(QUEUE)]);

    scenario.account.put_secret("prod/db");

    assert!(scenario.is_all_fresh().await);
    assert_eq!(scenario.restarted(), ["web/api"]);
}

#[tokio::test(start_paused = true)]
async fn a_secret_whose_name_begins_with_a_slash_is_one_like_any_other() {
    let scenario = watching("secret:/prod/").await;

    scenario.account.put_secret("/prod/db");

    assert!(scenario.is_all_fresh().await);
    assert_eq!(scenario.restarted(), ["web/api"]);
}

#[tokio::test(start_paused = true)]
async fn the_writer_of_a_secret_is_reported_when_both_its_events_come_in_one_batch() {
    let scenario = watching("secret:prod/db").await;
    scenario.account.set_trail(Trail {
        delay: Duration::ZERO,
        ..Trail::default()
    });

    scenario.account.put_secret("prod/db");
    scenario.account.settle().await;

    let change = &scenario.lines("service")[0]["changes"][0];
    assert!(
        change["changed_by"].is_string() && change["version"].is_string(),
        "{change:#}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_that_failed_restarts_nobody_although_the_trail_reports_it() {
    let scenario = watching("secret:prod/").await;

    scenario.owner.puts_no_secret("prod/none").await;
    scenario.account.settle().await;

    let lines = scenario.lines("ignored");
    let ignored = lines.last().unwrap();
    let reported = (text(&ignored["event"]), text(&ignored["reason"]));
    assert_eq!(
        reported,
        ("aws.secretsmanager PutSecretValue", "call-failed")
    );
    assert!(scenario.restarted().is_empty());
}
