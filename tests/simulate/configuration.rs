//! Changes of parameters, objects and secrets, of their labels and of the tags by which they are
//! ignored.

use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sim::Account;

use crate::history::{History, Ignoring, QUEUE, ROTATION, SECRET, pick};

/// The key that its owner wants ignored for a while.
const IGNORABLE: &str = "ssm:/app/a";

/// Malformed messages: they become dead letters.
pub(crate) const MALFORMED: [&str; 4] = [
    "no JSON",
    "{}",
    r#"{"source": "aws.ssm", "detail-type": "Parameter Store Change", "detail": {}}"#,
    r#"{"reload": {"changed": ["ssm:"]}}"#,
];

impl History {
    pub(crate) fn write(&mut self, thing: &'static str) {
        self.secrets.extend(write(&self.account, thing));
        self.deleted.remove(thing);
        self.writes.push((self.account.now(), thing));
        self.note(format!("write {thing}"));
    }

    pub(crate) fn delete(&mut self, thing: &'static str) {
        match thing.split_once(':').unwrap() {
            ("ssm", name) => {
                // A parameter is deleted with its tags.
                self.account.untag_parameter(name, "reloader:ignore");
                self.account.delete_parameter(name);
            }
            ("secret", name) => self.account.delete_secret(name),
            (_, path) => {
                let (bucket, key) = path.split_once('/').unwrap();
                self.account.delete_object(bucket, key);
            }
        }
        self.deleted.insert(thing);
        self.deletions.push((self.account.now(), thing));
        self.note(format!("delete {thing}"));
        self.end_ignoring(thing);
    }

    /// Moves labels. Only a move of `AWSCURRENT` changes the value that tasks read.
    pub(crate) fn touch_secret(&mut self, rng: &mut Rng) {
        let name = SECRET.split_once(':').unwrap().1;
        let any = self.secrets[rng.usize(..self.secrets.len())].clone();
        let is_gone = self.deleted.contains(SECRET);
        match rng.usize(..4) {
            0 => self.account.label_parameter("/app/a", "green"),
            _ if is_gone => {}
            1 => self.account.move_stage(name, "green", &any),
            2 => {
                self.account.rotate_secret(name);
                self.writes.push((self.account.now() + ROTATION, SECRET));
            }
            _ => {
                self.account.move_stage(name, "AWSCURRENT", &any);
                self.moved = Some(self.account.now());
                self.writes.push((self.account.now(), SECRET));
            }
        }
        self.note("labels move, or a secret rotates");
    }

    /// Sets or removes the tag by which a key is ignored.
    pub(crate) fn ignore(&mut self, rng: &mut Rng) {
        let is_ignored = self
            .ignored
            .iter()
            .any(|ignoring| ignoring.thing == IGNORABLE && ignoring.until.is_none());
        if is_ignored {
            self.stop_ignoring();
        } else if !self.deleted.contains(IGNORABLE) {
            let (_, name) = IGNORABLE.split_once(':').unwrap();
            self.account.tag_parameter(name, "reloader:ignore", "true");
            self.ignored.push(Ignoring {
                thing: IGNORABLE,
                from: self.account.now(),
                until: None,
            });
            self.note(format!("{IGNORABLE} is to be ignored"));
        }
        if rng.bool() {
            self.write(IGNORABLE);
        }
    }

    /// Removes the tag: the key is not ignored any more.
    pub(crate) fn stop_ignoring(&mut self) {
        let (_, name) = IGNORABLE.split_once(':').unwrap();
        self.account.untag_parameter(name, "reloader:ignore");
        self.end_ignoring(IGNORABLE);
    }

    fn end_ignoring(&mut self, thing: &str) {
        let now = self.account.now();
        for ignoring in &mut self.ignored {
            if ignoring.thing == thing && thing == IGNORABLE {
                ignoring.until = ignoring.until.or(Some(now));
            }
        }
    }

    /// Puts a malformed message among the others.
    pub(crate) fn send_malformed(&mut self, rng: &mut Rng) {
        let body = pick(rng, &MALFORMED);
        self.account.send(QUEUE, body);
        self.malformed.push(body);
        self.note(format!("a malformed message: {body}"));
        self.write("s3:config/app/x");
    }

    /// Sends the event of the same secret or parameter in another Region, which no bare term means;
    /// or of a call that failed.
    pub(crate) fn send_foreign(&mut self, rng: &mut Rng) {
        let now = self.account.now();
        let detail = json!({ "name": "/app/b", "type": "String", "operation": "Update" });
        let event = if rng.u8(..3) == 0 {
            let mut call = put_secret(now);
            call["errorCode"] = json!("AccessDenied");
            call["responseElements"] = Value::Null;
            let mut event = foreign(
                "AWS API Call via CloudTrail",
                "aws.secretsmanager",
                now,
                &call,
            );
            event["region"] = json!("eu-west-1");
            event
        } else if rng.bool() {
            foreign("Parameter Store Change", "aws.ssm", now, &detail)
        } else {
            foreign(
                "AWS API Call via CloudTrail",
                "aws.secretsmanager",
                now,
                &put_secret(now),
            )
        };
        self.account.send(QUEUE, &event.to_string());
        self.note(format!("an event of another Region: {event}"));
    }
}

const ELSEWHERE: &str = "us-east-1";

fn foreign(kind: &str, source: &str, at: Timestamp, detail: &Value) -> Value {
    json!({
        "version": "0",
        "id": format!("7c1f0a2e-0000-4000-8000-{:012}", at.as_second()),
        "detail-type": kind,
        "source": source,
        "account": "123456789012",
        "time": at.round(jiff::Unit::Second).unwrap().to_string(),
        "region": ELSEWHERE,
        "resources": [],
        "detail": detail,
    })
}

/// `PutSecretValue` as CloudTrail records it.
fn put_secret(at: Timestamp) -> Value {
    let name = SECRET.split_once(':').unwrap().1;
    let arn = format!("arn:aws:secretsmanager:{ELSEWHERE}:123456789012:secret:{name}-AbCdEf");
    let time = at.round(jiff::Unit::Second).unwrap() - SignedDuration::from_secs(1);
    json!({
        "eventVersion": "1.08",
        "eventTime": time.to_string(),
        "eventSource": "secretsmanager.amazonaws.com",
        "eventName": "PutSecretValue",
        "awsRegion": ELSEWHERE,
        "requestParameters": {
            "secretId": name,
            "clientRequestToken": "a1b2c3d4-5678-90ab-cdef-EXAMPLE11111",
        },
        "responseElements": {
            "arn": arn,
            "name": name,
            "versionId": "a1b2c3d4-5678-90ab-cdef-EXAMPLE11111",
        },
        "eventType": "AwsApiCall",
        "eventCategory": "Management",
        "recipientAccountId": "123456789012",
    })
}

/// Writes a thing. Returns the version, if it is a secret.
pub(crate) fn write(account: &Account, thing: &str) -> Option<String> {
    match thing.split_once(':').unwrap() {
        ("ssm", name) => _ = account.put_parameter(name),
        ("secret", name) => return Some(account.put_secret(name)),
        (_, path) => {
            let (bucket, key) = path.split_once('/').unwrap();
            account.put_object(bucket, key);
        }
    }
    None
}
