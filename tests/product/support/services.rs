//! Services that many tests need.

use sim::{Service, TaskDefinition, service};

pub(crate) fn api() -> Service {
    service("web/api").watching("ssm:/app/")
}

pub(crate) fn worker() -> Service {
    service("web/worker").watching("ssm:/app/")
}

/// A service that watches everything in its task definition.
pub(crate) fn auto(name: &str, definition: TaskDefinition) -> Service {
    service(name).watching("auto").referring(definition)
}

/// Its first new tasks fail, so that the first deployment is rolled back.
pub(crate) fn failing_at_first() -> Service {
    api()
        .reading(["ssm:/app/db"])
        .failing_next(3)
        .circuit_breaker(true)
}

/// The same, and the rollback takes minutes.
pub(crate) fn rolling_back_slowly() -> Service {
    failing_at_first()
        .percent(50, 100)
        .task_seconds(5.0, 60.0, 1.0)
}

/// This number of services in the cluster `web`, all watching `terms`.
pub(crate) fn many(number: usize, terms: &str) -> Vec<Service> {
    names_of_many(number)
        .iter()
        .map(|name| service(name).watching(terms))
        .collect()
}

/// The names of [`many`].
pub(crate) fn names_of_many(number: usize) -> Vec<String> {
    (0..number)
        .map(|place| format!("web/s{place:03}"))
        .collect()
}

/// A service that reads `ssm:/app/db`, watches these terms, and takes a minute for a rollout.
fn reading(name: &str, terms: &str) -> Service {
    service(name)
        .watching(terms)
        .reading(["ssm:/app/db"])
        .task_seconds(10.0, 10.0, 10.0)
}

/// `web/first`, which goes before [`next_of`].
pub(crate) fn first_of(terms: &str) -> Service {
    reading("web/first", terms)
}

/// `web/next`, of the order 1.
pub(crate) fn next_of(terms: &str) -> Service {
    reading("web/next", terms).tag("reloader:order", "1")
}

/// The same service, deployed with the first version of `ssm:/app/db`. The versions after that and
/// before this one are bad: a deployment that reads one of them is rolled back.
pub(crate) fn good_from_version(good: u64, service: Service) -> Service {
    service
        .failing_while_reading("ssm:/app/db", 2..good)
        .circuit_breaker(true)
}
