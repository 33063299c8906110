//! Text of others in log and answer: bounded, escaped, without values and without words of Rust.

use std::collections::BTreeSet;

use ecs_reloader::report::Level;
use serde_json::json;
use sim::{Fault, service};

use crate::support::{Scenario, api, line, one_change};

#[tokio::test(start_paused = true)]
async fn no_line_holds_a_value_or_the_text_of_a_tag_that_does_not_parse() {
    let (scenario, answer) = one_change(Level::Trace).await;
    let mut event = scenario.parameter_event("Update", "/app/db");
    event["detail"]["description"] = json!("correct horse");
    event["detail"]["value"] = json!("battery staple");
    scenario.invoke(&event).await.unwrap();

    let text = format!("{} {answer}", scenario.log_text());
    for secret in ["hunter2", "swordfish", "correct horse", "battery staple"] {
        assert!(!text.contains(secret), "{secret}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_in_the_log_moves_the_cursor_or_turns_the_text_round() {
    let hidden = "\u{7f}a\u{9b}2J\u{202e}b\u{2028}é";
    let scenario = Scenario::with([api()]).await;
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
async fn the_text_of_others_is_bounded_and_on_one_line_in_every_line() {
    let scenario = Scenario::with([service("web/api").watching("s3:config/")]).await;
    let mut event = scenario.write("s3:config/x");
    event["detail"]["object"]["key"] = json!(format!("a\n\u{1b}[2J{}", "x".repeat(500)));
    event["detail"]["requester"] = json!("r\u{202e}".repeat(300));
    event["id"] = json!("e".repeat(300));

    let answer = scenario.invoke(&event).await.unwrap();

    let (change, of_service) = (
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
        [
            &of_service["key"],
            &of_service["changed_by"],
            &of_service["event_id"]
        ]
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
            let services = [api(), service("web/auto").watching("auto")];
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
        "and malformed text is tried in tests/events.rs"
    );
}
