//! The function, with someone looking on as it is invoked.

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::Value;
use sim::runtime_api::RuntimeApi;
use sim::{Function, Invocation, InvocationResult};
use tokio::sync::mpsc::UnboundedSender;

/// Something that happened to the function.
#[derive(Debug)]
pub(super) enum Moment {
    /// Lambda hands it this many messages of the queue.
    Invoked(usize),
    /// It has answered, or has not.
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

/// The real function, whose invocations are told as they come.
pub(super) struct Watched {
    function: Arc<RuntimeApi>,
    moments: UnboundedSender<Moment>,
}

impl Watched {
    pub(super) fn new(function: Arc<RuntimeApi>, moments: UnboundedSender<Moment>) -> Self {
        Self { function, moments }
    }

    /// When the demo has stopped looking on, nobody needs to know.
    fn tell(&self, moment: Moment) {
        let _ = self.moments.send(moment);
    }
}

impl Function for Watched {
    fn invoke(&self, invocation: Invocation) -> BoxFuture<'_, InvocationResult> {
        Box::pin(async move {
            self.tell(Moment::Invoked(messages(&invocation)));
            let result = self.function.invoke(invocation).await;
            self.tell(Moment::Ended(match result {
                InvocationResult::Ok(_) => "has answered",
                InvocationResult::FunctionError(_) => "has answered with an error",
                InvocationResult::TimedOut => "was stopped at its deadline",
                InvocationResult::Crashed => "has crashed",
            }));
            result
        })
    }
}

/// How many records the event of a queue has.
fn messages(invocation: &Invocation) -> usize {
    let event: Value = serde_json::from_slice(&invocation.payload).unwrap_or_default();
    event
        .get("Records")
        .and_then(Value::as_array)
        .map_or(0, Vec::len)
}
