//! `template.yaml` and the code agree: on the settings, on the API calls, and on the calls that the
//! function never makes.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot continue fails"
)]

#[path = "../support/cloudformation.rs"]
mod cloudformation;

mod alarms;
mod dashboard;
mod notices;
mod sam_local;
mod self_test;

use std::collections::BTreeSet;
use std::path::Path;

use ecs_reloader::settings;
use serde_json::{Value, json};

use cloudformation::{EVERYTHING, Stack, read, template};

/// Actions that Lambda and SQS themselves need from the role: they feed the function from the
/// queue, decrypt its messages, and write its log and traces.
const NOT_OURS: [&str; 6] = [
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "kms:",
    "logs:",
    "xray:",
];

/// A file, or a folder, of `src/aws` whose code calls an API.
struct Caller {
    path: &'static str,
    /// The prefix of the API's actions in IAM.
    prefix: &'static str,
    /// The names of its clients in the code.
    clients: &'static [&'static str],
}

impl Caller {
    const fn new(path: &'static str, prefix: &'static str, clients: &'static [&str]) -> Self {
        Self {
            path,
            prefix,
            clients,
        }
    }
}

const CALLERS: [Caller; 7] = [
    Caller::new("ecs", "ecs", &["self.reads", "self.starts"]),
    Caller::new("tagging.rs", "tag", &["self.client"]),
    Caller::new("ssm.rs", "ssm", &["self.client"]),
    Caller::new("secretsmanager.rs", "secretsmanager", &["self.client"]),
    Caller::new("s3.rs", "s3", &["self.client"]),
    Caller::new("sqs.rs", "sqs", &["self.client"]),
    Caller::new("eventbridge.rs", "events", &["self.client"]),
];

/// IAM's name of an action, if it differs from the API's ("Actions, resources, and condition keys
/// for Amazon S3", Service Authorization Reference).
const NAMED_OTHERWISE: [(&str, &str); 2] = [
    ("s3:ListObjectVersions", "s3:ListBucketVersions"),
    ("s3:ListObjectsV2", "s3:ListBucket"),
];

fn function(template: &Value) -> &Value {
    template.pointer("/Resources/Reloader/Properties").unwrap()
}

/// The statements of a role's own policy, with everything that is optional.
fn statements(role: &str) -> Vec<Value> {
    let role = Stack::with(&EVERYTHING).properties(role);
    role.pointer("/Policies/0/PolicyDocument/Statement")
        .unwrap()
        .as_array()
        .unwrap()
        .clone()
}

fn actions(statement: &Value) -> Vec<String> {
    match statement.get("Action").unwrap() {
        Value::Array(actions) => actions
            .iter()
            .map(|action| action.as_str().unwrap().to_owned())
            .collect(),
        action => vec![action.as_str().unwrap().to_owned()],
    }
}

/// `ecs:UpdateService` for `self.starts.update_service()`.
fn calls() -> BTreeSet<String> {
    let mut calls = BTreeSet::new();
    for caller in CALLERS {
        let code = code(caller.path);
        for client in caller.clients {
            for call in code.split(&format!("{client}.")).skip(1) {
                let words = call.split('(').next().unwrap().split('_');
                let operation: String = words.map(capitalised).collect();
                let call = format!("{}:{operation}", caller.prefix);
                let otherwise = NAMED_OTHERWISE.iter().find(|(name, _)| *name == call);
                calls.insert(otherwise.map_or(call, |(_, action)| (*action).to_owned()));
            }
        }
    }
    calls
}

/// The code of a file, or of all files of a folder, of `src/aws`, without its white space.
fn code(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src/aws")
        .join(path);
    let files: Vec<_> = if path.is_dir() {
        let entries = std::fs::read_dir(path).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    } else {
        vec![path]
    };
    let texts = files
        .iter()
        .map(|file| std::fs::read_to_string(file).unwrap());
    texts.collect::<String>().split_whitespace().collect()
}

fn capitalised(word: &str) -> String {
    word[..1].to_uppercase() + &word[1..]
}

#[test]
fn every_setting_is_set_and_every_variable_is_read() {
    let template = template();
    let set: BTreeSet<_> = function(&template)
        .pointer("/Environment/Variables")
        .unwrap()
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();

    let read: BTreeSet<_> = settings::NAMES
        .iter()
        .map(|name| (*name).to_owned())
        .collect();

    assert_eq!(set, read);
}

#[test]
fn the_role_allows_exactly_the_calls_that_the_code_makes() {
    let allowed: BTreeSet<_> = statements("Role").iter().flat_map(actions).collect();

    let ours: BTreeSet<_> = allowed
        .into_iter()
        .filter(|action| !NOT_OURS.iter().any(|other| action.starts_with(other)))
        .collect();

    assert_eq!(ours, calls());
}

#[test]
fn only_services_that_opted_in_may_be_restarted() {
    let statements = statements("Role");
    let restarts: Vec<_> = statements
        .iter()
        .filter(|one| actions(one).contains(&"ecs:UpdateService".to_owned()))
        .collect();

    assert_eq!(restarts.len(), 1);
    assert_eq!(
        restarts[0]
            .pointer("/Condition/Null/aws:ResourceTag~1reloader:watch")
            .unwrap(),
        "false"
    );
    assert_eq!(
        function(&template())
            .pointer("/Environment/Variables/RELOADER_TAG_PREFIX")
            .unwrap(),
        "reloader"
    );
}

/// The only key is the one that encrypts the stack's own queues, and only SQS may use it for the
/// role: no parameter, secret or object is decrypted.
#[test]
fn nothing_reads_a_value_or_passes_a_role() {
    let by_the_key_of_the_queues =
        json!({ "StringEquals": { "kms:ViaService": "sqs.eu-west-1.amazonaws.com" } });
    let (_, key) = EVERYTHING
        .iter()
        .find(|(name, _)| *name == "KmsKeyArn")
        .unwrap();

    for (role, keys) in [("Role", 1), ("SweepSchedulerRole", 1)] {
        let (of_keys, others): (Vec<_>, Vec<_>) =
            statements(role).into_iter().partition(|statement| {
                actions(statement)
                    .iter()
                    .any(|action| action.starts_with("kms:"))
            });

        assert_eq!(of_keys.len(), keys);
        for statement in of_keys {
            assert_eq!(actions(&statement), ["kms:Decrypt", "kms:GenerateDataKey"]);
            assert_eq!(
                (&statement["Resource"], &statement["Condition"]),
                (&json!(key), &by_the_key_of_the_queues)
            );
        }
        for action in others.iter().flat_map(actions) {
            let name = action.split_once(':').unwrap().1;
            assert!(
                !action.starts_with("iam:") && !action.contains('*'),
                "{action}"
            );
            assert!(
                !["GetParameter", "GetSecretValue", "GetObject", "HeadObject"]
                    .iter()
                    .any(|read| name.starts_with(read)),
                "{action}"
            );
        }
    }
    let plain = Stack::with(&[]);
    for role in ["Role", "SweepSchedulerRole"] {
        assert!(
            !plain.properties(role).to_string().contains("kms:"),
            "{role}: no key, and no right to one"
        );
    }
}

#[test]
fn what_is_encrypted_with_a_key_of_the_customers_is_the_queues_and_the_log() {
    let (everything, plain) = (Stack::with(&EVERYTHING), Stack::with(&[]));
    let (_, key) = EVERYTHING
        .iter()
        .find(|(name, _)| *name == "KmsKeyArn")
        .unwrap();

    for queue in ["Queue", "DeadLetters"] {
        let (with_key, without) = (everything.properties(queue), plain.properties(queue));
        assert_eq!(
            (
                &with_key["KmsMasterKeyId"],
                with_key.get("SqsManagedSseEnabled")
            ),
            (&json!(key), None)
        );
        assert_eq!(
            (
                without.get("KmsMasterKeyId"),
                &without["SqsManagedSseEnabled"]
            ),
            (None, &json!(true))
        );
    }
    assert_eq!(everything.properties("LogGroup")["KmsKeyId"], *key);
    assert_eq!(plain.properties("LogGroup").get("KmsKeyId"), None);
}

/// While a rule exists without a policy that lets it send, both the queue and the dead-letter queue
/// would refuse its events.
#[test]
fn what_sends_comes_after_the_policy_that_lets_it() {
    let template = template();
    let resources = template["Resources"].as_object().unwrap();
    let senders: Vec<_> = resources
        .iter()
        .filter(|(_, resource)| {
            ["AWS::Events::Rule", "AWS::Scheduler::Schedule"]
                .iter()
                .any(|kind| resource["Type"] == *kind)
                && resource.to_string().contains("\"Queue.Arn\"")
        })
        .collect();

    assert!(senders.len() >= 6, "{senders:?}");
    let policy = resources["QueuePolicy"].to_string();
    for (name, sender) in senders {
        assert_eq!(sender["DependsOn"], "QueuePolicy", "{name}");
        for reference in [
            json!({ "Ref": name }).to_string(),
            format!("\"{name}."),
            format!("${{{name}"),
        ] {
            assert!(
                !policy.contains(&reference),
                "a circle: the policy refers to {name}"
            );
        }
        if sender["Type"] == "AWS::Events::Rule" {
            for target in sender["Properties"]["Targets"].as_array().unwrap() {
                assert_eq!(
                    (
                        &target["Arn"]["Fn::GetAtt"],
                        &target["DeadLetterConfig"]["Arn"]["Fn::GetAtt"]
                    ),
                    (&json!("Queue.Arn"), &json!("DeadLetters.Arn"))
                );
            }
        }
    }
}

/// `sam deploy --guided` saves its answers, and later deployments use them.
#[test]
fn no_answers_of_a_deployment_become_part_of_the_repository() {
    assert!(
        read(".gitignore")
            .lines()
            .any(|line| line == "/samconfig.*")
    );
    for page in ["README.md", "docs/install.md"] {
        assert!(
            !read(page)
                .lines()
                .any(|line| line.trim().starts_with("$ ") && line.contains("--guided")),
            "{page}"
        );
    }
}

#[test]
fn the_queue_outlasts_the_function_as_lambda_asks() {
    let template = template();
    let number = |pointer: &str| template.pointer(pointer).unwrap().as_u64().unwrap();
    let (timeout, window) = (
        number("/Resources/Reloader/Properties/Timeout"),
        number("/Parameters/BatchingWindow/MaxValue"),
    );

    assert!(number("/Resources/Queue/Properties/VisibilityTimeout") >= 6 * timeout + window);
    assert!(number("/Resources/Queue/Properties/RedrivePolicy/maxReceiveCount") >= 5);
    assert_eq!(
        function(&template).pointer("/RecursiveLoop").unwrap(),
        "Allow"
    );
}

#[test]
fn deployments_of_profiles_that_end_in_any_way_reach_the_queue() {
    let template = template();
    let detail_types = template
        .pointer("/Resources/ProfileRule/Properties/EventPattern/detail-type")
        .unwrap();

    assert_eq!(
        *detail_types,
        serde_json::json!([
            "On Deployment Complete",
            "On Deployment Rollback",
            "On Deployment Rolled Back"
        ])
    );
}
