//! Random histories from seeds, and the promises of the design after each.
//!
//! `simulate [--first N] [--seeds N]` runs many, `simulate --seed N` replays one and prints its
//! timeline.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test that cannot go on fails, and tells a person"
)]

mod excuse;
mod fought;
mod function;
mod history;
mod newest;
mod persons;
mod promises;
mod subject;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use excuse::{Excuse, Tally};
use function::FUNCTION;
use history::History;
use serde_json::Value;
use sim::CallResult;

/// Under `cargo test`, which names no number.
const FEW: u64 = 60;

/// Every so many histories, one is run twice and must be the same.
const REPLAYED: u64 = 50;

/// What became of one history.
struct Verdict {
    broken: Vec<String>,
    excuses: Vec<Excuse>,
    timeline: String,
    /// How often each thing happened.
    happened: BTreeMap<String, u64>,
}

fn run(seed: u64) -> Verdict {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let history = History::run(seed).await;
        let (broken, excuses) = promises::broken(&history);
        Verdict {
            broken,
            excuses,
            timeline: timeline(&history),
            happened: happened(&history),
        }
    })
}

/// All that happened, in order: what was done, what the function called and told.
fn timeline(history: &History) -> String {
    let done = history
        .done
        .iter()
        .map(|(at, what)| (*at, format!("* {what}")));
    let calls = history.account.calls();
    let calls = calls
        .iter()
        .map(|call| (call.time, format!("  {} {call}", call.principal)));
    let told = history.function.lines("service").into_iter().map(|line| {
        let at = line["timestamp"].as_str().unwrap().parse().unwrap();
        let part = |of: &Value, name: &str| of[name].as_str().unwrap_or("-").to_owned();
        let told = [
            "service",
            "decision",
            "reason",
            "result",
            "deployment",
            "detail",
        ]
        .map(|name| part(&line, name))
        .join(" ");
        let changes = line["changes"].as_array().into_iter().flatten();
        let changes =
            changes.map(|change| format!("{} {}", part(change, "key"), part(change, "reason")));
        (
            at,
            format!("    {told} [{}]", changes.collect::<Vec<_>>().join(", ")),
        )
    });
    let ran = history.function.ran().into_iter().map(|ran| {
        (
            ran.until,
            format!(
                "  an invocation since {} ended, crashed: {}",
                ran.from, ran.crashed
            ),
        )
    });
    let deployed = history.account.services().into_iter().flat_map(|service| {
        let name = service.name;
        service.history.into_iter().map(move |past| {
            let ended = past.finished_at.map_or_else(
                || "runs on".to_owned(),
                |end| format!("{} at {end:.3}", past.status),
            );
            (
                past.created_at,
                format!("  {name} deploys {}: {ended}", past.deployment),
            )
        })
    });
    let mut all: Vec<_> = done
        .chain(calls)
        .chain(told)
        .chain(ran)
        .chain(deployed)
        .collect();
    all.sort_by_key(|(at, _)| *at);
    let subjects = history
        .subjects
        .iter()
        .fold(String::new(), |text, subject| {
            text + &format!("{subject:?}\n")
        });
    all.into_iter().fold(subjects, |text, (at, what)| {
        text + &format!("{at:.3} {what}\n")
    })
}

fn happened(history: &History) -> BTreeMap<String, u64> {
    let mut happened: BTreeMap<String, u64> = BTreeMap::new();
    let mut count = |what: String, times: usize| *happened.entry(what).or_default() += times as u64;
    for line in history.function.lines("service") {
        count(
            format!("reason {}", line["reason"].as_str().unwrap_or("unread")),
            1,
        );
        if let Some(result) = line["result"].as_str() {
            count(format!("result {result}"), 1);
        }
    }
    let ran = history.function.ran();
    count("invocations".to_owned(), ran.len());
    count(
        "invocations lost".to_owned(),
        ran.iter().filter(|ran| ran.crashed).count(),
    );
    count("changes".to_owned(), history.writes.len());
    count(
        "excuse: a restart for what a key would be decoded".to_owned(),
        promises::owed_to_a_decoded_key(history),
    );
    for past in history
        .account
        .services()
        .into_iter()
        .flat_map(|service| service.history)
    {
        let by = past
            .ended_by
            .map_or_else(String::new, |by| format!("deployments ended by {by:?}"));
        count(by, usize::from(past.ended_by.is_some()));
        count("hooks of deployments".to_owned(), past.hooks.len());
    }
    for call in history
        .account
        .calls()
        .iter()
        .filter(|call| call.principal.starts_with(FUNCTION))
    {
        let is_sweeps = ["ListTasks", "DescribeTasks", "ListObjectsV2", "ListSecrets"]
            .contains(&call.operation.as_str());
        let failed = !call.took_effect();
        match call.operation.as_str() {
            "UpdateService" | "SendMessage" => {
                count(
                    format!("{} whose invocation was lost", call.operation),
                    usize::from(ran.iter().any(|ran| ran.was_lost_with(call))),
                );
                count(
                    format!("{} whose answer was lost", call.operation),
                    usize::from(call.result == CallResult::AnswerLost),
                );
                count(
                    format!("{} that failed", call.operation),
                    usize::from(failed),
                );
            }
            "GetResources" if !call.input["PaginationToken"].is_null() => {
                count("pages of a listing that does not end".to_owned(), 1);
            }
            _ if is_sweeps => count(
                "calls of a sweep that failed".to_owned(),
                usize::from(failed),
            ),
            _ => {}
        }
    }
    happened.retain(|_, times| *times > 0);
    happened
}

/// What must have happened somewhere in many histories: a proof about what never happens proves
/// nothing.
const EXPECTED: [&str; 39] = [
    "reason stale",
    "reason fresh",
    "reason failed-already",
    "reason rejected",
    "reason awaiting-approval",
    "reason paused",
    "reason outside-window",
    "reason min-interval",
    "reason restart-budget",
    "reason settling",
    "reason deployment-in-progress",
    "reason in-flight-limit",
    "reason notify",
    "reason deleted",
    "reason label-only",
    "reason no-tasks",
    "reason off",
    "reason ignored-key",
    "reason dry-run",
    "result started",
    "result failed",
    "result rollout-failed",
    "result out-of-time",
    "result abandoned",
    "invocations lost",
    "UpdateService whose invocation was lost",
    "UpdateService whose answer was lost",
    "UpdateService that failed",
    "SendMessage whose invocation was lost",
    "SendMessage whose answer was lost",
    "SendMessage that failed",
    "calls of a sweep that failed",
    "pages of a listing that does not end",
    "deployments ended by Stop",
    "deployments ended by Rejection",
    "deployments ended by Hook",
    "deployments ended by HookTimeout",
    "deployments ended by Alarm",
    "hooks of deployments",
];

struct Arguments {
    first: u64,
    seeds: u64,
    one: Option<u64>,
}

fn arguments() -> Arguments {
    let all: Vec<String> = std::env::args().collect();
    let value = |name: &str| {
        all.iter()
            .position(|argument| argument == name)
            .and_then(|at| all.get(at + 1)?.parse().ok())
    };
    Arguments {
        first: value("--first").unwrap_or(0),
        seeds: value("--seeds").unwrap_or(FEW),
        one: value("--seed"),
    }
}

/// Histories a second.
fn rate(number: u64, since: Instant) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX)) / since.elapsed().as_secs_f64()
}

fn main() -> ExitCode {
    let Arguments { first, seeds, one } = arguments();
    if let Some(seed) = one {
        let verdict = run(seed);
        println!("{}", verdict.timeline);
        for excuse in &verdict.excuses {
            println!("seed {seed}: {excuse}");
        }
        for broken in &verdict.broken {
            println!("seed {seed}: {broken}");
        }
        return if verdict.broken.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        };
    }
    let began = Instant::now();
    let (next, failures, happened) = (
        AtomicU64::new(first),
        Mutex::new(Vec::new()),
        Mutex::new(BTreeMap::new()),
    );
    let tally = Mutex::new(Tally::default());
    let told = Mutex::new(Instant::now());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + seeds {
                        return;
                    }
                    let verdict = run(seed);
                    let mut broken = verdict.broken;
                    tally.lock().unwrap().count(&verdict.excuses);
                    if seed % REPLAYED == 0 && run(seed).timeline != verdict.timeline {
                        broken.push("it does not replay".to_owned());
                    }
                    if !broken.is_empty() {
                        // A run that is cut short tells of it all the same.
                        eprintln!("simulate: seed {seed} broke: {}", broken.join("; "));
                        failures
                            .lock()
                            .unwrap()
                            .push((seed, broken, verdict.timeline));
                    }
                    for (what, times) in verdict.happened {
                        *happened.lock().unwrap().entry(what).or_insert(0) += times;
                    }
                    let mut told = told.lock().unwrap();
                    if told.elapsed() > Duration::from_secs(10) {
                        *told = Instant::now();
                        let done = seed - first;
                        eprintln!(
                            "simulate: {done} of {seeds} histories, {:.0}/s",
                            rate(done, began)
                        );
                    }
                }
            });
        }
    });
    let mut failures = failures.into_inner().unwrap();
    failures.sort_by_key(|(seed, ..)| *seed);
    let happened = happened.into_inner().unwrap();
    for (what, times) in &happened {
        println!("{times:>9}  {what}");
    }
    let tally = tally.into_inner().unwrap();
    for line in tally.lines(seeds) {
        println!("{line}");
    }
    if let Some((seed, _, timeline)) = failures.first() {
        println!("the timeline of seed {seed}:\n{timeline}");
    }
    for (seed, broken, _) in &failures {
        for broken in broken {
            println!("seed {seed}: {broken}");
        }
    }
    let missing: Vec<_> = EXPECTED
        .iter()
        .filter(|what| !happened.contains_key(**what))
        .collect();
    let proves_something = seeds < 2000 || missing.is_empty();
    if !proves_something {
        println!("never happened: {missing:?}");
    }
    let too_often = tally.too_often(seeds);
    for kind in &too_often {
        println!("excused too often: {kind}");
    }
    let (took, broken) = (began.elapsed().as_secs_f64(), failures.len());
    println!(
        "simulate: {} of {seeds} histories held, seeds {first}..{}, {took:.0} s, {:.0}/s",
        seeds - broken as u64,
        first + seeds,
        rate(seeds, began)
    );
    if broken == 0 && proves_something && too_often.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
