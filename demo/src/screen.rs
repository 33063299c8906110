//! Standard output for people: progress bars and colours on a terminal, plain lines otherwise.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::time::Duration;

use console::{Style, Term};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::Instant;

/// Wide enough for the names of the demo's services.
const NAME_WIDTH: usize = 18;

/// The progress of one service's rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Healthy tasks of a deployment that is newer than the change.
    pub(crate) new: usize,
    /// Running tasks.
    pub(crate) running: usize,
    /// Tasks that should run.
    pub(crate) desired: usize,
    /// True if it has been restarted.
    pub(crate) restarted: bool,
    /// True if a deployment is in progress.
    pub(crate) rolling: bool,
    /// True if its newest deployment is, or was, rolled back.
    pub(crate) rolled_back: bool,
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            new,
            running,
            desired,
            restarted,
            rolling,
            rolled_back,
        } = *self;
        if rolled_back {
            return write!(f, "rolled back, {running} old tasks running");
        }
        match (restarted, rolling) {
            (false, false) => write!(f, "{running} running, untouched"),
            (false, true) => write!(f, "{running} of {desired} running"),
            (true, true) => write!(f, "{new} of {desired} tasks new, {running} running"),
            (true, false) => write!(f, "{new} of {desired} tasks new, rollout completed"),
        }
    }
}

/// Standard output.
pub(crate) struct Screen {
    out: Term,
    terminal: bool,
    began: Instant,
    bars: MultiProgress,
    rows: BTreeMap<String, (ProgressBar, Progress)>,
}

impl Screen {
    pub(crate) fn new() -> Self {
        let out = Term::stdout();
        let terminal = out.features().is_attended();
        Self {
            out,
            terminal,
            began: Instant::now(),
            bars: MultiProgress::with_draw_target(ProgressDrawTarget::stdout()),
            rows: BTreeMap::new(),
        }
    }

    /// The time since the beginning.
    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// One line.
    pub(crate) fn line(&self, text: impl fmt::Display) -> io::Result<()> {
        self.out.write_line(&text.to_string())
    }

    /// The head of a section.
    pub(crate) fn heading(&self, text: &str) -> io::Result<()> {
        self.line(format_args!("\n{}", Style::new().bold().apply_to(text)))
    }

    /// One check, and whether it holds.
    pub(crate) fn check(&self, holds: bool, text: &str) -> io::Result<()> {
        let mark = match (holds, self.terminal) {
            (true, true) => Style::new().green().apply_to("✓"),
            (false, true) => Style::new().red().bold().apply_to("✗"),
            (true, false) => Style::new().apply_to("ok    "),
            (false, false) => Style::new().apply_to("FAILED"),
        };
        self.line(format_args!("  {mark} {text}"))
    }

    /// Something that happened just now, with the time since the beginning.
    pub(crate) fn moment(&self, text: impl fmt::Display) -> io::Result<()> {
        let line = format!("{:>6.1} s  {text}", self.began.elapsed().as_secs_f64());
        if self.terminal {
            self.bars.println(line)
        } else {
            self.line(line)
        }
    }

    /// Shows the progress of the service, if it has changed.
    pub(crate) fn progress(&mut self, service: &str, now: Progress) -> io::Result<()> {
        match self.rows.get_mut(service) {
            Some((_, shown)) if *shown == now => return Ok(()),
            Some((bar, shown)) => {
                bar.set_position(now.new as u64);
                bar.set_message(now.to_string());
                *shown = now;
            }
            None => {
                let bar = self
                    .bars
                    .add(ProgressBar::new(now.desired as u64).with_style(style()));
                bar.set_prefix(service.to_owned());
                bar.set_message(now.to_string());
                self.rows.insert(service.to_owned(), (bar, now));
                // The beginning of every service is on the screen already.
                return Ok(());
            }
        }
        if self.terminal {
            Ok(())
        } else {
            self.moment(format_args!("{service:<NAME_WIDTH$} {now}"))
        }
    }

    /// The bars stay as they are.
    pub(crate) fn finish_progress(&mut self) {
        for (bar, _) in self.rows.values() {
            bar.abandon();
        }
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("  {prefix:18} {bar:16.green/dim} {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}
