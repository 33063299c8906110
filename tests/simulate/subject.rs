//! A service of a history, and what is to be expected of it.

use std::time::Duration;

use fastrand::Rng;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use sim::{Approver, Hook, Service, Stage, TaskDefinition, service, task_definition};

use crate::history::{DECODED, ENCODED, IGNORED, SECRET, pick};

/// Terms that watch the things that change. The prefix of one parameter's name is that of another
/// one's.
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

/// What a service that writes its own configuration writes.
pub(crate) const OWN: &str = "ssm:/own";

/// When its owner wants no restart, from the start.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Quiet {
    Never,
    UntilPauseEnds,
    OutsideWindow,
}

/// How it is deployed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Rolls {
    AboveDesired,
    /// With a single task not at all.
    BelowDesired,
    BlueGreen,
    /// In Express Mode, as a canary.
    Express,
}

const ROLLS: [Rolls; 7] = [
    Rolls::BelowDesired,
    Rolls::BelowDesired,
    Rolls::AboveDesired,
    Rolls::AboveDesired,
    Rolls::AboveDesired,
    Rolls::BlueGreen,
    Rolls::Express,
];

/// A person looks after a PAUSE hook and may forget it; a Lambda hook fails for some. What writes
/// its own configuration would wait for each of its restarts, and its hooks never take a day.
fn any_hook(rng: &mut Rng, writes: bool) -> Hook {
    let stage = pick(
        rng,
        &[
            Stage::PreScaleUp,
            Stage::PreScaleUp,
            Stage::PostScaleUp,
            Stage::PostProductionTrafficShift,
        ],
    );
    if rng.u8(..4) == 0 {
        return Hook::lambda(stage, Duration::from_secs(rng.u64(..900)), rng.u8(..4) > 0);
    }
    let minutes = |minutes: u64| Duration::from_mins(minutes);
    let within = minutes(pick(rng, &[2, 20, 120]));
    let longest = if writes { 90 } else { 24 * 60 };
    let hook = Hook::pause(stage).expiring_after(minutes(pick(rng, &[10, 10, 90, 90, longest])));
    let hook = hook.attended_by(Approver {
        approves: 0.5,
        rejects: 0.3,
        within,
    });
    if rng.u8(..4) == 0 {
        hook.continuing()
    } else {
        hook
    }
}

const PAUSED_UNTIL: &str = "2026-01-31T13:40:00Z";
const WINDOW: &str = "Mon-Sun 15:00-18:30 Europe/Berlin";

#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) name: String,
    /// All that it reads; it watches that, at the latest when the history ends.
    pub(crate) terms: Vec<&'static str>,
    /// At first it watches only a part of what it reads.
    pub(crate) late: bool,
    /// When it began to watch all that it reads.
    pub(crate) widened_at: Timestamp,
    /// When its owner paused it, or went on with it.
    pub(crate) pauses: Vec<(Timestamp, bool)>,
    quiet: Quiet,
    pub(crate) mode: Option<&'static str>,
    pub(crate) min_interval: SignedDuration,
    /// A value of which version on makes its tasks fail.
    pub(crate) fails: bool,
    pub(crate) rolls: Rolls,
    /// Whether a deployment that fails is rolled back; nothing where it is not even noticed.
    pub(crate) breaker: Option<bool>,
    /// At which its deployments stop.
    pub(crate) hooks: Vec<Hook>,
    /// How long it bakes, where an alarm watches its deployments.
    pub(crate) alarm: Option<Duration>,
    /// How often a pipeline deployed it.
    pub(crate) deploys: usize,
}

impl Subject {
    /// A subject, and the service that it tells of.
    pub(crate) fn any(rng: &mut Rng, number: usize, default: SignedDuration) -> (Self, Service) {
        let mut terms = vec![pick(rng, &TERMS)];
        let more = rng.usize(..3);
        terms.extend((0..more).map(|_| pick(rng, &TERMS)));
        terms.sort_unstable();
        terms.dedup();
        terms.extend((rng.u8(..10) == 0).then_some(OWN));
        let own = pick(rng, &[None, None, Some("90s"), Some("10m")]);
        let fails = rng.u8(..6) == 0;
        let rolls = pick(rng, &ROLLS);
        let subject = Self {
            name: format!("web/s{number}"),
            late: terms.len() > 1 && rng.u8(..5) == 0,
            widened_at: Timestamp::MIN,
            pauses: Vec::new(),
            quiet: match rng.u8(..8) {
                0 => Quiet::UntilPauseEnds,
                1 => Quiet::OutsideWindow,
                _ => Quiet::Never,
            },
            mode: pick(
                rng,
                &[
                    Some("notify"),
                    Some("off"),
                    None,
                    None,
                    None,
                    None,
                    None,
                    None,
                    None,
                    None,
                ],
            ),
            min_interval: own.map_or(default, |own| own.parse().unwrap()),
            fails,
            breaker: (fails || rolls == Rolls::Express || rng.bool())
                .then(|| rolls == Rolls::Express || rng.u8(..4) > 0),
            rolls,
            hooks: (rng.u8(..5) == 0)
                .then(|| any_hook(rng, terms.contains(&OWN)))
                .into_iter()
                .collect(),
            alarm: match rolls {
                Rolls::Express => Some(Duration::ZERO),
                _ => (rng.u8(..6) == 0).then(|| Duration::from_mins(pick(rng, &[2, 15]))),
            },
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
            made = made.tag("reloader:watch", self.spelt(self.terms[0]));
        }
        if self.terms.contains(&"auto") {
            made = made.referring(Self::definition());
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
        if self.fails {
            made = made.failing_when_reading("ssm:/app/a", 3);
        }
        made = self
            .mode
            .into_iter()
            .fold(made, |made, wish| made.tag("reloader:mode", wish));
        match self.quiet {
            Quiet::UntilPauseEnds => made.tag("reloader:pause", PAUSED_UNTIL),
            Quiet::OutsideWindow => made.tag("reloader:window", WINDOW),
            Quiet::Never => made,
        }
    }

    /// The tag that watches all that it reads.
    pub(crate) fn watch_tag(&self) -> String {
        self.terms
            .iter()
            .map(|term| self.spelt(term))
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// The term as the owner writes it: every other one names the secret by the parameter that
    /// hands it out.
    fn spelt<'a>(&self, term: &'a str) -> &'a str {
        let by_parameter = term == SECRET && self.name.ends_with(['1', '3', '5', '7', '9']);
        if by_parameter {
            "ssm:/aws/reference/secretsmanager/prod/s"
        } else {
            term
        }
    }

    /// True where traffic goes over from the old tasks to the new ones.
    pub(crate) fn shifts(&self) -> bool {
        matches!(self.rolls, Rolls::BlueGreen | Rolls::Express)
    }

    /// Whether its tasks write what they watch.
    pub(crate) fn writes(&self) -> bool {
        self.terms.contains(&OWN)
    }

    /// What a pipeline deploys.
    pub(crate) fn definition() -> TaskDefinition {
        task_definition().secret("B", "/app/b")
    }

    /// What a pipeline deploys by mistake: no task of it starts.
    pub(crate) fn broken_definition() -> TaskDefinition {
        Self::definition().secret("TYPO", "/app/typo")
    }

    /// Whether its owner wanted no restart at this instant, and had said so early enough.
    pub(crate) fn is_quiet(&self, at: Timestamp) -> bool {
        const KNOWN_AFTER: SignedDuration = SignedDuration::from_secs(30);
        let last = self.pauses.iter().rfind(|(since, _)| *since <= at);
        let paused = last.map(|(since, paused)| *paused && at.duration_since(*since) > KNOWN_AFTER);
        let hour = TimeZone::UTC.to_datetime(at).time();
        match self.quiet {
            Quiet::Never => paused == Some(true),
            Quiet::UntilPauseEnds => paused.unwrap_or_else(|| at < PAUSED_UNTIL.parse().unwrap()),
            // An hour ahead of UTC in winter; what was decided just in time may start a little
            // later.
            Quiet::OutsideWindow => {
                paused == Some(true)
                    || hour < jiff::civil::time(14, 0, 0, 0)
                    || hour > jiff::civil::time(17, 32, 0, 0)
            }
        }
    }

    pub(crate) fn watches(&self, thing: &str) -> bool {
        self.terms.iter().any(|term| concerns(term, thing))
    }

    /// Whether it watches what the key of an object would be, were it form-URL-encoded.
    pub(crate) fn watches_decoded(&self, thing: &str) -> bool {
        thing == ENCODED && self.watches(DECODED)
    }

    /// Whether it watched this from the start, also where it did not yet watch all that it reads.
    pub(crate) fn has_always_watched(&self, thing: &str) -> bool {
        self.widened_at == Timestamp::MIN || concerns(self.terms[0], thing)
    }
}

fn concerns(term: &str, thing: &str) -> bool {
    thing != IGNORED
        && match term {
            "auto" => thing == "ssm:/app/b",
            prefix if prefix.ends_with('/') => thing.starts_with(prefix),
            exact => exact == thing,
        }
}
