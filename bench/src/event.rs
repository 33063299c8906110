//! The events: a parameter changed, as SQS hands it to a function.

use jiff::Timestamp;
use serde_json::json;
use sim::events::{Envelope, Parameter, parameter_store_change};
use sim::{Account, AccountConfig};

/// The queue between EventBridge and the function.
pub(crate) const QUEUE: &str = "changes";

/// A change that the account made: the name of its parameter, and when.
#[derive(Clone, Debug)]
pub(crate) struct Changed {
    pub(crate) name: String,
    pub(crate) at: Timestamp,
}

/// Writes a parameter.
pub(crate) fn change(account: &Account, name: &str) -> Changed {
    account.put_parameter(name);
    Changed {
        name: name.to_owned(),
        at: account.now(),
    }
}

/// The payload of an invocation with one message for each change.
pub(crate) fn payload(account: &Account, changes: &[Changed]) -> String {
    let bodies = changes
        .iter()
        .enumerate()
        .map(|(place, changed)| body(place, changed));
    records(account, bodies)
}

/// The payload of an invocation with these messages.
pub(crate) fn records(account: &Account, bodies: impl Iterator<Item = String>) -> String {
    let AccountConfig {
        account_id, region, ..
    } = AccountConfig::default();
    let sent = (account.now().as_millisecond() - 1000).to_string();
    let records = bodies.enumerate().map(|(place, body)| {
        json!({
            "messageId": format!("message-{place}"),
            "receiptHandle": "receipt",
            "body": body,
            "attributes": {
                "SenderId": "AIDAEVENTS",
                "ApproximateReceiveCount": "1",
                "SentTimestamp": sent,
                "ApproximateFirstReceiveTimestamp": sent,
            },
            "messageAttributes": {},
            "md5OfBody": "7b270e59b47ff90a553787216d55d91d",
            "eventSource": "aws:sqs",
            "eventSourceARN": format!("arn:aws:sqs:{region}:{account_id}:{QUEUE}"),
            "awsRegion": region,
        })
    });
    json!({ "Records": records.collect::<Vec<_>>() }).to_string()
}

fn body(place: usize, changed: &Changed) -> String {
    let AccountConfig {
        account_id, region, ..
    } = AccountConfig::default();
    let at = changed.at.as_millisecond();
    let id = format!(
        "00000000-0000-4000-8000-{:012x}",
        at.unsigned_abs() + place as u64
    );
    let envelope = Envelope {
        id: &id,
        account: &account_id,
        time: changed.at,
        region: &region,
    };
    let parameter = Parameter {
        name: &changed.name,
        kind: "String",
        description: None,
    };
    parameter_store_change(&envelope, "Update", &parameter).to_string()
}
