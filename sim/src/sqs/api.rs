//! The SQS API, AWS JSON 1.0. Long polling is not waited for: `ReceiveMessage` answers at once.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::attributes::{Attributes, name_of};
use super::{Message, Queue, Queues};
use crate::config::AccountConfig;
use crate::error::{ApiError, ApiResult};
use crate::input::parse;
use crate::job::Job;
use crate::shared::Shared;

const LONGEST_DELAY: u64 = 900;
const LARGEST_MESSAGE: usize = 1_048_576;
const MOST_IN_A_BATCH: usize = 10;

pub(crate) fn perform(
    queues: &mut Queues,
    shared: &mut Shared,
    operation: &str,
    input: Value,
) -> ApiResult {
    match operation {
        "CreateQueue" => create(queues, shared, &parse(input)?),
        "GetQueueUrl" => get_url(queues, shared, &parse(input)?),
        "GetQueueAttributes" => get_attributes(queues, shared, &parse(input)?),
        "SetQueueAttributes" => set_attributes(queues, &parse(input)?),
        "SendMessage" => send(queues, shared, parse(input)?),
        "SendMessageBatch" => send_batch(queues, shared, parse(input)?),
        "ReceiveMessage" => receive(queues, shared, &parse(input)?),
        "DeleteMessage" => delete(queues, &parse(input)?),
        "ChangeMessageVisibility" => change_visibility(queues, shared, &parse(input)?),
        "PurgeQueue" => purge(queues, &parse(input)?),
        _ => Err(ApiError::unknown_operation()),
    }
}

/// The queue's name.
pub(crate) fn target_of(input: &Value) -> String {
    let text = |name: &str| input.get(name).and_then(Value::as_str);
    text("QueueUrl")
        .map(name_of)
        .or(text("QueueName"))
        .unwrap_or_default()
        .to_owned()
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CreateQueue {
    queue_name: String,
    #[serde(default)]
    attributes: Attributes,
}

fn create(queues: &mut Queues, shared: &mut Shared, input: &CreateQueue) -> ApiResult {
    let mut queue = Queue::new();
    queue.apply(&input.attributes)?;
    queues
        .queues
        .entry(input.queue_name.clone())
        .or_insert(queue);
    Ok(json!({ "QueueUrl": queue_url(&shared.config, &input.queue_name) }))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetQueueUrl {
    queue_name: String,
}

fn get_url(queues: &mut Queues, shared: &mut Shared, input: &GetQueueUrl) -> ApiResult {
    queues.queue(&input.queue_name)?;
    Ok(json!({ "QueueUrl": queue_url(&shared.config, &input.queue_name) }))
}

fn queue_url(config: &AccountConfig, name: &str) -> String {
    let default = || format!("https://sqs.{}.amazonaws.com", config.region);
    let endpoint = config.endpoint.clone().unwrap_or_else(default);
    format!("{endpoint}/{}/{name}", config.account_id)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OfQueue {
    queue_url: String,
}

fn get_attributes(queues: &Queues, shared: &Shared, input: &OfQueue) -> ApiResult {
    let name = name_of(&input.queue_url);
    let attributes = queues.queue(name)?.attributes(shared, name);
    Ok(json!({ "Attributes": attributes }))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SetQueueAttributes {
    queue_url: String,
    attributes: Attributes,
}

fn set_attributes(queues: &mut Queues, input: &SetQueueAttributes) -> ApiResult {
    queues
        .queue_mut(name_of(&input.queue_url))?
        .apply(&input.attributes)?;
    Ok(Value::Null)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SendMessage {
    queue_url: String,
    #[serde(flatten)]
    message: NewMessage,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NewMessage {
    message_body: String,
    delay_seconds: Option<u64>,
    #[serde(default)]
    message_attributes: Value,
}

fn send(queues: &mut Queues, shared: &mut Shared, input: SendMessage) -> ApiResult {
    send_one(queues, shared, name_of(&input.queue_url), input.message)
}

fn send_one(
    queues: &mut Queues,
    shared: &mut Shared,
    queue: &str,
    message: NewMessage,
) -> ApiResult {
    let NewMessage {
        message_body,
        delay_seconds,
        message_attributes,
    } = message;
    if let Some(delay) = delay_seconds.filter(|delay| *delay > LONGEST_DELAY) {
        let reason = "DelaySeconds must be >= 0 and <= 900.";
        return Err(invalid_value(format!(
            "Value {delay} for parameter DelaySeconds is invalid. Reason: {reason}"
        )));
    }
    if message_body.is_empty() || message_body.len() > LARGEST_MESSAGE {
        let reason =
            format!("Message must be shorter than {LARGEST_MESSAGE} bytes, and not empty.");
        return Err(invalid_value(format!(
            "One or more parameters are invalid. Reason: {reason}"
        )));
    }
    let digest = md5_of(&message_body);
    let id = queues.send(
        &mut shared.clock,
        queue,
        message_body,
        message_attributes,
        delay_seconds.map(Duration::from_secs),
    )?;
    Ok(json!({ "MessageId": id, "MD5OfMessageBody": digest }))
}

fn invalid_value(message: String) -> ApiError {
    ApiError::new("InvalidParameterValue", message)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SendMessageBatch {
    queue_url: String,
    entries: Vec<BatchEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct BatchEntry {
    id: String,
    #[serde(flatten)]
    message: NewMessage,
}

fn send_batch(queues: &mut Queues, shared: &mut Shared, input: SendMessageBatch) -> ApiResult {
    if input.entries.len() > MOST_IN_A_BATCH {
        return Err(ApiError::new(
            "TooManyEntriesInBatchRequest",
            "Maximum number of entries per request are 10.",
        ));
    }
    let queue = name_of(&input.queue_url);
    queues.queue(queue)?;
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for BatchEntry { id, message } in input.entries {
        match send_one(queues, shared, queue, message) {
            Ok(mut sent) => {
                if let Some(fields) = sent.as_object_mut() {
                    fields.insert("Id".to_owned(), json!(id));
                }
                successful.push(sent);
            }
            Err(error) => failed.push(json!({
                "Id": id,
                "SenderFault": true,
                "Code": error.code,
                "Message": error.message,
            })),
        }
    }
    Ok(json!({ "Successful": successful, "Failed": failed }))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ReceiveMessage {
    queue_url: String,
    max_number_of_messages: Option<usize>,
    visibility_timeout: Option<u64>,
}

fn receive(queues: &mut Queues, shared: &mut Shared, input: &ReceiveMessage) -> ApiResult {
    let queue = name_of(&input.queue_url);
    let visibility = input.visibility_timeout.map(Duration::from_secs);
    let mut received = Vec::new();
    while received.len()
        < input
            .max_number_of_messages
            .unwrap_or(1)
            .min(MOST_IN_A_BATCH)
    {
        let Some(message) = queues.receive(&mut shared.clock, queue, visibility)? else {
            break;
        };
        received.push(message_json(&shared.config.account_id, &message));
    }
    Ok(if received.is_empty() {
        json!({})
    } else {
        json!({ "Messages": received })
    })
}

fn message_json(account: &str, message: &Message) -> Value {
    json!({
        "MessageId": message.id,
        "ReceiptHandle": message.receipt,
        "MD5OfBody": md5_of(&message.body),
        "Body": message.body,
        "Attributes": system_attributes(account, message),
        "MessageAttributes": message.attributes,
    })
}

/// `ApproximateReceiveCount` and its siblings, all of them text; times in milliseconds since 1970.
pub(crate) fn system_attributes(account: &str, message: &Message) -> Value {
    let first = message.first_received_at.unwrap_or(message.sent_at);
    json!({
        "ApproximateReceiveCount": message.receives.to_string(),
        "SentTimestamp": message.sent_at.as_millisecond().to_string(),
        "SenderId": account,
        "ApproximateFirstReceiveTimestamp": first.as_millisecond().to_string(),
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DeleteMessage {
    queue_url: String,
    receipt_handle: String,
}

fn delete(queues: &mut Queues, input: &DeleteMessage) -> ApiResult {
    let name = name_of(&input.queue_url);
    queues.queue(name)?;
    queues.delete(name, &input.receipt_handle);
    Ok(Value::Null)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ChangeMessageVisibility {
    queue_url: String,
    receipt_handle: String,
    visibility_timeout: u64,
}

fn change_visibility(
    queues: &mut Queues,
    shared: &mut Shared,
    input: &ChangeMessageVisibility,
) -> ApiResult {
    let name = name_of(&input.queue_url);
    let visible_at = shared.clock.now + Duration::from_secs(input.visibility_timeout);
    let queue = queues.queue_mut(name)?;
    let message = queue
        .messages
        .values_mut()
        .find(|message| message.receipt == input.receipt_handle);
    let message = message.ok_or_else(|| {
        ApiError::new(
            "ReceiptHandleIsInvalid",
            "The input receipt handle is invalid.",
        )
    })?;
    message.visible_at = visible_at;
    shared
        .clock
        .at(visible_at, Job::MessagesVisible(name.to_owned()));
    Ok(Value::Null)
}

fn purge(queues: &mut Queues, input: &OfQueue) -> ApiResult {
    queues
        .queue_mut(name_of(&input.queue_url))?
        .messages
        .clear();
    Ok(Value::Null)
}

pub(crate) fn md5_of(text: &str) -> String {
    format!("{:x}", md5::compute(text))
}
