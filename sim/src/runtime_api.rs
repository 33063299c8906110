//! Lambda's side of the Runtime API: it starts the real binary and hands it invocations, as Lambda
//! does for OS-only runtimes.
//!
//! AWS: "Using the Lambda runtime API for custom runtimes" and "Understanding the Lambda execution
//! environment lifecycle". Each execution environment is one process with a Runtime API of its own
//! on a loopback port and works on one invocation at a time; invocations that overlap get further
//! environments. A process that crashes or misses its deadline is ended, and the next invocation
//! starts another.

mod configuration;
mod environment;
mod protocol;
mod start_error;

use std::sync::{Mutex, PoisonError};

use futures_util::future::BoxFuture;
use tokio::sync::mpsc::UnboundedSender;

use self::environment::Environment;
use self::protocol::function_error;
pub use configuration::{FunctionConfiguration, LogLine, Stream};
pub use start_error::StartError;

use crate::lambda::{Function, Invocation, InvocationResult};

/// The real binary as a Lambda function. Dropping it ends its processes.
#[derive(Debug)]
#[must_use = "the function's processes end when it is dropped"]
pub struct RuntimeApi {
    configuration: FunctionConfiguration,
    lines: UnboundedSender<LogLine>,
    idle: Mutex<Vec<Environment>>,
}

impl RuntimeApi {
    /// Starts the binary and waits until it asks for its first event. The lines that it writes go
    /// to `lines`, in the order written.
    ///
    /// # Errors
    /// If the binary ends or fails before that.
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

    /// A function without a process: the first invocation starts the binary, and waits for as long as
    /// its initialization takes.
    pub fn cold(configuration: FunctionConfiguration, lines: UnboundedSender<LogLine>) -> Self {
        Self {
            configuration,
            lines,
            idle: Mutex::default(),
        }
    }

    /// Waits, after an invocation, until each idle process has asked for its next event: until
    /// all work of the invocation is done.
    pub async fn until_idle(&self) {
        let mut environments =
            std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        for environment in &mut environments {
            environment.asks().await;
        }
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(environments);
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

    /// An environment that waits for an event, if there is one.
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
