//! `bench compare`: all contestants, in turn, and what they used.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;

use crate::certificates::Roots;
use crate::cold;
use crate::contestant::{Contestant, Programs, Way, all};
use crate::failure::Failure;
use crate::machine;
use crate::note;
use crate::package::zipped;
use crate::race::{self, Others};
use crate::results::{Colds, Entry, RaceOf, Results};
use crate::stage::Setting;
use crate::storm;
use crate::warm;

/// Services that watch, where many do.
const CROWD: usize = 10_000;

/// Events after the first one.
const WARM_EVENTS: u32 = 3;

/// The contestants, and how much is measured.
#[derive(Debug, Args)]
pub(crate) struct Compare {
    #[command(flatten)]
    programs: Programs,
    /// Runs of each contestant, in turn; tables show the median.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Measure a thousand services too: half an hour more.
    #[arg(long)]
    full: bool,
    /// Measure as little as shows that everything works.
    #[arg(long, conflicts_with = "full")]
    quick: bool,
    /// The page whose tables are replaced; its plots go to a folder of its name.
    #[arg(long, default_value = "docs/performance.md")]
    page: PathBuf,
    /// The folder for certificates, programs and results of valgrind.
    #[arg(long, default_value = "target/bench")]
    folder: PathBuf,
}

/// Measures, and writes the page.
pub(crate) async fn run(compare: &Compare) -> Result<bool, Failure> {
    let (contestants, missing) = all(&compare.programs, &compare.folder);
    for what in &missing {
        say(&format!("left out: {what}"));
    }
    let run = Run {
        compare,
        contestants,
        folder: &compare.folder,
    };
    let mut results = Results {
        command: match (compare.quick, compare.full) {
            (true, _) => "make bench QUICK=1",
            (_, true) => "make bench FULL=1",
            _ => "make bench",
        },
        head: machine::head(&compare.programs.versions())?,
        missing,
        contestants: run.entries()?,
        ..Results::default()
    };
    run.starts(&mut results).await?;
    run.bursts(&mut results).await?;
    run.warm(&mut results).await?;
    run.memory(&mut results).await?;
    run.races(&mut results).await?;
    note::write(&results, &compare.page)?;
    say(&format!("{} is written", compare.page.display()));
    Ok(true)
}

/// Reports progress: a run takes long.
fn say(text: &str) {
    // If standard output is closed, nobody reads it.
    let _ = writeln!(io::stdout(), "{text}");
}

/// The contestants whose instructions are counted. Those in Python take minutes under valgrind.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Count {
    All,
    Compiled,
    None,
}

struct Run<'a> {
    compare: &'a Compare,
    contestants: Vec<Contestant>,
    folder: &'a Path,
}

impl Run<'_> {
    fn entries(&self) -> Result<Vec<Entry>, Failure> {
        let entries = self.contestants.iter().map(|contestant| {
            let sizes = contestant.package.iter().map(|file| zipped(file));
            let sizes: Vec<u64> = sizes.collect::<Result<_, _>>()?;
            Ok(Entry {
                name: contestant.name.clone(),
                calls: contestant.calls,
                package: sizes.iter().sum(),
            })
        });
        entries.collect()
    }

    fn rounds(&self) -> usize {
        if self.compare.quick {
            1
        } else {
            self.compare.rounds
        }
    }

    /// Cold starts of all contestants, in turn.
    async fn colds(&self, setting: &Setting, count: Count) -> Result<Vec<Colds>, Failure> {
        let mut colds: Vec<Colds> = Vec::new();
        colds.resize_with(self.contestants.len(), Colds::default);
        for _ in 0..self.rounds() {
            for (contestant, colds) in self.contestants.iter().zip(&mut colds) {
                let cold = cold::measure(contestant, setting, self.folder, false).await?;
                colds.plain.push(cold);
            }
        }
        for (contestant, colds) in self.contestants.iter().zip(&mut colds) {
            if count == Count::All || count == Count::Compiled && !contestant.is_interpreted() {
                say(&format!("  {} under valgrind", contestant.name));
                // Go's runtime does not always survive valgrind: its cell stays empty then.
                match cold::measure(contestant, setting, self.folder, true).await {
                    Ok(cold) => colds.instructions = cold.instructions,
                    Err(error) => say(&format!("  not counted: {error}")),
                }
            }
        }
        Ok(colds)
    }

    async fn starts(&self, results: &mut Results) -> Result<(), Failure> {
        say("cold starts");
        results.native = self.colds(&Setting::default(), Count::All).await?;
        let amazon = Setting {
            roots: Roots::Amazon,
            ..Setting::default()
        };
        results.amazon = self.colds(&amazon, Count::All).await?;
        Ok(())
    }

    async fn bursts(&self, results: &mut Results) -> Result<(), Failure> {
        let numbers: &[usize] = if self.compare.quick {
            &[25]
        } else {
            &[25, 50, 100]
        };
        let count = if self.compare.quick {
            Count::None
        } else {
            Count::Compiled
        };
        for number in numbers {
            say(&format!("cold starts that restart {number} services"));
            let setting = Setting {
                matching: *number,
                roots: Roots::Amazon,
                ..Setting::default()
            };
            let colds = self.colds(&setting, count).await?;
            results.bursts.push((*number, colds));
        }
        Ok(())
    }

    async fn warm(&self, results: &mut Results) -> Result<(), Failure> {
        let numbers: &[usize] = match (self.compare.quick, self.compare.full) {
            (true, _) => &[1, 10],
            (_, false) => &[1, 10, 100],
            (_, true) => &[1, 10, 100, 1_000],
        };
        for number in numbers {
            say(&format!("warm events that restart {number} services"));
            let setting = Setting {
                matching: *number,
                ..Setting::default()
            };
            let events = if *number < 1_000 { WARM_EVENTS } else { 1 };
            let mut row = Vec::new();
            for contestant in &self.contestants {
                row.push(warm::measure(contestant, &setting, self.folder, events).await?);
            }
            results.warm.push((*number, row));
        }
        Ok(())
    }

    async fn memory(&self, results: &mut Results) -> Result<(), Failure> {
        if self.compare.quick {
            return Ok(());
        }
        say("memory");
        let crowd = Setting {
            others: CROWD - 1,
            ..Setting::default()
        };
        for contestant in &self.contestants {
            let cold = cold::measure(contestant, &crowd, self.folder, false).await?;
            results.crowded.push(cold.usage.peak);
        }
        for (name, storm) in [
            ("100 changes of 3,000 services", storm::HUNDRED),
            ("1,000 changes of 1,000 services", storm::THOUSAND),
        ] {
            let peak = storm
                .peak(&self.compare.programs.binary, self.folder)
                .await?;
            results.storms.push((name, peak));
        }
        Ok(())
    }

    async fn races(&self, results: &mut Results) -> Result<(), Failure> {
        let services = if self.compare.quick { 60 } else { 200 };
        let deploying = |contestant: &&Contestant| contestant.way == Way::Deploys;
        for others in Others::ALL {
            for contestant in self.contestants.iter().filter(deploying) {
                self.race(results, contestant, services, others).await?;
            }
        }
        if let (true, Some(ours)) = (self.compare.full, self.contestants.first()) {
            for others in Others::ALL {
                self.race(results, ours, 1_000, others).await?;
            }
        }
        Ok(())
    }

    async fn race(
        &self,
        results: &mut Results,
        contestant: &Contestant,
        services: u32,
        others: Others,
    ) -> Result<(), Failure> {
        say(&format!(
            "{}: {services} services, {}",
            contestant.name,
            others.words()
        ));
        let race = race::run(contestant, services, others, self.folder).await?;
        results.races.push(RaceOf {
            contestant: contestant.name.clone(),
            others,
            race,
        });
        Ok(())
    }
}
