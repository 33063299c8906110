//! Runs many histories, on all cores, and judges them together.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::Arguments;
use crate::coverage::Coverage;
use crate::excuse::Tally;
use crate::verdict::{self, Verdict};

/// One history in this many is run twice, and must be the same.
const REPLAYED: u64 = 50;

/// This number of histories must show everything that can happen.
const FULL: u64 = 2000;

/// A history that broke promises.
struct Failure {
    seed: u64,
    broken: Vec<String>,
    timeline: String,
}

/// The results so far.
struct Progress {
    failures: Vec<Failure>,
    coverage: Coverage,
    tally: Tally,
    reported: Instant,
}

/// The histories of one run.
struct Many<'a> {
    arguments: &'a Arguments,
    began: Instant,
    next: AtomicU64,
    stopped: AtomicBool,
    progress: Mutex<Progress>,
}

/// Runs them, and prints the results. True if every promise held.
pub(crate) fn run(arguments: &Arguments) -> bool {
    let began = Instant::now();
    let many = Many {
        arguments,
        began,
        next: AtomicU64::new(arguments.first),
        stopped: AtomicBool::new(false),
        progress: Mutex::new(Progress {
            failures: Vec::new(),
            coverage: Coverage::default(),
            tally: Tally::default(),
            reported: began,
        }),
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| many.work());
        }
    });
    many.conclude()
}

/// Histories a second.
fn rate(number: u64, since: Instant) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX)) / since.elapsed().as_secs_f64()
}

impl Many<'_> {
    fn work(&self) {
        let end = self.arguments.first + self.arguments.seeds;
        while !self.stopped.load(Ordering::Relaxed) {
            let seed = self.next.fetch_add(1, Ordering::Relaxed);
            if seed >= end {
                return;
            }
            let mut verdict = verdict::of(seed);
            if seed.is_multiple_of(REPLAYED) && verdict::of(seed).timeline != verdict.timeline {
                verdict.broken.push("it does not replay".to_owned());
            }
            self.note(seed, verdict);
        }
    }

    fn note(&self, seed: u64, verdict: Verdict) {
        let mut progress = self.progress.lock().unwrap();
        progress.tally.count(verdict.excused);
        progress.coverage.add(verdict.coverage);
        if !verdict.broken.is_empty() {
            // Printed at once, for a run that is stopped early.
            eprintln!("simulate: seed {seed} broke: {}", verdict.broken.join("; "));
            progress.failures.push(Failure {
                seed,
                broken: verdict.broken,
                timeline: verdict.timeline,
            });
            self.stopped
                .fetch_or(self.arguments.stops, Ordering::Relaxed);
        }
        if progress.reported.elapsed() > Duration::from_secs(10) {
            progress.reported = Instant::now();
            let (done, all) = (seed - self.arguments.first, self.arguments.seeds);
            let rate = rate(done, self.began);
            eprintln!("simulate: {done} of {all} histories, {rate:.0}/s");
        }
    }

    fn conclude(self) -> bool {
        let Arguments { first, seeds, .. } = *self.arguments;
        let Progress {
            mut failures,
            coverage,
            tally,
            ..
        } = self.progress.into_inner().unwrap();
        failures.sort_by_key(|failure| failure.seed);
        let counted = coverage.lines().chain(tally.lines(seeds));
        counted.for_each(|line| println!("{line}"));
        print_failures(&failures);
        let missing = if seeds < FULL {
            Vec::new()
        } else {
            coverage.missing()
        };
        for what in &missing {
            println!("never happened: {what}");
        }
        let too_often = tally.too_often(seeds);
        for kind in &too_often {
            println!("excused too often: {kind}");
        }
        println!(
            "simulate: {} of {seeds} histories held, seeds {first}..{}, {:.0} s, {:.0}/s",
            seeds - failures.len() as u64,
            first + seeds,
            self.began.elapsed().as_secs_f64(),
            rate(seeds, self.began)
        );
        failures.is_empty() && missing.is_empty() && too_often.is_empty()
    }
}

fn print_failures(failures: &[Failure]) {
    if let Some(first) = failures.first() {
        println!("the timeline of seed {}:\n{}", first.seed, first.timeline);
    }
    for failure in failures {
        for broken in &failure.broken {
            println!("seed {}: {broken}", failure.seed);
        }
    }
}
