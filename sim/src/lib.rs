//! A simulated AWS account, at the wire: the one test double of ecs-reloader, never shipped.
//!
//! ```text
//!  SDK clients ── http_client ─┐
//!  AWS CLI, boto3 ── server ───┴─▶ account ─▶ wire ─▶ world ─▶ the services
//!                                     ▲
//!  the function ◀── driver ───────────┘
//!
//!  ecs                          clusters, services, tasks that roll
//!  ssm, s3, secrets, appconfig  configuration, in versions
//!  tagging                      the index behind `GetResources`, which is late
//!  sqs, event_source_mapping    the way of messages to the function
//!  put_events                   the events of the account's own programs
//!  shared                       configuration, clockwork, and event_bus for the events
//! ```
//!
//! Arrows point one way. Each service has its own state and knows only the shared parts: the
//! configuration, the clock, and the bus of events. The services meet in the world.
//!
//! Everything happens in simulated time: an epoch plus tokio's clock, which tests pause. Everything
//! that happens later stands in one agenda, which [`Account::run_for`] carries out. All chance
//! comes from one seed, and the world is brought up to date before each call is answered: the same
//! seed and the same calls make the same history.

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
mod input;
mod job;
mod lambda;
mod limits;
mod loopback;
mod output;
mod page;
mod put_events;
pub mod runtime_api;
mod s3;
mod scenario;
mod secrets;
pub mod server;
mod shared;
mod sqs;
mod ssm;
mod tagging;
mod tags;
mod things;
pub mod tls;
mod wire;
mod world;

pub use account::{Account, Answer};
pub use appconfig::id_of as appconfig_id_of;
pub use call::{Call, CallResult};
pub use config::{AccountConfig, Trail};
pub use ecs::builder::{Service, service};
pub use ecs::history::{EndedBy, TaskFailure};
pub use ecs::hook::{Approver, Hook, Stage};
pub use ecs::model::Controller;
pub use ecs::task_definition::{TaskDefinition, task_definition};
pub use ecs::view::{DeploymentView, HistoryView, HookView, ServiceView, StaleTask, TaskView};
pub use event_bus::{EventDelivery, EventRule};
pub use event_source_mapping::EventSourceMapping;
pub use fault::Fault;
pub use lambda::{Function, Invocation, InvocationResult};
pub use limits::RateLimits;
pub use put_events::PutEvent;
