//! The policies in the documents: the key policy, and the denial of our tags.

use serde_json::Value;

use crate::cloudformation::{ACCOUNT, EVERYTHING, REGION, Stack, read};
use crate::iam::{Caller, Request};
use crate::{EVENTS, Evaluated, OTHER_ACCOUNT, anywhere, role};

/// The JSON block, with this text in it, of the page on security.
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

/// The key policy of the documents, on the key of the stack.
struct KeyPolicy {
    policy: Value,
    stack: Stack,
}

impl KeyPolicy {
    fn new() -> Self {
        Self {
            policy: of_document("events.amazonaws.com"),
            stack: Stack::with(&EVERYTHING),
        }
    }

    /// True for both actions, false for none.
    fn lets(&self, caller: &Caller, context: &[(&str, &str)]) -> bool {
        let mut parameters = EVERYTHING.iter();
        let (_, key) = parameters.find(|(name, _)| *name == "KmsKeyArn").unwrap();
        let [decrypts, encrypts] = ["kms:Decrypt", "kms:GenerateDataKey"].map(|action| {
            let request = Request::new(caller.clone(), action, key);
            let context = context.iter();
            context
                .fold(request, |request, (key, value)| request.with(key, value))
                .is_allowed(ACCOUNT, Some(&self.policy))
        });
        assert_eq!(decrypts, encrypts, "{caller:?}");
        decrypts
    }
}

#[test]
fn the_key_policy_of_the_documents_lets_in_rules_and_no_other_service() {
    let key = KeyPolicy::new();

    assert!(key.lets(&EVENTS, &[]), "a rule sends to an encrypted queue");
    assert!(!key.lets(&Caller::Service("sns.amazonaws.com"), &[]));
}

#[test]
fn the_key_policy_of_the_documents_lets_in_the_roles_of_the_stack_through_sqs_alone() {
    let key = KeyPolicy::new();
    let sqs = format!("sqs.{REGION}.amazonaws.com");
    let secrets = format!("secretsmanager.{REGION}.amazonaws.com");

    for name in ["Role", "SweepSchedulerRole"] {
        let role = key.stack.role_of(name);
        assert!(key.lets(&role, &[("kms:ViaService", &sqs)]), "{name}");
        assert!(!key.lets(&role, &[("kms:ViaService", &secrets)]), "{name}");
        assert!(!key.lets(&role, &[]), "{name}: by itself");
    }
    let stranger = role(OTHER_ACCOUNT, "admin", anywhere("*"));
    assert!(!key.lets(&stranger, &[("kms:ViaService", &sqs)]));
}

#[test]
fn the_key_policy_of_the_documents_lets_in_the_log_group_of_the_stack_alone() {
    let key = KeyPolicy::new();
    let logs = Caller::Service("logs.eu-west-1.amazonaws.com");
    let context = "kms:EncryptionContext:aws:logs:arn";
    let own = key.stack.arn("LogGroup");
    let own = own.strip_suffix(":*").unwrap();

    assert!(key.lets(&logs, &[(context, own)]));
    let other = own.replace(ACCOUNT, OTHER_ACCOUNT);
    assert!(!key.lets(&logs, &[(context, &other)]), "another account's");
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

/// The denial of the documents, beside all other rights.
struct Denial(Value);

impl Denial {
    fn new() -> Self {
        Self(of_document("aws:TagKeys"))
    }

    /// The name of the role that the denial exempts.
    fn deployer(&self) -> String {
        let principals = &self.0["Statement"][0]["Condition"]["ArnNotLike"]["aws:PrincipalArn"];
        let arn = principals[0].as_str().unwrap();
        let arn = arn.replace(":*:", &format!(":{ACCOUNT}:"));
        arn.split_once(":role/").unwrap().1.to_owned()
    }

    fn lets(&self, name: &str, action: &'static str, keys: &[&str]) -> bool {
        let policies = [anywhere("*"), vec![self.0.clone()]].concat();
        let service = "arn:aws:ecs:eu-west-1:123456789012:service/production/api";
        let request = Request::new(role(ACCOUNT, name, policies), action, service);
        let keys = keys.iter();
        keys.fold(request, |request, key| request.with("aws:TagKeys", key))
            .is_allowed(ACCOUNT, None)
    }
}

const TAGGING: [&str; 6] = [
    "ecs:TagResource",
    "ecs:UntagResource",
    "ssm:AddTagsToResource",
    "ssm:RemoveTagsFromResource",
    "secretsmanager:TagResource",
    "secretsmanager:UntagResource",
];

const TAGS: [&str; 7] = [
    "reloader:watch",
    "reloader:watch/2",
    "reloader:mode",
    "reloader:pause",
    "reloader:window",
    "reloader:min-interval",
    "reloader:ignore",
];

#[test]
fn the_denial_of_the_documents_keeps_our_tags_for_those_who_deploy() {
    let denial = Denial::new();
    let (deployer, page) = (denial.deployer(), read("docs/security.md"));

    for (action, key) in TAGGING
        .iter()
        .flat_map(|action| TAGS.iter().map(move |key| (*action, *key)))
    {
        assert!(page.contains(&format!("`{key}")), "{key}");
        let others = denial.lets("developer", action, &[key]);
        let among_others = denial.lets("developer", action, &["team", key]);
        assert!(!others && !among_others, "{action} {key}");
        assert!(denial.lets(&deployer, action, &[key]), "{action} {key}");
    }
}

#[test]
fn the_denial_of_the_documents_leaves_other_tags_and_rights_alone() {
    let denial = Denial::new();

    for action in TAGGING {
        let lets = denial.lets("developer", action, &["team", "reloaders"]);
        assert!(lets, "{action}");
    }
    assert!(denial.lets("developer", "ecs:UpdateService", &[]));
}
