//! The decisions of the product, in plain types: no AWS type, no I/O, no clock, no environment, no
//! async.

pub mod arn;
pub mod backoff;
pub mod batch;
pub mod change;
mod closed_list;
pub mod default;
pub mod defer;
pub mod deferred_work;
pub mod deployment;
pub mod ended;
pub mod history;
pub mod index;
pub mod judge;
pub mod key;
pub mod listed;
pub mod plan;
pub mod policy;
pub mod queue;
pub mod reason;
pub mod received;
pub mod reference;
pub mod request;
pub mod resolution;
pub mod restore;
pub mod rollout;
pub mod rollout_tasks;
pub mod service;
pub mod shared;
mod spelling;
pub mod start;
pub mod tags;
pub mod term;
pub mod text;
pub mod watch;
pub mod watching;
pub mod window;
