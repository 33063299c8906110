//! A rotation: the rotation function makes a pending version, tests it, and makes it the current
//! one.

use serde_json::json;

use super::{CURRENT, PENDING, SecretId, api};
use crate::job::Job;
use crate::world::World;

/// The rotation function's name in the record of who called.
const ROTATION_FUNCTION: &str = "rotation-function";

/// A rotation that is due to go on.
#[derive(Debug)]
pub(crate) struct RotationStep {
    arn: String,
    /// The version it makes.
    version: String,
    finishes: bool,
}

impl World {
    pub(super) fn start_rotation(&mut self, arn: String, version: String) {
        self.clock.after(
            self.config.rotation / 4,
            Job::Rotate(RotationStep {
                arn,
                version,
                finishes: false,
            }),
        );
    }

    /// A secret that was deleted meanwhile refuses what the rotation function asks for, and nothing
    /// more comes of it.
    pub(crate) fn rotate(&mut self, step: RotationStep) {
        let RotationStep {
            arn,
            version,
            finishes,
        } = step;
        if finishes {
            self.finish_rotation(&arn, &version);
            return;
        }
        self.trail_rotation("RotationStarted", &arn);
        let put = json!({ "SecretId": arn, "ClientRequestToken": version, "SecretString": "rotated", "VersionStages": [PENDING] });
        if api::perform(self, "PutSecretValue", put, ROTATION_FUNCTION).is_ok() {
            self.clock.after(
                self.config.rotation * 3 / 4,
                Job::Rotate(RotationStep {
                    arn,
                    version,
                    finishes: true,
                }),
            );
        }
    }

    fn finish_rotation(&mut self, arn: &str, version: &str) {
        let current = self
            .secrets
            .get(arn)
            .ok()
            .and_then(|secret| secret.holder(CURRENT))
            .map(str::to_owned);
        let finish = json!({ "SecretId": arn, "VersionStage": CURRENT, "MoveToVersionId": version, "RemoveFromVersionId": current });
        if api::perform(self, "UpdateSecretVersionStage", finish, ROTATION_FUNCTION).is_err() {
            return;
        }
        let name = self
            .secrets
            .find(SecretId::from_api(arn))
            .map(|secret| secret.name.clone())
            .unwrap_or_default();
        if let Some(secret) = self.secrets.0.get_mut(&name) {
            secret.detach(PENDING);
            secret.rotated_at = Some(self.clock.now);
        }
        self.trail_rotation("RotationSucceeded", arn);
    }
}
