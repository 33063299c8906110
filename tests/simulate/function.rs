//! The function as one warm process that may be lost at any instant, and what it wrote.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ecs_reloader::aws::Aws;
use ecs_reloader::lambda::Reloader;
use ecs_reloader::report::{Level, Reporter};
use ecs_reloader::settings::Settings;
use jiff::Timestamp;
use lambda_runtime::Context;
use serde_json::Value;
use sim::{Account, Invocation, InvocationResult};
use tokio::time::Instant;

/// What the function wrote to its standard output.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(text)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How long an invocation lives that is lost.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Life {
    For(Duration),
    /// Until so many calls of it, or of another at the same time, have taken effect, and so much longer: a call is answered after 10 ms.
    Calls(usize, Duration),
}

/// From when until when an invocation ran.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ran {
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
    pub(crate) crashed: bool,
}

#[derive(Clone)]
pub(crate) struct Function {
    account: Account,
    reloader: Arc<Reloader>,
    log: Log,
    /// How long the next invocations live, where they are lost.
    lives: Arc<Mutex<Vec<Life>>>,
    ran: Arc<Mutex<Vec<Ran>>>,
}

impl Function {
    pub(crate) fn start(account: &Account, variables: &BTreeMap<&str, &str>) -> Self {
        let settings = Settings::load(variables).unwrap();
        let log = Log::default();
        let reporter = Reporter::new(Box::new(log.clone()), "ecs-reloader", Level::Info);
        let reloader = Arc::new(Reloader::new(Aws::new(&account.sdk_config()), settings, reporter));
        Self { account: account.clone(), reloader, log, lives: Arc::default(), ran: Arc::default() }
    }

    /// The next invocation is lost after this time.
    pub(crate) fn lose_after(&self, life: Life) {
        self.lives.lock().unwrap().push(life);
    }

    async fn end_of(&self, life: Option<Life>) {
        match life {
            None => std::future::pending().await,
            Some(Life::For(time)) => tokio::time::sleep(time).await,
            Some(Life::Calls(calls, more)) => {
                self.account.until_called(calls).await;
                tokio::time::sleep(more).await;
            }
        }
    }

    pub(crate) async fn invoke(&self, invocation: Invocation) -> InvocationResult {
        let payload = String::from_utf8(invocation.payload.to_vec()).unwrap();
        let left = invocation.deadline.duration_since(Instant::now());
        let from = self.account.now();
        let life = self.lives.lock().unwrap().pop();
        let result = tokio::select! {
            biased;
            () = self.end_of(life) => InvocationResult::Crashed,
            result = self.answer(&payload, &invocation.request_id, left) => result,
        };
        let crashed = result == InvocationResult::Crashed;
        self.ran.lock().unwrap().push(Ran { from, until: self.account.now(), crashed });
        result
    }

    async fn answer(&self, payload: &str, request_id: &str, left: Duration) -> InvocationResult {
        let now = self.account.now();
        let mut context = Context::default();
        request_id.clone_into(&mut context.request_id);
        context.deadline = u64::try_from(now.as_millisecond()).unwrap() + u64::try_from(left.as_millis()).unwrap();
        match self.reloader.handle(payload, &context, now).await {
            Ok(answer) => InvocationResult::Ok(serde_json::to_vec(&answer).unwrap().into()),
            Err(error) => InvocationResult::FunctionError(error.to_string().into()),
        }
    }

    /// A direct invocation of which the record tells.
    pub(crate) async fn direct(&self, payload: &str, left: Duration) -> InvocationResult {
        let from = self.account.now();
        let result = self.answer(payload, "direct", left).await;
        self.ran.lock().unwrap().push(Ran { from, until: self.account.now(), crashed: false });
        result
    }

    pub(crate) fn ran(&self) -> Vec<Ran> {
        self.ran.lock().unwrap().clone()
    }

    pub(crate) fn log_text(&self) -> String {
        String::from_utf8(self.log.0.lock().unwrap().clone()).unwrap()
    }

    pub(crate) fn lines(&self, message: &str) -> Vec<Value> {
        let lines = self.log_text().lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect::<Vec<_>>();
        lines.into_iter().filter(|line| line["message"] == message).collect()
    }
}
