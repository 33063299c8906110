//! S3: buckets, objects in versions, and the events of their changes.

pub(crate) mod api;
mod changes;
mod notification;
pub(crate) mod request;
pub(crate) mod store;
mod versions;
pub(crate) mod xml;
