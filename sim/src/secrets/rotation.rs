//! A rotation: the rotation function makes a pending version, tests it, and makes it the current
//! one.

use serde_json::json;

use super::api;
use super::selector::{CURRENT, PENDING, SecretId};
use super::store::Secrets;
use crate::job::{Job, RotationStep};
use crate::shared::Shared;

/// The rotation function's name in the record of calls.
const ROTATION_FUNCTION: &str = "rotation-function";

impl Secrets {
    /// Takes the next step. A secret that was deleted meanwhile refuses the calls of the rotation
    /// function, which ends the rotation.
    pub(crate) fn rotate(&mut self, shared: &mut Shared, step: RotationStep) {
        let RotationStep {
            arn,
            version,
            finishes,
        } = step;
        if finishes {
            self.finish_rotation(shared, &arn, &version);
            return;
        }
        shared.trail_rotation("RotationStarted", &arn);
        let put = json!({
            "SecretId": arn,
            "ClientRequestToken": version,
            "SecretString": "rotated",
            "VersionStages": [PENDING],
        });
        if api::perform(self, shared, "PutSecretValue", put, ROTATION_FUNCTION).is_ok() {
            shared.clock.after(
                shared.config.rotation * 3 / 4,
                Job::Rotate(RotationStep {
                    arn,
                    version,
                    finishes: true,
                }),
            );
        }
    }

    fn finish_rotation(&mut self, shared: &mut Shared, arn: &str, version: &str) {
        let current = self
            .get(arn)
            .ok()
            .and_then(|secret| secret.holder(CURRENT))
            .map(str::to_owned);
        let finish = json!({
            "SecretId": arn,
            "VersionStage": CURRENT,
            "MoveToVersionId": version,
            "RemoveFromVersionId": current,
        });
        if api::perform(
            self,
            shared,
            "UpdateSecretVersionStage",
            finish,
            ROTATION_FUNCTION,
        )
        .is_err()
        {
            return;
        }
        let name = self
            .find(SecretId::from_api(arn))
            .map(|secret| secret.name.clone())
            .unwrap_or_default();
        if let Some(secret) = self.0.get_mut(&name) {
            secret.detach(PENDING);
            secret.rotated_at = Some(shared.clock.now);
        }
        shared.trail_rotation("RotationSucceeded", arn);
    }
}
