//! Writes, their events, and invocations.

use std::time::Duration;

use ecs_reloader::lambda::Error;
use serde_json::{Value, json};
use sim::events::{
    Envelope, Object, Parameter, object_created, object_deleted, parameter_store_change,
};

use super::{BUCKET, REQUEST_ID, Scenario, TIMEOUT};

/// An object as its event describes it.
fn object<'a>(bucket: &'a str, key: &'a str) -> Object<'a> {
    Object {
        bucket,
        key,
        size: 5,
        etag: "e",
        version_id: None,
        sequencer: "61",
        request_id: "N4N7GDK58NMKJ12R",
    }
}

impl Scenario {
    /// Writes `ssm:/name`, `secret:name` or `s3:bucket/key`. The account sends the event.
    pub(crate) fn change(&self, term: &str) {
        match term.split_once(':').unwrap() {
            ("ssm", name) => {
                self.account.put_parameter(name);
            }
            ("secret", name) => {
                self.account.put_secret(name);
            }
            ("s3", path) => {
                let (bucket, key) = path.split_once('/').unwrap();
                self.account.put_object(bucket, key);
            }
            other => unreachable!("{other:?}"),
        }
    }

    /// Writes `ssm:/name` or `s3:bucket/key` and returns the event that EventBridge would send.
    pub(crate) fn write(&self, term: &str) -> Value {
        match term.split_once(':').unwrap() {
            ("ssm", name) => {
                self.account.put_parameter(name);
                self.parameter_event("Update", name)
            }
            ("s3", path) => {
                let (bucket, key) = path.split_once('/').unwrap();
                self.account.put_object(bucket, key);
                object_created(&self.envelope(), &object(bucket, key), "PutObject")
            }
            other => unreachable!("{other:?}"),
        }
    }

    /// The event that EventBridge would send now of this operation on a parameter, which stays as it
    /// is.
    pub(crate) fn parameter_event(&self, operation: &str, name: &str) -> Value {
        parameter_store_change(
            &self.envelope(),
            operation,
            &Parameter {
                name,
                kind: "String",
                description: None,
            },
        )
    }

    /// The event that EventBridge would send now of the deletion of an object, which stays as it is.
    pub(crate) fn object_deletion(&self, key: &str) -> Value {
        let object = Object {
            size: 0,
            etag: "",
            version_id: Some("m"),
            ..object(BUCKET, key)
        };
        object_deleted(&self.envelope(), &object)
    }

    fn envelope(&self) -> Envelope<'static> {
        Envelope {
            id: "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
            account: "123456789012",
            time: self.account.now(),
            region: "eu-west-1",
        }
    }

    /// Writes it, and hands the event to the function directly.
    pub(crate) async fn changed(&self, term: &str) -> Value {
        let event = self.write(term);
        self.invoke(&event).await.unwrap()
    }

    /// Writes it, and hands the event to the function two minutes later, as after a retry.
    pub(crate) async fn changed_a_while_ago(&self, term: &str) -> Value {
        let event = self.write(term);
        self.account.run_for(Duration::from_mins(2)).await;
        self.invoke(&event).await.unwrap()
    }

    /// One direct invocation.
    pub(crate) async fn invoke(&self, payload: &Value) -> Result<Value, Error> {
        self.invoke_within(TIMEOUT, payload).await
    }

    /// One direct invocation with this time left.
    pub(crate) async fn invoke_within(
        &self,
        left: Duration,
        payload: &Value,
    ) -> Result<Value, Error> {
        self.invoke_text(left, &payload.to_string()).await
    }

    /// One direct invocation with a payload that need not be JSON.
    pub(crate) async fn invoke_text(&self, left: Duration, payload: &str) -> Result<Value, Error> {
        self.function.answer(payload, REQUEST_ID, left).await
    }

    /// A manual invocation.
    pub(crate) async fn reload(&self, request: Value) -> Value {
        self.invoke(&json!({ "reload": request })).await.unwrap()
    }

    /// A sweep, invoked directly.
    pub(crate) async fn sweep(&self) -> Value {
        self.invoke(&json!({ "sweep": {} })).await.unwrap()
    }
}
