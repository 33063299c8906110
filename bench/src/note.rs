//! Writes what was measured into the page, as tables and plots.

mod tables;

use std::path::Path;

use crate::failure::Failure;
use crate::plot;
use crate::results::Results;

/// The lines of the page between which the tables stand.
const BEGIN: &str = "<!-- measured: begin -->\n";
const END: &str = "<!-- measured: end -->";

/// Replaces the tables of the page, and the plots in the folder of its name.
pub(crate) fn write(results: &Results, page: &Path) -> Result<(), Failure> {
    let text = std::fs::read_to_string(page)?;
    let folder = page.with_extension("");
    std::fs::create_dir_all(&folder)?;
    for (name, plot) in plots(results) {
        std::fs::write(folder.join(name), plot)?;
    }
    let name = folder
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    Ok(std::fs::write(
        page,
        replaced(&text, &tables::all(results, &name))?,
    )?)
}

fn replaced(page: &str, tables: &str) -> Result<String, Failure> {
    let parts = page.split_once(BEGIN).zip(page.split_once(END));
    let ((before, _), (_, after)) = parts.ok_or("the page has no place for the tables")?;
    Ok(format!("{before}{BEGIN}\n{tables}\n{END}{after}"))
}

fn plots(results: &Results) -> Vec<(&'static str, String)> {
    let names = || results.contestants.iter().map(|entry| entry.name.clone());
    let milliseconds = |duration: std::time::Duration| duration.as_secs_f64() * 1e3;
    let cold = results.native.iter().map(|colds| milliseconds(colds.cpu()));
    let memory = results
        .native
        .iter()
        .map(|colds| crate::figure::approximate(colds.peak()) / 1e6);
    let warm = results
        .contestants
        .iter()
        .enumerate()
        .map(|(place, entry)| plot::Line {
            name: entry.name.clone(),
            points: points(results, place),
        });
    vec![
        (
            "cold.svg",
            plot::bars("Cold start, CPU time in milliseconds", names().zip(cold)),
        ),
        (
            "memory.svg",
            plot::bars("Cold start, peak of memory in MB", names().zip(memory)),
        ),
        (
            "warm.svg",
            plot::lines(
                "Warm event, CPU time in milliseconds, by services restarted",
                &warm.collect::<Vec<_>>(),
            ),
        ),
    ]
}

/// The CPU time of a contestant's warm events, by the number of services.
fn points(results: &Results, place: usize) -> Vec<(f64, f64)> {
    let rows = results.warm.iter();
    let points = rows.filter_map(|(services, row)| {
        let services = u32::try_from(*services).ok()?;
        Some((f64::from(services), row.get(place)?.cpu.as_secs_f64() * 1e3))
    });
    points.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_between_the_marks_is_replaced() {
        let page = format!("# Page\n{BEGIN}old\n{END}\nthe rest\n");

        let replaced = replaced(&page, "new").unwrap();

        assert_eq!(replaced, format!("# Page\n{BEGIN}\nnew\n{END}\nthe rest\n"));
        assert!(super::replaced("# Page", "new").is_err());
    }
}
