//! The table of the figures, and what fails.

use std::fmt;

use super::figures::Figure;
use crate::baseline::{Baseline, Versions};
use crate::figure::{approximate, grouped};
use crate::table::Table;

/// The figures beside their baseline.
pub(crate) struct Verdict {
    table: Table,
    failed: Vec<String>,
    /// What is different here from where the baseline was made.
    differences: Vec<String>,
}

impl Verdict {
    /// Compares. Figures that the baseline does not have fail: so a new one is committed.
    pub(crate) fn of(figures: &[Figure], baseline: &Baseline, here: &Versions) -> Self {
        let mut table = Table::new(["figure", "baseline", "now", "change"]);
        let mut failed = Vec::new();
        for figure in figures {
            let known = baseline.figures.get(figure.name).copied();
            let change = known.map_or_else(|| "new".to_owned(), |known| change(known, figure.now));
            table.add([
                figure.name.to_owned(),
                known.map(grouped).unwrap_or_default(),
                grouped(figure.now),
                change,
            ]);
            let most = known.map(|known| known + known * figure.tolerance / 1000);
            if most.is_none_or(|most| figure.now > most) {
                failed.push(figure.name.to_owned());
            }
        }
        Self {
            table,
            failed,
            differences: differences(&baseline.versions, here),
        }
    }

    /// True if no figure is worse than the baseline allows.
    pub(crate) fn is_passed(&self) -> bool {
        self.failed.is_empty()
    }
}

/// The change in percent.
fn change(known: u64, now: u64) -> String {
    let change = (approximate(now) / approximate(known) - 1.0) * 100.0;
    format!("{change:+.2} %")
}

fn differences(baseline: &Versions, here: &Versions) -> Vec<String> {
    let pairs = [
        (&baseline.compiler, &here.compiler),
        (&baseline.valgrind, &here.valgrind),
        (&baseline.architecture, &here.architecture),
    ];
    let different = pairs.into_iter().filter(|(known, here)| known != here);
    different
        .map(|(known, here)| format!("{here} instead of {known}"))
        .collect()
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.table)?;
        if self.failed.is_empty() {
            return writeln!(f, "No figure is worse than the baseline allows.");
        }
        writeln!(
            f,
            "Worse than the baseline allows: {}.",
            self.failed.join("; ")
        )?;
        if !self.differences.is_empty() {
            let differences = self.differences.join(", ");
            writeln!(
                f,
                "The baseline is of another machine: {differences}. If the commit before yours is \
                 as far from it, the baseline is what is out of date."
            )?;
        }
        writeln!(
            f,
            "If the change is worth it, run `make gates WRITE=1`, and commit bench/baseline.json \
             with the reason."
        )
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn versions(compiler: &str) -> Versions {
        Versions {
            compiler: compiler.to_owned(),
            valgrind: "valgrind-3.19.0".to_owned(),
            architecture: "x86_64".to_owned(),
        }
    }

    fn verdict(name: &'static str, now: u64) -> Verdict {
        let baseline = Baseline {
            versions: versions("rustc 1.95.0"),
            figures: BTreeMap::from([("calls".to_owned(), 1000)]),
        };
        let figure = Figure {
            name,
            tolerance: 20,
            now,
        };
        Verdict::of(&[figure], &baseline, &versions("rustc 1.96.0"))
    }

    #[test]
    fn two_percent_more_pass_and_more_than_that_fails() {
        assert!(verdict("calls", 900).is_passed());
        assert!(verdict("calls", 1020).is_passed());
        assert!(!verdict("calls", 1021).is_passed());
    }

    #[test]
    fn a_figure_without_a_baseline_fails() {
        assert!(!verdict("new figure", 1).is_passed());
    }

    #[test]
    fn a_failure_names_the_figure_the_change_and_the_other_compiler() {
        let text = verdict("calls", 1100).to_string();

        for part in [
            "| calls",
            "1,000",
            "1,100",
            "+10.00 %",
            "rustc 1.96.0 instead of rustc 1.95.0",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
