//! The policies of `template.yaml`, and those that the documents have to paste, are evaluated as IAM
//! does: those who may, and those who may not.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

#[path = "support/cloudformation.rs"]
mod cloudformation;
#[path = "support/iam.rs"]
mod iam;

use cloudformation::{ACCOUNT, EVERYTHING, REGION, Stack, read};
use iam::{Caller, Request};
use serde_json::{Value, json};

const EVENTS: Caller = Caller::Service("events.amazonaws.com");
const OTHER_ACCOUNT: &str = "210987654321";

fn role(account: &str, name: &str, policies: Vec<Value>) -> Caller {
    Caller::Principal {
        arn: format!("arn:aws:iam::{account}:role/{name}"),
        policies,
    }
}

/// A policy of its own that lets a principal do all of this, everywhere.
fn anywhere(actions: &str) -> Vec<Value> {
    vec![json!({ "Statement": [{ "Effect": "Allow", "Action": actions, "Resource": "*" }] })]
}

/// Policies of a stack, and calls that are made in its account.
trait Evaluated {
    /// A role of the stack with the policies that the stack gives it.
    fn role_of(&self, logical_id: &str) -> Caller;
    fn queue_policy(&self) -> Value;
    fn may_send(&self, caller: Caller, source: Option<&str>) -> [bool; 2];
    fn may(&self, action: &'static str, resource: &str, context: &[(&str, &str)]) -> bool;
}

impl Evaluated for Stack {
    fn role_of(&self, logical_id: &str) -> Caller {
        let policies = self.properties(logical_id)["Policies"]
            .as_array()
            .unwrap()
            .iter()
            .map(|policy| policy["PolicyDocument"].clone())
            .collect();
        Caller::Principal {
            arn: self.arn(logical_id),
            policies,
        }
    }

    fn queue_policy(&self) -> Value {
        self.properties("QueuePolicy")["PolicyDocument"].clone()
    }

    /// True if messages may be sent to the queue, and to the dead-letter queue.
    fn may_send(&self, caller: Caller, source: Option<&str>) -> [bool; 2] {
        ["Queue", "DeadLetters"].map(|queue| {
            let request = Request::new(caller.clone(), "sqs:SendMessage", &self.arn(queue));
            let request = source
                .into_iter()
                .fold(request, |request, arn| request.with("aws:SourceArn", arn));
            request.is_allowed(ACCOUNT, Some(&self.queue_policy()))
        })
    }

    /// True if the function may, in its Region.
    fn may(&self, action: &'static str, resource: &str, context: &[(&str, &str)]) -> bool {
        let request = Request::new(self.role_of("Role"), action, resource)
            .with("aws:RequestedRegion", REGION);
        context
            .iter()
            .fold(request, |request, (key, value)| request.with(key, value))
            .is_allowed(ACCOUNT, None)
    }
}

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
            assert_eq!(
                stack.may_send(EVENTS, Some(&stack.arn(rule))),
                [true, true],
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
            assert_eq!(role, stack.arn("SweepSchedulerRole"));
            assert_eq!(
                stack.may_send(stack.role_of("SweepSchedulerRole"), None),
                [true, false],
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
            // One that only begins like an operator's, and one whose path only ends like it.
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
    let told = ["QueueArn", "DeadLetterQueueArn"].map(|output| Stack::with(&[]).output(output));
    assert_eq!(
        told,
        ["Queue", "DeadLetters"].map(|queue| Value::from(Stack::with(&[]).arn(queue))),
        "what start-message-move-task asks for"
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

/// A rule that the stack does not have may be somebody's own of that name.
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

/// The trap: a service has no aws:PrincipalArn, and a condition that begins with Not holds for what
/// is absent.
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

#[test]
fn clusters_bound_what_may_be_restarted_and_which_tasks_are_read() {
    let opted_in = ("aws:ResourceTag/reloader:watch", "auto");
    let service = |cluster: &str| format!("arn:aws:ecs:{REGION}:{ACCOUNT}:service/{cluster}/api");
    let task =
        |cluster: &str| format!("arn:aws:ecs:{REGION}:{ACCOUNT}:task/{cluster}/0123456789abcdef");
    let bounded = Stack::with(&[("Clusters", "production, staging")]);

    for (stack, cluster, expected) in [
        (&bounded, "production", true),
        (&bounded, "staging", true),
        (&bounded, "production2", false),
        (&bounded, "other", false),
        (
            &Stack::with(&[("Clusters", "production")]),
            "production",
            true,
        ),
        (
            &Stack::with(&[("Clusters", "production")]),
            "staging",
            false,
        ),
        (&Stack::with(&[]), "other", true),
    ] {
        let of_cluster = [(
            "ecs:cluster",
            &*format!("arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/{cluster}"),
        )];
        assert_eq!(
            stack.may("ecs:UpdateService", &service(cluster), &[opted_in]),
            expected,
            "{cluster}"
        );
        assert_eq!(
            stack.may("ecs:DescribeTasks", &task(cluster), &[]),
            expected,
            "{cluster}"
        );
        assert_eq!(
            stack.may("ecs:ListTasks", "*", &of_cluster),
            expected,
            "{cluster}"
        );
        assert!(
            !stack.may("ecs:UpdateService", &service(cluster), &[]),
            "{cluster}: it has not opted in"
        );
    }
    let elsewhere = Request::new(
        bounded.role_of("Role"),
        "ecs:UpdateService",
        &service("production").replace(REGION, "us-east-1"),
    );
    let elsewhere = elsewhere
        .with("aws:RequestedRegion", "us-east-1")
        .with(opted_in.0, opted_in.1);
    assert!(!elsewhere.is_allowed(ACCOUNT, None), "another Region");
    let function = bounded.properties("Reloader");
    assert_eq!(
        function["Environment"]["Variables"]["RELOADER_CLUSTERS"],
        "production,staging"
    );
}

#[test]
fn only_configuration_buckets_are_listed() {
    let own = [("aws:ResourceAccount", ACCOUNT)];
    let stack = Stack::with(&EVERYTHING);

    for action in ["s3:ListBucket", "s3:ListBucketVersions"] {
        for (bucket, expected) in [
            ("config", true),
            ("other-config", true),
            ("config-2", false),
            ("payroll", false),
        ] {
            assert_eq!(
                stack.may(action, &format!("arn:aws:s3:::{bucket}"), &own),
                expected,
                "{bucket}"
            );
        }
        assert!(!stack.may(
            action,
            "arn:aws:s3:::config",
            &[("aws:ResourceAccount", OTHER_ACCOUNT)]
        ));
        assert!(
            !Stack::with(&[]).may(action, "arn:aws:s3:::config", &own),
            "no bucket is one"
        );
    }
}

/// "IAM and AWS STS quotas": a role's own policies have 10,240 characters together, white space
/// left out.
#[test]
fn the_roles_policy_has_room_for_thirty_clusters_and_buckets_with_long_names() {
    let names = |prefix: &str, length: usize| {
        (10..40)
            .map(|place| format!("{prefix:-<length$}{place}"))
            .collect::<Vec<_>>()
            .join(",")
    };
    let (clusters, buckets) = (names("cluster", 20), names("bucket", 30));
    let given: Vec<_> = EVERYTHING
        .iter()
        .copied()
        .filter(|(name, _)| !["Clusters", "ConfigBuckets"].contains(name))
        .collect();

    let stack = Stack::with(
        &[
            &given[..],
            &[("Clusters", &clusters), ("ConfigBuckets", &buckets)],
        ]
        .concat(),
    );

    let policy = stack.properties("Role")["Policies"][0]["PolicyDocument"].to_string();
    assert!(policy.len() < 10_240, "{}", policy.len());
}

/// The JSON block of the page on security that holds a text.
fn of_document(text: &str) -> Value {
    let page = read("docs/security.md");
    let blocks: Vec<_> = page
        .split("```json\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .filter(|block| block.contains(text))
        .collect();
    assert_eq!(blocks.len(), 1, "blocks with {text}");
    serde_json::from_str(blocks[0]).unwrap()
}

#[test]
fn the_key_policy_of_the_documents_lets_in_whom_the_stack_needs_and_no_other_service() {
    let policy = of_document("events.amazonaws.com");
    let stack = Stack::with(&EVERYTHING);
    let (_, key) = EVERYTHING
        .iter()
        .find(|(name, _)| *name == "KmsKeyArn")
        .unwrap();
    let sqs = format!("sqs.{REGION}.amazonaws.com");
    let may = |caller: Caller, action, context: &[(&str, &str)]| {
        let request = Request::new(caller, action, key);
        context
            .iter()
            .fold(request, |request, (key, value)| request.with(key, value))
            .is_allowed(ACCOUNT, Some(&policy))
    };
    let log_group = stack.arn("LogGroup").strip_suffix(":*").unwrap().to_owned();

    for action in ["kms:Decrypt", "kms:GenerateDataKey"] {
        assert!(
            may(EVENTS, action, &[]),
            "a rule sends to an encrypted queue"
        );
        assert!(!may(Caller::Service("sns.amazonaws.com"), action, &[]));
        for role in ["Role", "SweepSchedulerRole"] {
            assert!(
                may(stack.role_of(role), action, &[("kms:ViaService", &sqs)]),
                "{role}"
            );
            assert!(
                !may(
                    stack.role_of(role),
                    action,
                    &[("kms:ViaService", "secretsmanager.eu-west-1.amazonaws.com")]
                ),
                "{role}"
            );
            assert!(!may(stack.role_of(role), action, &[]), "{role}: by itself");
        }
        assert!(!may(
            role(OTHER_ACCOUNT, "admin", anywhere("*")),
            action,
            &[("kms:ViaService", &sqs)]
        ));
        let logs = Caller::Service("logs.eu-west-1.amazonaws.com");
        assert!(
            may(
                logs.clone(),
                action,
                &[("kms:EncryptionContext:aws:logs:arn", &log_group)]
            ),
            "the log group"
        );
        assert!(
            !may(
                logs,
                action,
                &[(
                    "kms:EncryptionContext:aws:logs:arn",
                    &log_group.replace(ACCOUNT, OTHER_ACCOUNT)
                )]
            ),
            "somebody else's"
        );
    }
}

#[test]
fn every_right_that_can_be_misused_has_its_row() {
    let page = read("docs/security.md");
    let section = page
        .split("## Who may do what")
        .nth(1)
        .unwrap()
        .split("\n## ")
        .next()
        .unwrap();
    let rights = [
        "sqs:SendMessage",
        "sqs:SetQueueAttributes",
        "lambda:InvokeFunction",
        "ecs:TagResource",
        "ssm:AddTagsToResource",
        "secretsmanager:TagResource",
        "s3:PutObject",
        "events:PutEvents",
        "events:PutRule",
        "iam:PassRole",
    ];

    for right in rights {
        let rows: Vec<_> = section
            .lines()
            .filter(|line| line.starts_with('|') && line.contains(&format!("`{right}`")))
            .collect();
        assert_eq!(rows.len(), 1, "{right}");
        assert!(
            rows[0]
                .split('|')
                .filter(|cell| !cell.trim().is_empty())
                .count()
                == 3,
            "{right}: who, what, what against it"
        );
    }
}

#[test]
fn the_denial_of_the_documents_keeps_our_tags_from_all_but_those_who_deploy() {
    let denial = of_document("aws:TagKeys");
    let exempt = denial["Statement"][0]["Condition"]["ArnNotLike"]["aws:PrincipalArn"][0]
        .as_str()
        .unwrap()
        .to_owned();
    let deployer = exempt
        .replace(":*:", &format!(":{ACCOUNT}:"))
        .split_once(":role/")
        .unwrap()
        .1
        .to_owned();
    let may = |name: &str, action, keys: &[&str]| {
        let policies = [anywhere("*"), vec![denial.clone()]].concat();
        let request = Request::new(
            role(ACCOUNT, name, policies),
            action,
            "arn:aws:ecs:eu-west-1:123456789012:service/production/api",
        );
        keys.iter()
            .fold(request, |request, key| request.with("aws:TagKeys", key))
            .is_allowed(ACCOUNT, None)
    };
    let actions = [
        "ecs:TagResource",
        "ecs:UntagResource",
        "ssm:AddTagsToResource",
        "ssm:RemoveTagsFromResource",
        "secretsmanager:TagResource",
        "secretsmanager:UntagResource",
    ];
    let page = read("docs/security.md");
    let ours = [
        "watch",
        "watch/2",
        "mode",
        "pause",
        "window",
        "min-interval",
        "ignore",
    ]
    .map(|tag| format!("reloader:{tag}"));

    for action in actions {
        for key in &ours {
            assert!(page.contains(&format!("`{key}")), "{key}");
            assert!(!may("developer", action, &[key]), "{action} {key}");
            assert!(
                !may("developer", action, &["team", key]),
                "{action} {key}, among others"
            );
            assert!(may(&deployer, action, &[key]), "{action} {key}");
        }
        assert!(may("developer", action, &["team", "reloaders"]), "{action}");
    }
    assert!(may("developer", "ecs:UpdateService", &[]));
}
