//! The commands and their exit codes: 0 if all went well, 1 if a gate failed, 2 if the command could
//! not run.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::certificates::{Chain, Roots};
use crate::cold;
use crate::compare::{self, Compare};
use crate::contestant::Contestant;
use crate::failure::Failure;
use crate::figure::megabytes;
use crate::gates::{self, Gates};
use crate::stage::Setting;
use crate::warm;

/// Measures the function against the simulated account: over HTTPS, an address for each AWS service.
///
/// Exit codes: 0 all went well, 1 a gate failed, 2 the command could not run.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start a function with its first event, and print what it used until it asked for the next.
    Cold {
        #[command(flatten)]
        subject: Subject,
        /// Runs without valgrind, for CPU time, page faults and memory.
        #[arg(long, default_value_t = 3)]
        rounds: usize,
        /// Leave out the count of instructions.
        #[arg(long)]
        plain: bool,
    },
    /// Handle events in one process, and print what each took after the first.
    Warm {
        #[command(flatten)]
        subject: Subject,
        /// Events after the first.
        #[arg(long, default_value_t = 3)]
        events: u32,
    },
    /// Measure all contestants, in turn, and write the page.
    Compare(Compare),
    /// Measure what has a gate, and compare it with the committed baseline.
    Gates(Gates),
}

/// What is measured, and where.
#[derive(Debug, Args)]
struct Subject {
    /// The function's binary, of the release profile.
    #[arg(long)]
    binary: PathBuf,
    /// The keys and signatures of the account's certificates.
    #[arg(long, value_enum, default_value = "rsa")]
    chain: Chain,
    /// The root certificates beside the account's own.
    #[arg(long, value_enum, default_value = "native")]
    roots: Roots,
    /// One address for all AWS services.
    #[arg(long)]
    one_host: bool,
    /// Services that the event restarts.
    #[arg(long, default_value_t = 1)]
    services: usize,
    /// Services that watch something else.
    #[arg(long, default_value_t = 2)]
    others: usize,
    /// The folder for certificates and results of valgrind.
    #[arg(long, default_value = "target/bench")]
    folder: PathBuf,
}

impl Subject {
    fn setting(&self) -> Setting {
        Setting {
            chain: self.chain,
            roots: self.roots,
            one_host: self.one_host,
            matching: self.services,
            others: self.others,
            ..Setting::default()
        }
    }
}

/// Runs the command that the arguments name.
pub(crate) async fn run(arguments: Arguments) -> ExitCode {
    let result = match arguments.command {
        Command::Cold {
            subject,
            rounds,
            plain,
        } => print_cold(&subject, rounds, plain).await,
        Command::Warm { subject, events } => print_warm(&subject, events).await,
        Command::Compare(compare) => compare::run(&compare).await,
        Command::Gates(gates) => gates::run(&gates).await,
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            // If standard error is closed, only the exit code reports the error.
            let _ = writeln!(io::stderr(), "bench: {error}");
            ExitCode::from(2)
        }
    }
}

async fn print_cold(subject: &Subject, rounds: usize, plain: bool) -> Result<bool, Failure> {
    let (contestant, setting) = (Contestant::ours(&subject.binary), subject.setting());
    for _ in 0..rounds {
        let cold = cold::measure(&contestant, &setting, &subject.folder, false).await?;
        writeln!(
            io::stdout(),
            "{:.2} ms of CPU, {} page faults, {} MB at most, {} calls, {} connections",
            cold.usage.cpu.as_secs_f64() * 1e3,
            cold.usage.faults,
            megabytes(cold.usage.peak),
            cold.calls,
            cold.connections,
        )?;
    }
    if !plain {
        let counted = cold::measure(&contestant, &setting, &subject.folder, true).await?;
        let instructions = counted.instructions.unwrap_or_default();
        writeln!(
            io::stdout(),
            "{instructions} instructions, {} connections",
            counted.connections
        )?;
    }
    Ok(true)
}

async fn print_warm(subject: &Subject, events: u32) -> Result<bool, Failure> {
    let (contestant, setting) = (Contestant::ours(&subject.binary), subject.setting());
    let warm = warm::measure(&contestant, &setting, &subject.folder, events).await?;
    writeln!(
        io::stdout(),
        "{:.2} ms of CPU, {} calls, {} new connections",
        warm.cpu.as_secs_f64() * 1e3,
        warm.calls,
        warm.connections,
    )?;
    Ok(true)
}
