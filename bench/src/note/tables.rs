//! The tables of the page.

use std::time::Duration;

use crate::figure::{grouped, megabytes};
use crate::results::{Colds, Results};
use crate::table::Table;

/// All tables, each under its heading.
pub(crate) fn all(results: &Results, folder: &str) -> String {
    let mut parts = vec![head(results)];
    let native = cold(results, &results.native);
    parts.push(format!("### Cold start, 145 native roots\n\n{native}"));
    parts.push(image(folder, "cold", "CPU time of a cold start"));
    parts.push(image(folder, "memory", "memory of a cold start"));
    let amazon = cold(results, &results.amazon);
    parts.push(format!("### Cold start, Amazon's four roots\n\n{amazon}"));
    parts.push(format!("### Warm event\n\n{}", warm(results)));
    parts.push(image(folder, "warm", "CPU time of a warm event"));
    parts.push(format!("### Burst, cold\n\n{}", bursts(results)));
    if !results.crowded.is_empty() {
        parts.push(format!("### Memory\n\n{}", memory(results)));
    }
    parts.push(format!(
        "### Against the token buckets\n\n{}",
        races(results)
    ));
    parts.join("\n")
}

fn image(folder: &str, name: &str, text: &str) -> String {
    format!("![{text}]({folder}/{name}.svg)\n")
}

fn head(results: &Results) -> String {
    let lines = results.head.iter().map(|line| format!("* {line}"));
    let missing = results
        .missing
        .iter()
        .map(|what| format!("* left out: {what}"));
    let lines: Vec<_> = lines.chain(missing).collect();
    format!(
        "Written by `{}`:\n\n{}\n",
        results.command,
        lines.join("\n")
    )
}

/// A dash stands for what was not counted.
fn instructions(colds: &Colds) -> String {
    colds.instructions.map_or_else(|| "–".to_owned(), grouped)
}

fn milliseconds(duration: Duration) -> String {
    format!("{:.2}", duration.as_secs_f64() * 1e3)
}

/// The quotient of a contestant's CPU time and ours.
fn ratio(cpu: Duration, ours: Option<Duration>) -> String {
    ours.map_or_else(String::new, |ours| {
        format!("{:.2}", cpu.as_secs_f64() / ours.as_secs_f64())
    })
}

fn cold(results: &Results, all: &[Colds]) -> Table {
    let mut table = Table::new([
        "contestant",
        "its calls",
        "calls",
        "connections",
        "instructions",
        "CPU, ms",
        "÷ ours",
        "page faults",
        "peak, MB",
        "zipped, MB",
    ]);
    let ours = all.first().map(Colds::cpu);
    for (entry, colds) in results.contestants.iter().zip(all) {
        let (calls, connections) = colds.calls();
        table.add([
            entry.name.clone(),
            entry.calls.to_owned(),
            calls.to_string(),
            connections.to_string(),
            instructions(colds),
            milliseconds(colds.cpu()),
            ratio(colds.cpu(), ours),
            grouped(colds.faults()),
            megabytes(colds.peak()),
            format!("{:.2}", crate::figure::approximate(entry.package) / 1e6),
        ]);
    }
    table
}

fn warm(results: &Results) -> Table {
    let numbers = results.warm.iter();
    let heads = numbers.flat_map(|(number, _)| [format!("N = {number}, ms"), "calls".to_owned()]);
    let heads: Vec<_> = std::iter::once("contestant".to_owned())
        .chain(heads)
        .collect();
    let mut table = Table::new(heads.iter().map(String::as_str));
    for (place, entry) in results.contestants.iter().enumerate() {
        let rows = results.warm.iter().filter_map(|(_, row)| row.get(place));
        let cells = rows.flat_map(|warm| [milliseconds(warm.cpu), warm.calls.to_string()]);
        table.add(std::iter::once(entry.name.clone()).chain(cells));
    }
    table
}

fn bursts(results: &Results) -> Table {
    let numbers = results.bursts.iter().map(|(number, _)| number);
    let heads = numbers.flat_map(|number| {
        [
            format!("N = {number}, ms"),
            "instructions".to_owned(),
            "connections".to_owned(),
        ]
    });
    let heads: Vec<_> = std::iter::once("contestant".to_owned())
        .chain(heads)
        .collect();
    let mut table = Table::new(heads.iter().map(String::as_str));
    for (place, entry) in results.contestants.iter().enumerate() {
        let all = results.bursts.iter().filter_map(|(_, row)| row.get(place));
        let cells = all.flat_map(|colds| {
            [
                milliseconds(colds.cpu()),
                instructions(colds),
                colds.calls().1.to_string(),
            ]
        });
        table.add(std::iter::once(entry.name.clone()).chain(cells));
    }
    table
}

fn memory(results: &Results) -> Table {
    let mut table = Table::new(["peak of memory", "MB"]);
    for (entry, peak) in results.contestants.iter().zip(&results.crowded) {
        let name = format!("10,000 services watch, {}", entry.name);
        table.add([name, megabytes(*peak)]);
    }
    for (name, peak) in &results.storms {
        table.add([format!("{name}, ecs-reloader"), megabytes(*peak)]);
    }
    table
}

fn races(results: &Results) -> Table {
    let mut table = Table::new([
        "contestant",
        "who else calls",
        "restarted ÷ asked",
        "throttled calls",
        "time ÷ bound",
    ]);
    for race in &results.races {
        table.add([
            race.contestant.clone(),
            race.others.words().to_owned(),
            format!("{} ÷ {}", race.race.restarted, race.race.asked),
            race.race.throttled.to_string(),
            race.race
                .ratio
                .map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.3}")),
        ]);
    }
    table
}
