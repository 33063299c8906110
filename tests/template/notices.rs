//! The way of a notice: the right to send it, the rule, and the forms in which people get it.

use std::collections::BTreeMap;

use ecs_reloader::domain::notice::{Notice, NoticeKind};
use ecs_reloader::report::notices::{DETAIL_TYPE, Detail, SOURCE};
use serde_json::{Value, json};

use crate::actions;
use crate::cloudformation::{ACCOUNT, EVERYTHING, REGION, Stack};

const CHAT: (&str, &str) = ("ChatTopic", "true");
const EMAIL: (&str, &str) = ("NoticeEmail", "on-call@example.com");

fn bus_arn(name: &str) -> String {
    format!("arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{name}")
}

fn variable(stack: &Stack) -> Value {
    let function = stack.properties("Reloader");
    function["Environment"]["Variables"]["RELOADER_EVENT_BUS"].clone()
}

/// The resources that the function may put events on.
fn buses(stack: &Stack) -> Vec<Value> {
    let role = stack.properties("Role");
    let statements = role
        .pointer("/Policies/0/PolicyDocument/Statement")
        .unwrap();
    let statements = statements.as_array().unwrap().iter();
    let ours = statements.filter(|one| actions(one).contains(&"events:PutEvents".to_owned()));
    ours.map(|one| one["Resource"].clone()).collect()
}

#[test]
fn the_function_may_put_events_on_the_bus_that_it_is_set_to_and_on_no_other() {
    let own = bus_arn("own");
    for (given, bus) in [
        (vec![], None),
        (vec![("EventBus", own.as_str())], Some(own.clone())),
        (vec![EMAIL], Some(bus_arn("default"))),
        (vec![CHAT, ("EventBus", own.as_str())], Some(own.clone())),
    ] {
        let stack = Stack::with(&given);

        let expected: Vec<Value> = bus.iter().map(|bus| json!(bus)).collect();
        assert_eq!(buses(&stack), expected, "{given:?}");
        assert_eq!(variable(&stack), bus.unwrap_or_default(), "{given:?}");
    }
}

#[test]
fn by_default_nothing_is_created_for_notices() {
    let stack = Stack::with(&[]);
    for kind in [
        "AWS::SNS::Topic",
        "AWS::SNS::TopicPolicy",
        "AWS::Chatbot::SlackChannelConfiguration",
    ] {
        assert_eq!(stack.resources_of(kind), [""; 0]);
    }
    let has_rule = |stack: &Stack| {
        stack
            .resources_of("AWS::Events::Rule")
            .contains(&"NoticeRule")
    };
    assert!(!has_rule(&stack));
    assert!(
        !has_rule(&Stack::with(&[("EventBus", &bus_arn("own"))])),
        "nobody subscribes"
    );
    assert!(has_rule(&Stack::with(&[EMAIL])) && has_rule(&Stack::with(&[CHAT])));
}

#[test]
fn the_rule_matches_what_the_function_sends_of_the_kinds_that_are_asked_for() {
    let stack = Stack::with(&[&EVERYTHING[..], &[("NoticeKinds", "failed, held")]].concat());

    let rule = stack.properties("NoticeRule");

    assert_eq!(rule["EventBusName"], variable(&stack));
    let expected = json!({
        "source": [SOURCE],
        "account": [ACCOUNT],
        "detail-type": [DETAIL_TYPE],
        "detail": { "kind": ["failed", "held"] },
    });
    assert_eq!(rule["EventPattern"], expected);
}

#[test]
fn the_kinds_that_are_subscribed_to_by_default_exist_and_need_a_person() {
    let rule = Stack::with(&[CHAT]).properties("NoticeRule");
    let subscribed = rule["EventPattern"]["detail"]["kind"].as_array().unwrap();
    let known: Vec<_> = NoticeKind::ALL
        .iter()
        .map(|kind| json!(kind.code()))
        .collect();

    assert!(
        subscribed.iter().all(|kind| known.contains(kind)),
        "{subscribed:?}"
    );
    // A hold and a sweep's finding come again; a start and an end are as they should be.
    let left_out: Vec<_> = known
        .iter()
        .filter(|kind| !subscribed.contains(kind))
        .collect();
    assert_eq!(left_out, ["stale", "held", "started", "completed"]);
}

fn event() -> Value {
    let notice = Notice {
        id: "0123456789abcdef0123456789abcdef".to_owned(),
        kind: NoticeKind::RolledBack,
        key: Some("ssm:/app/db-url".to_owned()),
        version: Some("3".to_owned()),
        previous_version: Some("2".to_owned()),
        changed_at: None,
        changed_by: None,
        services: vec!["production/api".to_owned(), "production/worker".to_owned()],
        more_services: 0,
        deployments: vec!["ecs-svc/1".to_owned()],
        reason: None,
        details: vec!["production/api: tasks failed to start \"app\"".to_owned()],
        until: None,
        restore: Some("aws ssm put-parameter --name '/app/\"db\"'".to_owned()),
        at: "2026-01-31T10:00:00Z".parse().unwrap(),
    };
    json!({ "detail": Detail::from(&notice) })
}

/// The parts of an event that a transformer names.
fn parts(transformer: &Value, event: &Value) -> BTreeMap<String, Value> {
    let paths = transformer["InputPathsMap"].as_object().unwrap().iter();
    let part = |(name, path): (&String, &Value)| {
        assert!(
            name.chars().all(char::is_alphanumeric),
            "EventBridge refuses {name}"
        );
        let path = path.as_str().unwrap().trim_start_matches('$');
        let pointer = path.replace(['.', '['], "/").replace(']', "");
        let part = event.pointer(&pointer);
        (
            name.clone(),
            part.unwrap_or_else(|| panic!("{path}")).clone(),
        )
    };
    paths.map(part).collect()
}

fn transformer(id: &str) -> Value {
    let rule = Stack::with(&EVERYTHING).properties("NoticeRule");
    let targets = rule["Targets"].as_array().unwrap().clone();
    let target = targets
        .into_iter()
        .find(|target| target["Id"] == id)
        .unwrap();
    target["InputTransformer"].clone()
}

/// "Custom notifications", Amazon Q Developer in chat applications Administrator Guide.
#[test]
fn a_chat_gets_a_card_with_title_description_and_next_steps() {
    let (transformer, event) = (transformer("chat"), event());
    let template = transformer["InputTemplate"].as_str().unwrap().to_owned();

    let card = parts(&transformer, &event)
        .iter()
        .fold(template, |text, (name, part)| {
            text.replace(&format!("<{name}>"), &part.to_string())
        });

    let card: Value = serde_json::from_str(&card).unwrap();
    let detail = &event["detail"];
    assert_eq!(
        (&card["version"], &card["source"]),
        (&json!("1.0"), &json!("custom"))
    );
    assert_eq!(card["id"], detail["id"]);
    let content = json!({
        "textType": "client-markdown",
        "title": "2 services: restart rolled back (`ssm:/app/db-url`)",
        "description": detail["description"],
        "nextSteps": detail["next_steps"],
    });
    assert_eq!(card["content"], content);
    assert_eq!(card["metadata"]["eventType"], "rolled-back");
}

#[test]
fn an_email_is_lines_of_text_in_quotation_marks_that_no_part_ends() {
    let (transformer, event) = (transformer("email"), event());
    let template = transformer["InputTemplate"].as_str().unwrap();

    let parts = parts(&transformer, &event);
    for line in template.lines() {
        let line = parts.iter().fold(line.to_owned(), |line, (name, part)| {
            line.replace(&format!("<{name}>"), part.as_str().unwrap())
        });
        let text = line
            .strip_prefix('"')
            .and_then(|line| line.strip_suffix('"'));
        let text = text.unwrap_or_else(|| panic!("{line}"));
        assert!(!text.contains(['"', '<']), "{line}");
    }
    assert!(template.contains("<title>") && template.contains("<description>"));
}

#[test]
fn only_the_rule_publishes_and_nobody_commands_anything_from_the_channel() {
    let stack = Stack::with(&EVERYTHING);

    for topic in ["EmailTopic", "CardTopic"] {
        let policy = stack.properties(&format!("{topic}Policy"))["PolicyDocument"].clone();
        let [statement] = &policy["Statement"].as_array().unwrap()[..] else {
            panic!("{policy:#}");
        };
        assert_eq!(
            statement["Principal"],
            json!({ "Service": "events.amazonaws.com" })
        );
        let rule = json!({ "ArnEquals": { "aws:SourceArn": stack.arn("NoticeRule") } });
        assert_eq!(statement["Condition"], rule);
    }
    let channel = stack.properties("SlackChannel");
    assert_eq!(
        channel["GuardrailPolicies"],
        json!(["arn:aws:iam::aws:policy/AWSDenyAll"])
    );
    assert_eq!(
        channel["SnsTopicArns"],
        json!([stack.output("CardTopicArn")])
    );
    let role = stack.properties("SlackRole");
    assert_eq!(
        (role.get("Policies"), role.get("ManagedPolicyArns")),
        (None, None)
    );
}
