//! What a person asks for.

use std::time::Duration;

use serde_json::json;
use sim::{Fault, service};

use crate::support::{QUEUE, Scenario, line, reason};

#[tokio::test(start_paused = true)]
async fn changed_keys_are_changes_now() {
    let scenario = Scenario::with([
        service("web/api").watching("ssm:/app/"),
        service("web/s3").watching("s3:config/app/"),
    ])
    .await;

    scenario
        .reload(json!({ "changed": ["ssm:/app/db", "s3:config/app/prod.yaml"] }))
        .await;

    assert_eq!(scenario.restarted(), ["web/api", "web/s3"]);
}

#[tokio::test(start_paused = true)]
async fn changes_at_an_instant_leave_alone_what_was_deployed_since() {
    let old = service("web/old")
        .watching("ssm:/app/")
        .deployed_ago(Duration::from_hours(48));
    let scenario = Scenario::with([service("web/young").watching("ssm:/app/"), old]).await;

    let answer = scenario
        .reload(json!({ "changed": ["ssm:/app/db"], "at": "2026-01-30T10:00:00Z" }))
        .await;

    assert_eq!(
        (
            line(&answer, "web/young")["reason"].as_str(),
            scenario.restarted()
        ),
        (Some("fresh"), vec!["web/old".to_owned()])
    );
}

#[tokio::test(start_paused = true)]
async fn bare_keys_mean_the_account_and_region_of_the_services() {
    let here = service("web/here").watching("arn:aws:ssm:eu-west-1:123456789012:parameter/app/db");
    let elsewhere =
        service("web/elsewhere").watching("arn:aws:ssm:us-east-1:123456789012:parameter/app/db");
    let scenario = Scenario::with([here, elsewhere]).await;

    scenario.reload(json!({ "changed": ["ssm:/app/db"] })).await;

    assert_eq!(scenario.restarted(), ["web/here"]);
}

#[tokio::test(start_paused = true)]
async fn named_services_are_restarted_although_nothing_changed_and_nobody_else_is() {
    let scenario = Scenario::with([
        service("web/api").watching("ssm:/app/"),
        service("web/other").watching("ssm:/app/"),
    ])
    .await;

    scenario.reload(json!({ "services": ["web/api"] })).await;

    assert_eq!(scenario.restarted(), ["web/api"]);
    assert_eq!(
        scenario.actions(),
        ["ecs:DescribeServices", "ecs:UpdateService"],
        "a service that is named need not be looked up"
    );
}

#[tokio::test(start_paused = true)]
async fn a_service_may_be_named_by_its_arn() {
    let scenario = Scenario::with([service("web/api").watching("ssm:/app/")]).await;

    scenario
        .reload(json!({ "services": ["arn:aws:ecs:eu-west-1:123456789012:service/web/api"] }))
        .await;

    assert_eq!(scenario.restarted(), ["web/api"]);
}

#[tokio::test(start_paused = true)]
async fn a_repeated_call_does_not_restart_twice_and_one_a_minute_later_does() {
    let scenario = Scenario::with([service("web/api").watching("ssm:/app/")]).await;
    let request = json!({ "services": ["web/api"] });

    scenario.reload(request.clone()).await;
    let repeated = scenario.reload(request.clone()).await;
    let once = scenario.restarted();
    scenario.account.run_for(Duration::from_secs(61)).await;
    scenario.reload(request).await;

    assert_eq!(
        (
            reason(&repeated).as_str(),
            once.len(),
            scenario.restarted().len()
        ),
        ("fresh", 1, 2)
    );
}

#[tokio::test(start_paused = true)]
async fn a_named_service_whose_last_value_failed_is_tried_again() {
    let bad = service("web/api")
        .watching("ssm:/app/")
        .reading(["ssm:/app/db"])
        .failing_next(3)
        .circuit_breaker(true);
    let scenario = Scenario::with([bad]).await;
    scenario.changed("ssm:/app/db").await;
    scenario.account.settle().await;

    scenario.reload(json!({ "services": ["web/api"] })).await;

    assert_eq!(scenario.restarted().len(), 2);
    assert!(scenario.is_all_fresh().await);
}

#[tokio::test(start_paused = true)]
async fn a_persons_wish_does_not_go_against_the_owners() {
    for (tag, value, expected) in [
        ("mode", "off", "off"),
        ("mode", "notify", "notify"),
        ("pause", "true", "paused"),
    ] {
        let scenario = Scenario::with([service("web/api")
            .watching("ssm:/app/")
            .tag(&format!("reloader:{tag}"), value)])
        .await;

        let answer = scenario.reload(json!({ "services": ["web/api"] })).await;

        assert_eq!(
            (reason(&answer).as_str(), scenario.restarted()),
            (expected, Vec::new())
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_persons_wish_does_not_disturb_a_rollback_either() {
    let bad = service("web/api")
        .watching("ssm:/app/")
        .percent(50, 100)
        .failing_next(3)
        .circuit_breaker(true)
        .task_seconds(5.0, 60.0, 1.0);
    let scenario = Scenario::with([bad]).await;
    scenario.owner.deploys("web/api").await;
    while scenario.service("web/api").history[0].status != "ROLLBACK_IN_PROGRESS" {
        scenario.account.run_for(Duration::from_secs(1)).await;
    }

    let answer = scenario.reload(json!({ "services": ["web/api"] })).await;

    assert_eq!(
        (reason(&answer).as_str(), scenario.restarted()),
        ("deployment-in-progress", Vec::new()),
        "{answer:#}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_service_that_has_not_opted_in_is_refused() {
    let scenario = Scenario::with([service("web/api")]).await;

    let answer = scenario.reload(json!({ "services": ["web/api"] })).await;

    let told = line(&answer, "web/api");
    assert_eq!(
        (&told["decision"], &told["reason"]),
        (&"refuse".into(), &"not-opted-in".into())
    );
    assert_eq!(
        told["detail"],
        "it has no watch tag, without which the function restarts no service"
    );
    assert!(scenario.restarted().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_the_owner_or_the_caller_wants_comes_before_that_it_has_not_opted_in_or_is_not_there()
{
    let off = service("web/off").tag("reloader:mode", "off");
    let scenario = Scenario::with([off, service("web/api")]).await;

    let answer = scenario
        .reload(json!({ "services": ["web/off", "web/api", "web/nobody"], "dry_run": true }))
        .await;

    let told = |name| {
        (
            line(&answer, name)["reason"].as_str().unwrap(),
            line(&answer, name)["would_be"].as_str().unwrap(),
        )
    };
    assert_eq!(told("web/off"), ("off", "not-opted-in"));
    assert_eq!(told("web/api"), ("dry-run", "not-opted-in"));
    assert_eq!(told("web/nobody"), ("dry-run", "no-such-service"));
}

#[tokio::test(start_paused = true)]
async fn that_it_has_not_opted_in_comes_before_a_tag_that_does_not_parse() {
    let wrong = service("web/api").tag("reloader:pause", "perhaps");
    let opted_in = service("web/other")
        .watching("ssm:/app/")
        .tag("reloader:pause", "perhaps");
    let scenario = Scenario::with([wrong, opted_in]).await;

    let answer = scenario
        .reload(json!({ "services": ["web/api", "web/other"] }))
        .await;

    let reason = |name| line(&answer, name)["reason"].as_str().unwrap();
    assert_eq!(
        (reason("web/api"), reason("web/other")),
        ("not-opted-in", "invalid-tag")
    );
}

#[tokio::test(start_paused = true)]
async fn a_service_in_a_cluster_out_of_reach_fails_with_the_setting_that_says_so() {
    let services = ["web/api", "ops/cron"].map(|id| service(id).watching("ssm:/app/"));
    let scenario = Scenario::set_to([("RELOADER_CLUSTERS", "web")], services).await;

    let answer = scenario
        .reload(json!({ "services": ["web/api", "ops/cron"] }))
        .await;

    assert!(
        line(&answer, "ops/cron")["error"]
            .as_str()
            .unwrap()
            .contains("RELOADER_CLUSTERS"),
        "{answer:#}"
    );
    assert_eq!(scenario.restarted(), ["web/api"]);
}

#[tokio::test(start_paused = true)]
async fn a_service_or_cluster_that_there_is_not_is_refused() {
    let scenario = Scenario::with([service("web/api").watching("ssm:/app/")]).await;

    let answer = scenario
        .reload(json!({ "services": ["web/nobody", "nowhere/api", "web/api"] }))
        .await;

    for name in ["web/nobody", "nowhere/api"] {
        let told = line(&answer, name);
        assert_eq!(
            (&told["decision"], &told["reason"]),
            (&"refuse".into(), &"no-such-service".into()),
            "{answer:#}"
        );
        assert_eq!(
            told["detail"],
            "Amazon ECS knows no service of this name in a cluster of this name"
        );
    }
    assert_eq!(scenario.restarted(), ["web/api"]);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_being_deleted_is_inactive_also_where_it_is_named() {
    let scenario = Scenario::with([service("web/api").watching("ssm:/app/")]).await;
    scenario.owner.deletes("web/api").await;

    let answer = scenario.reload(json!({ "services": ["web/api"] })).await;

    assert_eq!(
        (reason(&answer).as_str(), scenario.restarted()),
        ("inactive", Vec::new())
    );
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_of_named_services_restarts_none() {
    let scenario = Scenario::with([service("web/api").watching("ssm:/app/")]).await;

    let answer = scenario
        .reload(json!({ "services": ["web/api"], "dry_run": true }))
        .await;

    assert_eq!(
        (reason(&answer).as_str(), scenario.restarted()),
        ("dry-run", Vec::new())
    );
}

#[tokio::test(start_paused = true)]
async fn a_wish_in_the_queue_that_comes_twice_is_done_once() {
    let scenario = Scenario::with([
        service("web/api").watching("ssm:/app/"),
        service("web/worker").watching("ssm:/app/"),
    ])
    .await
    .with_queue();
    let end = scenario.account.now() + Duration::from_mins(5);
    scenario.account.inject(
        Fault::throttled("ecs:UpdateService")
            .target("web/api")
            .until(end),
    );

    scenario.account.send(
        QUEUE,
        &json!({ "reload": { "changed": ["ssm:/app/db"] } }).to_string(),
    );
    scenario.account.settle().await;

    assert_eq!(
        scenario.account.restarted(),
        ["web/worker", "web/api"],
        "without a time, the changes are as old as the message"
    );
}

#[tokio::test(start_paused = true)]
async fn a_wish_for_several_services_that_comes_back_restarts_only_those_that_are_left() {
    let watching = |name| service(name).watching("ssm:/app/");
    let scenario = Scenario::with([watching("web/api"), watching("web/worker")])
        .await
        .with_queue();
    scenario.account.inject(
        Fault::throttled("ecs:UpdateService")
            .target("web/worker")
            .until(scenario.account.now() + Duration::from_mins(5)),
    );

    scenario.account.send(
        QUEUE,
        r#"{"reload": {"services": ["web/api", "web/worker"]}}"#,
    );
    scenario.account.settle().await;

    assert_eq!(scenario.restarted(), ["web/api", "web/worker"]);
}

#[tokio::test(start_paused = true)]
async fn an_arn_of_another_region_does_not_restart_the_local_namesake() {
    let scenario = Scenario::with([service("web/api").watching("ssm:/app/")]).await;

    let answer = scenario
        .reload(json!({ "services": ["arn:aws:ecs:us-east-1:123456789012:service/web/api"] }))
        .await;

    assert_eq!(
        line(&answer, "web/api")["error"],
        "the ARN names another account or Region"
    );
    assert!(scenario.restarted().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_change_in_the_future_is_malformed() {
    let scenario = Scenario::with([service("web/api").watching("ssm:/app/")]).await;

    let error = scenario
        .invoke(&json!({ "reload": { "changed": ["ssm:/app/db"], "at": "2027-01-31T10:00:00Z" } }))
        .await
        .unwrap_err();

    assert_eq!(
        error.to_string(),
        "malformed event at reload.at: expected a time that has passed"
    );
}

#[tokio::test(start_paused = true)]
async fn changed_and_services_in_one_request_are_refused_with_what_to_send_instead() {
    let scenario = Scenario::with([
        service("web/api").watching("ssm:/app/"),
        service("web/other").watching("ssm:/app/"),
    ])
    .await;

    let error = scenario
        .invoke(&json!({ "reload": { "changed": ["ssm:/app/db"], "services": ["web/api"] } }))
        .await
        .unwrap_err();

    let instead = r#"send two requests, such as {"changed": ["ssm:/app/x"]} and then {"services": ["cluster/name"]}"#;
    assert_eq!(
        error.to_string(),
        format!("malformed event at reload: expected changed or services, not both: {instead}")
    );
    assert!(scenario.actions().is_empty() && scenario.restarted().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_has_no_meaning_for_named_services_is_refused() {
    let scenario = Scenario::with([service("web/api").watching("ssm:/app/")]).await;

    for (name, value) in [
        ("at", json!("2026-01-31T10:00:00Z")),
        ("max_services", json!(1)),
    ] {
        let error = scenario
            .invoke(&json!({ "reload": { "services": ["web/api"], name: value } }))
            .await
            .unwrap_err();

        let expected = "nothing: at and max_services are for changed; services are restarted now, \
                        as many as are named";
        assert_eq!(
            error.to_string(),
            format!("malformed event at reload.{name}: expected {expected}")
        );
    }
    assert!(scenario.restarted().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_line_of_a_named_service_says_that_a_person_asked_whatever_is_decided() {
    let paused = service("web/paused")
        .watching("ssm:/app/")
        .tag("reloader:pause", "true");
    let scenario = Scenario::with([
        service("web/api").watching("ssm:/app/"),
        paused,
        service("web/other").watching("ssm:/app/"),
    ])
    .await;
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
async fn a_named_service_that_cannot_be_looked_at_says_that_a_person_asked_and_why() {
    let scenario = Scenario::with([service("web/api").watching("ssm:/app/")]).await;
    scenario
        .account
        .inject(Fault::denied("ecs:DescribeServices"));

    let answer = scenario
        .reload(json!({ "services": ["web/api"], "reason": "TICKET-7" }))
        .await;

    let told = line(&answer, "web/api");
    assert_eq!(
        (&told["result"], &told["requested"], &told["request_reason"]),
        (&"denied".into(), &true.into(), &"TICKET-7".into())
    );
}

#[tokio::test(start_paused = true)]
async fn the_reason_of_a_request_is_told_in_every_line_of_it_bounded_and_on_one_line() {
    let scenario = Scenario::with([
        service("web/api").watching("ssm:/app/"),
        service("web/worker").watching("ssm:/app/"),
    ])
    .await;
    let reason = format!("  TICKET-7:\n\u{1b}[2J{}", "x".repeat(300));

    let changed = scenario
        .reload(json!({ "changed": ["ssm:/app/db"], "reason": reason }))
        .await;
    let named = scenario
        .reload(json!({ "services": ["web/api"], "reason": " " }))
        .await;

    let told = format!("TICKET-7:\u{fffd}\u{fffd}[2J{}…", "x".repeat(241));
    for name in ["web/api", "web/worker"] {
        let line = line(&changed, name);
        assert_eq!(
            (&line["request_reason"], line.get("requested")),
            (&told.as_str().into(), None),
            "{line:#}"
        );
    }
    assert_eq!(told.chars().count(), 256);
    assert_eq!(line(&named, "web/api").get("request_reason"), None);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_held_keeps_its_reason_and_who_it_named() {
    let paused = service("web/api")
        .watching("ssm:/app/")
        .tag("reloader:pause", "true");
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
    let decided: Vec<_> = lines
        .iter()
        .map(|line| line["decision"].as_str().unwrap())
        .collect();
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
async fn each_request_has_a_line_that_tells_who_sent_it_also_where_it_concerns_nobody() {
    let scenario = Scenario::with([service("web/api").watching("ssm:/app/")])
        .await
        .with_queue();

    scenario.account.send(QUEUE, r#"{"reload": {"changed": ["ssm:/other/a", "ssm:/other/b"], "max_services": 7, "reason": "TICKET-7"}}"#);
    scenario.account.run_for(Duration::from_mins(1)).await;
    scenario
        .account
        .send(QUEUE, r#"{"sweep": {"repair": false}}"#);
    scenario.account.run_for(Duration::from_mins(1)).await;
    scenario
        .reload(json!({ "services": ["web/api"], "dry_run": true }))
        .await;

    let lines = scenario.lines("request");
    let told = |place: usize, names: [&str; 5]| json!(names.map(|name| lines[place][name].clone()));
    assert_eq!(lines.len(), 3, "{lines:#?}");
    assert_eq!(
        told(
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
        told(1, ["level", "sweep", "changed", "services", "sender_id"]),
        json!(["INFO", "report", null, null, "123456789012"])
    );
    assert_eq!(
        told(
            2,
            ["level", "services", "dry_run", "sender_id", "message_id"]
        ),
        json!(["INFO", 1, true, null, null])
    );
    assert!(lines[0]["message_id"].is_string() && lines[0]["request_id"].is_string());
}
