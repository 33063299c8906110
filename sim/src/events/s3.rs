//! Events of S3: through EventBridge, and straight to queues.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::envelope::Envelope;

/// The members of an object that its events have.
#[derive(Clone, Copy, Debug)]
pub struct Object<'a> {
    /// The bucket's name.
    pub bucket: &'a str,
    /// The raw key.
    pub key: &'a str,
    /// In bytes.
    pub size: usize,
    /// Without quotes.
    pub etag: &'a str,
    /// Only in versioned buckets.
    pub version_id: Option<&'a str>,
    /// Orders the events of one key.
    pub sequencer: &'a str,
    /// The request that did it.
    pub request_id: &'a str,
}

/// `Object Created`; `reason` is `PutObject`, `POST Object`, `CopyObject` or
/// `CompleteMultipartUpload` (Amazon S3 User Guide, "EventBridge event message structure"). The key
/// is raw.
#[must_use]
pub fn object_created(envelope: &Envelope<'_>, object: &Object<'_>, reason: &str) -> Value {
    let mut detail = object_detail(envelope, object, reason);
    if let Some(fields) = detail.get_mut("object").and_then(Value::as_object_mut) {
        fields.insert("size".to_owned(), json!(object.size));
        fields.insert("etag".to_owned(), json!(object.etag));
    }
    envelope.wrap(
        "aws.s3",
        "Object Created",
        &[&format!("arn:aws:s3:::{}", object.bucket)],
        &detail,
    )
}

/// `Object Deleted`: in a versioned bucket a delete marker was created, else the object is gone.
#[must_use]
pub fn object_deleted(envelope: &Envelope<'_>, object: &Object<'_>) -> Value {
    let kind = if object.version_id.is_some() {
        "Delete Marker Created"
    } else {
        "Permanently Deleted"
    };
    let mut detail = object_detail(envelope, object, "DeleteObject");
    if let Some(fields) = detail.as_object_mut() {
        fields.insert("deletion-type".to_owned(), json!(kind));
    }
    envelope.wrap(
        "aws.s3",
        "Object Deleted",
        &[&format!("arn:aws:s3:::{}", object.bucket)],
        &detail,
    )
}

fn object_detail(envelope: &Envelope<'_>, object: &Object<'_>, reason: &str) -> Value {
    let mut members = json!({ "key": object.key, "sequencer": object.sequencer });
    if let (Some(version), Some(fields)) = (object.version_id, members.as_object_mut()) {
        fields.insert("version-id".to_owned(), json!(version));
    }
    json!({
        "version": "0",
        "bucket": { "name": object.bucket },
        "object": members,
        "request-id": object.request_id,
        "requester": envelope.account,
        "source-ip-address": "192.0.2.1",
        "reason": reason,
    })
}

/// The notification that S3 sends to a queue, topic or function by itself: the key is
/// form-URL-encoded, the time has milliseconds (Amazon S3 User Guide, "Event message structure").
/// `name` is `ObjectCreated:Put`, without `s3:`.
#[must_use]
pub fn object_notification(
    envelope: &Envelope<'_>,
    object: &Object<'_>,
    name: &str,
    configuration: &str,
) -> Value {
    let mut members = json!({ "key": form_encoded(object.key), "sequencer": object.sequencer });
    if let Some(fields) = members.as_object_mut() {
        if name.starts_with("ObjectCreated") {
            fields.insert("size".to_owned(), json!(object.size));
            fields.insert("eTag".to_owned(), json!(object.etag));
        }
        if let Some(version) = object.version_id {
            fields.insert("versionId".to_owned(), json!(version));
        }
    }
    json!({ "Records": [{
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": envelope.region,
        "eventTime": format!("{:.3}", envelope.time),
        "eventName": name,
        "userIdentity": { "principalId": format!("AWS:{}", envelope.account) },
        "requestParameters": { "sourceIPAddress": "192.0.2.1" },
        "responseElements": { "x-amz-request-id": object.request_id, "x-amz-id-2": envelope.id },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": configuration,
            "bucket": {
                "name": object.bucket,
                "ownerIdentity": { "principalId": envelope.account },
                "arn": format!("arn:aws:s3:::{}", object.bucket),
            },
            "object": members,
        },
    }] })
}

/// The message that S3 sends once when notifications are configured: it has no records.
#[must_use]
pub fn notification_test(envelope: &Envelope<'_>, bucket: &str, request_id: &str) -> Value {
    json!({
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": format!("{:.3}", envelope.time),
        "Bucket": bucket,
        "RequestId": request_id,
        "HostId": envelope.id,
    })
}

/// A key as S3 notifications write it: space as `+`, slashes as they are, everything else
/// percent-encoded.
fn form_encoded(key: &str) -> String {
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'/')
        .remove(b'-')
        .remove(b'_')
        .remove(b'.')
        .remove(b'*')
        .remove(b' ');
    utf8_percent_encode(key, KEPT).to_string().replace(' ', "+")
}
