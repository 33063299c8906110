//! The function as one warm process, with its log in memory.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ecs_reloader::aws::Aws;
use ecs_reloader::lambda::{Error, Reloader};
use ecs_reloader::report::{Level, Reporter};
use ecs_reloader::settings::Settings;
use lambda_runtime::Context;
use serde_json::Value;
use sim::Account;

/// The function as one warm process, and its output.
#[derive(Clone)]
pub(super) struct Function {
    pub(super) account: Account,
    reloader: Arc<Reloader>,
    pub(super) variables: BTreeMap<String, String>,
    pub(super) level: Level,
    pub(super) log: Log,
}

/// The standard output of the function.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Everything that was written, oldest first.
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(text)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Function {
    pub(super) fn start(
        account: &Account,
        variables: BTreeMap<String, String>,
        level: Level,
        log: Log,
    ) -> Self {
        let named = variables
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let settings = Settings::load(&named.collect::<BTreeMap<_, _>>()).unwrap();
        let reporter = Reporter::new(Box::new(log.clone()), "ecs-reloader", level);
        let aws = Aws::new(&account.sdk_config(), settings.concurrency);
        let reloader = Arc::new(Reloader::new(aws, settings, reporter));
        Self {
            account: account.clone(),
            reloader,
            variables,
            level,
            log,
        }
    }

    pub(super) async fn answer(
        &self,
        payload: &str,
        request_id: &str,
        left: Duration,
    ) -> Result<Value, Error> {
        let now = self.account.now();
        let mut context = Context::default();
        request_id.clone_into(&mut context.request_id);
        context.deadline =
            u64::try_from(now.as_millisecond()).unwrap() + u64::try_from(left.as_millis()).unwrap();
        let answer = self.reloader.handle(payload, &context, now).await?;
        Ok(serde_json::to_value(answer).unwrap())
    }
}
