//! Amazon ECS: describes services, starts deployments, and reads their history, one file an API.

mod cache;
mod client;
mod deployments;
mod detail;
mod evidence;
mod history;
mod references;
mod service;
mod services;
mod task_definitions;
mod tasks;

pub use client::Ecs;
pub use detail::Detail;
pub use services::{DescribedAt, DescribedServices, Restarted};
pub use tasks::TasksOfRollout;
