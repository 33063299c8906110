//! The environment becomes settings, all mistakes reported together.

#[cfg(test)]
mod tests;
mod values;

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;

/// A source of variables: the environment, or a test.
pub trait Vars {
    /// The value of the variable `name`, if it is set.
    fn var(&self, name: &str) -> Option<String>;
}

impl Vars for BTreeMap<&str, &str> {
    fn var(&self, name: &str) -> Option<String> {
        self.get(name).map(|value| (*value).to_owned())
    }
}

/// `enforce`; or `notify`: decide and report, restart nothing.
pub const MODE: &str = "RELOADER_MODE";
/// The part of the tag keys before the colon.
pub const TAG_PREFIX: &str = "RELOADER_TAG_PREFIX";
/// Cluster names, separated by commas.
pub const CLUSTERS: &str = "RELOADER_CLUSTERS";
/// Most services one change may restart.
pub const MAX_SERVICES: &str = "RELOADER_MAX_SERVICES";
/// Least time between two restarts of a service.
pub const MIN_INTERVAL: &str = "RELOADER_MIN_INTERVAL";
/// Most restarts of a service in an hour.
pub const MAX_RESTARTS_PER_HOUR: &str = "RELOADER_MAX_RESTARTS_PER_HOUR";
/// Most rollouts of one change at once.
pub const MAX_IN_FLIGHT: &str = "RELOADER_MAX_IN_FLIGHT";
/// Starts at once, of the whole function.
pub const RESTART_BURST: &str = "RELOADER_RESTART_BURST";
/// Starts per second after that, of the whole function.
pub const RESTART_RATE: &str = "RELOADER_RESTART_RATE";
/// Most invocations at once.
pub const CONCURRENCY: &str = "RELOADER_CONCURRENCY";
/// Least time between a change and a restart.
pub const SETTLE: &str = "RELOADER_SETTLE";
/// `repair` or `report`.
pub const SWEEP: &str = "RELOADER_SWEEP";
/// Changes older than this are reported by the sweep, never repaired.
pub const SWEEP_SINCE: &str = "RELOADER_SWEEP_SINCE";
/// The time after which a hold without a known end is abandoned.
pub const HOLD_LIMIT: &str = "RELOADER_HOLD_LIMIT";
/// The time without progress after which a rollout is timed out.
pub const OUTCOME_DEADLINE: &str = "RELOADER_OUTCOME_DEADLINE";
/// The time that a completed rollout must stay well before higher orders follow.
pub const QUIET: &str = "RELOADER_QUIET";
/// Within one order, the first service goes alone.
pub const CANARY: &str = "RELOADER_CANARY";
/// The URL of the queue that takes deferred work.
pub const QUEUE_URL: &str = "RELOADER_QUEUE_URL";
/// The event bus that takes notices.
pub const EVENT_BUS: &str = "RELOADER_EVENT_BUS";
/// The name of the parameter whose daily change proves that changes arrive.
pub const SELF_TEST: &str = "RELOADER_SELF_TEST";

/// Every variable that is read.
pub const NAMES: [&str; 20] = [
    MODE,
    TAG_PREFIX,
    CLUSTERS,
    MAX_SERVICES,
    MIN_INTERVAL,
    MAX_RESTARTS_PER_HOUR,
    MAX_IN_FLIGHT,
    RESTART_BURST,
    RESTART_RATE,
    CONCURRENCY,
    SETTLE,
    SWEEP,
    SWEEP_SINCE,
    HOLD_LIMIT,
    OUTCOME_DEADLINE,
    QUIET,
    CANARY,
    QUEUE_URL,
    EVENT_BUS,
    SELF_TEST,
];

/// The settings of the function, checked once at its start.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// `RELOADER_MODE` = `notify`.
    pub notify_only: bool,
    /// `RELOADER_TAG_PREFIX`.
    pub tag_prefix: String,
    /// `RELOADER_CLUSTERS`; empty for all.
    pub clusters: BTreeSet<String>,
    /// `RELOADER_MAX_SERVICES`.
    pub max_services: usize,
    /// `RELOADER_RESTART_BURST`, of the whole function.
    pub restart_burst: u32,
    /// `RELOADER_RESTART_RATE`, per second, of the whole function.
    pub restart_rate: f64,
    /// `RELOADER_CONCURRENCY`: every pace is divided by it.
    pub concurrency: u32,
    /// `RELOADER_SETTLE`.
    pub settle: SignedDuration,
    /// `RELOADER_MIN_INTERVAL`.
    pub min_interval: SignedDuration,
    /// `RELOADER_MAX_RESTARTS_PER_HOUR`.
    pub restarts_per_hour: usize,
    /// `RELOADER_MAX_IN_FLIGHT`.
    pub max_in_flight: usize,
    /// `RELOADER_HOLD_LIMIT`.
    pub hold_limit: SignedDuration,
    /// `RELOADER_OUTCOME_DEADLINE`.
    pub outcome_deadline: SignedDuration,
    /// `RELOADER_QUIET`.
    pub quiet: SignedDuration,
    /// `RELOADER_CANARY`.
    pub canary: bool,
    /// `RELOADER_SWEEP` = `repair`.
    pub sweep_repairs: bool,
    /// `RELOADER_SWEEP_SINCE`.
    pub sweep_since: SignedDuration,
    /// `RELOADER_QUEUE_URL`; without one, unfinished work is left to the sweep.
    pub queue_url: Option<String>,
    /// `RELOADER_EVENT_BUS`, by its name or its ARN; without one, no notices are sent.
    pub event_bus: Option<String>,
    /// `RELOADER_SELF_TEST`.
    pub self_test: Option<String>,
}

/// Variables that do not parse.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid settings: {}", mistakes.join("; "))]
pub struct InvalidSettings {
    mistakes: Vec<String>,
}

impl Settings {
    /// Reads and checks every variable.
    ///
    /// # Errors
    /// Names each variable that does not parse, its value, and the expected text.
    pub fn load(vars: &dyn Vars) -> Result<Self, InvalidSettings> {
        let mut reader = Reader::new(vars);
        let settings = Self {
            notify_only: reader.read(MODE, "enforce", values::notify_only),
            tag_prefix: reader.read(TAG_PREFIX, "reloader", values::tag_prefix),
            clusters: reader.read(CLUSTERS, "", values::clusters),
            max_services: reader.read(MAX_SERVICES, "100", values::from_one),
            restart_burst: reader.read(RESTART_BURST, "40", values::up_to_a_thousand),
            restart_rate: reader.read(RESTART_RATE, "4", values::rate),
            concurrency: reader.read(CONCURRENCY, "2", values::up_to_a_thousand),
            settle: reader.read(SETTLE, "2s", values::settle),
            min_interval: reader.read(MIN_INTERVAL, "5m", values::duration),
            restarts_per_hour: reader.read(MAX_RESTARTS_PER_HOUR, "6", values::from_one),
            max_in_flight: reader.read(MAX_IN_FLIGHT, "50", values::from_one),
            hold_limit: reader.read(HOLD_LIMIT, "24h", values::hold_limit),
            outcome_deadline: reader.read(OUTCOME_DEADLINE, "30m", values::outcome_deadline),
            quiet: reader.read(QUIET, "60s", values::duration),
            canary: reader.read(CANARY, "false", values::boolean),
            sweep_repairs: reader.read(SWEEP, "repair", values::sweep_repairs),
            sweep_since: reader.read(SWEEP_SINCE, "24h", values::duration),
            queue_url: reader.read(QUEUE_URL, "", values::queue_url),
            event_bus: reader.read(EVENT_BUS, "", values::event_bus),
            self_test: reader.read(SELF_TEST, "", values::parameter),
        };
        let mistakes = reader.mistakes;
        if mistakes.is_empty() {
            Ok(settings)
        } else {
            Err(InvalidSettings { mistakes })
        }
    }
}

/// A value, or the text that was expected instead.
type Parsed<T> = Result<T, &'static str>;

struct Reader<'a> {
    vars: &'a dyn Vars,
    mistakes: Vec<String>,
}

impl<'a> Reader<'a> {
    fn new(vars: &'a dyn Vars) -> Self {
        Self {
            vars,
            mistakes: Vec::new(),
        }
    }

    /// Reads a variable. One that is empty is not set: a template cannot leave one out.
    ///
    /// One that does not parse is `T::default()` here: its mistake makes the settings invalid
    /// anyway.
    fn read<T: Default>(
        &mut self,
        name: &'static str,
        default: &str,
        parse: impl Fn(&str) -> Parsed<T>,
    ) -> T {
        let text = self.vars.var(name).unwrap_or_default();
        let text = match text.trim() {
            "" => default,
            text => text,
        };
        parse(text).unwrap_or_else(|expected| {
            let mistake = format!("{name}={text:?} is not {expected}");
            self.mistakes.push(mistake);
            T::default()
        })
    }
}
