//! Limits the log of one invocation: the important lines are written, the rest is counted.

use std::collections::BTreeMap;

use super::telemetry::Level;

/// The most bytes of the lines of one invocation. Its summary and its metrics do not count, and are
/// always written. CloudWatch Logs charges by the byte.
const MOST: usize = 960_000;

/// The most lines of one kind.
const MOST_LINES: usize = 1_000;

/// The message of the lines about malformed events.
pub(super) const MALFORMED: &str = "malformed";

/// The lines of an invocation so far.
#[derive(Debug, Default)]
pub(super) struct Volume {
    written: usize,
    /// Bytes and lines, by the message of the line.
    of_kind: BTreeMap<&'static str, (usize, usize)>,
    left_out: BTreeMap<&'static str, usize>,
}

impl Volume {
    /// True if a line may be written. One eighth is kept for warnings and errors, another for
    /// errors alone, and one kind of line takes at most half of the room of its level. So neither a
    /// flood of foreign events nor one of malformed messages, which become dead letters, hides a
    /// failed restart.
    pub(super) fn admits(&mut self, kind: &'static str, level: Level, bytes: usize) -> bool {
        let share = match level {
            Level::Error | Level::Fatal if kind != MALFORMED => MOST,
            Level::Error | Level::Fatal | Level::Warn => MOST / 8 * 7,
            Level::Trace | Level::Debug | Level::Info => MOST / 4 * 3,
        };
        let (of_kind, lines) = self.of_kind.entry(kind).or_default();
        let fits =
            self.written + bytes <= share && *of_kind + bytes <= share / 2 && *lines < MOST_LINES;
        if fits {
            self.written += bytes;
            *of_kind += bytes;
            *lines += 1;
        } else {
            *self.left_out.entry(kind).or_default() += 1;
        }
        fits
    }

    /// The number of lines of each kind that were not written.
    pub(super) fn left_out(&self) -> &BTreeMap<&'static str, usize> {
        &self.left_out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_lines_of_a_kind_are_enough() {
        let mut volume = Volume::default();

        let written = (0..1_200)
            .filter(|_| volume.admits("service", Level::Error, 100))
            .count();

        assert_eq!((written, volume.left_out()["service"]), (1_000, 200));
    }

    #[test]
    fn a_flood_leaves_room_for_warnings_and_these_for_errors() {
        let mut volume = Volume::default();
        let mut write = |kind, level, lines: usize| {
            (0..lines)
                .filter(|_| volume.admits(kind, level, 1000))
                .count()
        };

        let ignored = write("ignored", Level::Info, 10_000);
        let malformed = write(MALFORMED, Level::Error, 10_000);
        let skipped = write("service", Level::Info, 10_000);
        let failed = write("service", Level::Error, 100);

        assert_eq!((ignored, malformed, skipped, failed), (360, 420, 0, 100));
        assert_eq!(volume.left_out()["ignored"], 9_640);
    }
}
