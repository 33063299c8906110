//! Restarts Amazon ECS services, without downtime, when the configuration they read changes.
//!
//! ```text
//! payload ─▶ event::decode ─▶ changes ─▶ aws: who watches? ─▶ services ─▶ domain::plan ─▶ rollout ─▶ report
//!            envelopes:        coalesced   GetResources(tag)              pure            paced      summary line,
//!            SQS, SNS,         per key     DescribeServices(10)                           per        metrics
//!            EventBridge, S3                                                              service
//! ```
//!
//! * [`clock`], [`pace`]: time, handed down and shared out
//! * [`domain`]: keys, changes, watches, services, the plan and its reasons, in plain types
//! * [`event`]: payloads to changes
//! * [`aws`]: the SDK's clients to domain types; the only place that names an SDK
//! * [`execute`]: carries a plan out, one file a strategy
//! * [`report`]: summary line, a line a request, a change and a service, metrics
//! * [`reconcile`]: the job, in one function
//! * [`settings`]: the environment to settings
//! * [`lambda`]: an invocation to a reload and its answer

pub mod aws;
pub mod clock;
pub mod domain;
pub mod event;
pub mod execute;
pub mod json;
pub mod lambda;
pub mod pace;
pub mod queue;
pub mod reconcile;
pub mod report;
pub mod settings;
pub mod sweep;
