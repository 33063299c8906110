//! A simulated AWS account, at the wire: the one test double of ecs-reloader, never shipped.
//!
//! ```text
//!  SDK clients ── http_client ─┐                       ┌─ ecs        clusters, services, tasks that roll
//!  AWS CLI, boto3 ── server ───┴─▶ account ─▶ wire ─▶ world ─ tagging    the index behind `GetResources`, late
//!                                    ▲                 ├─ ssm, s3, secrets, appconfig    what is configured, in versions
//!  the function ◀── driver ──────────┘                 ├─ event_bus, cloudtrail  what became of a change, as events
//!                                                      └─ sqs, event_source_mapping: how it reaches the function
//! ```
//!
//! Everything happens in simulated time: an epoch plus the time that tokio's clock tells, which
//! tests pause. What is to happen later stands in one agenda ([`Account::run_for`] carries it out),
//! all chance comes from one seed, and the world is brought up to date before each call is
//! answered: the same seed and the same calls make the same history.

mod account;
mod appconfig;
mod call;
mod clockwork;
mod cloudtrail;
mod config;
mod driver;
mod ecs;
mod error;
mod event_bus;
mod event_source_mapping;
pub mod events;
mod fault;
mod http_client;
mod job;
mod lambda;
mod limits;
pub mod runtime_api;
mod s3;
mod scenario;
mod secrets;
pub mod server;
mod sqs;
mod ssm;
mod tagging;
mod things;
mod wire;
mod world;

pub use account::{Account, Answer};
pub use appconfig::id_of as appconfig_id_of;
pub use call::{Call, CallResult};
pub use cloudtrail::Trail;
pub use config::AccountConfig;
pub use ecs::builder::{Controller, Service, service};
pub use ecs::task_definition::{TaskDefinition, task_definition};
pub use ecs::view::{DeploymentView, HistoryView, HookView, ServiceView, StaleTask, TaskView};
pub use ecs::{Approver, EndedBy, Hook, Stage};
pub use event_bus::{EventDelivery, EventRule};
pub use event_source_mapping::EventSourceMapping;
pub use fault::Fault;
pub use lambda::{Function, Invocation, InvocationResult};
pub use limits::RateLimits;
