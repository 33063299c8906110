//! The commands, and the exit codes they end with: 0 all well, 1 the function or a check failed, 2
//! it could not run.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::verdict::Verdict;
use crate::{demo, invoke, serve};

/// A simulated AWS account: ECS services that roll, Parameter Store, Secrets Manager, S3, SQS and
/// Lambda, on a loopback port.
///
/// Exit codes: 0 all went well, 1 the function or a check failed, 2 the command could not run.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve an empty account for the AWS CLI, boto3 or any SDK.
    ///
    /// Prints one line of JSON, {"endpoint": …, "environment": {…}, "try": …}, and runs until
    /// standard input closes or Ctrl-C.
    Serve {
        /// The port on 127.0.0.1; 0 lets the system pick a free one.
        #[arg(long, default_value_t = 0)]
        port: u16,
    },
    /// Run one event through the function's real binary, against the demo's account.
    ///
    /// Prints the function's log lines as it wrote them, then its answer as JSON.
    Invoke {
        /// The function's binary.
        #[arg(long)]
        binary: PathBuf,
        /// The file with the event, JSON.
        event: PathBuf,
    },
    /// Rotate a secret, change an S3 object and a parameter, watch the services roll, and check the
    /// result.
    Demo {
        /// The function's binary.
        #[arg(long)]
        binary: PathBuf,
    },
}

/// Runs the command that was asked for.
pub(crate) async fn run(arguments: Arguments) -> ExitCode {
    let result = match arguments.command {
        Command::Serve { port } => serve::run(port).await,
        Command::Invoke { binary, event } => invoke::run(&binary, &event).await,
        Command::Demo { binary } => demo::run(&binary).await,
    };
    match result {
        Ok(Verdict::Well) => ExitCode::SUCCESS,
        Ok(Verdict::Failed) => ExitCode::from(1),
        Err(error) => {
            // If standard error is closed, the exit code has to do.
            let _ = writeln!(std::io::stderr(), "demo: {error}");
            ExitCode::from(2)
        }
    }
}
