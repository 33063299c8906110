//! Keys that are gone, and keys that exist again when the event of their deletion comes.

use std::time::Duration;

use serde_json::{Value, json};
use sim::{Fault, Service, Trail, service, task_definition};

use crate::support::{BUCKET, DESCRIBE_TASK_DEFINITION, Scenario, line, reason, text};

/// The event of a deletion that was made now.
fn deletion(scenario: &Scenario, key: &str) -> Value {
    if key.starts_with("ssm:") {
        return scenario.parameter_event("Delete", "/app/db");
    }
    scenario.object_deletion("app/prod.env")
}

const FILE: &str = "arn:aws:s3:::config/app/prod.env";

/// Everything exists, then these services are deployed.
async fn reading(services: impl AsyncFn(&Scenario) -> Vec<Service>) -> Scenario {
    let scenario = Scenario::with([]).await.with_queue();
    scenario.account.put_parameter("/app/db");
    scenario.account.put_secret("prod/db");
    scenario.account.put_object(BUCKET, "app/prod.env");
    scenario.account.settle().await;
    services(&scenario)
        .await
        .into_iter()
        .for_each(|service| scenario.account.add(service));
    scenario.account.run_for(Duration::from_mins(10)).await;
    scenario
}

/// One service whose task definition refers to one thing of each kind, which watches it as `terms`
/// say.
async fn referring(terms: &str) -> Scenario {
    reading(async |scenario| {
        let secret = scenario.account.secret_arn("prod/db").unwrap();
        let definition = task_definition()
            .secret("DB", "/app/db")
            .secret("PASSWORD", &secret)
            .environment_file(FILE);
        vec![service("web/api").watching(terms).referring(definition)]
    })
    .await
}

fn delete(scenario: &Scenario, term: &str) {
    match term.split_once(':').unwrap() {
        ("ssm", name) => scenario.account.delete_parameter(name),
        ("secret", name) => scenario.account.delete_secret(name),
        _ => scenario.account.delete_object(BUCKET, "app/prod.env"),
    }
}

const KEYS: [&str; 3] = ["ssm:/app/db", "secret:prod/db", "s3:config/app/prod.env"];

/// The last line of `web/api` with the reason `deleted`.
fn deleted_line(scenario: &Scenario) -> Value {
    let mut lines = scenario.lines("service").into_iter();
    lines
        .rfind(|line| line["reason"] == "deleted" && line["service"] == "web/api")
        .unwrap_or_else(|| panic!("{}", scenario.log_text()))
}

#[tokio::test(start_paused = true)]
async fn a_key_that_a_task_definition_refers_to_is_missed_with_auto_and_without() {
    for (key, auto) in KEYS
        .iter()
        .flat_map(|key| [true, false].map(|auto| (*key, auto)))
    {
        let scenario = referring(if auto { "auto" } else { key }).await;

        delete(&scenario, key);
        scenario.account.settle().await;

        let line = deleted_line(&scenario);
        assert_eq!(
            (&line["level"], &line["missing_key"]),
            (&"WARN".into(), &true.into()),
            "{key}: {line:#}"
        );
        assert!(
            scenario.metric("ServicesMissingKey").contains(&1.into()),
            "{key}"
        );
        assert!(scenario.restarted().is_empty(), "{key}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_deletion_that_only_a_prefix_or_a_term_watches_alarms_nobody() {
    for terms in [
        "ssm:/app/ secret:prod/ s3:config/app/",
        "ssm:/app/db secret:prod/db s3:config/app/prod.env",
    ] {
        for key in KEYS {
            let scenario = reading(async |_| vec![service("web/api").watching(terms)]).await;

            delete(&scenario, key);
            scenario.account.settle().await;

            let line = deleted_line(&scenario);
            assert_eq!(
                (&line["level"], &line["missing_key"]),
                (&"INFO".into(), &Value::Null),
                "{key}: {line:#}"
            );
            assert!(
                !scenario.metric("ServicesMissingKey").contains(&1.into()),
                "{key}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_pinned_version_of_a_secret_that_is_deleted_is_missed() {
    let scenario = reading(async |scenario| {
        let arn = scenario.account.secret_arn("prod/db").unwrap();
        let version = scenario.account.put_secret("prod/db");
        vec![
            service("web/api")
                .watching("auto")
                .referring(task_definition().secret("PASSWORD", &format!("{arn}:::{version}"))),
        ]
    })
    .await;

    scenario.account.delete_secret("prod/db");
    scenario.account.settle().await;

    assert_eq!(deleted_line(&scenario)["missing_key"], true);
}

#[tokio::test(start_paused = true)]
async fn a_deletion_whose_event_comes_after_the_key_exists_again_is_no_deletion() {
    for key in ["ssm:/app/db", "s3:config/app/prod.env"] {
        let scenario = referring("auto").await;
        let deleted = deletion(&scenario, key);
        delete(&scenario, key);
        scenario.change(key);
        scenario.account.run_for(Duration::from_mins(2)).await;
        let restarted = scenario.restarted().len();

        let answer = scenario.invoke(&deleted).await.unwrap();

        assert_eq!(
            (reason(&answer).as_str(), restarted),
            ("fresh", 1),
            "{key}: {answer:#}"
        );
        assert_eq!(
            line(&answer, "web/api")["missing_key"],
            Value::Null,
            "{key}"
        );
        assert_eq!(scenario.restarted().len(), 1, "{key}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_exists_again_when_the_trail_reports_its_deletion_alarms_nobody() {
    let scenario = referring("auto").await;
    scenario.account.set_trail(Trail {
        delay: Duration::from_mins(3),
        ..Trail::default()
    });

    scenario.account.delete_secret("prod/db");
    scenario.account.run_for(Duration::from_secs(20)).await;
    scenario.account.put_secret("prod/db");

    assert!(scenario.is_all_fresh().await);
    assert_eq!(scenario.restarted(), ["web/api"]);
    assert!(
        scenario
            .lines("service")
            .iter()
            .all(|line| line["reason"] != "deleted"),
        "{}",
        scenario.log_text()
    );
}

#[tokio::test(start_paused = true)]
async fn a_key_that_was_written_again_restarts_although_only_its_deletion_was_reported() {
    for key in ["ssm:/app/db", "s3:config/app/prod.env"] {
        let scenario = Scenario::with([service("web/api").watching(key)]).await;
        scenario.change(key);
        scenario.account.run_for(Duration::from_mins(10)).await;
        let deleted = deletion(&scenario, key);
        delete(&scenario, key);
        scenario.change(key);

        let answer = scenario.invoke(&deleted).await.unwrap();

        assert_eq!(
            (reason(&answer).as_str(), scenario.restarted()),
            ("stale", vec!["web/api".to_owned()]),
            "{key}: {answer:#}"
        );
        assert!(scenario.is_all_fresh().await, "{key}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_key_or_task_definition_alarms_nobody_and_is_reported() {
    for (key, action) in KEYS.into_iter().zip([
        "ssm:DescribeParameters",
        "secretsmanager:ListSecrets",
        "s3:ListObjectsV2",
    ]) {
        let scenario = referring("auto").await;
        scenario.account.inject(Fault::denied(action));

        delete(&scenario, key);
        scenario.account.settle().await;

        let line = deleted_line(&scenario);
        assert_eq!(line["missing_key"], Value::Null, "{key}: {line:#}");
        assert!(
            text(&line["changes"][0]["note"]).contains("it is not known if it was written again"),
            "{key}: {line:#}"
        );
    }
    for key in KEYS {
        let scenario = referring(key).await;
        scenario
            .account
            .inject(Fault::denied(DESCRIBE_TASK_DEFINITION));

        delete(&scenario, key);
        scenario.account.settle().await;

        let line = deleted_line(&scenario);
        assert_eq!(
            (&line["level"], &line["missing_key"]),
            (&"INFO".into(), &Value::Null),
            "{key}: {line:#}"
        );
        assert!(
            text(&line["detail"]).contains("refers to the deleted key"),
            "{key}: {line:#}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_deployment_since_that_ended_well_proves_that_nothing_is_missed() {
    for deployed in [false, true] {
        let scenario = referring("auto").await;
        let deleted = scenario.parameter_event("Delete", "/app/db");
        if deployed {
            scenario.account.run_for(Duration::from_secs(2)).await;
            scenario.account.force("web/api");
        }
        scenario.account.run_for(Duration::from_mins(10)).await;

        // The metadata is older than the deletion.
        let answer = scenario.invoke(&deleted).await.unwrap();

        let line = line(&answer, "web/api");
        let missing = if deployed { Value::Null } else { json!(true) };
        assert_eq!(
            (&line["reason"], &line["missing_key"]),
            (&"deleted".into(), &missing),
            "{line:#}"
        );
    }
}
