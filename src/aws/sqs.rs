//! Amazon SQS: takes deferred work.

use aws_sdk_sqs::Client;
use aws_types::SdkConfig;
use tokio::time::Instant;

use super::call::Call;
use super::config::{client, few_retries};
use super::error::Error;

/// Amazon SQS.
#[derive(Debug)]
pub struct Sqs {
    client: Client,
}

impl Sqs {
    pub(super) fn new(config: &SdkConfig) -> Self {
        Self {
            client: client!(aws_sdk_sqs, config, few_retries()),
        }
    }

    /// Sends a message that arrives after `delay` seconds, at most 900: [`SendMessage`][api].
    ///
    /// [api]: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
    ///
    /// # Errors
    /// The queue did not confirm it before the instant `by`. It may have taken it: a message that
    /// is sent twice does no harm.
    pub async fn send(
        &self,
        queue: &str,
        body: String,
        delay: i32,
        by: Instant,
    ) -> Result<(), Error> {
        let request = self
            .client
            .send_message()
            .queue_url(queue)
            .message_body(body)
            .delay_seconds(delay);
        let call = Call::of("SendMessage", queue);
        call.send(by, request.send()).await.map(drop)
    }
}
