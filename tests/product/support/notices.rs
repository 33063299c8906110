//! The notices that the function sent.

use serde_json::Value;
use sim::Service;

use super::Scenario;
use super::answer::{text, texts};

/// The bus of [`Scenario::with_bus`].
const BUS: &str = "notices";

impl Scenario {
    /// These services, and the function with a queue and an event bus.
    pub(crate) async fn with_bus(services: impl IntoIterator<Item = Service>) -> Self {
        Self::set_to_with_bus([], services).await
    }

    /// The same with these variables.
    pub(crate) async fn set_to_with_bus<'a>(
        variables: impl IntoIterator<Item = (&'a str, &'a str)>,
        services: impl IntoIterator<Item = Service>,
    ) -> Self {
        let variables = variables.into_iter().chain([("RELOADER_EVENT_BUS", BUS)]);
        Self::set_to(variables, services).await.with_queue()
    }

    /// The notices on the bus, oldest first.
    pub(crate) fn notices(&self) -> Vec<Value> {
        let events = self.account.put_events().into_iter();
        let ours = events.filter(|event| event.bus == BUS && event.source == "ecs-reloader");
        ours.map(|event| event.detail).collect()
    }

    /// The notices of this kind.
    pub(crate) fn notices_of(&self, kind: &str) -> Vec<Value> {
        let mut notices = self.notices();
        notices.retain(|notice| notice["kind"] == kind);
        notices
    }

    /// Kind, key and services of each notice, in the order in which they were sent.
    pub(crate) fn news(&self) -> Vec<String> {
        let line = |notice: &Value| {
            let key = notice["key"].as_str().unwrap_or("-");
            let services = texts(&notice["services"]).join(" ");
            format!("{} {key} {services}", text(&notice["kind"]))
        };
        self.notices().iter().map(line).collect()
    }

    /// The ids of the notices.
    pub(crate) fn notice_ids(&self) -> Vec<String> {
        let ids = self.notices().into_iter();
        ids.map(|notice| text(&notice["id"]).to_owned()).collect()
    }
}
