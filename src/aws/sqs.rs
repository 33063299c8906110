//! Amazon SQS: where work for later goes.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::Builder;
use tokio::time::Instant;

use super::{Error, SdkConfig, answered, impatient, unrationed, willing};

/// Amazon SQS.
#[derive(Debug)]
pub struct Sqs {
    client: Client,
}

impl Sqs {
    pub(super) fn new(config: &SdkConfig) -> Self {
        let config = Builder::from(config)
            .retry_config(willing())
            .retry_partition(unrationed())
            .timeout_config(impatient());
        Self {
            client: Client::from_conf(config.build()),
        }
    }

    /// Puts a message into a queue, to be seen in `delay` seconds, at most 900.
    /// [`SendMessage`][api]
    ///
    /// [api]: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
    ///
    /// # Errors
    /// It was not taken before the instant `by`, as far as is known: a lost answer makes a second
    /// message, which does no harm.
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
        answered("SendMessage", queue, by, request.send())
            .await
            .map(|_| ())
    }
}
