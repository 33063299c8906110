//! The deployment that a message follows.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::history::Rollout;
use crate::json;

#[derive(Serialize, Deserialize)]
pub(super) struct Followed {
    #[serde(deserialize_with = "json::text")]
    deployment: String,
    #[serde(deserialize_with = "json::time")]
    started_at: Timestamp,
}

impl From<Rollout> for Followed {
    fn from(
        Rollout {
            deployment,
            started_at,
        }: Rollout,
    ) -> Self {
        Self {
            deployment,
            started_at,
        }
    }
}

impl From<Followed> for Rollout {
    fn from(
        Followed {
            deployment,
            started_at,
        }: Followed,
    ) -> Self {
        Self {
            deployment,
            started_at,
        }
    }
}
