//! `demo`: the simulated account on the command line, with the real function beside it.

mod access;
mod cli;
mod clock;
mod demo;
mod fleet;
mod invoke;
mod log;
mod play;
mod report;
mod screen;
mod serve;
mod stage;
mod table;
mod verdict;
mod watched;

use std::process::ExitCode;

use clap::Parser as _;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    cli::run(cli::Arguments::parse()).await
}
