//! Restarts Amazon ECS services, without downtime, when the configuration they read changes.
//!
//! ```text
//!  SQS ─▶ event ─▶ reconcile ─▶ discover ─▶ plan ─▶ execute ─▶ defer ─▶ report
//!   ▲     decode    batches     by tag,     pure    paced      pure       log, metrics,
//!   │                           enrich              per service  │        answer
//!   └───────────── deferred work: holds, retries, rollouts ◀─────┘
//! ```
//!
//! The sweep, on a schedule, does the same from *discover* on, for changes that no event reported.
//!
//! # The modules
//!
//! Arrows point one way: a module imports only from those below it, and no two files import each
//! other.
//!
//! * [`lambda`]: an invocation of Lambda, and its answer
//! * [`reconcile`]: one invocation from its inbox to what it did
//! * [`sweep`]: what no event reported
//! * [`event`]: payloads to changes and requests
//! * [`notify`]: sends notices
//! * [`execute`]: carries a plan out, one file a strategy
//! * [`queue`]: the message of deferred work
//! * [`report`]: the JSON, the log lines, the metrics, and the notices as data
//! * [`aws`]: the clients of the SDK in domain types; the only place that names an SDK
//! * [`domain`]: the decisions, in plain types: no I/O, no clock, no environment
//! * [`json`]: text of others, read with bounds
//! * [`settings`]: the environment to settings
//! * [`clock`], [`pace`]: time and its limits, handed down
//!
//! # The words
//!
//! * [`Change`](domain::change::Change): a key, the instant *t* of its change, its version and
//!   author if known, and its [`Scope`](domain::change::Scope)
//! * [`Watch`](domain::watch::Watch), [`Term`](domain::term::Term): the keys of a service: its
//!   parsed tags, and for `auto` the references of its task definition
//! * [`Watching`](domain::watching::Watching): the services of one listing, found by the keys that
//!   their tags name
//! * [`Service`](domain::service::Service): one description of an ECS service
//! * [`Request`](domain::request::Request): what a person asked for by a manual invocation
//! * [`Batch`](domain::batch::Batch): what is planned together: all changes, or one request
//! * [`Plan`](domain::plan::Plan): for every affected service a decision, its reason, and for a
//!   restart the action
//! * [`Rollout`](domain::rollout::Rollout): a restart that was started, followed until it has an
//!   outcome
//! * [`Outcome`](domain::rollout::Outcome): how a rollout ended; [`judge`](domain::judge::judge)
//!   decides it
//! * [`Resolution`](domain::resolution::Resolution): the one record of what an invocation made of
//!   one service
//! * [`FollowUp`](domain::resolution::FollowUp): what happens next to it
//! * [`DeferredWork`](domain::deferred_work::DeferredWork): a message of our own in the queue:
//!   what is held, retried or followed
//! * [`Notice`](domain::notice::Notice): a message to people, as data
//! * [`Summary`](report::v1::Summary), [`ServiceLine`](report::v1::ServiceLine): the JSON of one
//!   invocation, made once, at the end
//!
//! A service is **stale** for a key if the key changed at *t* and no good deployment of the service
//! was created after *t*. To *describe* is an API read, to *report* is to write a log line, to
//! *notify* is to send a message to people, to *request* is what a person does, to *defer* is to put
//! work back into the queue, and to *redeliver* is what SQS does.
//!
//! # The decisions
//!
//! Four pure functions decide, and the rest fetches, calls or prints:
//! [`coalesce`](domain::change::coalesce), [`plan`](domain::plan::plan),
//! [`judge`](domain::judge::judge) and [`defer`](domain::defer::defer).

pub mod aws;
pub mod clock;
pub mod domain;
pub mod event;
pub mod execute;
pub mod json;
pub mod lambda;
pub mod notify;
pub mod pace;
pub mod queue;
pub mod reconcile;
pub mod report;
pub mod settings;
pub mod sweep;
