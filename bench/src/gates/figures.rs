//! The figures that have a gate.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::certificates::Roots;
use crate::contestant::Contestant;
use crate::failure::Failure;
use crate::package::zipped;
use crate::parts::Part;
use crate::stage::{Setting, Stage};
use crate::storm;

/// Events after the first one.
const WARM: u64 = 3;

/// The programs that are measured.
#[derive(Debug, Args)]
pub(crate) struct Programs {
    /// The function's binary, of the release profile.
    #[arg(long)]
    binary: PathBuf,
    /// The program `parts`, of the release profile.
    #[arg(long)]
    parts: PathBuf,
    /// The folder for certificates and results of valgrind.
    #[arg(long, default_value = "target/bench")]
    folder: PathBuf,
}

/// A figure: less is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Figure {
    /// Its name in the table and in the baseline.
    pub(crate) name: &'static str,
    /// The most that it may grow, in thousandths.
    pub(crate) tolerance: u64,
    /// Its value.
    pub(crate) now: u64,
}

impl Figure {
    /// Two percent: counts hardly differ between runs.
    fn count(name: &'static str, now: u64) -> Self {
        Self {
            name,
            tolerance: 20,
            now,
        }
    }

    /// Five percent: the memory of a process depends on the order in which answers arrive.
    fn memory(name: &'static str, now: u64) -> Self {
        Self {
            name,
            tolerance: 50,
            now,
        }
    }
}

/// Measures all of them.
pub(crate) async fn measure(programs: &Programs) -> Result<Vec<Figure>, Failure> {
    let mut figures = starts(programs).await?;
    figures.extend(parts(programs)?);
    let ours = Contestant::ours(&programs.binary);
    for (name, matching) in [
        ("API calls, one service", 1),
        ("API calls, a hundred services", 100),
    ] {
        let setting = Setting {
            matching,
            ..Setting::default()
        };
        figures.push(Figure::count(
            name,
            calls(&ours, &setting, &programs.folder).await?,
        ));
    }
    for (name, storm) in [
        (
            "memory in bytes, 100 changes of 3,000 services",
            storm::HUNDRED,
        ),
        (
            "memory in bytes, 1,000 changes of 1,000 services",
            storm::THOUSAND,
        ),
    ] {
        figures.push(Figure::memory(
            name,
            storm.peak(&programs.binary, &programs.folder).await?,
        ));
    }
    figures.push(Figure::count(
        "package in bytes, zipped",
        zipped(&programs.binary)?,
    ));
    Ok(figures)
}

/// The cold start, and an event after it.
async fn starts(programs: &Programs) -> Result<Vec<Figure>, Failure> {
    let (ours, native) = (Contestant::ours(&programs.binary), Setting::default());
    let amazon = Setting {
        roots: Roots::Amazon,
        ..Setting::default()
    };
    let several = native.for_events(usize::try_from(1 + WARM)?);
    let folder = &programs.folder;
    let cold = instructions(&ours, &native, folder, 1).await?;
    let few_roots = instructions(&ours, &amazon, folder, 1).await?;
    let one = instructions(&ours, &several, folder, 1).await?;
    let all = instructions(&ours, &several, folder, 1 + WARM).await?;
    Ok(vec![
        Figure::count("instructions, cold start, 145 native roots", cold),
        Figure::count("instructions, cold start, Amazon's roots", few_roots),
        Figure::count("instructions, warm event", all.saturating_sub(one) / WARM),
    ])
}

fn parts(programs: &Programs) -> Result<Vec<Figure>, Failure> {
    let parts = [
        (
            "instructions, decode and match, 100 services",
            "match",
            100,
            100,
        ),
        (
            "instructions, decode and match, 10,000 services",
            "match",
            10_000,
            100,
        ),
        ("instructions, plan, 10,000 services", "plan", 10_000, 2),
    ];
    let figures = parts.map(|(figure, name, services, times)| {
        let part = Part {
            name,
            services,
            times,
        };
        let instructions = part.instructions(&programs.parts, &programs.folder)?;
        Ok(Figure::count(figure, instructions))
    });
    figures.into_iter().collect()
}

/// The instructions of a process that handles so many events.
async fn instructions(
    contestant: &Contestant,
    setting: &Setting,
    folder: &Path,
    events: u64,
) -> Result<u64, Failure> {
    let mut stage = Stage::set(contestant, setting, folder, true).await?;
    for _ in 0..events {
        stage.event().await?;
    }
    let counted = stage.end().await?;
    Ok(counted.ok_or("callgrind counted nothing")?)
}

/// The API calls of one event.
async fn calls(contestant: &Contestant, setting: &Setting, folder: &Path) -> Result<u64, Failure> {
    let mut stage = Stage::set(contestant, setting, folder, false).await?;
    stage.event().await?;
    let calls = stage.account.calls().len();
    stage.end().await?;
    Ok(u64::try_from(calls)?)
}
