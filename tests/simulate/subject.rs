//! A service of a history, and the restarts that it needs.

use std::time::Duration;

use fastrand::Rng;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use sim::{Account, Hook, Service, TaskDefinition, service, task_definition};

use crate::choices::Choices;
use crate::history::{DECODED, ENCODED, IGNORED, SECRET, pick};
use crate::holds::Span;
use crate::rolls::{ROLLS, Rolls, any_hook};
use crate::window::{WINDOWS, Window};

/// Terms that watch the things that change. One parameter's name is the beginning of another's.
const TERMS: [&str; 8] = [
    "ssm:/app/",
    "ssm:/app/a",
    "ssm:/app/b",
    "secret:prod/s",
    "s3:config/app/",
    "ssm:/app2/a",
    "auto",
    DECODED,
];

/// A term that excludes one parameter of a path.
const EXCEPT: &str = "-ssm:/app/a";

/// The parameter that some services write themselves.
pub(crate) const OWN: &str = "ssm:/own";

/// The times at which its owner wants no restart, from the start.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Quiet {
    Never,
    UntilPauseEnds,
    Outside(Window),
}

const PAUSED_UNTIL: &str = "2026-01-31T13:40:00Z";

/// The versions whose value makes the tasks of a service fail.
#[derive(Clone, Copy, Debug, PartialEq)]
enum BadValue {
    Never,
    /// From the third version on.
    ForEver,
    /// The third version alone: the next one repairs it.
    Once,
}

#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) name: String,
    /// Everything that it reads. It watches all of it, at the latest at the end of the history.
    pub(crate) terms: Vec<&'static str>,
    /// True if it watches only a part of it at first.
    pub(crate) late: bool,
    /// The instant at which it began to watch all of it.
    pub(crate) widened_at: Timestamp,
    /// The instants at which its owner set the tag that pauses it, or removed it.
    pub(crate) tagged_pauses: Vec<(Timestamp, bool)>,
    quiet: Quiet,
    pub(crate) mode: Option<&'static str>,
    pub(crate) min_interval: SignedDuration,
    fails: BadValue,
    /// True if its task definition names a version of the secret by its id.
    pinned: Option<String>,
    /// True if its count was changed: tasks may be new without a deployment.
    pub(crate) was_scaled: bool,
    pub(crate) rolls: Rolls,
    /// True if a failed deployment is rolled back; `None` without a circuit breaker.
    pub(crate) breaker: Option<bool>,
    /// The hook at which its deployments stop.
    pub(crate) hooks: Vec<Hook>,
    /// Its bake time, if an alarm watches its deployments.
    pub(crate) alarm: Option<Duration>,
    /// The number of deployments by a pipeline.
    pub(crate) deploys: usize,
}

impl Subject {
    /// A subject, and the service that it describes.
    pub(crate) fn any(
        rng: &mut Rng,
        number: usize,
        choices: &Choices,
        account: &Account,
        version: &str,
    ) -> (Self, Service) {
        let terms = any_terms(rng);
        let own = pick(rng, &[None, None, Some("90s"), Some("10m")]);
        let fails = any_failure(rng);
        let rolls = pick(rng, &ROLLS);
        let cluster = if choices.services >= 10 && number % 2 == 1 {
            "jobs"
        } else {
            "web"
        };
        let is_pinned = terms.contains(&"auto") && !terms.contains(&SECRET) && rng.bool();
        let secret = account.secret_arn(SECRET.split_once(':').unwrap().1);
        let breaks = fails != BadValue::Never || rolls == Rolls::Express || rng.bool();
        let subject = Self {
            name: format!("{cluster}/s{number}"),
            late: terms.len() > 1 && rng.u8(..5) == 0,
            widened_at: Timestamp::MIN,
            tagged_pauses: Vec::new(),
            quiet: any_quiet(rng),
            mode: any_mode(rng),
            min_interval: own.map_or(choices.min_interval(), |own| own.parse().unwrap()),
            fails,
            pinned: secret
                .filter(|_| is_pinned)
                .map(|arn| format!("{arn}:::{version}")),
            was_scaled: false,
            breaker: breaks.then(|| rolls == Rolls::Express || rng.u8(..4) > 0),
            rolls,
            hooks: (rng.u8(..5) == 0)
                .then(|| any_hook(rng, terms.contains(&OWN)))
                .into_iter()
                .collect(),
            alarm: any_alarm(rng, rolls),
            deploys: 0,
            terms,
        };
        let service = subject.service(rng);
        let service = own.into_iter().fold(service, |service, own| {
            service.tag("reloader:min-interval", own)
        });
        (subject, service)
    }

    fn service(&self, rng: &mut Rng) -> Service {
        let desired = if self.rolls == Rolls::BelowDesired {
            rng.usize(2..4)
        } else {
            rng.usize(1..4)
        };
        let mut made = service(&self.name)
            .desired(desired)
            .deployed_ago(Duration::from_hours(2));
        made = made.task_seconds(rng.f64() * 30.0, rng.f64() * 10.0, rng.f64() * 20.0);
        made = made.watching(&self.watch_tag());
        if self.writes() {
            made = made.writing("/own", rng.u32(2..30));
        }
        if self.late {
            made = made.tag("reloader:watch", &self.first_tag());
        }
        if self.terms.contains(&"auto") {
            made = made.referring(self.definition());
        }
        made = match self.rolls {
            Rolls::AboveDesired => made,
            Rolls::BelowDesired => made.percent(50, 100),
            Rolls::BlueGreen => made.blue_green(Duration::from_mins(rng.u64(..20))),
            Rolls::Express => made.express(),
        };
        made = self.hooks.iter().cloned().fold(made, Service::hook);
        if self.rolls != Rolls::Express {
            made = self
                .alarm
                .into_iter()
                .fold(made, |made, bake| made.alarm("errors", bake));
        }
        made = self
            .breaker
            .into_iter()
            .fold(made, Service::circuit_breaker);
        made = match self.fails {
            BadValue::Never => made,
            BadValue::ForEver => made.failing_when_reading("ssm:/app/a", 3),
            BadValue::Once => made.failing_while_reading("ssm:/app/a", 3..4),
        };
        made = self
            .mode
            .into_iter()
            .fold(made, |made, mode| made.tag("reloader:mode", mode));
        match self.quiet {
            Quiet::UntilPauseEnds => made.tag("reloader:pause", PAUSED_UNTIL),
            Quiet::Outside(window) => made.tag("reloader:window", window.tag),
            Quiet::Never => made,
        }
    }

    /// The tag that watches everything that it reads.
    pub(crate) fn watch_tag(&self) -> String {
        self.terms
            .iter()
            .map(|term| self.spelt(term))
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// The tag that watches a part of the things that it reads.
    fn first_tag(&self) -> String {
        let first = self.spelt(self.terms[0]);
        if self.terms.contains(&EXCEPT) {
            format!("{first} {EXCEPT}")
        } else {
            first.to_owned()
        }
    }

    /// The term as the owner writes it: every other owner names the secret by its Parameter Store
    /// name.
    fn spelt<'a>(&self, term: &'a str) -> &'a str {
        let by_parameter = term == SECRET && self.name.ends_with(['1', '3', '5', '7', '9']);
        if by_parameter {
            "ssm:/aws/reference/secretsmanager/prod/s"
        } else {
            term
        }
    }

    /// True if its deployments shift traffic from the old tasks to the new ones.
    pub(crate) fn shifts(&self) -> bool {
        matches!(self.rolls, Rolls::BlueGreen | Rolls::Express)
    }

    /// True if its tasks write a key that they watch.
    pub(crate) fn writes(&self) -> bool {
        self.terms.contains(&OWN)
    }

    /// The task definition that a pipeline deploys.
    pub(crate) fn definition(&self) -> TaskDefinition {
        let definition = task_definition().secret("B", "/app/b");
        self.pinned.iter().fold(definition, |definition, pinned| {
            definition.secret("PINNED", pinned)
        })
    }

    /// The task definition that a pipeline deploys by mistake: its tasks do not start.
    pub(crate) fn broken_definition(&self) -> TaskDefinition {
        self.definition().secret("TYPO", "/app/typo")
    }

    /// True if its owner wanted no restart at this instant, and had set the tag early enough.
    pub(crate) fn is_quiet(&self, at: Timestamp) -> bool {
        const KNOWN_AFTER: SignedDuration = SignedDuration::from_secs(30);
        let last = self.tagged_pauses.iter().rfind(|(since, _)| *since <= at);
        let paused = last.map(|(since, paused)| *paused && at.duration_since(*since) > KNOWN_AFTER);
        match self.quiet {
            Quiet::Never => paused == Some(true),
            Quiet::UntilPauseEnds => paused.unwrap_or_else(|| at < paused_until()),
            Quiet::Outside(window) => paused == Some(true) || window.is_surely_closed(at),
        }
    }

    /// The times in which the tag pauses it.
    pub(crate) fn pauses(&self) -> Vec<Span> {
        let ends = self.tagged_pauses.iter().skip(1).map(|(at, _)| *at);
        let ends = ends.chain([Timestamp::MAX]);
        let mut spans: Vec<_> = self
            .tagged_pauses
            .iter()
            .zip(ends)
            .filter(|((_, paused), _)| *paused)
            .map(|((from, _), until)| Span::unknown(*from, until))
            .collect();
        if self.quiet == Quiet::UntilPauseEnds {
            spans.push(Span::known(Timestamp::MIN, paused_until()));
        }
        spans
    }

    /// The times between two instants in which its window is closed.
    pub(crate) fn closed(&self, from: Timestamp, until: Timestamp) -> Vec<Span> {
        let Quiet::Outside(window) = self.quiet else {
            return Vec::new();
        };
        let day = SignedDuration::from_hours(24);
        let midnight = TimeZone::UTC
            .to_datetime(from)
            .date()
            .in_tz("UTC")
            .unwrap()
            .timestamp();
        let mut spans = Vec::new();
        let mut closes = midnight - day + window.length();
        closes += SignedDuration::from_secs(i64::from(window.opens));
        while closes < until {
            let opens = closes + day - window.length();
            spans.push(Span::known(closes, opens));
            closes += day;
        }
        spans
    }

    /// True if a change of this may restart it, unless the key is ignored.
    pub(crate) fn reads(&self, thing: &str) -> bool {
        let is_excluded = |term: &&str| {
            term.strip_prefix('-')
                .is_some_and(|term| names(term, thing))
        };
        self.terms.iter().any(|term| names(term, thing)) && !self.terms.iter().any(is_excluded)
    }

    /// True if only its task definition decides that it reads this.
    pub(crate) fn reads_by_auto_alone(&self, thing: &str) -> bool {
        let mut others = self.terms.iter().filter(|term| **term != "auto");
        self.reads(thing) && !others.any(|term| names(term, thing))
    }

    pub(crate) fn watches(&self, thing: &str) -> bool {
        thing != IGNORED && self.reads(thing)
    }

    /// True if it watches the form-URL-decoded form of an object's key.
    pub(crate) fn watches_decoded(&self, thing: &str) -> bool {
        thing == ENCODED && self.watches(DECODED)
    }

    /// True if it watched this from the start, even if it watched only a part at first.
    pub(crate) fn has_always_watched(&self, thing: &str) -> bool {
        (self.widened_at == Timestamp::MIN && !self.late) || names(self.terms[0], thing)
    }
}

fn paused_until() -> Timestamp {
    PAUSED_UNTIL.parse().unwrap()
}

fn any_failure(rng: &mut Rng) -> BadValue {
    match rng.u8(..12) {
        0 => BadValue::ForEver,
        1 => BadValue::Once,
        _ => BadValue::Never,
    }
}

fn any_quiet(rng: &mut Rng) -> Quiet {
    match rng.u8(..8) {
        0 => Quiet::UntilPauseEnds,
        1 => Quiet::Outside(pick(rng, &WINDOWS)),
        _ => Quiet::Never,
    }
}

fn any_mode(rng: &mut Rng) -> Option<&'static str> {
    match rng.u8(..10) {
        0 => Some("notify"),
        1 => Some("off"),
        _ => None,
    }
}

/// The time for which the alarms of a deployment are watched. Express services always have one.
fn any_alarm(rng: &mut Rng, rolls: Rolls) -> Option<Duration> {
    match rolls {
        Rolls::Express => Some(Duration::ZERO),
        _ => (rng.u8(..6) == 0).then(|| Duration::from_mins(pick(rng, &[2, 15]))),
    }
}

/// One to three terms, the first of which names a thing; perhaps an exclusion, and perhaps a term
/// for the key that its own tasks write.
fn any_terms(rng: &mut Rng) -> Vec<&'static str> {
    let mut terms = vec![pick(rng, &TERMS)];
    let more = rng.usize(..3);
    terms.extend((0..more).map(|_| pick(rng, &TERMS)));
    terms.sort_unstable();
    terms.dedup();
    let takes_out = terms.contains(&"ssm:/app/") && rng.u8(..4) == 0;
    terms.extend(takes_out.then_some(EXCEPT));
    terms.extend((rng.u8(..10) == 0).then_some(OWN));
    terms
}

/// True if a term names a thing.
fn names(term: &str, thing: &str) -> bool {
    match term {
        "auto" => thing == "ssm:/app/b",
        prefix if prefix.ends_with('/') => thing.starts_with(prefix),
        exact => exact == thing,
    }
}
