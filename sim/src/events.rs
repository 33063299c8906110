//! Events exactly as AWS sends them, as pure functions: the simulated account emits these, and
//! tests may use them alone.
//!
//! EventBridge times are whole seconds.

pub(crate) mod appconfig;
pub(crate) mod cloudtrail;
pub(crate) mod envelope;
pub(crate) mod s3;
pub(crate) mod secrets;
pub(crate) mod ssm;

pub use appconfig::{
    AppConfigDeployment, Named, appconfig_deployment, appconfig_deployment_complete,
};
pub use cloudtrail::{ApiCall, ArnSpelling, secret_api_call, secret_rotation};
pub use envelope::Envelope;
pub use s3::{Object, notification_test, object_created, object_deleted, object_notification};
pub use secrets::{Secret, secret_label_updated};
pub use ssm::{Parameter, parameter_store_change};
