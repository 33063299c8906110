//! The decisions of one invocation as a table: one row a service, aligned, at most 100 columns.

use std::fmt;

use crate::log::Row;

/// The widest line, in characters.
const WIDTH: usize = 100;
/// The space between two columns.
const GAP: &str = "  ";
/// The heads of the columns.
const HEADS: [&str; COLUMNS] = ["service", "decision", "reason", "detail", "changes"];
const COLUMNS: usize = 5;
/// The widest that the first three columns become, so that the last two have room.
const WIDEST: [usize; 3] = [24, 8, 22];

/// The table of these decisions.
pub(crate) struct Table<'a>(pub(crate) &'a [Row]);

/// The cells of one row; each change begins a line of its own.
type Cells = [String; COLUMNS];

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<Cells> = std::iter::once(HEADS.map(str::to_owned))
            .chain(self.0.iter().map(cells))
            .collect();
        let widths = widths(&rows);
        for row in &rows {
            write_row(f, row, widths)?;
        }
        Ok(())
    }
}

fn cells(row: &Row) -> Cells {
    let Row {
        service,
        decision,
        reason,
        detail,
        changes,
        at: _,
        outcome: _,
    } = row;
    [
        service.clone(),
        decision.clone(),
        reason.clone(),
        detail.clone(),
        changes.join("\n"),
    ]
    .map(|text| {
        if text.is_empty() {
            "-".to_owned()
        } else {
            text
        }
    })
}

/// The widths of the columns: those of their contents, within the limits. If detail and changes do
/// not both fit, the detail is cut first, to half of their common width at least.
fn widths(rows: &[Cells]) -> [usize; COLUMNS] {
    let natural = |column: usize| {
        let lines = rows.iter().filter_map(move |row| row.get(column));
        let lines = lines.flat_map(|cell| cell.lines());
        lines.map(|line| line.chars().count()).max().unwrap_or(0)
    };
    let [service, decision, reason] = WIDEST;
    let (service, decision) = (natural(0).min(service), natural(1).min(decision));
    let reason = natural(2).min(reason);
    let gaps = GAP.len() * (COLUMNS - 1);
    let left = WIDTH - gaps - service - decision - reason;
    let detail = natural(3).min((left / 2).max(left.saturating_sub(natural(4))));
    let changes = natural(4).min(left - detail);
    [service, decision, reason, detail, changes]
}

/// Writes a row, as many lines as its highest cell needs.
fn write_row(f: &mut fmt::Formatter<'_>, row: &Cells, widths: [usize; COLUMNS]) -> fmt::Result {
    let columns: Vec<(usize, Vec<String>)> = row
        .iter()
        .zip(widths)
        .map(|(cell, width)| {
            (
                width,
                cell.lines().flat_map(|line| wrap(line, width)).collect(),
            )
        })
        .collect();
    let height = columns.iter().map(|(_, lines)| lines.len()).max();
    for number in 0..height.unwrap_or(0) {
        let parts = columns.iter().map(|(width, lines)| {
            let text = lines.get(number).map_or("", String::as_str);
            format!("{text:<width$}")
        });
        writeln!(f, "{}", parts.collect::<Vec<_>>().join(GAP).trim_end())?;
    }
    Ok(())
}

/// Breaks a line at spaces; a word that is longer than a line is broken where the line ends.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for piece in text.split(' ').flat_map(|word| pieces(word, width)) {
        let fits = line.chars().count() + 1 + piece.chars().count() <= width;
        if line.is_empty() {
            line = piece;
        } else if fits {
            line = format!("{line} {piece}");
        } else {
            lines.push(std::mem::replace(&mut line, piece));
        }
    }
    lines.push(line);
    lines
}

/// A word in pieces that fit into a line.
fn pieces(word: &str, width: usize) -> Vec<String> {
    let characters: Vec<char> = word.chars().collect();
    let pieces = characters.chunks(width.max(1));
    pieces.map(|piece| piece.iter().collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(service: &str, detail: &str, changes: &[&str]) -> Row {
        Row {
            at: String::new(),
            service: service.to_owned(),
            decision: "restart".to_owned(),
            reason: "stale".to_owned(),
            outcome: None,
            detail: detail.to_owned(),
            changes: changes.iter().map(|change| (*change).to_owned()).collect(),
        }
    }

    #[test]
    fn columns_are_as_wide_as_their_contents_and_a_dash_stands_where_there_is_nothing() {
        let rows = [
            row(
                "production/api",
                "",
                &["ssm:/app/a", "s3:bucket/app/prod.yaml"],
            ),
            row("production/web", "a request asked for it", &[]),
        ];

        let expected = "\
service         decision  reason  detail                  changes
production/api  restart   stale   -                       ssm:/app/a
                                                          s3:bucket/app/prod.yaml
production/web  restart   stale   a request asked for it  -
";
        assert_eq!(Table(&rows).to_string(), expected);
    }

    #[test]
    fn the_longest_texts_are_wrapped_within_a_hundred_columns_and_nothing_is_lost() {
        let (cluster, key) = ("c".repeat(60), format!("ssm:/{}", "k".repeat(200)));
        let detail = "many words ".repeat(30);

        let table = Table(&[row(&cluster, detail.trim(), &[&key])]).to_string();

        let widest = table.lines().map(|line| line.chars().count()).max();
        assert_eq!(widest, Some(WIDTH), "{table}");
        let count = |letter: char| table.chars().filter(|c| *c == letter).count();
        assert!(count('c') >= 60 && count('k') >= 200, "{table}");
        assert_eq!(table.matches("many").count(), 30, "{table}");
    }
}
