//! A simulated account with the function in it, and the helpers that several files need.

mod account;
mod answer;
mod events;
mod fleets;
mod function;
mod listings;
mod log;
mod notices;
mod owner;
mod rates;
mod scenario;
mod services;
mod steps;

use std::time::Duration;

pub(crate) use account::{completed_at, starts_of};
pub(crate) use answer::{line, names_of, reason, reasons, text, texts};
pub(crate) use fleets::{change_all, long_deployed, one_change, watching_each_kind, with_secret};
pub(crate) use listings::{CALLS, IGNORED, SERVICES, number_about, repeats_a_token};
pub(crate) use rates::{
    at_documented_rates, at_documented_rates_with, documented_rates, throttled,
};
pub(crate) use scenario::Scenario;
pub(crate) use services::{
    api, auto, failing_at_first, first_of, good_from_version, many, names_of_many, next_of,
    rolling_back_slowly, worker,
};

/// The queue of [`Scenario::with_queue`].
pub(crate) const QUEUE: &str = "changes";
/// Its URL.
pub(crate) const QUEUE_URL: &str = "https://sqs.eu-west-1.amazonaws.com/123456789012/changes";
/// The dead-letter queue.
pub(crate) const DEAD_LETTERS: &str = "changes-dead-letters";
/// The bucket whose uploads go to the queue.
pub(crate) const BUCKET: &str = "config";
/// The function's time-out.
pub(crate) const TIMEOUT: Duration = Duration::from_mins(2);
/// The visibility time-out of the queue.
pub(crate) const VISIBILITY: Duration = Duration::from_mins(12);
/// The request id that [`Scenario::invoke`] hands to the function.
pub(crate) const REQUEST_ID: &str = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef";
/// The restart.
pub(crate) const UPDATE: &str = "ecs:UpdateService";
/// The call that reads the references of services that say `auto`.
pub(crate) const DESCRIBE_TASK_DEFINITION: &str = "ecs:DescribeTaskDefinition";

pub(crate) const A_MINUTE: Duration = Duration::from_mins(1);
pub(crate) const AN_HOUR: Duration = Duration::from_hours(1);
