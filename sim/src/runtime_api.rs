//! Lambda's side of the Runtime API: it starts the real binary and hands it invocations, as Lambda
//! does for OS-only runtimes.
//!
//! AWS: "Using the Lambda runtime API for custom runtimes" and "Understanding the Lambda execution
//! environment lifecycle". Each execution environment is one process with a Runtime API of its own
//! on a loopback port and works on one invocation at a time; invocations that overlap get further
//! environments. A process that crashes or misses its deadline is ended, and the next invocation
//! starts another.

mod environment;
mod protocol;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde_json::json;
use tokio::sync::mpsc::UnboundedSender;

use self::environment::Environment;
use crate::{Function, Invocation, InvocationResult};

/// What Lambda is told about a function: the part of `FunctionConfiguration` (Lambda API) that
/// reaches the process.
#[derive(Debug, Clone)]
pub struct FunctionConfiguration {
    /// The program that would be `bootstrap` in the function's package.
    pub binary: PathBuf,
    /// `AWS_LAMBDA_FUNCTION_NAME`.
    pub function_name: String,
    /// `AWS_LAMBDA_FUNCTION_MEMORY_SIZE`, in MiB. It is told and not enforced.
    pub memory_size: u32,
    /// `AWS_REGION` and `AWS_DEFAULT_REGION`.
    pub region: String,
    /// `AWS_ENDPOINT_URL`: where the function finds its account
    /// ([`crate::server::Server::endpoint_url`]).
    pub endpoint_url: String,
    /// The function's own environment variables. Nothing of this process's environment is passed
    /// on.
    pub variables: BTreeMap<String, String>,
}

/// A line that the function wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Where it was written.
    pub stream: Stream,
    /// The line, without its end.
    pub text: String,
}

/// The two streams that Lambda sends to `CloudWatch` Logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Why the function cannot run at all.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The binary is missing, or the system refuses to run it.
    #[error("cannot start {}: {source}; build it with `cargo build`, or name another with --binary", path.display())]
    Binary {
        /// The binary as it was named.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// No port for the Runtime API.
    #[error("cannot listen on a loopback port: {0}")]
    Listen(#[source] io::Error),
    /// The process ended before it asked for its first event.
    #[error("{} ended before it asked for its first event: {status}", path.display())]
    Exited {
        /// The binary as it was named.
        path: PathBuf,
        /// How it ended.
        status: ExitStatus,
    },
    /// The function reported an initialization error.
    #[error("{} cannot initialize: {error}", path.display())]
    Init {
        /// The binary as it was named.
        path: PathBuf,
        /// What it posted to `/init/error`.
        error: String,
    },
    /// The process did not ask for an event within 10 s, which is what Lambda allows.
    #[error("{} did not ask for its first event within {} s", path.display(), environment::INIT_LIMIT.as_secs())]
    InitTimeout {
        /// The binary as it was named.
        path: PathBuf,
    },
}

/// The real binary as a Lambda function. Dropping it ends its processes.
#[derive(Debug)]
#[must_use = "the function's processes end when it is dropped"]
pub struct RuntimeApi {
    configuration: FunctionConfiguration,
    lines: UnboundedSender<LogLine>,
    idle: Mutex<Vec<Environment>>,
}

impl RuntimeApi {
    /// Starts the binary and waits until it asks for its first event. What it writes from then on
    /// goes to `lines`, in the order written.
    ///
    /// # Errors
    /// If the binary does not get so far.
    pub async fn start(
        configuration: FunctionConfiguration,
        lines: UnboundedSender<LogLine>,
    ) -> Result<Self, StartError> {
        let mut environment = Environment::start(&configuration, &lines).await?;
        environment.initialized(&configuration.binary).await?;
        Ok(Self {
            configuration,
            lines,
            idle: Mutex::new(vec![environment]),
        })
    }

    /// Ends the idle processes, as Lambda does after a while, and waits until their last lines are
    /// handed on.
    pub async fn stop(&self) {
        let environments =
            std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        for environment in environments {
            environment.end().await;
        }
    }

    /// The ids of the idle processes.
    #[must_use]
    pub fn processes(&self) -> Vec<u32> {
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .filter_map(Environment::process)
            .collect()
    }

    /// An environment that is waiting for an event, if one still is.
    fn warm(&self) -> Option<Environment> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain_mut(Environment::is_running);
        idle.pop()
    }

    async fn run(&self, invocation: Invocation) -> InvocationResult {
        let mut environment = match self.warm() {
            Some(environment) => environment,
            None => match Environment::start(&self.configuration, &self.lines).await {
                Ok(environment) => environment,
                Err(error) => {
                    return function_error("Runtime.InvalidEntrypoint", &error.to_string());
                }
            },
        };
        let result = environment.work(invocation).await;
        if environment.is_reusable() {
            self.idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(environment);
        } else {
            environment.end().await;
        }
        result
    }
}

impl Function for RuntimeApi {
    fn invoke(&self, invocation: Invocation) -> BoxFuture<'_, InvocationResult> {
        Box::pin(self.run(invocation))
    }
}

/// An error in Lambda's own words, for what went wrong outside the function.
fn function_error(error_type: &str, message: &str) -> InvocationResult {
    InvocationResult::FunctionError(Bytes::from(
        json!({ "errorType": error_type, "errorMessage": message }).to_string(),
    ))
}

/// The directory that Lambda unpacks the function to (`LAMBDA_TASK_ROOT`): where the binary is.
fn task_root(binary: &Path) -> PathBuf {
    binary.parent().map(Path::to_path_buf).unwrap_or_default()
}
