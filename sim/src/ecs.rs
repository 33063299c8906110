//! Amazon ECS: clusters, task definitions, services and the tasks that roll.

pub(crate) mod add;
pub(crate) mod api;
pub(crate) mod builder;
mod deployment;
pub(crate) mod early_success;
pub(crate) mod history;
pub(crate) mod hook;
mod jobs;
mod lifecycle;
pub(crate) mod model;
mod names;
mod references;
mod scheduler;
pub(crate) mod state;
pub(crate) mod task_definition;
mod tasks;
pub(crate) mod view;
