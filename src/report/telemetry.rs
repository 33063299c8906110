//! The log of everything else: one line of flat JSON for each `tracing` event, on standard output.

use serde::Serialize;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt, registry};

/// The levels of Lambda's own log filter, in their order.
/// "Configuring JSON and plain text log formats", AWS Lambda Developer Guide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Level {
    /// Everything.
    Trace,
    /// Details that help to find a fault.
    Debug,
    /// Events as they happen.
    #[default]
    Info,
    /// A case that resolves itself, or that waits for its owner.
    Warn,
    /// A case that needs a person.
    Error,
    /// An error that ends the function.
    Fatal,
}

impl Level {
    /// Reads the value of `AWS_LAMBDA_LOG_LEVEL`; anything that Lambda would not set is the
    /// default.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text.to_ascii_uppercase().as_str() {
            "TRACE" => Self::Trace,
            "DEBUG" => Self::Debug,
            "WARN" => Self::Warn,
            "ERROR" => Self::Error,
            "FATAL" => Self::Fatal,
            _ => Self::Info,
        }
    }

    fn filter(self) -> LevelFilter {
        match self {
            Self::Trace => LevelFilter::TRACE,
            Self::Debug => LevelFilter::DEBUG,
            Self::Info => LevelFilter::INFO,
            Self::Warn => LevelFilter::WARN,
            Self::Error => LevelFilter::ERROR,
            Self::Fatal => LevelFilter::OFF,
        }
    }
}

/// Installs the log for the life of the process: our own events from `level` on, and only warnings
/// and errors of the libraries. The span of the request stays at every level, since it carries the
/// request id.
pub fn telemetry(level: Level) {
    let lines = fmt::layer()
        .json()
        .flatten_event(true)
        .with_span_list(false)
        .with_target(false)
        .with_ansi(false);
    let ours = Targets::new()
        .with_default(level.filter().min(LevelFilter::WARN))
        .with_target("ecs_reloader", level.filter())
        .with_target("Lambda runtime invoke", LevelFilter::INFO);
    // A second call in one process (tests) changes nothing.
    let _ = registry().with(lines.with_filter(ours)).try_init();
}
