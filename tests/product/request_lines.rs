//! Log lines of requests: the person's reason and the sender, in every line of it.

use std::time::Duration;

use serde_json::json;
use sim::{Fault, service};

use crate::support::{QUEUE, Scenario, api, line, text, worker};

#[tokio::test(start_paused = true)]
async fn the_line_of_a_named_service_shows_the_request_whatever_is_decided() {
    let paused = service("web/paused")
        .watching("ssm:/app/")
        .tag("reloader:pause", "true");
    let scenario =
        Scenario::with([api(), paused, service("web/other").watching("ssm:/app/")]).await;
    let request = json!({ "services": ["web/api", "web/paused", "web/nobody"] });

    let restarted = scenario.reload(request.clone()).await;
    let fresh = scenario.reload(request).await;
    let changed = scenario.changed("ssm:/app/db").await;

    let api = line(&restarted, "web/api");
    assert_eq!(
        (&api["reason"], &api["result"], &api["requested"]),
        (&"stale".into(), &"started".into(), &true.into())
    );
    assert_eq!(api["detail"], "a request asked for it, not a change");
    let api = line(&fresh, "web/api");
    assert_eq!(
        (&api["reason"], &api["detail"]),
        (
            &"fresh".into(),
            &"its newest deployment is younger than a minute".into()
        )
    );
    for name in ["web/api", "web/paused", "web/nobody"] {
        assert_eq!(line(&fresh, name)["requested"], true, "{fresh:#}");
    }
    assert!(
        ["web/api", "web/other"]
            .iter()
            .all(|name| line(&changed, name).get("requested").is_none()),
        "{changed:#}"
    );
    assert_eq!(line(&changed, "web/other").get("detail"), None);
}

#[tokio::test(start_paused = true)]
async fn a_named_service_that_cannot_be_described_shows_the_request_and_its_reason() {
    let scenario = Scenario::with([api()]).await;
    scenario
        .account
        .inject(Fault::denied("ecs:DescribeServices"));

    let answer = scenario
        .reload(json!({ "services": ["web/api"], "reason": "TICKET-7" }))
        .await;

    let reported = line(&answer, "web/api");
    assert_eq!(
        (
            &reported["result"],
            &reported["requested"],
            &reported["request_reason"]
        ),
        (&"denied".into(), &true.into(), &"TICKET-7".into())
    );
}

#[tokio::test(start_paused = true)]
async fn the_reason_of_a_request_is_in_every_line_of_it_bounded_and_on_one_line() {
    let scenario = Scenario::with([api(), worker()]).await;
    let reason = format!("  TICKET-7:\n\u{1b}[2J{}", "x".repeat(300));

    let changed = scenario
        .reload(json!({ "changed": ["ssm:/app/db"], "reason": reason }))
        .await;
    let named = scenario
        .reload(json!({ "services": ["web/api"], "reason": " " }))
        .await;

    let bounded = format!("TICKET-7:\u{fffd}\u{fffd}[2J{}…", "x".repeat(241));
    for name in ["web/api", "web/worker"] {
        let line = line(&changed, name);
        assert_eq!(
            (&line["request_reason"], line.get("requested")),
            (&bounded.as_str().into(), None),
            "{line:#}"
        );
    }
    assert_eq!(bounded.chars().count(), 256);
    assert_eq!(line(&named, "web/api").get("request_reason"), None);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_held_keeps_its_reason_and_its_sender() {
    let paused = api().tag("reloader:pause", "true");
    let scenario = Scenario::with([paused]).await.with_queue();

    scenario.account.send(
        QUEUE,
        r#"{"reload": {"services": ["web/api"], "reason": "TICKET-7"}}"#,
    );
    scenario.account.run_for(Duration::from_mins(3)).await;
    scenario
        .account
        .tag_service("web/api", "reloader:pause", None);
    scenario.account.settle().await;

    let lines = scenario.lines("service");
    let decided: Vec<_> = lines.iter().map(|line| text(&line["decision"])).collect();
    assert!(
        decided.starts_with(&["hold", "hold"]) && decided.contains(&"restart"),
        "{decided:?}"
    );
    for line in &lines {
        assert_eq!(
            (&line["requested"], &line["request_reason"]),
            (&true.into(), &"TICKET-7".into()),
            "{line:#}"
        );
        assert_eq!(line["sender_id"], "123456789012", "{line:#}");
    }
    assert_eq!(scenario.restarted(), ["web/api"]);
}

#[tokio::test(start_paused = true)]
async fn each_request_has_a_line_with_its_sender_even_if_no_service_is_affected() {
    let scenario = Scenario::with([api()]).await.with_queue();

    let keys = ["ssm:/other/a", "ssm:/other/b"];
    let request = json!({ "changed": keys, "max_services": 7, "reason": "TICKET-7" });
    let message = json!({ "reload": request }).to_string();
    scenario.account.send(QUEUE, &message);
    scenario.account.run_for(Duration::from_mins(1)).await;
    scenario
        .account
        .send(QUEUE, r#"{"sweep": {"repair": false}}"#);
    scenario.account.run_for(Duration::from_mins(1)).await;
    scenario
        .reload(json!({ "services": ["web/api"], "dry_run": true }))
        .await;

    let lines = scenario.lines("request");
    let fields =
        |place: usize, names: [&str; 5]| json!(names.map(|name| lines[place][name].clone()));
    assert_eq!(lines.len(), 3, "{lines:#?}");
    assert_eq!(
        fields(
            0,
            [
                "level",
                "changed",
                "max_services",
                "request_reason",
                "sender_id"
            ]
        ),
        json!(["INFO", 2, 7, "TICKET-7", "123456789012"])
    );
    assert_eq!(
        fields(1, ["level", "sweep", "changed", "services", "sender_id"]),
        json!(["INFO", "report", null, null, "123456789012"])
    );
    assert_eq!(
        fields(
            2,
            ["level", "services", "dry_run", "sender_id", "message_id"]
        ),
        json!(["INFO", 1, true, null, null])
    );
    assert!(lines[0]["message_id"].is_string() && lines[0]["request_id"].is_string());
}

#[tokio::test(start_paused = true)]
async fn the_changes_of_a_request_have_their_lines_with_its_reason_and_sender_whoever_watches() {
    let scenario = Scenario::with([]).await.with_queue();

    scenario.account.send(
        QUEUE,
        r#"{"reload": {"changed": ["ssm:/app/a", "s3:config/b"], "reason": "TICKET-7"}}"#,
    );
    scenario.account.run_for(Duration::from_mins(1)).await;

    let fields = scenario.change_fields(&["level", "key", "source", "request_reason", "sender_id"]);
    let of = |key: &str| json!(["INFO", key, "request", "TICKET-7", "123456789012"]);
    assert_eq!(fields, [of("ssm:/app/a"), of("s3:config/b")]);
}
