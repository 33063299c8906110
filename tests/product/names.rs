//! Changes whose key can be read as two names, only one of which is watched.

use serde_json::Value;
use sim::{service, task_definition};

use crate::support::{BUCKET, Scenario, line, names_of, reasons, text};

/// The keys that are reported of a service.
fn keys(answer: &Value, service: &str) -> Vec<String> {
    line(answer, service)["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| text(&change["key"]).to_owned())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn an_object_may_be_meant_by_its_key_and_by_what_that_would_be_form_decoded() {
    let file = task_definition().environment_file("arn:aws:s3:::config/app/a b.env");
    let scenario = Scenario::with([
        service("web/auto").watching("auto").referring(file),
        service("web/below").watching("s3:config/app/"),
        service("web/decoded").watching("s3:config/app/x+y.env"),
        service("web/raw").watching("s3:config/app/a+b.env"),
        service("web/excluded").watching("s3:config/app/ -s3:config/app/a+b.env"),
    ])
    .await;

    let plus = scenario.changed("s3:config/app/a+b.env").await;
    let percent = scenario.changed("s3:config/app/x%2By.env").await;

    // The prefix names the decoded key, too, which is not excluded.
    assert_eq!(
        names_of(&plus),
        ["web/auto", "web/below", "web/excluded", "web/raw"]
    );
    assert_eq!(
        (&plus["changes"], &plus["started"]),
        (&1.into(), &4.into()),
        "{plus:#}"
    );
    assert_eq!(keys(&plus, "web/auto"), ["s3:config/app/a b.env"]);
    assert_eq!(keys(&plus, "web/raw"), ["s3:config/app/a+b.env"]);
    assert_eq!(
        (
            &percent["changes"],
            reasons(&percent)["web/decoded"].as_str()
        ),
        (&1.into(), "stale"),
        "{percent:#}"
    );
    assert_eq!(keys(&percent, "web/decoded"), ["s3:config/app/x+y.env"]);
}

#[tokio::test(start_paused = true)]
async fn a_service_held_for_one_reading_of_a_key_is_still_affected_when_the_change_returns() {
    let until = "2026-01-31T10:20:00Z";
    let scenario = Scenario::with([service("web/decoded")
        .watching("s3:config/app/x+y.env")
        .tag("reloader:pause", until)])
    .await
    .with_queue();

    scenario.account.put_object(BUCKET, "app/x%2By.env");
    scenario.account.settle().await;

    assert!(scenario.account.now() > until.parse().unwrap());
    assert_eq!(scenario.restarted(), ["web/decoded"]);
}

#[tokio::test(start_paused = true)]
async fn a_profile_watched_by_its_names_and_by_its_ids_changes_once() {
    let scenario =
        Scenario::with([service("web/names").watching("appconfig:shop/production/flags")])
            .await
            .with_queue();
    scenario
        .account
        .complete_appconfig_deployment("shop", "production", "flags");
    scenario.account.settle().await;
    let ids: Vec<_> = ["shop", "production", "flags"]
        .iter()
        .map(|name| sim::appconfig_id_of(name))
        .collect();
    scenario
        .account
        .add(service("web/ids").watching(&format!("appconfig:{}", ids.join("/"))));

    scenario
        .account
        .complete_appconfig_deployment("shop", "production", "flags");
    scenario.account.settle().await;

    assert_eq!(scenario.restarted(), ["web/ids", "web/names", "web/names"]);
    let changes: Vec<_> = scenario
        .lines("summary")
        .iter()
        .map(|line| line["changes"].as_u64().unwrap())
        .collect();
    assert!(changes.iter().all(|changes| *changes <= 1), "{changes:?}");
}
