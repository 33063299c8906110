//! The alarms of the template.

use serde_json::json;

use crate::cloudformation::{EVERYTHING, Stack, template};
use crate::dashboard::written;

/// The most that CloudWatch takes ("`PutMetricAlarm`", Amazon CloudWatch API Reference).
const LONGEST_DESCRIPTION: usize = 1024;

#[test]
fn every_alarm_carries_its_first_command() {
    let longest = "arn:aws:sns:eu-west-1:123456789012:on-call";
    let stack = Stack::with(&[("AlarmTopic", longest), ("ChatTopic", "true")]);
    let alarms = stack.resources_of("AWS::CloudWatch::Alarm");
    assert!(alarms.len() >= 14, "{alarms:?}");

    for alarm in alarms {
        let properties = stack.properties(alarm);
        let description = properties["AlarmDescription"].as_str().unwrap();

        assert!(
            description.len() <= LONGEST_DESCRIPTION,
            "{alarm}: {} characters",
            description.len()
        );
        let (_, after) = description
            .split_once("First:\n\n    aws ")
            .unwrap_or_else(|| panic!("{alarm}: {description}"));
        let command = after.lines().next().unwrap();
        let names = [
            stack.output("LogGroupName"),
            stack.output("DeadLetterQueueUrl"),
            stack.output("EventSourceMapping"),
            stack.output("FunctionName"),
        ];
        assert!(
            names
                .iter()
                .any(|name| command.contains(name.as_str().unwrap())),
            "{alarm}: of what? {command}"
        );
        assert_eq!(command.matches('\'').count() % 2, 0, "{alarm}: {command}");
        assert_eq!(
            properties["AlarmActions"],
            json!([longest]),
            "{alarm} notifies nobody"
        );
    }
}

#[test]
fn the_alarm_on_dead_letters_has_the_command_that_moves_them_back() {
    let stack = Stack::with(&[]);
    let description = stack.properties("DeadLetterAlarm")["AlarmDescription"]
        .as_str()
        .unwrap()
        .to_owned();

    let command = format!(
        "aws sqs start-message-move-task --source-arn {} --destination-arn {}",
        stack.arn("DeadLetters"),
        stack.arn("Queue")
    );
    assert!(description.contains(&command), "{description}");
    assert!(
        description.contains("Delete a malformed message"),
        "{description}"
    );
}

#[test]
fn a_sweep_that_does_not_end_is_an_alarm_where_there_is_a_schedule() {
    let alarm = |given: &[(&str, &str)]| {
        let stack = Stack::with(given);
        stack
            .resources_of("AWS::CloudWatch::Alarm")
            .contains(&"SilentSweepAlarm")
            .then(|| stack.properties("SilentSweepAlarm"))
    };

    let usual = alarm(&[]).unwrap();
    assert_eq!(
        (&usual["MetricName"], &usual["TreatMissingData"]),
        (&json!("SweepsCompleted"), &json!("breaching"))
    );
    assert_eq!(
        (
            &usual["Period"],
            &usual["EvaluationPeriods"],
            &usual["Threshold"]
        ),
        (&json!(3600), &json!("3"), &json!(1))
    );
    assert_eq!(
        (&usual["Statistic"], &usual["ComparisonOperator"]),
        (&json!("Sum"), &json!("LessThanThreshold"))
    );
    assert_eq!(
        alarm(&[("SweepAlarmHours", "12")]).unwrap()["EvaluationPeriods"],
        "12"
    );
    assert_eq!(alarm(&[("SweepAlarmHours", "")]), None);
    assert_eq!(
        alarm(&[("SweepSchedule", "")]),
        None,
        "there is no schedule"
    );
    assert_eq!(
        Stack::with(&[]).properties("SweepScheduler")["Target"]["RetryPolicy"]["MaximumRetryAttempts"],
        2
    );
}

/// A held change waits in the queue for a quarter of an hour, and a failed message is redelivered
/// three times before SQS no longer counts it: neither raises an alarm.
#[test]
fn the_alarm_on_old_messages_lets_a_message_wait_as_long_as_it_may() {
    const LONGEST_DELAY: u64 = 900;
    let (template, alarm) = (template(), Stack::with(&[]).properties("OldMessageAlarm"));
    let number = |pointer: &str| template.pointer(pointer).unwrap().as_u64().unwrap();
    let (timeout, window) = (
        number("/Resources/Reloader/Properties/Timeout"),
        number("/Parameters/BatchingWindow/MaxValue"),
    );
    let three_receipts = 3 * number("/Resources/Queue/Properties/VisibilityTimeout");

    let threshold = alarm["Threshold"].as_u64().unwrap();
    assert!(
        (LONGEST_DELAY + window + timeout + three_receipts..=3600).contains(&threshold),
        "{threshold}"
    );
    assert_eq!(
        (&alarm["MetricName"], &alarm["Statistic"]),
        (&json!("ApproximateAgeOfOldestMessage"), &json!("Maximum"))
    );
}

#[test]
fn every_metric_of_our_own_that_an_alarm_watches_is_written() {
    let stack = Stack::with(&EVERYTHING);
    let written = written();
    let mut watched = 0;
    for alarm in stack.resources_of("AWS::CloudWatch::Alarm") {
        let properties = stack.properties(alarm);
        if properties["Namespace"] == "ecs-reloader" {
            let metric = properties["MetricName"].as_str().unwrap();
            assert!(written.contains(metric), "{alarm}: {metric}");
            watched += 1;
        }
    }
    assert!(watched >= 8, "{watched}");
}

/// A restart that fails and a rollout that fails raise one alarm each, not both.
#[test]
fn each_failure_has_its_own_alarm() {
    let stack = Stack::with(&[]);
    let metric = |alarm| stack.properties(alarm)["MetricName"].clone();

    assert_eq!(
        [
            "FailedRestartAlarm",
            "FailedRolloutAlarm",
            "TimedOutRolloutAlarm"
        ]
        .map(metric),
        ["RestartsFailed", "RolloutsFailed", "RolloutsTimedOut"]
    );
}
