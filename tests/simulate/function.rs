//! The function: one process for each invocation at the same time, and the lines that the processes
//! wrote. Each process may be lost at any instant.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use ecs_reloader::aws::Aws;
use ecs_reloader::lambda::Reloader;
use ecs_reloader::report::{Level, Reporter};
use ecs_reloader::settings::Settings;
use jiff::{SignedDuration, Timestamp};
use lambda_runtime::Context;
use serde_json::Value;
use sim::{Account, Call, Invocation, InvocationResult};
use tokio::time::Instant;

/// The function's standard output.
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

/// The access key ids of processes begin with this, so that each call names the process that made
/// it.
pub(crate) const FUNCTION: &str = "AKIAPROCESS";

/// The moment at which an invocation is lost.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Life {
    For(Duration),
    /// After this many calls of an operation, and this much time: the last call took effect and has
    /// no answer yet.
    Until(&'static str, usize, Duration),
}

/// The end of an invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Answered,
    /// Its process was lost, as the history planned.
    Lost,
    /// Lambda ended it at the end of its time.
    TimedOut,
}

/// A tenth of its time, but neither less nor more than these, is left for the end of an invocation.
const LEAST_RESERVE: SignedDuration = SignedDuration::from_millis(300);
const MOST_RESERVE: SignedDuration = SignedDuration::from_secs(5);

/// An invocation, and its process.
#[derive(Clone, Debug)]
pub(crate) struct Ran {
    pub(crate) process: String,
    /// The id that its lines carry: `direct` without a queue.
    pub(crate) request_id: String,
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
    /// The deadline of its answer.
    pub(crate) deadline: Timestamp,
    pub(crate) end: End,
}

impl Ran {
    /// The end of its work: the rest of its time is for its messages and its report.
    pub(crate) fn works_until(&self) -> Timestamp {
        let time = self.deadline.duration_since(self.from);
        self.deadline - (time / 10).clamp(LEAST_RESERVE, MOST_RESERVE)
    }

    /// True if it ran at an instant.
    pub(crate) fn contains(&self, at: Timestamp) -> bool {
        self.from <= at && at <= self.until
    }

    /// True if it made calls and wrote no report.
    pub(crate) fn was_lost_with(&self, call: &Call) -> bool {
        self.end != End::Answered && self.process == call.principal && self.contains(call.time)
    }
}

/// Serves one invocation after another, until one of them is lost.
struct Process {
    name: String,
    reloader: Reloader,
}

/// A running invocation. Its record is made at its end, in all cases.
struct Running {
    function: Function,
    process: Option<Process>,
    request_id: String,
    from: Timestamp,
    deadline: Timestamp,
}

impl Running {
    /// Records its end.
    fn note(&self, process: &Process, end: End) {
        let ran = Ran {
            process: process.name.clone(),
            request_id: self.request_id.clone(),
            from: self.from,
            until: self.function.account.now(),
            deadline: self.deadline,
            end,
        };
        self.function.ran.lock().unwrap().push(ran);
    }

    /// It was answered: its process serves the next one.
    fn answered(mut self) {
        if let Some(process) = self.process.take() {
            self.note(&process, End::Answered);
            self.function.idle.lock().unwrap().push(process);
        }
    }

    /// It was lost, its process with it.
    fn lost(mut self) {
        if let Some(process) = self.process.take() {
            self.note(&process, End::Lost);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(process) = self.process.take() {
            self.note(&process, End::TimedOut);
        }
    }
}

#[derive(Clone)]
pub(crate) struct Function {
    account: Account,
    settings: Settings,
    log: Log,
    idle: Arc<Mutex<Vec<Process>>>,
    started: Arc<AtomicUsize>,
    /// The moments at which the next invocations are lost, if they are.
    lives: Arc<Mutex<Vec<Life>>>,
    ran: Arc<Mutex<Vec<Ran>>>,
}

impl Function {
    pub(crate) fn new(account: &Account, variables: &BTreeMap<&str, &str>) -> Self {
        let settings = Settings::load(variables).unwrap();
        let (log, idle, started) = (Log::default(), Arc::default(), Arc::default());
        Self {
            account: account.clone(),
            settings,
            log,
            idle,
            started,
            lives: Arc::default(),
            ran: Arc::default(),
        }
    }

    fn start(&self) -> Process {
        let name = format!("{FUNCTION}{}", self.started.fetch_add(1, Ordering::Relaxed));
        let credentials =
            SharedCredentialsProvider::new(Credentials::from_keys(&name, "secret", None));
        let config = self
            .account
            .sdk_config()
            .to_builder()
            .credentials_provider(credentials)
            .build();
        let reporter = Reporter::new(Box::new(self.log.clone()), "ecs-reloader", Level::Info);
        Process {
            name,
            reloader: Reloader::new(
                Aws::new(&config, self.settings.concurrency),
                self.settings.clone(),
                reporter,
            ),
        }
    }

    /// The next invocation that reaches this moment is lost.
    pub(crate) fn lose_after(&self, life: Life) {
        self.lives.lock().unwrap().push(life);
    }

    async fn end_of(&self, life: Option<Life>, process: &str) {
        match life {
            None => std::future::pending().await,
            Some(Life::For(time)) => tokio::time::sleep(time).await,
            Some(Life::Until(operation, times, more)) => {
                let is_it = |call: &&Call| call.principal == process && call.operation == operation;
                let made = || self.account.calls().iter().filter(is_it).count();
                let end = made() + times;
                while made() < end {
                    self.account.until_called(1).await;
                }
                tokio::time::sleep(more).await;
            }
        }
    }

    pub(crate) async fn invoke(&self, invocation: Invocation) -> InvocationResult {
        let payload = String::from_utf8(invocation.payload.to_vec()).unwrap();
        let left = invocation.deadline.duration_since(Instant::now());
        self.run(&payload, &invocation.request_id, left).await
    }

    /// An invocation without a queue. Its request id names it.
    pub(crate) async fn direct(&self, payload: &str, left: Duration) -> InvocationResult {
        self.run(payload, "direct", left).await
    }

    async fn run(&self, payload: &str, request_id: &str, left: Duration) -> InvocationResult {
        let process = self
            .idle
            .lock()
            .unwrap()
            .pop()
            .unwrap_or_else(|| self.start());
        let running = Running {
            function: self.clone(),
            process: Some(process),
            request_id: request_id.to_owned(),
            from: self.account.now(),
            deadline: self.account.now() + left,
        };
        let process = running.process.as_ref().unwrap();
        let life = self.lives.lock().unwrap().pop();
        let answered = tokio::select! {
            biased;
            () = self.end_of(life, &process.name) => None,
            result = self.answer(&process.reloader, payload, request_id, left) => Some(result),
        };
        let Some(result) = answered else {
            running.lost();
            return InvocationResult::Crashed;
        };
        running.answered();
        self.lives.lock().unwrap().extend(life);
        result
    }

    async fn answer(
        &self,
        reloader: &Reloader,
        payload: &str,
        request_id: &str,
        left: Duration,
    ) -> InvocationResult {
        let now = self.account.now();
        let mut context = Context::default();
        request_id.clone_into(&mut context.request_id);
        context.deadline =
            u64::try_from(now.as_millisecond()).unwrap() + u64::try_from(left.as_millis()).unwrap();
        match reloader.handle(payload, &context, now).await {
            Ok(answer) => InvocationResult::Ok(serde_json::to_vec(&answer).unwrap().into()),
            Err(error) => InvocationResult::FunctionError(error.to_string().into()),
        }
    }

    /// Ends the idle processes, as Lambda does: the next ones start without any memory.
    pub(crate) fn forget_processes(&self) {
        self.idle.lock().unwrap().clear();
    }

    /// From now on no invocation is lost.
    pub(crate) fn heal(&self) {
        self.lives.lock().unwrap().clear();
    }

    pub(crate) fn ran(&self) -> Vec<Ran> {
        self.ran.lock().unwrap().clone()
    }

    pub(crate) fn log_text(&self) -> String {
        String::from_utf8(self.log.0.lock().unwrap().clone()).unwrap()
    }

    pub(crate) fn lines(&self, message: &str) -> Vec<Value> {
        let lines = self
            .log_text()
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .collect::<Vec<_>>();
        lines
            .into_iter()
            .filter(|line| line["message"] == message)
            .collect()
    }
}
