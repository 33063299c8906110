//! What a person and CloudWatch see.

use std::collections::BTreeSet;
use std::time::Duration;

use ecs_reloader::report::Level;
use serde_json::{Value, json};
use sim::{Fault, Service, service};

use crate::support::{QUEUE, REQUEST_ID, Scenario, line};

fn services() -> [Service; 4] {
    [
        service("web/api").watching("ssm:/app/"),
        service("web/denied").watching("ssm:/app/"),
        service("web/off")
            .watching("ssm:/app/")
            .tag("reloader:mode", "off"),
        service("web/wrong")
            .watching("ssm:/app/ hunter2")
            .tag("reloader:pause", "swordfish"),
    ]
}

/// One change among these services, one of which may not be restarted.
async fn one_change(level: Level) -> (Scenario, Value) {
    let scenario = Scenario::at_level(level, services()).await;
    scenario
        .account
        .inject(Fault::denied("ecs:UpdateService").target("web/denied"));
    let answer = scenario.changed("ssm:/app/db").await;
    (scenario, answer)
}

/// Lines of the embedded metric format.
fn metrics(scenario: &Scenario) -> Vec<Value> {
    scenario
        .log()
        .into_iter()
        .filter(|line| line.get("_aws").is_some())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn the_summary_is_one_flat_line_of_counts() {
    let (scenario, _) = one_change(Level::Info).await;

    let summaries = scenario.lines("summary");
    assert_eq!(summaries.len(), 1);
    let summary = summaries[0].as_object().unwrap();
    assert!(
        summary
            .values()
            .all(|value| !value.is_object() && !value.is_array()),
        "{summary:#?}"
    );
    let expected = json!({
        "message": "summary", "request_id": REQUEST_ID, "version": 1, "messages": 1, "changes": 1, "ignored": 0, "malformed": 0, "watching": 4,
        "affected": 4, "restarts": 2, "started": 1, "skipped": 1, "held": 0, "refused": 1, "throttled": 0, "out_of_time": 0, "denied": 1,
        "failed": 0, "mistakes": 2, "redelivered": 0, "level": "ERROR",
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(summary.get(name), Some(value), "{name}");
    }
    assert!(
        summary["timestamp"]
            .as_str()
            .unwrap()
            .parse::<jiff::Timestamp>()
            .is_ok()
    );
    assert!(summary["elapsed_ms"].as_u64().unwrap() >= 2000);
}

#[tokio::test(start_paused = true)]
async fn summary_service_and_metric_lines_pass_lambdas_filter_at_every_level() {
    let order = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
    let place = |level: &Value| order.iter().position(|known| *level == *known).unwrap();
    for (level, least) in [
        (Level::Trace, 0),
        (Level::Info, 2),
        (Level::Warn, 3),
        (Level::Error, 4),
        (Level::Fatal, 5),
    ] {
        let (scenario, _) = one_change(level).await;

        assert_eq!(
            (
                scenario.lines("summary").len(),
                scenario.lines("service").len()
            ),
            (1, 4),
            "{level:?}"
        );
        for line in scenario
            .lines("summary")
            .iter()
            .chain(&scenario.lines("service"))
        {
            assert!(place(&line["level"]) >= least, "{level:?}: {line:#}");
            assert_eq!(line["request_id"], REQUEST_ID);
            assert!(line["timestamp"].is_string());
        }
        for line in metrics(&scenario) {
            assert!(
                line.get("level").is_none_or(|told| place(told) >= least),
                "{level:?}: {line:#}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_line_of_a_service_tells_all_that_was_done_and_why() {
    let (scenario, answer) = one_change(Level::Info).await;

    let lines = scenario.lines("service");
    let of = |name: &str| lines.iter().find(|line| line["service"] == name).unwrap();
    let started = of("web/api");
    assert_eq!(
        (&started["decision"], &started["reason"], &started["result"]),
        (&"restart".into(), &"stale".into(), &"started".into())
    );
    assert_eq!(
        started["deployment"],
        scenario.service("web/api").deployments[0].id
    );
    assert_eq!(
        (
            &started["changes"][0]["key"],
            &started["changes"][0]["reason"]
        ),
        (&"ssm:/app/db".into(), &"stale".into())
    );
    assert_eq!(
        started["changes"][0]["event_id"],
        "6a7e8feb-b491-4cf7-a9f1-bf3703467718"
    );
    let denied = of("web/denied");
    assert_eq!(
        (&denied["result"], &denied["level"]),
        (&"denied".into(), &"ERROR".into())
    );
    assert_eq!(
        (&of("web/off")["level"], &of("web/wrong")["level"]),
        (&"INFO".into(), &"WARN".into())
    );
    for told in &lines {
        let mut told = told.as_object().unwrap().clone();
        let head = ["timestamp", "level", "message", "request_id"];
        told.retain(|name, _| !head.contains(&name.as_str()));
        assert_eq!(
            &Value::Object(told.clone()),
            line(&answer, told["service"].as_str().unwrap()),
            "the answer says the same"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn at_most_five_events_are_told_in_the_words_of_describe_services() {
    let scenario = Scenario::with([service("web/api").watching("ssm:/app/")]).await;
    for key in ["ssm:/app/a", "ssm:/app/b", "ssm:/app/c"] {
        scenario.changed(key).await;
        scenario.account.settle().await;
    }

    let skipped = scenario
        .invoke(&scenario.told("Delete", "/app/a"))
        .await
        .unwrap();

    let told: Vec<_> = line(&skipped, "web/api")["ecs_events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["message"].clone())
        .collect();
    assert_eq!(told, scenario.service("web/api").events[..5]);
}

#[tokio::test(start_paused = true)]
async fn instants_are_told_as_precisely_as_ecs_tells_them() {
    let scenario = Scenario::with([service("web/api").watching("ssm:/app/")]).await;

    let answer = scenario.changed("ssm:/app/db").await;

    let created_at = scenario.service("web/api").deployments[0]
        .created_at
        .round(jiff::Unit::Millisecond)
        .unwrap();
    assert_eq!(
        line(&answer, "web/api")["deployed_at"].as_str().unwrap(),
        created_at.to_string()
    );
}

#[tokio::test(start_paused = true)]
async fn metrics_are_lines_of_the_embedded_metric_format_with_few_dimensions() {
    let (scenario, _) = one_change(Level::Info).await;

    let metrics = metrics(&scenario);
    assert!(!metrics.is_empty());
    for line in &metrics {
        let now = u128::try_from(scenario.account.now().as_millisecond()).unwrap();
        assert!(u128::from(line["_aws"]["Timestamp"].as_u64().unwrap()).abs_diff(now) < 60_000);
        for directive in line["_aws"]["CloudWatchMetrics"].as_array().unwrap() {
            assert!((1..=1024).contains(&directive["Namespace"].as_str().unwrap().len()));
            assert!((1..=100).contains(&directive["Metrics"].as_array().unwrap().len()));
            for metric in directive["Metrics"].as_array().unwrap() {
                assert!(
                    line[metric["Name"].as_str().unwrap()].is_number(),
                    "{line:#}"
                );
                assert!(["Count", "Milliseconds"].contains(&metric["Unit"].as_str().unwrap()));
            }
            let names: BTreeSet<_> = directive["Dimensions"]
                .as_array()
                .unwrap()
                .iter()
                .flat_map(|set| set.as_array().unwrap())
                .filter_map(Value::as_str)
                .collect();
            assert!(
                names.is_subset(&BTreeSet::from(["FunctionName", "Reason"])),
                "{names:?}"
            );
            assert!(
                names.iter().all(|name| line[*name].is_string()),
                "dimension values stand in the root: {line:#}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn metrics_count_what_was_done() {
    let (scenario, _) = one_change(Level::Info).await;

    for (name, value) in [
        ("RestartsStarted", 1),
        ("RestartsFailed", 1),
        ("ServicesAffected", 4),
        ("Changes", 1),
        ("TagMistakes", 2),
    ] {
        assert_eq!(scenario.metric(name), [value], "{name}");
    }
    let mut reasons: Vec<_> = scenario
        .metric("Reason")
        .iter()
        .map(|code| code.as_str().unwrap().to_owned())
        .collect();
    reasons.sort();
    assert_eq!(reasons, ["invalid-tag", "off", "stale"]);
}

#[tokio::test(start_paused = true)]
async fn no_line_holds_a_value_or_the_text_of_a_tag_that_does_not_parse() {
    let (scenario, answer) = one_change(Level::Trace).await;
    let mut event = scenario.told("Update", "/app/db");
    event["detail"]["description"] = json!("correct horse");
    event["detail"]["value"] = json!("battery staple");
    scenario.invoke(&event).await.unwrap();

    let text = format!("{} {answer}", scenario.log_text());
    for secret in ["hunter2", "swordfish", "correct horse", "battery staple"] {
        assert!(!text.contains(secret), "{secret}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_ignored_event_is_told_with_its_reason() {
    let scenario = Scenario::with([]).await;

    let answer = scenario
        .invoke(&json!({ "Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "config" }))
        .await
        .unwrap();

    assert_eq!(
        (&answer["ignored"], &answer["ignored_events"][0]["reason"]),
        (&1.into(), &"test-event".into())
    );
    assert_eq!(
        (scenario.lines("ignored").len(), scenario.actions().len()),
        (1, 0)
    );
}

/// What the lines of changes say of these fields.
fn of_changes(scenario: &Scenario, names: &[&str]) -> Vec<Value> {
    scenario
        .lines("change")
        .iter()
        .map(|line| names.iter().map(|name| line[*name].clone()).collect())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn each_change_has_one_line_however_many_services_it_concerns() {
    let scenario = Scenario::with([
        service("web/api").watching("ssm:/app/"),
        service("web/worker").watching("ssm:/app/db"),
    ])
    .await;
    scenario.write("ssm:/app/db");
    let at = scenario.account.now().as_second() + 1;

    scenario.changed("ssm:/app/db").await;

    let lines = scenario.lines("change");
    assert_eq!(lines.len(), 1);
    let mut told = lines[0].as_object().unwrap().clone();
    let changed_at: jiff::Timestamp = told
        .remove("changed_at")
        .unwrap()
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!(
        (at..=at + 1).contains(&changed_at.as_second()),
        "{changed_at}"
    );
    assert!(told.remove("timestamp").is_some());
    let expected = json!({
        "level": "INFO", "message": "change", "request_id": REQUEST_ID, "key": "ssm:/app/db", "change": "written", "version": "2",
        "previous": "1", "changed_by": scenario.lines("service")[0]["changes"][0]["changed_by"],
        "event_id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718", "source": "aws.ssm", "affected": 2,
    });
    assert_eq!(Value::Object(told), expected);
    assert!(
        expected["changed_by"]
            .as_str()
            .unwrap()
            .starts_with("arn:aws:")
    );
}

#[tokio::test(start_paused = true)]
async fn a_change_that_nobody_watches_has_a_line_at_debug_and_none_above() {
    for (level, expected) in [
        (Level::Trace, vec![json!(["DEBUG", "ssm:/other/db", 0])]),
        (Level::Debug, vec![json!(["DEBUG", "ssm:/other/db", 0])]),
        (Level::Info, vec![]),
        (Level::Error, vec![]),
    ] {
        let scenario = Scenario::at_level(level, [service("web/api").watching("ssm:/app/")]).await;

        scenario.changed("ssm:/other/db").await;

        assert_eq!(
            of_changes(&scenario, &["level", "key", "affected"]),
            expected,
            "{level:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_that_concerns_somebody_has_its_line_at_every_level() {
    for (level, told) in [
        (Level::Debug, "INFO"),
        (Level::Warn, "WARN"),
        (Level::Fatal, "FATAL"),
    ] {
        let scenario = Scenario::at_level(level, [service("web/api").watching("ssm:/app/")]).await;

        scenario.changed("ssm:/app/db").await;

        assert_eq!(
            of_changes(&scenario, &["level", "affected"]),
            [json!([told, 1])],
            "{level:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_whose_only_service_has_a_wrong_term_says_that_a_service_may_have_meant_it() {
    let wrong = service("web/api").watching("sms:/app/db");
    let scenario = Scenario::with([wrong, service("web/other").watching("ssm:/other/")]).await;

    scenario.changed("ssm:/app/db").await;
    scenario.changed("ssm:/app/db").await;

    let told = json!(["INFO", "ssm:/app/db", 0, 1]);
    assert_eq!(
        of_changes(
            &scenario,
            &["level", "key", "affected", "services_with_mistakes"]
        ),
        [told.clone(), told]
    );
    assert_eq!(scenario.lines("mistake")[0]["service"], "web/api");
}

#[tokio::test(start_paused = true)]
async fn a_held_change_that_returns_is_not_told_again() {
    for (level, again) in [(Level::Info, false), (Level::Debug, true)] {
        let paused = service("web/api")
            .watching("ssm:/app/")
            .tag("reloader:pause", "true");
        let scenario = Scenario::at_level(level, [paused]).await.with_queue();

        scenario.change("ssm:/app/db");
        scenario.account.run_for(Duration::from_mins(8)).await;

        let told = of_changes(&scenario, &["level"]);
        assert!(
            scenario.lines("service").len() > 3,
            "{level:?}: it returned"
        );
        assert_eq!(
            (&told[0], told.len() > 1),
            (&json!(["INFO"]), again),
            "{level:?}: {told:?}"
        );
        assert!(
            told[1..].iter().all(|level| *level == json!(["DEBUG"])),
            "{told:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_that_it_is_not_known_who_watches_has_its_line_too() {
    let scenario = Scenario::with([service("web/api").watching("ssm:/app/")]).await;
    scenario.account.inject(Fault::denied("tag:GetResources"));

    scenario
        .invoke(&scenario.write("ssm:/app/db"))
        .await
        .unwrap_err();

    assert_eq!(
        of_changes(&scenario, &["level", "key", "affected"]),
        [json!(["INFO", "ssm:/app/db", null])]
    );
}

#[tokio::test(start_paused = true)]
async fn while_the_listing_fails_a_change_is_told_once_and_once_more_when_it_is_known_who_watches()
{
    let scenario = Scenario::with([service("web/api").watching("ssm:/app/")])
        .await
        .with_queue();
    let end = scenario.account.now() + Duration::from_mins(20);
    scenario
        .account
        .inject(Fault::throttled("tag:GetResources").until(end));

    scenario.change("ssm:/app/db");
    scenario.account.run_for(Duration::from_mins(40)).await;

    assert!(
        scenario
            .lines("summary")
            .iter()
            .filter(|line| line["error"].is_string())
            .count()
            > 2
    );
    assert_eq!(
        of_changes(&scenario, &["level", "affected"]),
        [json!(["INFO", null]), json!(["INFO", 1])]
    );
}

#[tokio::test(start_paused = true)]
async fn a_change_that_may_concern_a_service_that_cannot_be_read_says_so() {
    let scenario = Scenario::with([
        service("web/api").watching("ssm:/app/"),
        service("ops/cron").watching("auto"),
    ])
    .await;
    scenario
        .account
        .inject(Fault::denied("ecs:DescribeServices").target("web/api"));
    scenario
        .account
        .inject(Fault::denied("ecs:DescribeTaskDefinition"));

    scenario.changed("ssm:/app/db").await;

    assert_eq!(
        of_changes(&scenario, &["level", "affected", "undecided"]),
        [json!(["INFO", 0, 2])]
    );
}

#[tokio::test(start_paused = true)]
async fn the_changes_of_a_request_have_their_lines_with_its_reason_and_sender_whoever_watches() {
    let scenario = Scenario::with([]).await.with_queue();

    scenario.account.send(
        QUEUE,
        r#"{"reload": {"changed": ["ssm:/app/a", "s3:config/b"], "reason": "TICKET-7"}}"#,
    );
    scenario.account.run_for(Duration::from_mins(1)).await;

    let told = of_changes(
        &scenario,
        &["level", "key", "source", "request_reason", "sender_id"],
    );
    let of = |key: &str| json!(["INFO", key, "request", "TICKET-7", "123456789012"]);
    assert_eq!(told, [of("ssm:/app/a"), of("s3:config/b")]);
}

#[tokio::test(start_paused = true)]
async fn nothing_in_the_log_moves_the_cursor_or_turns_the_text_round() {
    let hidden = "\u{7f}a\u{9b}2J\u{202e}b\u{2028}é";
    let scenario = Scenario::with([service("web/api").watching("ssm:/app/")]).await;
    scenario.account.inject(Fault::error(
        "ecs:UpdateService",
        "InvalidParameterException",
        hidden,
        400,
    ));

    scenario.changed("ssm:/app/db").await;

    assert_eq!(
        scenario.lines("service")[0]["error"],
        format!("InvalidParameterException: {hidden}"),
        "and nothing of it is lost"
    );
    let raw = |character: &char| {
        hidden.contains(*character) && !character.is_ascii_graphic() && *character != 'é'
    };
    assert_eq!(scenario.log_text().chars().find(raw), None);
}

#[tokio::test(start_paused = true)]
async fn of_a_storm_of_changes_a_thousand_have_lines_and_the_rest_is_counted() {
    let scenario = Scenario::with([]).await;
    let keys = |from: usize| {
        (from..from + 700)
            .map(|number| format!("ssm:/app/k{number}"))
            .collect::<Vec<_>>()
    };
    let record = |from: usize| {
        let body = json!({ "reload": { "changed": keys(from) } }).to_string();
        json!({ "messageId": from.to_string(), "body": body, "eventSource": "aws:sqs", "attributes": { "SentTimestamp": "1769853600000" } })
    };

    scenario
        .invoke(&json!({ "Records": [record(0), record(700)] }))
        .await
        .unwrap();

    let left_out = scenario.lines("left out");
    assert_eq!((scenario.lines("change").len(), left_out.len()), (1000, 1));
    assert_eq!(
        (
            &left_out[0]["kind"],
            &left_out[0]["more"],
            &left_out[0]["level"]
        ),
        (&"change".into(), &400.into(), &"WARN".into())
    );
    assert!(
        scenario.log_text().len() < 400_000,
        "{}",
        scenario.log_text().len()
    );
}

#[tokio::test(start_paused = true)]
async fn what_others_wrote_is_bounded_and_on_one_line_in_every_line() {
    let scenario = Scenario::with([service("web/api").watching("s3:config/")]).await;
    let mut event = scenario.write("s3:config/x");
    event["detail"]["object"]["key"] = json!(format!("a\n\u{1b}[2J{}", "x".repeat(500)));
    event["detail"]["requester"] = json!("r\u{202e}".repeat(300));
    event["id"] = json!("e".repeat(300));

    let answer = scenario.invoke(&event).await.unwrap();

    let (change, told) = (
        &scenario.lines("change")[0],
        &line(&answer, "web/api")["changes"][0],
    );
    for (text, start) in [
        (&change["key"], "s3:config/a\u{fffd}\u{fffd}[2Jxx"),
        (&change["changed_by"], "r\u{fffd}r\u{fffd}"),
        (&change["event_id"], "eee"),
    ] {
        let text = text.as_str().unwrap();
        assert!(
            text.starts_with(start) && text.ends_with('…') && text.chars().count() == 256,
            "{text}"
        );
    }
    assert_eq!(
        [&change["key"], &change["changed_by"], &change["event_id"]],
        [&told["key"], &told["changed_by"], &told["event_id"]]
    );
}

/// Words of Rust, of serde and of debug output: no caller of the function knows them.
fn speaks_rust(text: &str) -> bool {
    // An ARN has two colons, too.
    let text = text.replace("arn:aws:iam::", "");
    [
        "::",
        "Some(",
        "Err(",
        "Ok(",
        "None",
        " { ",
        "Error(",
        "Kind(",
        "Option",
        "ConnectorError",
        "SdkError",
    ]
    .iter()
    .any(|word| text.contains(word))
}

#[tokio::test(start_paused = true)]
async fn no_answer_of_a_direct_invocation_speaks_rust() {
    let faults: [fn(&str) -> Fault; 7] = [
        Fault::denied,
        Fault::throttled,
        Fault::reset,
        Fault::hang,
        Fault::silent_after_effect,
        |action| Fault::server_error(action, 503),
        |action| Fault::error(action, "", "", 400),
    ];
    let mut failed = BTreeSet::new();
    for fault in faults {
        for action in [
            "tag:GetResources",
            "ecs:DescribeServices",
            "ecs:UpdateService",
            "ssm:DescribeParameters",
            "ecs:DescribeTaskDefinition",
        ] {
            let services = [
                service("web/api").watching("ssm:/app/"),
                service("web/auto").watching("auto"),
            ];
            let scenario = Scenario::with(services).await;
            scenario.account.inject(fault(action));

            let answer = scenario.invoke(&scenario.write("ssm:/app/db")).await;

            if let Err(error) = &answer {
                failed.insert(error.kind());
            }
            // Lambda's runtime writes the debug text of an error into the log.
            let text = answer.map_or_else(
                |error| format!("{error} {error:?}"),
                |answer| answer.to_string(),
            );
            assert!(
                !speaks_rust(&text) && !speaks_rust(&scenario.log_text()),
                "{action}: {text}"
            );
        }
    }
    assert_eq!(
        failed,
        BTreeSet::from(["ListingFailed", "NothingStarted"]),
        "and what is malformed is tried in tests/events.rs"
    );
}
