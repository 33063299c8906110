//! The demo's account with its services, served on loopback, and the real function beside it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sim::runtime_api::{FunctionConfiguration, LogLine, RuntimeApi, StartError};
use sim::server::Server;
use sim::{Account, AccountConfig, EventRule, EventSourceMapping, Function};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::clock;
use crate::fleet::{ACCOUNT_ID, BUCKET, FLEET, REGION};
use crate::verdict::Error;

/// The function's name in the demo's account, and its queue's.
pub(crate) const FUNCTION_NAME: &str = "ecs-reloader";
/// `MemorySize` in template.yaml, in MiB.
const MEMORY_SIZE: u32 = 128;
/// `VisibilityTimeout` in template.yaml.
const VISIBILITY_TIMEOUT: Duration = Duration::from_mins(13);
/// `maxReceiveCount` in template.yaml.
const MOST_RECEIVES: u32 = 5;
/// The length of a rotation: it ends before the function is invoked for the other changes.
const ROTATION: Duration = Duration::from_secs(1);
/// The time at which the services were deployed: before the events in `events/` happened.
const DEPLOYED_AT: Timestamp = Timestamp::constant(1_767_225_600, 0); // 2026-01-01T00:00:00Z

/// The account and the function of a command.
pub(crate) struct Stage {
    /// The account.
    pub(crate) account: Account,
    /// The server that answers for it on loopback.
    pub(crate) server: Server,
    /// The real binary, initialized.
    pub(crate) function: Arc<RuntimeApi>,
    /// The lines that the binary writes.
    pub(crate) lines: UnboundedReceiver<LogLine>,
}

impl Stage {
    /// Opens the account, at the time of day, and starts the binary with these settings. Tasks that
    /// read the `bad` version of a key fail.
    pub(crate) async fn set(
        binary: &Path,
        settings: &[(&str, &str)],
        bad: Option<(&str, u64)>,
    ) -> Result<Self, Error> {
        let now = clock::now();
        let account = Account::new(AccountConfig {
            account_id: ACCOUNT_ID.to_owned(),
            region: REGION.to_owned(),
            epoch: now,
            seed: now.as_second().unsigned_abs(),
            scheduler_delay: Duration::from_millis(300),
            rotation: ROTATION,
            ..AccountConfig::default()
        });
        let age = Duration::try_from(now.duration_since(DEPLOYED_AT)).unwrap_or_default();
        for member in &FLEET {
            account.add(member.service(age, bad));
        }

        let server = Server::start(account.clone(), 0)
            .await
            .map_err(|error| format!("cannot listen on a loopback port: {error}"))?;
        account.add_queue(FUNCTION_NAME, VISIBILITY_TIMEOUT, MOST_RECEIVES);
        let queue_url = format!("{}/{ACCOUNT_ID}/{FUNCTION_NAME}", server.endpoint_url());
        let (sender, mut lines) = unbounded_channel();
        let configuration = FunctionConfiguration {
            binary: binary.to_path_buf(),
            arguments: Vec::new(),
            function_name: FUNCTION_NAME.to_owned(),
            memory_size: MEMORY_SIZE,
            region: REGION.to_owned(),
            endpoint_url: server.endpoint_url(),
            variables: settings
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .chain([("RELOADER_QUEUE_URL".to_owned(), queue_url)])
                .collect(),
        };
        let function = match RuntimeApi::start(configuration, sender).await {
            Ok(function) => Arc::new(function),
            Err(error) => return Err(with_last_words(&error, &mut lines)),
        };
        Ok(Self {
            account,
            server,
            function,
            lines,
        })
    }

    /// Connects `function` as template.yaml does: rules bring the account's events into the queue,
    /// and an event source mapping with this batching window hands them over.
    pub(crate) fn feed(&self, function: Arc<dyn Function>, window: Duration) {
        self.account.add_rule(EventRule::parameters(FUNCTION_NAME));
        self.account.add_rule(EventRule::secrets(FUNCTION_NAME));
        self.account.add_rule(EventRule::appconfig(FUNCTION_NAME));
        self.account
            .add_rule(EventRule::objects(FUNCTION_NAME, [BUCKET]));
        self.account
            .add_rule(EventRule::objects_deleted(FUNCTION_NAME, [BUCKET]));
        self.account.connect(
            EventSourceMapping {
                window,
                ..EventSourceMapping::new(FUNCTION_NAME)
            },
            function,
        );
    }

    /// The function's ARN.
    pub(crate) fn function_arn() -> String {
        format!("arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{FUNCTION_NAME}")
    }
}

/// The lines that the function wrote before it failed to start: they have the cause.
fn with_last_words(error: &StartError, lines: &mut UnboundedReceiver<LogLine>) -> Error {
    let words =
        std::iter::from_fn(|| lines.try_recv().ok()).map(|line| format!("\n  {}", line.text));
    format!("{error}{}", words.collect::<String>()).into()
}
