//! The commands and their exit codes: 0 if all went well, 1 if the function or a check failed, 2 if
//! the command could not run.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::verdict::Verdict;
use crate::{demo, invoke, play, serve};

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
    /// Prints one row for each service: the decision, its reason and the changes behind it.
    Invoke {
        /// The function's binary.
        #[arg(long)]
        binary: PathBuf,
        /// Print the function's log lines as it wrote them, and its answer, after the table.
        #[arg(long)]
        raw: bool,
        /// The file with the event, JSON.
        event: PathBuf,
    },
    /// Serve the demo's account, with the function connected, for the AWS CLI.
    ///
    /// Prints lines to paste into another terminal, and runs until Ctrl-C.
    Play {
        /// The function's binary.
        #[arg(long)]
        binary: PathBuf,
        /// The file for the function's log; its contents are replaced.
        #[arg(long)]
        log: PathBuf,
    },
    /// Rotate a secret, change an S3 object and a parameter, watch the services roll, and check the
    /// result.
    Demo {
        /// The function's binary.
        #[arg(long)]
        binary: PathBuf,
        /// Write a timeline of each change to this file, a page for a browser.
        #[arg(long)]
        html: Option<PathBuf>,
    },
}

/// Runs the command that the arguments name.
pub(crate) async fn run(arguments: Arguments) -> ExitCode {
    let result = match arguments.command {
        Command::Serve { port } => serve::run(port).await,
        Command::Invoke { binary, raw, event } => invoke::run(&binary, &event, raw).await,
        Command::Play { binary, log } => play::run(&binary, &log).await,
        Command::Demo { binary, html } => demo::run(&binary, html.as_deref()).await,
    };
    match result {
        Ok(Verdict::Well) => ExitCode::SUCCESS,
        Ok(Verdict::Failed) => ExitCode::from(1),
        Err(error) => {
            // If standard error is closed, only the exit code reports the error.
            let _ = writeln!(std::io::stderr(), "demo: {error}");
            ExitCode::from(2)
        }
    }
}
