//! CloudTrail: a trail with management events. It sends each call to EventBridge as an event,
//! minutes after it was made.

use serde_json::{Map, Value};

use crate::error::ApiResult;
use crate::events::cloudtrail::{ApiCall, secret_api_call, secret_rotation};
use crate::events::envelope::Envelope;
use crate::shared::Shared;

impl Shared {
    /// Sends the event of a call of the Secrets Manager API that wrote, or failed to.
    pub(crate) fn trail_secret_call(
        &mut self,
        operation: &str,
        input: &Value,
        outcome: &ApiResult,
        principal: &str,
    ) {
        let user = self.config.user_arn(principal);
        let output = outcome.as_ref().ok();
        let call = ApiCall {
            operation,
            user: &user,
            parameters: parameters(input),
            arn: output.and_then(|output| output.get("ARN")?.as_str()),
            spelling: self.config.trail.arn_spelling,
            error: outcome.as_ref().err().map(|error| error.code.as_str()),
        };
        self.trail(|envelope| secret_api_call(envelope, &call));
    }

    /// Sends the event of something that Secrets Manager did by itself.
    pub(crate) fn trail_rotation(&mut self, name: &str, arn: &str) {
        self.trail(|envelope| secret_rotation(envelope, name, arn));
    }

    fn trail(&mut self, build: impl FnOnce(&Envelope<'_>) -> Value) {
        let event = self.event(build);
        self.bus
            .emit(&mut self.clock, self.config.trail.delay, &event);
    }
}

/// A request as CloudTrail notes it: members begin with a lower case letter, and secret values are
/// left out.
fn parameters(input: &Value) -> Value {
    let members = input
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, _)| !name.starts_with("SecretString") && *name != "SecretBinary");
    let spelt = members.map(|(name, value)| {
        let mut letters = name.chars();
        let first = letters.next().map(|letter| letter.to_ascii_lowercase());
        (first.into_iter().chain(letters).collect(), value.clone())
    });
    Value::Object(spelt.collect::<Map<String, Value>>())
}
