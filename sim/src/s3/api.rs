//! The S3 API, REST-XML.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde::Serialize;

use super::request::{S3Request, TOKEN};
use super::store::{Bucket, Buckets, Version, no_bucket};
use super::versions;
use super::xml::{MOST_KEYS, listed_time, quoted, xml};
use crate::error::{ApiError, ApiResult};
use crate::shared::Shared;

pub(crate) fn perform(
    buckets: &mut Buckets,
    shared: &mut Shared,
    request: &S3Request,
) -> ApiResult<Response<Bytes>> {
    match request.operation() {
        "CreateBucket" => create_bucket(buckets, shared, request),
        "ListBuckets" => Ok(list_buckets(buckets, shared)),
        "HeadBucket" => buckets
            .bucket(&request.bucket)
            .map(|_| empty(StatusCode::OK)),
        "PutBucketVersioning" => put_versioning(buckets, request),
        "PutBucketNotificationConfiguration" => {
            buckets.configure_notifications(shared, &request.bucket, &request.body)?;
            Ok(empty(StatusCode::OK))
        }
        "GetBucketNotificationConfiguration" => {
            Ok(xml(&buckets.bucket(&request.bucket)?.notifications))
        }
        "PutObject" => put_object(buckets, shared, request),
        "DeleteObject" => delete_object(buckets, shared, request),
        "HeadObject" => head_object(buckets, request),
        "ListObjectVersions" => versions::list(buckets, request),
        "ListObjectsV2" => list_objects(buckets, shared, request),
        _ => Err(ApiError::new(
            "NotImplemented",
            "A header you provided implies functionality that is not implemented",
        )
        .with_status(501)),
    }
}

/// Creates a bucket that, as with AWS, is not versioned and sends no events.
fn create_bucket(
    buckets: &mut Buckets,
    shared: &mut Shared,
    request: &S3Request,
) -> ApiResult<Response<Bytes>> {
    if buckets.bucket(&request.bucket).is_ok() {
        let message =
            "Your previous request to create the named bucket succeeded and you already own it.";
        return Err(ApiError::new("BucketAlreadyOwnedByYou", message).with_status(409));
    }
    let bucket = Bucket {
        created_at: shared.clock.now,
        ..Bucket::default()
    };
    buckets.buckets.insert(request.bucket.clone(), bucket);
    let mut created = empty(StatusCode::OK);
    set(
        &mut created,
        header::LOCATION,
        &format!("/{}", request.bucket),
    );
    Ok(created)
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListAllMyBucketsResult<'a> {
    owner: Owner<'a>,
    buckets: BucketList<'a>,
}

#[derive(Serialize)]
struct Owner<'a> {
    #[serde(rename = "ID")]
    id: &'a str,
}

#[derive(Serialize)]
struct BucketList<'a> {
    #[serde(rename = "Bucket")]
    buckets: Vec<ListedBucket<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListedBucket<'a> {
    name: &'a str,
    creation_date: String,
}

fn list_buckets(buckets: &Buckets, shared: &Shared) -> Response<Bytes> {
    let buckets = buckets.buckets.iter();
    let buckets = buckets
        .map(|(name, bucket)| ListedBucket {
            name,
            creation_date: format!("{:.3}", bucket.created_at),
        })
        .collect();
    xml(&ListAllMyBucketsResult {
        owner: Owner {
            id: &shared.config.account_id,
        },
        buckets: BucketList { buckets },
    })
}

fn put_versioning(buckets: &mut Buckets, request: &S3Request) -> ApiResult<Response<Bytes>> {
    let enabled = String::from_utf8_lossy(&request.body).contains("<Status>Enabled</Status>");
    buckets.bucket_mut(&request.bucket)?.versioned = enabled;
    Ok(empty(StatusCode::OK))
}

fn put_object(
    buckets: &mut Buckets,
    shared: &mut Shared,
    request: &S3Request,
) -> ApiResult<Response<Bytes>> {
    buckets.put(shared, &request.bucket, &request.key, &request.body)?;
    let version = current(buckets, request)?.clone();
    let mut stored = empty(StatusCode::OK);
    set(&mut stored, header::ETAG, &quoted(&version.etag));
    set_version(&mut stored, version.id.as_deref());
    Ok(stored)
}

fn delete_object(
    buckets: &mut Buckets,
    shared: &mut Shared,
    request: &S3Request,
) -> ApiResult<Response<Bytes>> {
    let marker = buckets.delete(shared, &request.bucket, &request.key)?;
    let mut deleted = empty(StatusCode::NO_CONTENT);
    if marker.is_some() {
        set(
            &mut deleted,
            HeaderName::from_static("x-amz-delete-marker"),
            "true",
        );
    }
    set_version(&mut deleted, marker.as_deref());
    Ok(deleted)
}

fn head_object(buckets: &Buckets, request: &S3Request) -> ApiResult<Response<Bytes>> {
    let version = current(buckets, request)?;
    let mut found = empty(StatusCode::OK);
    set(&mut found, header::ETAG, &quoted(&version.etag));
    set(
        &mut found,
        header::CONTENT_LENGTH,
        &version.size.to_string(),
    );
    set(
        &mut found,
        header::LAST_MODIFIED,
        &version
            .modified_at
            .strftime("%a, %d %b %Y %H:%M:%S GMT")
            .to_string(),
    );
    set_version(&mut found, version.id.as_deref());
    Ok(found)
}

fn current<'a>(buckets: &'a Buckets, request: &S3Request) -> ApiResult<&'a Version> {
    let bucket = buckets.buckets.get(&request.bucket).ok_or_else(no_bucket)?;
    let stored = bucket
        .objects
        .get(&request.key)
        .and_then(|stored| stored.current());
    stored.ok_or_else(|| {
        ApiError::new("NoSuchKey", "The specified key does not exist.").with_status(404)
    })
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListBucketResult<'a> {
    name: &'a str,
    prefix: &'a str,
    max_keys: usize,
    key_count: usize,
    is_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_continuation_token: Option<&'a str>,
    contents: Vec<Contents<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Contents<'a> {
    key: &'a str,
    /// In whole seconds, although it is written with milliseconds.
    last_modified: String,
    #[serde(rename = "ETag")]
    etag: String,
    size: usize,
    storage_class: &'static str,
}

/// The continuation token is the last key of the page before.
fn list_objects(
    buckets: &Buckets,
    shared: &Shared,
    request: &S3Request,
) -> ApiResult<Response<Bytes>> {
    let bucket = buckets.bucket(&request.bucket)?;
    let prefix = request.query("prefix").unwrap_or_default();
    let after = request
        .query(TOKEN)
        .or_else(|| request.query("start-after"))
        .unwrap_or_default();
    let max_keys = request
        .query("max-keys")
        .and_then(|size| size.parse().ok())
        .unwrap_or(MOST_KEYS)
        .min(MOST_KEYS);

    let mut found = bucket
        .live()
        .filter(|live| live.key.starts_with(prefix) && live.key > after);
    let mut page: Vec<_> = found.by_ref().take(max_keys).collect();
    let is_truncated = found.next().is_some() || request.turn.is_some();
    if request.turn.as_ref().is_some_and(|turn| turn.is_empty) {
        page.clear();
    }
    let last = page.last().filter(|_| is_truncated).map(|live| live.key);
    let contents = page.iter().map(|live| Contents {
        key: live.key,
        last_modified: listed_time(live.version.modified_at + shared.config.metadata_clock_ahead),
        etag: quoted(&live.version.etag),
        size: live.version.size,
        storage_class: "STANDARD",
    });
    Ok(xml(&ListBucketResult {
        name: &request.bucket,
        prefix,
        max_keys,
        key_count: page.len(),
        is_truncated,
        next_continuation_token: request
            .turn
            .as_ref()
            .map(|turn| turn.next.as_str())
            .or(last),
        contents: contents.collect(),
    }))
}

fn empty(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}

fn set(response: &mut Response<Bytes>, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

fn set_version(response: &mut Response<Bytes>, version: Option<&str>) {
    if let Some(version) = version {
        set(
            response,
            HeaderName::from_static("x-amz-version-id"),
            version,
        );
    }
}
