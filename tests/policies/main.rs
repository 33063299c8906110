//! The policies of `template.yaml` and of the documents, evaluated as IAM does: for those who may,
//! and for those who may not.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot continue fails"
)]

#[path = "../support/cloudformation.rs"]
mod cloudformation;
#[path = "../support/iam.rs"]
mod iam;

mod documents;
mod queue;
mod role;

use cloudformation::{ACCOUNT, REGION, Stack};
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

/// A principal's own policies that allow actions on every resource.
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

    /// True if the function may do it, in its Region.
    fn may(&self, action: &'static str, resource: &str, context: &[(&str, &str)]) -> bool {
        let request = Request::new(self.role_of("Role"), action, resource)
            .with("aws:RequestedRegion", REGION);
        context
            .iter()
            .fold(request, |request, (key, value)| request.with(key, value))
            .is_allowed(ACCOUNT, None)
    }
}
