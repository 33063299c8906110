//! `template.yaml` and the code agree: on the settings, on the API calls, and on what the function never does.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;
use std::path::Path;

use ecs_reloader::settings;
use serde_json::Value;

/// What Lambda itself does with the role: feeds the function from the queue and takes its log and traces.
const LAMBDAS_OWN: [&str; 5] = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "logs:", "xray:"];

/// Each client's file, the IAM prefix of its API, and how its clients are named there.
const CLIENTS: [(&str, &str, &[&str]); 6] = [
    ("ecs.rs", "ecs", &["self.reads", "self.starts"]),
    ("tagging.rs", "tag", &["self.client"]),
    ("ssm.rs", "ssm", &["self.client"]),
    ("secretsmanager.rs", "secretsmanager", &["self.client"]),
    ("s3.rs", "s3", &["self.client"]),
    ("sqs.rs", "sqs", &["self.client"]),
];

/// Where IAM's word is another one than the API's ("Actions, resources, and condition keys for Amazon S3", Service Authorization Reference).
const NAMED_OTHERWISE: [(&str, &str); 2] = [("s3:ListObjectVersions", "s3:ListBucketVersions"), ("s3:ListObjectsV2", "s3:ListBucket")];

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The template, its CloudFormation tags dropped.
fn template() -> Value {
    serde_saphyr::from_str(&read("template.yaml")).unwrap()
}

fn function(template: &Value) -> &Value {
    template.pointer("/Resources/Reloader/Properties").unwrap()
}

fn statements(template: &Value) -> Vec<Value> {
    let statements = template.pointer("/Resources/Role/Properties/Policies/0/PolicyDocument/Statement").unwrap().as_array().unwrap();
    // A conditional statement is a list: the condition, the statement, and nothing.
    statements.iter().map(|one| one.get(1).unwrap_or(one).clone()).collect()
}

fn actions(statement: &Value) -> Vec<String> {
    match statement.get("Action").unwrap() {
        Value::Array(actions) => actions.iter().map(|action| action.as_str().unwrap().to_owned()).collect(),
        action => vec![action.as_str().unwrap().to_owned()],
    }
}

/// `ecs:UpdateService` for `self.starts.update_service()`.
fn calls() -> BTreeSet<String> {
    let mut calls = BTreeSet::new();
    for (file, prefix, clients) in CLIENTS {
        let code: String = read(&format!("src/aws/{file}")).split_whitespace().collect();
        for client in clients {
            for call in code.split(&format!("{client}.")).skip(1) {
                let operation: String = call.split('(').next().unwrap().split('_').map(capitalised).collect();
                let call = format!("{prefix}:{operation}");
                let otherwise = NAMED_OTHERWISE.iter().find(|(name, _)| *name == call);
                calls.insert(otherwise.map_or(call, |(_, action)| (*action).to_owned()));
            }
        }
    }
    calls
}

fn capitalised(word: &str) -> String {
    word[..1].to_uppercase() + &word[1..]
}

#[test]
fn every_setting_is_set_and_every_variable_is_read() {
    let template = template();
    let set: BTreeSet<_> = function(&template).pointer("/Environment/Variables").unwrap().as_object().unwrap().keys().cloned().collect();

    let read: BTreeSet<_> = settings::NAMES.iter().map(|name| (*name).to_owned()).collect();

    assert_eq!(set, read);
}

#[test]
fn the_role_allows_exactly_the_calls_that_the_code_makes() {
    let allowed: BTreeSet<_> = statements(&template()).iter().flat_map(actions).collect();

    let ours: BTreeSet<_> = allowed.into_iter().filter(|action| !LAMBDAS_OWN.iter().any(|own| action.starts_with(own))).collect();

    assert_eq!(ours, calls());
}

#[test]
fn only_services_that_opted_in_may_be_restarted() {
    let statements = statements(&template());
    let restarts: Vec<_> = statements.iter().filter(|one| actions(one).contains(&"ecs:UpdateService".to_owned())).collect();

    assert_eq!(restarts.len(), 1);
    assert_eq!(restarts[0].pointer("/Condition/Null/aws:ResourceTag~1reloader:watch").unwrap(), "false");
    assert_eq!(function(&template()).pointer("/Environment/Variables/RELOADER_TAG_PREFIX").unwrap(), "reloader");
}

#[test]
fn nothing_reads_a_value_or_passes_a_role() {
    let allowed: BTreeSet<_> = statements(&template()).iter().flat_map(actions).collect();

    for action in allowed {
        let name = action.split_once(':').unwrap().1;
        assert!(!action.starts_with("iam:") && !action.starts_with("kms:") && !action.contains('*'), "{action}");
        assert!(!["GetParameter", "GetSecretValue", "GetObject"].iter().any(|read| name.starts_with(read)), "{action}");
    }
}

#[test]
fn the_queue_outlasts_the_function_as_lambda_asks() {
    let template = template();
    let number = |pointer: &str| template.pointer(pointer).unwrap().as_u64().unwrap();
    let (timeout, window) = (number("/Resources/Reloader/Properties/Timeout"), number("/Parameters/BatchingWindow/MaxValue"));

    assert!(number("/Resources/Queue/Properties/VisibilityTimeout") >= 6 * timeout + window);
    assert!(number("/Resources/Queue/Properties/RedrivePolicy/maxReceiveCount") >= 5);
    assert_eq!(function(&template).pointer("/RecursiveLoop").unwrap(), "Allow");
}
