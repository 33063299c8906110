//! An execution environment: one process of the function, and the Runtime API it talks to.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};

use super::configuration::{FunctionConfiguration, LogLine, Stream, task_root};
use super::protocol::{Protocol, Signal};
use super::start_error::{INIT_LIMIT, StartError};
use crate::account::Answer;
use crate::lambda::{Invocation, InvocationResult};
use crate::loopback::Loopback;

/// The longest wait for the last lines of an ended process: a grandchild may hold the streams open
/// for ever.
const LAST_LINES: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Environment {
    child: Child,
    invocations: UnboundedSender<Invocation>,
    signals: UnboundedReceiver<Signal>,
    readers: JoinSet<()>,
    reusable: bool,
    /// The process's Runtime API, which ends with the environment.
    _runtime_api: Loopback,
}

impl Environment {
    /// Starts the process; it initializes on its own.
    pub(super) async fn start(
        configuration: &FunctionConfiguration,
        lines: &UnboundedSender<LogLine>,
    ) -> Result<Self, StartError> {
        let (invocations, queue) = unbounded_channel();
        let (sender, signals) = unbounded_channel();
        let protocol = Arc::new(Protocol::new(queue, sender));
        let runtime_api = Loopback::listen(0, move |request| {
            let protocol = Arc::clone(&protocol);
            async move { Answer::Response(protocol.answer(request).await) }
        });
        let runtime_api = runtime_api.await.map_err(StartError::Listen)?;

        let path = &configuration.binary;
        let refused = |source| StartError::Binary {
            path: path.clone(),
            source,
        };
        // Not the target of a symbolic link: a Python of a virtual environment is one, and finds its
        // packages by its own path.
        let binary = std::path::absolute(path).map_err(refused)?;
        let mut child = command(&binary, configuration, &runtime_api.address.to_string())
            .spawn()
            .map_err(refused)?;

        let mut readers = JoinSet::new();
        if let Some(stdout) = child.stdout.take() {
            readers.spawn(hand_on(stdout, Stream::Stdout, lines.clone()));
        }
        if let Some(stderr) = child.stderr.take() {
            readers.spawn(hand_on(stderr, Stream::Stderr, lines.clone()));
        }
        Ok(Self {
            child,
            invocations,
            signals,
            readers,
            reusable: true,
            _runtime_api: runtime_api,
        })
    }

    /// Waits until the process asks for its first event.
    pub(super) async fn initialized(&mut self, binary: &Path) -> Result<(), StartError> {
        let path = binary.to_path_buf();
        let signal = timeout(INIT_LIMIT, async {
            tokio::select! {
                biased;
                Some(signal) = self.signals.recv() => Ok(signal),
                status = self.child.wait() => Err(status),
            }
        });
        match signal.await {
            Ok(Ok(Signal::InitError(error))) => {
                self.last_lines().await;
                Err(StartError::Init {
                    path,
                    error: String::from_utf8_lossy(&error).into_owned(),
                })
            }
            Ok(Ok(Signal::Ready | Signal::Answered(_))) => Ok(()),
            Ok(Err(Ok(status))) => {
                self.last_lines().await;
                Err(StartError::Exited { path, status })
            }
            Ok(Err(Err(source))) => Err(StartError::Binary { path, source }),
            Err(_) => Err(StartError::InitTimeout { path }),
        }
    }

    /// Has the process work on `invocation`, until its deadline at most.
    pub(super) async fn work(&mut self, invocation: Invocation) -> InvocationResult {
        let deadline = invocation.deadline;
        // A future that is dropped before its end leaves a process in an unknown state.
        self.reusable = false;
        if self.invocations.send(invocation).is_err() {
            return InvocationResult::Crashed;
        }
        tokio::select! {
            biased;
            Some((result, reusable)) = answered(&mut self.signals) => {
                self.reusable = reusable;
                result
            }
            _ = self.child.wait() => InvocationResult::Crashed,
            () = sleep_until(deadline) => InvocationResult::TimedOut,
        }
    }

    /// Waits until the process asks for an event, or ends.
    pub(super) async fn asks(&mut self) {
        while let Some(signal) = self.signals.recv().await {
            if matches!(signal, Signal::Ready | Signal::InitError(_)) {
                return;
            }
        }
    }

    /// Returns whether the process answered its last invocation and can be given another.
    pub(super) fn is_reusable(&self) -> bool {
        self.reusable
    }

    /// The process's id, while it runs.
    pub(super) fn process(&self) -> Option<u32> {
        self.child.id()
    }

    /// Returns whether the process still runs.
    pub(super) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Ends the process and waits until its last lines are handed on.
    pub(super) async fn end(mut self) {
        // Fails only for a process that has ended by itself.
        let _ = self.child.kill().await;
        self.last_lines().await;
    }

    async fn last_lines(&mut self) {
        let _ = timeout(LAST_LINES, async {
            while self.readers.join_next().await.is_some() {}
        })
        .await;
    }
}

/// The invocation's result, and whether the process is fit for another; `None` if the Runtime API
/// is gone.
async fn answered(signals: &mut UnboundedReceiver<Signal>) -> Option<(InvocationResult, bool)> {
    loop {
        match signals.recv().await? {
            Signal::Ready => {}
            Signal::InitError(error) => {
                return Some((InvocationResult::FunctionError(error), false));
            }
            Signal::Answered(result) => return Some((result, true)),
        }
    }
}

/// The process with the environment that Lambda gives an OS-only runtime (AWS: "Defined runtime
/// environment variables"), and no other.
fn command(binary: &Path, configuration: &FunctionConfiguration, runtime_api: &str) -> Command {
    let FunctionConfiguration {
        binary: _,
        arguments,
        function_name,
        memory_size,
        region,
        endpoint_url,
        variables,
    } = configuration;
    let mut command = Command::new(binary);
    command
        .args(arguments)
        .env_clear()
        .env("AWS_LAMBDA_RUNTIME_API", runtime_api)
        .env("AWS_LAMBDA_FUNCTION_NAME", function_name)
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory_size.to_string())
        .env("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
        .env(
            "AWS_LAMBDA_LOG_GROUP_NAME",
            format!("/aws/lambda/{function_name}"),
        )
        .env("AWS_LAMBDA_LOG_STREAM_NAME", "sim")
        .env("AWS_LAMBDA_LOG_FORMAT", "JSON")
        .env("AWS_REGION", region)
        .env("AWS_DEFAULT_REGION", region)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_SESSION_TOKEN", "test")
        .env("AWS_ENDPOINT_URL", endpoint_url)
        .env("LAMBDA_TASK_ROOT", task_root(binary))
        .env("_HANDLER", "bootstrap")
        .env("LANG", "en_US.UTF-8")
        .env("TZ", ":UTC")
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .envs(variables)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Passes on the lines of one stream until it ends. It reads them even without a listener: a full
/// pipe would stop the process.
async fn hand_on(stream: impl AsyncRead + Unpin, name: Stream, lines: UnboundedSender<LogLine>) {
    let mut reader = BufReader::new(stream);
    let mut bytes = Vec::new();
    while matches!(reader.read_until(b'\n', &mut bytes).await, Ok(count) if count > 0) {
        let text = String::from_utf8_lossy(&bytes)
            .trim_end_matches(['\r', '\n'])
            .to_owned();
        bytes.clear();
        let _ = lines.send(LogLine { stream: name, text });
    }
}
