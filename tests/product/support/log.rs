//! The function's log, and the account's record of its calls.

use serde_json::Value;
use sim::ServiceView;

use super::{Scenario, text};

/// The function's access key in the account's record of calls.
const FUNCTION: &str = "AKIASIMULATED";

impl Scenario {
    /// The function's log lines with this message, oldest first.
    pub(crate) fn lines(&self, message: &str) -> Vec<Value> {
        self.log()
            .into_iter()
            .filter(|line| line["message"] == message)
            .collect()
    }

    /// The metrics lines of the function with this member, oldest first: the member's values.
    pub(crate) fn metric(&self, name: &str) -> Vec<Value> {
        self.log()
            .into_iter()
            .filter(|line| line.get("_aws").is_some())
            .filter_map(|line| line.get(name).cloned())
            .collect()
    }

    /// Everything the function wrote, oldest first.
    pub(crate) fn log(&self) -> Vec<Value> {
        self.log_text()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// The same as it was written.
    pub(crate) fn log_text(&self) -> String {
        self.function.log.text()
    }

    /// The lines of services in which this field says this, oldest first.
    pub(crate) fn service_lines(&self, field: &str, says: &str) -> Vec<Value> {
        let mut lines = self.lines("service");
        lines.retain(|line| line[field] == says);
        lines
    }

    /// The first line of a service in which this field says this.
    pub(crate) fn first_line(&self, field: &str, says: &str) -> Value {
        self.service_lines(field, says).remove(0)
    }

    /// The levels of the lines with this reason, oldest first.
    pub(crate) fn levels_of(&self, reason: &str) -> Vec<Value> {
        let lines = self.service_lines("reason", reason);
        lines.iter().map(|line| line["level"].clone()).collect()
    }

    /// The times at which restarts of any service were started, to the second.
    pub(crate) fn starts(&self) -> Vec<String> {
        let lines = self.service_lines("result", "started");
        lines
            .iter()
            .map(|line| text(&line["deployed_at"])[..19].to_owned())
            .collect()
    }

    /// The values of these fields in the lines of changes.
    pub(crate) fn change_fields(&self, names: &[&str]) -> Vec<Value> {
        self.lines("change")
            .iter()
            .map(|line| names.iter().map(|name| line[*name].clone()).collect())
            .collect()
    }

    /// The API calls that the function made so far, as IAM names them.
    pub(crate) fn actions(&self) -> Vec<String> {
        self.account
            .calls()
            .iter()
            .filter(|call| call.principal == FUNCTION)
            .map(sim::Call::action)
            .collect()
    }

    /// The number of these calls that the function made.
    pub(crate) fn number_of(&self, action: &str) -> usize {
        self.actions().iter().filter(|made| *made == action).count()
    }

    /// The services that were restarted, in order of their names, each as often as it happened.
    pub(crate) fn restarted(&self) -> Vec<String> {
        let mut restarted = self.account.restarted();
        restarted.sort();
        restarted
    }

    /// The present state of `cluster/name`.
    pub(crate) fn service(&self, name: &str) -> ServiceView {
        self.account.service(name).unwrap()
    }

    /// Every task of every service has read the newest version of what it reads, and no service
    /// ever had too few.
    pub(crate) async fn is_all_fresh(&self) -> bool {
        self.account.settle().await;
        self.account.stale_tasks().is_empty()
            && self
                .account
                .services()
                .iter()
                .all(ServiceView::kept_its_floor)
    }
}
