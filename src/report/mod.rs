//! What a person sees of an invocation: log lines, metrics, and the answer.

mod lines;
mod metrics;
mod telemetry;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Serializer;

use crate::domain::arn::ServiceId;
use crate::domain::received::{ReceivedChange, RequestLine};
use crate::domain::summary::Summary;
use crate::domain::text::bounded;

pub use telemetry::{Level, telemetry};

/// Lines of one kind that an invocation writes about changes and requests: a batch may hold a hundred thousand of them.
const MOST_LINES: usize = 1_000;

/// Writes lines of flat JSON. They do not go through `tracing`: they are written at every log level, and metrics must be lines of their own.
pub struct Reporter {
    out: Mutex<Box<dyn Write + Send>>,
    function: String,
    level: Level,
    /// Mistakes that this process has told already: a person needs to read of a wrong tag once, not at each change.
    told: Mutex<BTreeSet<String>>,
}

impl fmt::Debug for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { out: _, function, level, told: _ } = self;
        f.debug_struct("Reporter").field("function", function).field("level", level).finish_non_exhaustive()
    }
}

impl Reporter {
    /// Writes to `out` what the function named `function` does. Lambda drops lines below `level`, so none is written below it.
    #[must_use]
    pub fn new(out: Box<dyn Write + Send>, function: &str, level: Level) -> Self {
        Self { out: Mutex::new(out), function: function.to_owned(), level, told: Mutex::default() }
    }

    /// Writes the lines and the metrics of an invocation.
    pub fn report(&self, summary: &Summary, now: Timestamp) {
        for event in &summary.ignored_events {
            self.line(now, Level::Info, "ignored", &summary.request_id, event);
        }
        for event in &summary.malformed_events {
            self.line(now, Level::Error, "malformed", &summary.request_id, event);
        }
        for (message, told) in [("incomplete", &summary.incomplete), ("not swept", &summary.not_swept)] {
            for what in told {
                self.line(now, Level::Warn, message, &summary.request_id, &lines::Missing { what });
            }
        }
        for service in &summary.services {
            self.line(now, lines::service_level(service), "service", &summary.request_id, service);
        }
        self.line(now, lines::summary_level(summary), "summary", &summary.request_id, &lines::Counted::of(summary));
        for metrics in metrics::of(summary, &self.function) {
            self.write(&metrics.at(now, Level::Info.max(self.level)));
        }
    }

    /// Tells what was asked for, and by whom.
    pub fn requests<'a>(&self, requests: impl IntoIterator<Item = &'a RequestLine>, request_id: &str, now: Timestamp) {
        self.lines(now, "request", request_id, requests.into_iter().map(|request| (Level::Info, request)));
    }

    /// Tells of each change. What nobody watches is left out unless the level is `DEBUG`: it may be every upload to a bucket.
    pub fn changes<'a>(&self, changes: impl IntoIterator<Item = &'a ReceivedChange>, request_id: &str, now: Timestamp) {
        let changes = changes.into_iter().map(|change| (lines::change_level(change), change));
        self.lines(now, "change", request_id, changes.filter(|(level, _)| *level > Level::Debug || self.level <= Level::Debug));
    }

    /// Writes the first [`MOST_LINES`] of a kind, and how many more there were.
    fn lines<'a, T: Serialize + 'a>(&self, now: Timestamp, kind: &str, request_id: &str, lines: impl Iterator<Item = (Level, &'a T)>) {
        let mut count: usize = 0;
        for (level, fields) in lines {
            if count < MOST_LINES {
                self.line(now, level, kind, request_id, fields);
            }
            count += 1;
        }
        if let more @ 1.. = count.saturating_sub(MOST_LINES) {
            self.line(now, Level::Warn, "left out", request_id, &lines::LeftOut { kind, more });
        }
    }

    /// Tells of tags and references that do not parse, each once in the life of the process, since the owner of a service that never matches would not
    /// hear of it otherwise.
    pub fn mistakes<'a>(&self, mistakes: impl IntoIterator<Item = &'a (ServiceId, String)>, request_id: &str, now: Timestamp) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, mistake) in mistakes {
            let service = id.to_string();
            if told.insert(format!("{service}: {mistake}")) {
                self.line(now, Level::Warn, "mistake", request_id, &lines::MistakeLine { service, mistake });
            }
        }
    }

    /// Tells of tagged resources that are not what the tag is for, each once in the life of the process: nobody would hear of them otherwise.
    pub fn strangers(&self, strangers: &BTreeMap<String, &'static str>, request_id: &str, now: Timestamp) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        for (arn, mistake) in strangers {
            if told.insert(format!("{arn}: {mistake}")) {
                self.line(now, Level::Warn, "mistake", request_id, &lines::StrangerLine { resource: &bounded(arn), mistake });
            }
        }
    }

    fn line(&self, timestamp: Timestamp, level: Level, message: &str, request_id: &str, fields: &impl Serialize) {
        self.write(&lines::Line { timestamp, level: level.max(self.level), message, request_id, fields });
    }

    /// A line that cannot be written has nowhere to be told of: standard output is the log.
    fn write(&self, line: &impl Serialize) {
        let mut text = Vec::new();
        if line.serialize(&mut Serializer::with_formatter(&mut text, lines::Shown)).is_ok() {
            text.push(b'\n');
            let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = out.write_all(&text).and_then(|()| out.flush());
        }
    }
}
