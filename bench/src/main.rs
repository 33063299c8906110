//! `bench`: measures the function, by itself and beside others, against the simulated account.
//!
//! ```text
//!  cli ─▶ cold ─▶ stage ─▶ the account over HTTPS, and a contestant behind the Runtime API
//!                   │
//!                   ├─ certificates, hosts   a throw-away authority, one address for each AWS service
//!                   ├─ process, callgrind    what a process used, as Linux and valgrind count it
//!                   └─ check                 what it did, as the account recorded it
//! ```

mod baseline;
mod callgrind;
mod certificates;
mod check;
mod cli;
mod clock;
mod cold;
mod compare;
mod contestant;
mod event;
mod failure;
mod figure;
mod gates;
mod hosts;
mod machine;
mod note;
mod package;
mod parts;
mod plot;
mod process;
mod race;
mod results;
mod stage;
mod storm;
mod table;
mod warm;

use std::process::ExitCode;

use clap::Parser as _;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    cli::run(cli::Arguments::parse()).await
}
