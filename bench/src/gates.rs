//! `bench gates`: counts against the committed baseline.

mod figures;
mod verdict;

use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::Args;

use crate::baseline::{Baseline, Versions};
use crate::failure::Failure;

use figures::{Programs, measure};
use verdict::Verdict;

/// The programs, and the baseline.
#[derive(Debug, Args)]
pub(crate) struct Gates {
    #[command(flatten)]
    programs: Programs,
    /// The committed numbers.
    #[arg(long, default_value = "bench/baseline.json")]
    baseline: PathBuf,
    /// Replace the committed numbers by those of this run.
    #[arg(long)]
    write: bool,
}

/// Measures every figure; true if none is worse than the baseline allows.
pub(crate) async fn run(gates: &Gates) -> Result<bool, Failure> {
    let here = Versions::here()?;
    let figures = measure(&gates.programs).await?;
    if gates.write {
        let figures = figures
            .iter()
            .map(|figure| (figure.name.to_owned(), figure.now));
        let baseline = Baseline {
            versions: here,
            figures: figures.collect(),
        };
        baseline.write(&gates.baseline)?;
        writeln!(io::stdout(), "{} is written", gates.baseline.display())?;
        return Ok(true);
    }
    let baseline = Baseline::read(&gates.baseline)?;
    let verdict = Verdict::of(&figures, &baseline, &here);
    write!(io::stdout(), "{verdict}")?;
    Ok(verdict.is_passed())
}
