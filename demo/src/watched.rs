//! The function, with a report of each invocation as it begins and ends.

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::Value;
use sim::runtime_api::RuntimeApi;
use sim::{Function, Invocation, InvocationResult};
use tokio::sync::mpsc::UnboundedSender;

/// The beginning of a message of deferred work.
const DEFERRED: &str = "{\"deferred\":";

/// An event in the life of the function.
#[derive(Debug)]
pub(crate) enum Moment {
    /// Lambda hands it this many messages of the queue that are not its own.
    Invoked(usize),
    /// The invocation has ended in this way.
    Ended(&'static str),
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invoked(messages) => {
                write!(
                    f,
                    "Lambda invokes the function with {messages} queue message{}",
                    if *messages == 1 { "" } else { "s" }
                )
            }
            Self::Ended(how) => write!(f, "the function {how}"),
        }
    }
}

/// The real function, which reports its invocations.
pub(crate) struct Watched {
    function: Arc<RuntimeApi>,
    moments: UnboundedSender<Moment>,
}

impl Watched {
    pub(crate) fn new(function: Arc<RuntimeApi>, moments: UnboundedSender<Moment>) -> Self {
        Self { function, moments }
    }

    /// Reports to the listener, if there still is one.
    fn report(&self, moment: Moment) {
        let _ = self.moments.send(moment);
    }
}

impl Function for Watched {
    fn invoke(&self, invocation: Invocation) -> BoxFuture<'_, InvocationResult> {
        Box::pin(async move {
            let messages = messages(&invocation);
            if messages == 0 {
                return self.function.invoke(invocation).await;
            }
            self.report(Moment::Invoked(messages));
            let result = self.function.invoke(invocation).await;
            self.report(Moment::Ended(match result {
                InvocationResult::Ok(_) => "has answered",
                InvocationResult::FunctionError(_) => "has answered with an error",
                InvocationResult::TimedOut => "was stopped at its deadline",
                InvocationResult::Crashed => "has crashed",
            }));
            result
        })
    }
}

/// The number of records in the event of a queue, without the function's own deferred work.
fn messages(invocation: &Invocation) -> usize {
    let event: Value = serde_json::from_slice(&invocation.payload).unwrap_or_default();
    let records = event.get("Records").and_then(Value::as_array);
    let is_own = |record: &&Value| {
        let body = record.get("body").and_then(Value::as_str);
        body.is_some_and(|body| body.starts_with(DEFERRED))
    };
    let records = records.into_iter().flatten();
    records.filter(|record| !is_own(record)).count()
}
