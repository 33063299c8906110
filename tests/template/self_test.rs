//! The self-test: from a schedule to the rule that feeds the function.

use serde_json::{Value, json};

use crate::cloudformation::{ACCOUNT, REGION, STACK, Stack, template};
use crate::{actions, function};

#[test]
fn a_schedule_writes_one_parameter_a_day_and_may_do_nothing_else() {
    let stack = Stack::with(&[]);
    let name = format!("/{STACK}/self-test");

    let schedule = stack.properties("SelfTestScheduler");
    let target = &schedule["Target"];
    let input: Value = serde_json::from_str(target["Input"].as_str().unwrap()).unwrap();
    assert_eq!(schedule["ScheduleExpression"], "rate(1 day)");
    assert_eq!(
        target["Arn"],
        "arn:aws:scheduler:::aws-sdk:ssm:putParameter"
    );
    assert_eq!(
        (&input["Name"], &input["Overwrite"]),
        (&json!(name), &json!(true))
    );

    let role = stack.properties("SelfTestSchedulerRole");
    let statements = role
        .pointer("/Policies/0/PolicyDocument/Statement")
        .unwrap();
    let [statement] = &statements.as_array().unwrap()[..] else {
        panic!("{statements:#}");
    };
    assert_eq!(actions(statement), ["ssm:PutParameter"]);
    let parameter = format!("arn:aws:ssm:{REGION}:{ACCOUNT}:parameter{name}");
    assert_eq!(statement["Resource"], parameter);
}

#[test]
fn the_function_knows_the_parameter_and_no_sweep_restarts_anything_for_it() {
    let stack = Stack::with(&[]);
    let variable = |stack: &Stack| {
        let function = stack.properties("Reloader");
        function["Environment"]["Variables"]["RELOADER_SELF_TEST"].clone()
    };

    assert_eq!(variable(&stack), format!("/{STACK}/self-test"));
    let template = template();
    let prefix = &function(&template)["Environment"]["Variables"];
    let ignore = format!("{}:ignore", prefix["RELOADER_TAG_PREFIX"].as_str().unwrap());
    assert_eq!(
        stack.properties("SelfTestParameter")["Tags"],
        json!({ ignore: "true" })
    );
    assert_eq!(variable(&Stack::with(&[("SelfTest", "false")])), "");
}

#[test]
fn silence_for_longer_than_a_day_is_an_alarm_and_a_day_is_none() {
    let alarm = Stack::with(&[]).properties("SilentFunctionAlarm");

    let number = |name: &str| alarm[name].as_u64().unwrap();
    let hours = number("Period") * number("EvaluationPeriods") / 3600;
    assert!((25..=48).contains(&hours), "{hours}");
    assert_eq!(number("Period") % 3600, 0);
    let expected = ["SelfTests", "Sum", "LessThanThreshold", "breaching"];
    let names = [
        "MetricName",
        "Statistic",
        "ComparisonOperator",
        "TreatMissingData",
    ];
    assert_eq!(names.map(|name| alarm[name].as_str().unwrap()), expected);
    assert_eq!(
        Stack::with(&[("SelfTest", "false")])
            .resources_of("AWS::CloudWatch::Alarm")
            .iter()
            .filter(|name| **name == "SilentFunctionAlarm")
            .count(),
        0
    );
}
