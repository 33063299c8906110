//! `demo invoke`.

use std::io::{self, Write as _};
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use sim::runtime_api::{LogLine, Stream};
use sim::{Function as _, Invocation, InvocationResult};
use tokio::time::Instant;

use crate::stage::Stage;
use crate::verdict::{Error, Verdict};

/// The function's time-out in template.yaml.
const TIMEOUT: Duration = Duration::from_mins(2);

pub(crate) async fn run(binary: &Path, event: &Path) -> Result<Verdict, Error> {
    let payload = std::fs::read(event)
        .map_err(|error| format!("cannot read {}: {error}", event.display()))?;
    let _: Value = serde_json::from_slice(&payload)
        .map_err(|error| format!("{} is not JSON: {error}", event.display()))?;

    let mut stage = Stage::set(binary).await?;
    let invocation = Invocation {
        request_id: format!(
            "{:08x}-0000-4000-8000-{:012x}",
            fastrand::u32(..),
            fastrand::u64(..1 << 48)
        ),
        payload: Bytes::from(payload),
        deadline: Instant::now() + TIMEOUT,
        function_arn: Stage::function_arn(),
    };
    let answer = async {
        let result = stage.function.invoke(invocation).await;
        stage.function.stop().await;
        result
    };
    tokio::pin!(answer);
    let result = loop {
        tokio::select! {
            biased;
            Some(line) = stage.lines.recv() => print(&line)?,
            result = &mut answer => break result,
        }
    };
    while let Ok(line) = stage.lines.try_recv() {
        print(&line)?;
    }
    conclude(&result)
}

fn print(LogLine { stream, text }: &LogLine) -> io::Result<()> {
    match stream {
        Stream::Stdout => writeln!(io::stdout(), "{text}"),
        Stream::Stderr => writeln!(io::stderr(), "{text}"),
    }
}

fn conclude(result: &InvocationResult) -> Result<Verdict, Error> {
    let complain = |what: &str| writeln!(io::stderr(), "demo: the function {what}");
    match result {
        InvocationResult::Ok(body) => {
            writeln!(io::stdout(), "{}", pretty(body))?;
            return Ok(Verdict::Well);
        }
        InvocationResult::FunctionError(body) => {
            writeln!(io::stdout(), "{}", pretty(body))?;
            complain("answered with an error")?;
        }
        InvocationResult::TimedOut => {
            complain(&format!("did not answer within {} s", TIMEOUT.as_secs()))?;
        }
        InvocationResult::Crashed => complain("ended without an answer")?,
    }
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
