//! `demo`: the simulated account on the command line, with the real function beside it.

mod cli;
mod clock;
mod demo;
mod fleet;
mod invoke;
mod serve;
mod stage;
mod verdict;

use std::process::ExitCode;

use clap::Parser as _;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    cli::run(cli::Arguments::parse()).await
}
