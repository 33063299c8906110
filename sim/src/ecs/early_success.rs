//! Early success criteria: a rolling deployment that is successful before its last task, or before
//! the old tasks are gone. `DeploymentEarlySuccessCriteria`, Amazon ECS API Reference.

use serde::Deserialize;
use serde_json::{Value, json};

/// `deploymentConfiguration.earlySuccessCriteria`, if it is enabled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EarlySuccess {
    /// The share of the desired tasks that must be healthy.
    pub(super) healthy_percent: usize,
    /// True if the old tasks may outlive the deployment: `DEFERRED`.
    pub(super) deferred: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EarlySuccessInput {
    #[serde(default)]
    enable: bool,
    healthy_percent: Option<usize>,
    source_service_revision_cleanup: Option<String>,
}

impl EarlySuccess {
    pub(super) fn of(input: Option<&EarlySuccessInput>) -> Option<Self> {
        let input = input.filter(|input| input.enable)?;
        let cleanup = input.source_service_revision_cleanup.as_deref();
        Some(Self {
            healthy_percent: input.healthy_percent.unwrap_or(100),
            deferred: cleanup == Some("DEFERRED"),
        })
    }

    pub(super) fn to_json(self) -> Value {
        json!({
            "enable": true,
            "healthyPercent": self.healthy_percent,
            "sourceServiceRevisionCleanup": if self.deferred { "DEFERRED" } else { "BLOCKING" },
        })
    }
}
