//! The function: builds everything once, then handles one invocation after another.

use std::io;
use std::process::ExitCode;

use ecs_reloader::aws::{Aws, load_config};
use ecs_reloader::lambda::Reloader;
use ecs_reloader::report::{Level, Reporter, telemetry};
use ecs_reloader::settings::{Settings, Vars};
use jiff::Timestamp;
use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::value::RawValue;

struct ProcessEnv;

impl Vars for ProcessEnv {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the environment is read"
    )]
    fn var(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the wall clock is read"
)]
fn now() -> Timestamp {
    Timestamp::now()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let level = Level::parse(&ProcessEnv.var("AWS_LAMBDA_LOG_LEVEL").unwrap_or_default());
    telemetry(level);
    match run(level).await {
        Ok(()) => ExitCode::SUCCESS,
        // A `main` that returns the error would write its debug text as well.
        Err(error) => {
            tracing::error!(%error, "the function cannot start, or cannot continue");
            ExitCode::FAILURE
        }
    }
}

async fn run(level: Level) -> Result<(), lambda_runtime::Error> {
    let settings = Settings::load(&ProcessEnv)?;
    let function = ProcessEnv
        .var("AWS_LAMBDA_FUNCTION_NAME")
        .unwrap_or_else(|| env!("CARGO_PKG_NAME").to_owned());
    let reporter = Reporter::new(Box::new(io::stdout()), &function, level);
    let config = load_config(|name| ProcessEnv.var(name)).await?;
    let aws = Aws::new(&config, settings.concurrency);
    let reloader = Reloader::new(aws, settings, reporter);

    let reloader = &reloader;
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Box<RawValue>>| {
        reloader
            .handle(event.payload.get(), &event.context, now())
            .await
    }))
    .await
}
