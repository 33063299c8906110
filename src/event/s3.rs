//! Objects that are created or deleted in Amazon S3: events of EventBridge, and notifications of the
//! bucket itself.

use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::content::{Content, changed, ignored};
use super::eventbridge::EventBridge;
use crate::domain::arn::{Arn, partition_of};
use crate::domain::change::{Change, ChangeKind, end_of_event_time};
use crate::domain::key::Key;
use crate::domain::reason::IgnoredReason;
use crate::json::{self, Malformed};

/// Bytes of an object's key ("Creating object key names", Amazon S3 User Guide).
const LONGEST_KEY: usize = 1024;

/// "EventBridge event message structure", Amazon S3 User Guide.
#[derive(Deserialize)]
#[serde(expecting = "the detail of an S3 event")]
struct Detail<'a> {
    bucket: Bucket,
    #[serde(borrow)]
    object: Object<'a>,
    #[serde(default, deserialize_with = "json::maybe_text")]
    requester: Option<String>,
    #[serde(rename = "deletion-type")]
    #[serde(default, deserialize_with = "json::maybe_text")]
    deletion_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(expecting = "a bucket")]
struct Bucket {
    #[serde(deserialize_with = "json::text")]
    name: String,
    #[serde(default, deserialize_with = "json::maybe_text")]
    arn: Option<String>,
}

/// EventBridge writes `version-id`, the bucket itself `versionId`.
#[derive(Deserialize)]
#[serde(expecting = "an object in a bucket")]
struct Object<'a> {
    key: String,
    #[serde(rename = "version-id", alias = "versionId")]
    #[serde(default, deserialize_with = "json::maybe_text")]
    version: Option<String>,
    #[serde(alias = "eTag", default, deserialize_with = "json::maybe_text")]
    etag: Option<String>,
    /// In bytes; a deletion has none.
    #[serde(borrow)]
    size: Option<&'a RawValue>,
}

/// "Event message structure", Amazon S3 User Guide.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an S3 record")]
struct Record<'a> {
    #[serde(deserialize_with = "json::text")]
    event_version: String,
    #[serde(deserialize_with = "json::text")]
    event_name: String,
    #[serde(deserialize_with = "json::time")]
    event_time: Timestamp,
    #[serde(deserialize_with = "json::text")]
    aws_region: String,
    user_identity: Option<UserIdentity>,
    response_elements: Option<ResponseElements>,
    #[serde(borrow)]
    s3: Entity<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an identity")]
struct UserIdentity {
    #[serde(default, deserialize_with = "json::maybe_text")]
    principal_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(expecting = "response elements")]
struct ResponseElements {
    #[serde(rename = "x-amz-request-id")]
    #[serde(default, deserialize_with = "json::maybe_text")]
    request_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(expecting = "a bucket and an object")]
struct Entity<'a> {
    bucket: Bucket,
    #[serde(borrow)]
    object: Object<'a>,
}

pub(super) fn decode_event(
    event: &EventBridge<'_>,
    clock: Timestamp,
) -> Result<Content, Malformed> {
    let kind = match &*event.detail_type {
        // Each reason (PutObject, POST Object, CopyObject, CompleteMultipartUpload) means that the
        // object is a new one.
        "Object Created" => ChangeKind::Written,
        "Object Deleted" => ChangeKind::Deleted,
        _ => return Ok(ignored(event.name(), IgnoredReason::UnknownKind)),
    };
    let Detail {
        bucket,
        object,
        requester,
        deletion_type,
    } = json::read(event.detail.get()).map_err(|malformed| malformed.in_field("detail"))?;
    check(&bucket, &object.key, "detail.")?;
    let by_marker = deletion_type.as_deref() == Some("Delete Marker Created");
    if let Some(reason) = ignored_for(&object, &object.key, kind, by_marker) {
        return Ok(ignored(event.name(), reason));
    }
    let partition = event.home().partition;
    let mut key = Key::object(&partition, &bucket.name, &object.key);
    // AWS's pages show the key unencoded. Users have reported it form-URL-encoded.
    if is_form_encoded(&object.key)
        && let Some(decoded) = form_decoded(&object.key)
    {
        key = key.with_alternative(&Key::object(&partition, &bucket.name, &decoded));
    }
    let change = Change::new(key, end_of_event_time(event.time, clock), kind, &event.id);
    Ok(changed(Change {
        version: object.version,
        etag: object.etag,
        by: requester,
        ..change
    }))
}

pub(super) fn decode_notification(
    record: &RawValue,
    clock: Timestamp,
) -> Result<Content, Malformed> {
    let record: Record = json::read(record.get())?;
    if !record.event_version.starts_with("2.") {
        return Err(Malformed::at("eventVersion", "2.x"));
    }
    let name = format!("aws:s3 {}", record.event_name);
    let Some(kind) = kind_of(&record.event_name) else {
        return Ok(ignored(name, IgnoredReason::UnknownKind));
    };
    let Entity { bucket, object } = record.s3;
    let key = form_decoded(&object.key)
        .ok_or_else(|| Malformed::at("s3.object.key", "a form-URL-encoded key in UTF-8"))?;
    check(&bucket, &key, "s3.")?;
    let by_marker = record.event_name.ends_with(":DeleteMarkerCreated");
    if let Some(reason) = ignored_for(&object, &key, kind, by_marker) {
        return Ok(ignored(name, reason));
    }
    let arn = bucket.arn.as_deref().and_then(Arn::parse);
    let partition = arn.map_or_else(|| partition_of(&record.aws_region), |arn| arn.partition);
    let request = record.response_elements;
    let event = request.and_then(|elements| elements.request_id);
    let change = Change::new(
        Key::object(partition, &bucket.name, &key),
        end_of_event_time(record.event_time, clock),
        kind,
        &event.unwrap_or_default(),
    );
    let identity = record.user_identity;
    Ok(changed(Change {
        version: object.version,
        etag: object.etag,
        by: identity.and_then(|identity| identity.principal_id),
        ..change
    }))
}

/// `s3:ObjectCreated:Put`, or the same without `s3:`.
fn kind_of(event_name: &str) -> Option<ChangeKind> {
    match event_name.trim_start_matches("s3:").split(':').next()? {
        "ObjectCreated" => Some(ChangeKind::Written),
        "ObjectRemoved" | "LifecycleExpiration" => Some(ChangeKind::Deleted),
        _ => None,
    }
}

/// The reason to ignore the change of an object, if there is one.
fn ignored_for(
    object: &Object<'_>,
    key: &str,
    kind: ChangeKind,
    by_marker: bool,
) -> Option<IgnoredReason> {
    // One version was deleted for good, without a delete marker. The event does not say which
    // version is the newest now.
    let is_one_version = object.version.is_some() && !by_marker;
    if kind == ChangeKind::Deleted && is_one_version {
        Some(IgnoredReason::UnknownKind)
    } else if is_folder(object, key, kind) {
        Some(IgnoredReason::Folder)
    } else {
        None
    }
}

/// True if the console's "Create folder" wrote the object. No task reads it, and it comes and goes
/// with the objects below it ("Organizing objects in the Amazon S3 console by using folders",
/// Amazon S3 User Guide).
fn is_folder(object: &Object<'_>, key: &str, kind: ChangeKind) -> bool {
    let is_empty = match object.size {
        Some(size) => size.get() == "0",
        None => kind == ChangeKind::Deleted,
    };
    is_empty && key.ends_with('/')
}

/// Checks the names of a bucket and of an object in it, in the fields below `outer`.
fn check(bucket: &Bucket, key: &str, outer: &str) -> Result<(), Malformed> {
    if bucket.name.is_empty() || bucket.name.contains('/') {
        Err(Malformed::at(
            format!("{outer}bucket.name"),
            "the name of a bucket",
        ))
    } else if key.is_empty() || key.len() > LONGEST_KEY {
        Err(Malformed::at(
            format!("{outer}object.key"),
            format!("a key of 1 to {LONGEST_KEY} bytes"),
        ))
    } else {
        Ok(())
    }
}

/// True if every `%` of a key is followed by two hexadecimal digits.
fn is_form_encoded(key: &str) -> bool {
    let is_escape = |rest: &str| match rest.as_bytes() {
        [high, low, ..] => high.is_ascii_hexdigit() && low.is_ascii_hexdigit(),
        _ => false,
    };
    key.split('%').skip(1).all(is_escape)
}

/// The key that a bucket writes form-URL-encoded: `red+flower%2B1.jpg` for `red flower+1.jpg`.
fn form_decoded(key: &str) -> Option<String> {
    let spaced = key.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8().ok()?;
    Some(decoded.into_owned())
}
