//! The S3 API, REST-XML.

use std::fmt::Write;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use quick_xml::escape::escape;

use super::{Bucket, S3Request, Version, no_bucket};
use crate::error::{ApiError, ApiResult};
use crate::wire::protocol::response;
use crate::world::World;

const MOST_KEYS: usize = 1000;

pub(crate) fn perform(world: &mut World, request: &S3Request) -> ApiResult<Response<Bytes>> {
    match request.operation() {
        "CreateBucket" => create_bucket(world, request),
        "ListBuckets" => Ok(list_buckets(world)),
        "HeadBucket" => world.buckets.bucket(&request.bucket).map(|_| empty(StatusCode::OK)),
        "PutBucketVersioning" => put_versioning(world, request),
        "PutBucketNotificationConfiguration" => {
            world.configure_notifications(&request.bucket, &request.body)?;
            Ok(empty(StatusCode::OK))
        }
        "GetBucketNotificationConfiguration" => {
            let document = world.buckets.bucket(&request.bucket)?.notification_document();
            Ok(xml(&document))
        }
        "PutObject" => put_object(world, request),
        "DeleteObject" => delete_object(world, request),
        "HeadObject" => head_object(world, request),
        "ListObjectsV2" => list_objects(world, request),
        _ => Err(ApiError::new("NotImplemented", "A header you provided implies functionality that is not implemented").with_status(501)),
    }
}

/// As with AWS, a new bucket is not versioned and tells EventBridge nothing.
fn create_bucket(world: &mut World, request: &S3Request) -> ApiResult<Response<Bytes>> {
    if world.buckets.bucket(&request.bucket).is_ok() {
        let message = "Your previous request to create the named bucket succeeded and you already own it.";
        return Err(ApiError::new("BucketAlreadyOwnedByYou", message).with_status(409));
    }
    let bucket = Bucket { created_at: world.clock.now, ..Bucket::default() };
    world.buckets.buckets.insert(request.bucket.clone(), bucket);
    let mut created = empty(StatusCode::OK);
    set(&mut created, header::LOCATION, &format!("/{}", request.bucket));
    Ok(created)
}

fn list_buckets(world: &World) -> Response<Bytes> {
    let buckets = world.buckets.buckets.iter().fold(String::new(), |mut listed, (name, bucket)| {
        let _ = write!(listed, "<Bucket><Name>{name}</Name><CreationDate>{:.3}</CreationDate></Bucket>", bucket.created_at);
        listed
    });
    let owner = &world.config.account_id;
    xml(&format!(
        "<ListAllMyBucketsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Owner><ID>{owner}</ID></Owner>\
         <Buckets>{buckets}</Buckets></ListAllMyBucketsResult>"
    ))
}

fn put_versioning(world: &mut World, request: &S3Request) -> ApiResult<Response<Bytes>> {
    let enabled = String::from_utf8_lossy(&request.body).contains("<Status>Enabled</Status>");
    world.buckets.bucket_mut(&request.bucket)?.versioned = enabled;
    Ok(empty(StatusCode::OK))
}

fn put_object(world: &mut World, request: &S3Request) -> ApiResult<Response<Bytes>> {
    world.put_object(&request.bucket, &request.key, &request.body)?;
    let version = current(world, request)?.clone();
    let mut stored = empty(StatusCode::OK);
    set(&mut stored, header::ETAG, &format!("\"{}\"", version.etag));
    set_version(&mut stored, version.id.as_deref());
    Ok(stored)
}

fn delete_object(world: &mut World, request: &S3Request) -> ApiResult<Response<Bytes>> {
    let marker = world.delete_object(&request.bucket, &request.key)?;
    let mut deleted = empty(StatusCode::NO_CONTENT);
    if marker.is_some() {
        set(&mut deleted, HeaderName::from_static("x-amz-delete-marker"), "true");
    }
    set_version(&mut deleted, marker.as_deref());
    Ok(deleted)
}

fn head_object(world: &World, request: &S3Request) -> ApiResult<Response<Bytes>> {
    let version = current(world, request)?;
    let mut found = empty(StatusCode::OK);
    set(&mut found, header::ETAG, &format!("\"{}\"", version.etag));
    set(&mut found, header::CONTENT_LENGTH, &version.size.to_string());
    set(&mut found, header::LAST_MODIFIED, &version.modified_at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string());
    set_version(&mut found, version.id.as_deref());
    Ok(found)
}

fn current<'a>(world: &'a World, request: &S3Request) -> ApiResult<&'a Version> {
    let bucket = world.buckets.buckets.get(&request.bucket).ok_or_else(no_bucket)?;
    let stored = bucket.objects.get(&request.key).and_then(|stored| stored.current.as_ref());
    stored.ok_or_else(|| ApiError::new("NoSuchKey", "The specified key does not exist.").with_status(404))
}

fn list_objects(world: &World, request: &S3Request) -> ApiResult<Response<Bytes>> {
    let bucket = world.buckets.bucket(&request.bucket)?;
    let prefix = request.query("prefix").unwrap_or_default();
    let after = request.query("continuation-token").or_else(|| request.query("start-after")).unwrap_or_default();
    let size = request.query("max-keys").and_then(|size| size.parse().ok()).unwrap_or(MOST_KEYS).min(MOST_KEYS);

    let mut found = bucket.live().filter(|(key, ..)| key.starts_with(prefix) && key.as_str() > after);
    let page: Vec<_> = found.by_ref().take(size).collect();
    let more = found.next().is_some();
    let next = page.last().filter(|_| more).map_or(String::new(), |(key, ..)| {
        format!("<NextContinuationToken>{}</NextContinuationToken>", escape(key.as_str()))
    });
    let contents = page.iter().fold(String::new(), |mut listed, (key, _, version)| {
        let Version { etag, size, modified_at, .. } = version;
        let _ = write!(
            listed,
            "<Contents><Key>{}</Key><LastModified>{modified_at:.3}</LastModified><ETag>&quot;{etag}&quot;</ETag><Size>{size}</Size>\
             <StorageClass>STANDARD</StorageClass></Contents>",
            escape(key.as_str())
        );
        listed
    });
    Ok(xml(&format!(
        "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>{}</Name><Prefix>{}</Prefix><MaxKeys>{size}</MaxKeys>\
         <KeyCount>{}</KeyCount><IsTruncated>{more}</IsTruncated>{next}{contents}</ListBucketResult>",
        request.bucket,
        escape(prefix),
        page.len()
    )))
}

fn xml(document: &str) -> Response<Bytes> {
    let body = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{document}");
    response(StatusCode::OK, "application/xml", Bytes::from(body))
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
        set(response, HeaderName::from_static("x-amz-version-id"), version);
    }
}
