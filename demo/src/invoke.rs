//! `demo invoke`.

use std::io::{self, Write as _};
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use sim::runtime_api::{LogLine, Stream};
use sim::{Function as _, Invocation, InvocationResult};
use tokio::time::Instant;

use crate::log;
use crate::report::Report;
use crate::stage::Stage;
use crate::verdict::{Error, Verdict};

/// The function's time-out in template.yaml.
const TIMEOUT: Duration = Duration::from_mins(2);

/// Runs the event in this file through the function, and prints the decisions; with `raw` also the
/// lines that the function wrote, and its answer.
pub(crate) async fn run(binary: &Path, event: &Path, raw: bool) -> Result<Verdict, Error> {
    let payload = std::fs::read(event)
        .map_err(|error| format!("cannot read {}: {error}", event.display()))?;
    let _: Value = serde_json::from_slice(&payload)
        .map_err(|error| format!("{} is not JSON: {error}", event.display()))?;

    let mut stage = Stage::set(binary, &[], None).await?;
    let invocation = invocation(Bytes::from(payload));
    let result = stage.function.invoke(invocation).await;
    stage.function.stop().await;
    let lines: Vec<_> = std::iter::from_fn(|| stage.lines.try_recv().ok()).collect();

    let mut report = Report::default();
    lines
        .iter()
        .map(log::read)
        .for_each(|entry| report.add(entry));
    write!(io::stdout(), "{report}")?;
    if raw {
        print_raw(&lines, &result)?;
    }
    Ok(conclude(&result)?)
}

fn invocation(payload: Bytes) -> Invocation {
    let (first, last) = (fastrand::u32(..), fastrand::u64(..1 << 48));
    Invocation {
        request_id: format!("{first:08x}-0000-4000-8000-{last:012x}"),
        payload,
        deadline: Instant::now() + TIMEOUT,
        function_arn: Stage::function_arn(),
    }
}

/// Prints each line to the stream that the function wrote it to, then the answer.
fn print_raw(lines: &[LogLine], result: &InvocationResult) -> io::Result<()> {
    writeln!(io::stdout())?;
    for LogLine { stream, text } in lines {
        match stream {
            Stream::Stdout => writeln!(io::stdout(), "{text}")?,
            Stream::Stderr => writeln!(io::stderr(), "{text}")?,
        }
    }
    match result {
        InvocationResult::Ok(body) | InvocationResult::FunctionError(body) => {
            writeln!(io::stdout(), "{}", pretty(body))
        }
        InvocationResult::TimedOut | InvocationResult::Crashed => Ok(()),
    }
}

fn conclude(result: &InvocationResult) -> io::Result<Verdict> {
    let problem = match result {
        InvocationResult::Ok(_) => return Ok(Verdict::Well),
        InvocationResult::FunctionError(_) => "answered with an error".to_owned(),
        InvocationResult::TimedOut => format!("did not answer within {} s", TIMEOUT.as_secs()),
        InvocationResult::Crashed => "ended without an answer".to_owned(),
    };
    writeln!(io::stderr(), "demo: the function {problem}")?;
    Ok(Verdict::Failed)
}

/// JSON, indented; anything else as it is.
fn pretty(body: &Bytes) -> String {
    let value = serde_json::from_slice::<Value>(body);
    value.map_or_else(
        |_| String::from_utf8_lossy(body).into_owned(),
        |value| format!("{value:#}"),
    )
}
