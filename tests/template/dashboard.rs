//! The dashboard and the saved queries.

use std::collections::BTreeSet;

use ecs_reloader::domain::rollout::Outcome;
use serde_json::{Value, json};

use crate::cloudformation::{EVERYTHING, Stack, read};

/// The metrics that the code writes: the names in `src/report/metrics.rs`.
pub(crate) fn written() -> BTreeSet<String> {
    let source = read("src/report/metrics.rs");
    let quoted = source.split('"').skip(1).step_by(2);
    quoted.map(str::to_owned).collect()
}

fn body(stack: &Stack) -> Value {
    let body = stack.properties("StateDashboard")["DashboardBody"].clone();
    serde_json::from_str(body.as_str().unwrap()).unwrap()
}

/// The widgets of this type.
fn widgets(body: &Value, kind: &str) -> Vec<Value> {
    let widgets = body["widgets"].as_array().unwrap().iter();
    let widgets = widgets.filter(|widget| widget["type"] == kind);
    widgets.cloned().collect()
}

#[test]
fn every_metric_of_the_dashboard_is_one_that_the_code_writes_and_only_a_few_are_left_out() {
    let body = body(&Stack::with(&EVERYTHING));
    let written = written();
    let mut shown = BTreeSet::new();
    for widget in widgets(&body, "metric") {
        for metric in widget["properties"]["metrics"].as_array().unwrap() {
            let names: Vec<_> = metric
                .as_array()
                .unwrap()
                .iter()
                .filter_map(Value::as_str)
                .collect();
            if names[0] != "ecs-reloader" {
                assert!(["AWS/SQS", "AWS/Lambda"].contains(&names[0]), "{names:?}");
                continue;
            }
            assert!(written.contains(names[1]), "{names:?}");
            assert_eq!(names[2], "FunctionName");
            shown.insert(names[1].to_owned());
            if let Some(outcome) = names.get(5) {
                assert_eq!((names[1], names[4]), ("Rollouts", "Outcome"));
                let mut known = Outcome::ALL.iter().map(|outcome| outcome.code());
                assert!(known.any(|code| code == *outcome), "{names:?}");
            }
        }
    }
    assert!(shown.len() >= 20, "{shown:?}");
}

#[test]
fn every_outcome_is_shown() {
    let text = body(&Stack::with(&[])).to_string();

    for outcome in Outcome::ALL {
        assert!(
            text.contains(&format!("\"Outcome\",\"{outcome}\"")),
            "{outcome}"
        );
    }
}

#[test]
fn the_state_comes_first_with_every_alarm_that_the_stack_has() {
    for given in [
        &[][..],
        &EVERYTHING,
        &[("SweepAlarmHours", ""), ("SelfTest", "false")],
    ] {
        let stack = Stack::with(given);
        let body = body(&stack);

        let first = &body["widgets"][0];
        assert_eq!((&first["type"], &first["y"]), (&json!("alarm"), &json!(0)));
        let shown = first["properties"]["alarms"].as_array().unwrap().iter();
        let shown: BTreeSet<_> = shown.map(|arn| arn.as_str().unwrap().to_owned()).collect();
        let alarms = stack.resources_of("AWS::CloudWatch::Alarm");
        let expected: BTreeSet<_> = alarms.iter().map(|name| stack.arn(name)).collect();
        assert_eq!(shown, expected);
    }
}

#[test]
fn no_widget_covers_another() {
    let body = body(&Stack::with(&[]));
    let mut taken = BTreeSet::new();
    for widget in body["widgets"].as_array().unwrap() {
        let number = |name: &str| widget[name].as_u64().unwrap();
        assert!(number("x") + number("width") <= 24);
        for x in number("x")..number("x") + number("width") {
            for y in number("y")..number("y") + number("height") {
                assert!(taken.insert((x, y)), "{widget}");
            }
        }
    }
}

#[test]
fn the_saved_queries_are_those_of_the_documents() {
    let stack = Stack::with(&[]);
    let page = read("docs/operations.md");
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let page = words(&page);
    let queries = stack.resources_of("AWS::Logs::QueryDefinition");

    assert_eq!(queries.len(), 3);
    for query in queries {
        let properties = stack.properties(query);
        let text = words(properties["QueryString"].as_str().unwrap());
        assert!(page.contains(&text), "{query}: {text}");
        assert_eq!(
            properties["LogGroupNames"],
            json!([stack.output("LogGroupName")])
        );
        assert!(
            properties["Name"]
                .as_str()
                .unwrap()
                .starts_with("ecs-reloader/")
        );
    }
}

#[test]
fn without_a_dashboard_there_are_no_saved_queries_either() {
    let stack = Stack::with(&[("Dashboard", "false")]);

    for kind in ["AWS::CloudWatch::Dashboard", "AWS::Logs::QueryDefinition"] {
        assert_eq!(stack.resources_of(kind), [""; 0]);
    }
}
