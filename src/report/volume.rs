//! How much one invocation writes: what is worth a look is written, the rest is counted.

use std::collections::BTreeMap;

use super::telemetry::Level;

/// Bytes of the lines of one invocation, but for its summary and its metrics, which are always
/// written. CloudWatch Logs charges by the byte.
const MOST: usize = 960_000;

/// Lines of one kind.
const MOST_LINES: usize = 1_000;

/// What lines of broken messages are about.
pub(super) const MALFORMED: &str = "malformed";

/// What the lines of an invocation took so far.
#[derive(Debug, Default)]
pub(super) struct Volume {
    written: usize,
    /// Bytes and lines, by what the line is about.
    of_kind: BTreeMap<&'static str, (usize, usize)>,
    left_out: BTreeMap<&'static str, usize>,
}

impl Volume {
    /// True if a line may be written. An eighth is kept for warnings and errors, another for errors
    /// alone, and no kind of line takes more than half of what its level may: neither a flood
    /// of events that mean nothing nor one of broken messages, which become dead letters, hides
    /// that a restart failed.
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
