//! The policy of the queues: the senders of the stack, and nobody else.

use serde_json::{Value, json};

use crate::cloudformation::{ACCOUNT, EVERYTHING, REGION, Stack};
use crate::iam::{Caller, Request};
use crate::{EVENTS, Evaluated, OTHER_ACCOUNT, anywhere, role};

#[test]
fn the_rules_the_schedule_and_the_function_of_the_stack_may_send() {
    for stack in [
        Stack::with(&EVERYTHING),
        Stack::with(&[]),
        Stack::with(&[("SweepSchedule", ""), ("ConfigBuckets", "config")]),
    ] {
        let rules = stack.resources_of("AWS::Events::Rule");
        assert!(rules.len() >= 3, "{rules:?}");
        for rule in rules {
            // That of the notices sends to topics.
            let sends = rule != "NoticeRule";
            assert_eq!(
                stack.may_send(EVENTS, Some(&stack.arn(rule))),
                [sends, sends],
                "{rule}"
            );
        }
        assert_eq!(
            stack.may_send(stack.role_of("Role"), None),
            [true, false],
            "the function, which sends to its queue alone"
        );
        for schedule in stack.resources_of("AWS::Scheduler::Schedule") {
            let role = stack.properties(schedule)["Target"]["RoleArn"].clone();
            let logical_id = format!("{schedule}Role");
            assert_eq!(role, stack.arn(&logical_id));
            // That of the self-test writes a parameter.
            assert_eq!(
                stack.may_send(stack.role_of(&logical_id), None),
                [schedule == "SweepScheduler", false],
                "{schedule}"
            );
        }
    }
}

#[test]
fn nobody_else_of_the_account_may_send_whatever_their_own_policies_allow() {
    for stack in [Stack::with(&EVERYTHING), Stack::with(&[])] {
        let user = Caller::Principal {
            arn: format!("arn:aws:iam::{ACCOUNT}:user/jane"),
            policies: anywhere("sqs:*"),
        };
        let root = Caller::Principal {
            arn: format!("arn:aws:iam::{ACCOUNT}:root"),
            policies: anywhere("*"),
        };
        let strangers = [
            user,
            root,
            role(ACCOUNT, "application", anywhere("sqs:SendMessage")),
            role(ACCOUNT, "admin", anywhere("*")),
            // A name that only begins like an operator's, and a path that only ends like it.
            role(ACCOUNT, "on-call-of-others", anywhere("sqs:*")),
            role(ACCOUNT, "others/on-call", anywhere("sqs:*")),
            role(
                ACCOUNT,
                "aws-reserved/sso.amazonaws.com/eu-west-1/\
                 AWSReservedSSO_Developer_0123456789abcdef",
                anywhere("sqs:*"),
            ),
        ];
        for stranger in strangers {
            assert_eq!(
                stack.may_send(stranger.clone(), None),
                [false, false],
                "{stranger:?}"
            );
        }
    }
}

#[test]
fn operators_may_move_dead_letters_back_and_nobody_may_where_none_is_named() {
    let operators = [
        "on-call",
        "aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Operator_0123456789abcdef",
    ];
    for operator in operators {
        let operator = |policies| role(ACCOUNT, operator, policies);

        assert_eq!(
            Stack::with(&EVERYTHING).may_send(operator(anywhere("sqs:*")), None),
            [true, true]
        );
        assert_eq!(
            Stack::with(&EVERYTHING).may_send(operator(vec![]), None),
            [false, false],
            "no right of their own"
        );
        assert_eq!(
            Stack::with(&[]).may_send(operator(anywhere("sqs:*")), None),
            [false, false]
        );
    }
    let outputs = ["QueueArn", "DeadLetterQueueArn"].map(|output| Stack::with(&[]).output(output));
    assert_eq!(
        outputs,
        ["Queue", "DeadLetters"].map(|queue| Value::from(Stack::with(&[]).arn(queue))),
        "the rights that start-message-move-task needs"
    );
    let other_account = role(OTHER_ACCOUNT, "on-call", anywhere("sqs:*"));
    assert_eq!(
        Stack::with(&EVERYTHING).may_send(other_account, None),
        [false, false]
    );
}

#[test]
fn no_other_rule_service_or_account_may_send() {
    for stack in [Stack::with(&EVERYTHING), Stack::with(&[])] {
        let rule = stack.arn("ParameterRule");
        let of_another_account = rule.replace(ACCOUNT, OTHER_ACCOUNT);
        let rules = [
            of_another_account,
            rule.replace(REGION, "us-east-1"),
            format!("{rule}-2"),
            rule.replace("parameters", "other"),
            rule.replace("rule/", "rule/bus/"),
        ];
        for other in &rules {
            assert_eq!(
                stack.may_send(EVENTS, Some(other)),
                [false, false],
                "{other}"
            );
        }
        assert_eq!(stack.may_send(EVENTS, None), [false, false], "nobody's");
        assert_eq!(
            stack.may_send(
                Caller::Service("sns.amazonaws.com"),
                Some("arn:aws:sns:eu-west-1:123456789012:topic")
            ),
            [false, false]
        );
        assert_eq!(
            stack.may_send(Caller::Service("s3.amazonaws.com"), Some(&rule)),
            [false, false],
            "the rule's name from another service"
        );
        let foreigner = Caller::Principal {
            arn: stack.arn("Role").replace(ACCOUNT, OTHER_ACCOUNT),
            policies: anywhere("sqs:*"),
        };
        assert_eq!(stack.may_send(foreigner, None), [false, false]);
    }
}

/// A rule of that name may belong to somebody else, if the stack has none.
#[test]
fn a_rule_that_was_not_asked_for_may_not_send() {
    let (everything, plain) = (Stack::with(&EVERYTHING), Stack::with(&[]));

    for rule in ["ObjectRule", "SecretCallRule"] {
        assert_eq!(
            plain.may_send(EVENTS, Some(&everything.arn(rule))),
            [false, false],
            "{rule}"
        );
    }
}

/// Somebody adds a statement of their own, as for a topic; the denials stand.
#[test]
fn a_statement_that_allows_more_does_not_let_others_in() {
    let stack = Stack::with(&EVERYTHING);
    let mut policy = stack.queue_policy();
    let open = json!({ "Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Resource": "*" });
    policy["Statement"].as_array_mut().unwrap().push(open);
    let may_send = |caller, source: &str| {
        let request = Request::new(caller, "sqs:SendMessage", &stack.arn("Queue"))
            .with("aws:SourceArn", source);
        request.is_allowed(ACCOUNT, Some(&policy))
    };

    assert!(may_send(EVENTS, &stack.arn("SecretRule")));
    assert!(!may_send(
        EVENTS,
        "arn:aws:events:eu-west-1:123456789012:rule/other"
    ));
    assert!(!may_send(
        Caller::Service("sns.amazonaws.com"),
        "arn:aws:sns:eu-west-1:123456789012:topic"
    ));
    assert!(!may_send(role(OTHER_ACCOUNT, "admin", anywhere("*")), "-"));
}

/// The trap: a service has no aws:PrincipalArn, and a condition that begins with Not is true for an
/// absent key.
#[test]
fn the_obvious_denial_would_lock_eventbridge_out() {
    let stack = Stack::with(&EVERYTHING);
    let mut policy = stack.queue_policy();
    let statements = policy["Statement"].as_array_mut().unwrap();
    let denial = statements
        .iter_mut()
        .find(|statement| statement["Condition"]["ArnNotLike"]["aws:PrincipalArn"].is_array())
        .unwrap();
    denial["Condition"]
        .as_object_mut()
        .unwrap()
        .remove("Bool")
        .unwrap();

    for queue in ["Queue", "DeadLetters"] {
        let request = Request::new(EVENTS, "sqs:SendMessage", &stack.arn(queue))
            .with("aws:SourceArn", &stack.arn("ParameterRule"));
        assert!(!request.is_allowed(ACCOUNT, Some(&policy)), "{queue}");
    }
}
