//! Reports an invocation: log lines, metrics, and the answer.

mod lines;
mod metrics;
pub mod notices;
mod telemetry;
pub mod v1;
mod volume;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Serializer;

use crate::domain::arn::ServiceId;
use crate::domain::received::{ReceivedChange, RequestLine};
use crate::domain::text::bounded;

use v1::Summary;
use volume::{MALFORMED, Volume};

pub use telemetry::{Level, telemetry};

/// Writes lines of flat JSON. They do not go through `tracing`: they are written at every log
/// level, and metrics must be lines of their own.
pub struct Reporter {
    out: Mutex<Box<dyn Write + Send>>,
    function: String,
    level: Level,
    /// Mistakes that this process has reported: a wrong tag is reported once, not at each change.
    reported: Mutex<BTreeSet<String>>,
    /// The volume that the invocation has written.
    volume: Mutex<Volume>,
}

impl fmt::Debug for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            out: _,
            function,
            level,
            reported: _,
            volume: _,
        } = self;
        f.debug_struct("Reporter")
            .field("function", function)
            .field("level", level)
            .finish_non_exhaustive()
    }
}

impl Reporter {
    /// Writes the log of the function named `function` to `out`. Lambda drops lines below `level`,
    /// so they are not written.
    #[must_use]
    pub fn new(out: Box<dyn Write + Send>, function: &str, level: Level) -> Self {
        Self {
            out: Mutex::new(out),
            function: function.to_owned(),
            level,
            reported: Mutex::default(),
            volume: Mutex::default(),
        }
    }

    /// Writes the lines of an invocation, its summary and its metrics, in this order. The number of
    /// lines without room is in the summary, and in a line of each kind before it.
    pub fn report(&self, summary: &Summary, now: Timestamp) {
        for event in &summary.ignored_events {
            self.line(now, Level::Info, "ignored", &summary.request_id, event);
        }
        for event in &summary.malformed_events {
            self.line(now, Level::Error, MALFORMED, &summary.request_id, event);
        }
        for (message, lists) in [
            ("incomplete", &summary.incomplete),
            ("not swept", &summary.sweep_errors),
        ] {
            for what in lists {
                self.line(
                    now,
                    Level::Warn,
                    message,
                    &summary.request_id,
                    &lines::Missing { what },
                );
            }
        }
        for service in &summary.lines.services {
            self.line(now, service.level, "service", &summary.request_id, service);
        }
        for services in &summary.lines.more_services {
            let level = lines::services_level(services);
            self.line(now, level, "services", &summary.request_id, services);
        }
        let volume =
            std::mem::take(&mut *self.volume.lock().unwrap_or_else(PoisonError::into_inner));
        let left_out = volume.left_out();
        for (kind, more) in left_out {
            self.always(
                now,
                Level::Warn,
                "left out",
                &summary.request_id,
                &lines::LeftOut { kind, more: *more },
            );
        }
        let counted = lines::Counted::of(summary, left_out.values().sum());
        self.always(
            now,
            lines::summary_level(summary),
            "summary",
            &summary.request_id,
            &counted,
        );
        for metrics in metrics::of(summary, &self.function, now) {
            self.write(&text(&metrics.at(now, Level::Info.max(self.level))));
        }
    }

    /// Writes a line for each request, with its sender.
    pub fn requests<'a>(
        &self,
        requests: impl IntoIterator<Item = &'a RequestLine>,
        request_id: &str,
        now: Timestamp,
    ) {
        for request in requests {
            self.line(now, Level::Info, "request", request_id, request);
        }
    }

    /// Writes a line for each change. A change that no service watches is written at level `DEBUG`
    /// only: every upload to a bucket may be one.
    pub fn changes<'a>(
        &self,
        changes: impl IntoIterator<Item = &'a ReceivedChange>,
        request_id: &str,
        now: Timestamp,
    ) {
        for change in changes {
            let level = lines::change_level(change);
            if level > Level::Debug || self.level <= Level::Debug {
                self.line(now, level, "change", request_id, change);
            }
        }
    }

    /// Writes a line for each tag and reference that does not parse, once in the life of the
    /// process: only this line shows the owner that a service never matches.
    pub fn mistakes<'a>(
        &self,
        mistakes: impl IntoIterator<Item = &'a (ServiceId, String)>,
        request_id: &str,
        now: Timestamp,
    ) {
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, mistake) in mistakes {
            let service = id.to_string();
            if reported.insert(format!("{service}: {mistake}")) {
                self.line(
                    now,
                    Level::Warn,
                    "mistake",
                    request_id,
                    &lines::MistakeLine { service, mistake },
                );
            }
        }
    }

    /// Writes a line for each tagged ARN that cannot be used, once in the life of the process.
    pub fn unusable_arns(
        &self,
        unusable: &BTreeMap<String, &'static str>,
        request_id: &str,
        now: Timestamp,
    ) {
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        for (arn, mistake) in unusable {
            if reported.insert(format!("{arn}: {mistake}")) {
                self.line(
                    now,
                    Level::Warn,
                    "mistake",
                    request_id,
                    &lines::UnusableArnLine {
                        resource: &bounded(arn),
                        mistake,
                    },
                );
            }
        }
    }

    /// Writes a line if there is room for it.
    fn line(
        &self,
        timestamp: Timestamp,
        level: Level,
        message: &'static str,
        request_id: &str,
        fields: &impl Serialize,
    ) {
        let text = text(&lines::Line {
            timestamp,
            level: level.max(self.level),
            message,
            request_id,
            fields,
        });
        if self
            .volume
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .admits(message, level, text.len())
        {
            self.write(&text);
        }
    }

    fn always(
        &self,
        timestamp: Timestamp,
        level: Level,
        message: &'static str,
        request_id: &str,
        fields: &impl Serialize,
    ) {
        self.write(&text(&lines::Line {
            timestamp,
            level: level.max(self.level),
            message,
            request_id,
            fields,
        }));
    }

    /// A failed write cannot be reported: standard output is the log.
    fn write(&self, text: &[u8]) {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = out.write_all(text).and_then(|()| out.flush());
    }
}

fn text(line: &impl Serialize) -> Vec<u8> {
    let mut text = Vec::new();
    if line
        .serialize(&mut Serializer::with_formatter(&mut text, lines::Shown))
        .is_err()
    {
        text.clear();
    }
    text.push(b'\n');
    text
}
